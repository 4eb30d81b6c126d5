"""Every optimizer of the registry: its class, its arguments, its rates, its memory."""

import inspect
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load

from lorawiz.errors import RunError, SpecError
from lorawiz.runs.states import find_newest_state
from lorawiz.runs.view import load_view
from lorawiz.spec.arguments import as_toml, read_kohya_args
from lorawiz.spec.document import build_spec, dump_spec
from lorawiz.spec.optimizers import OPTIMIZERS, is_missing
from lorawiz.spec.tables import Spec
from lorawiz.spec.templates import Template, render_spec
from lorawiz.train import optimizers as module
from lorawiz.train.optimizers import averaged_weights, make_optimizer
from lorawiz.train.rates import TorchRates, build_rates, effective_rate
from lorawiz.train.trained import LearningGroup
from lorawiz.train.trial import try_optimizer
from tests.support.training import SHORT, losses, make_run, model_hash, stop_after, train

CPU = torch.device("cpu")
# bitsandbytes belongs to the extra cuda, not to dev
HERE = [n for n, o in OPTIMIZERS.items() if not (o.package == "bitsandbytes" and is_missing(o))]
FREE = [name for name, entry in OPTIMIZERS.items() if entry.is_schedule_free]
ONE_CYCLE = "torch.optim.lr_scheduler.OneCycleLR"

pytestmark = pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")


def make_spec(**train: Any) -> Spec:
    return build_spec({"train": train})


def spec_of(name: str, **train: Any) -> Spec:
    """A spec with the optimizer's usual learning rate."""
    rates = OPTIMIZERS[name].rates
    assert rates is not None
    return make_spec(**{"optimizer_type": name, "learning_rate": float(rates[0]), **train})


def make_weight(rows: int = 16, columns: int = 640) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.linspace(-1, 1, rows * columns).reshape(rows, columns))


def update(optimizer: torch.optim.Optimizer, step: int = 1) -> None:
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.grad = torch.sin(weight.detach() * step + step)
    optimizer.step()


@pytest.mark.parametrize("name", HERE)
def test_an_optimizer_is_the_class_that_the_metadata_names(name: str) -> None:
    optimizer = make_optimizer(spec_of(name).train, [LearningGroup("unet", 1.0, [make_weight()])])
    assert f"{type(optimizer).__module__}.{type(optimizer).__name__}" == OPTIMIZERS[name].class_path


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("settings", [{}, {"lr_warmup_steps": 10, "lr_scheduler": "cosine"}])
def test_every_optimizer_passes_its_trial(name: str, settings: dict[str, Any]) -> None:
    spec = spec_of(name, **settings)
    if settings and OPTIMIZERS[name].refuses_zero_rate:
        with pytest.raises(RunError, match="division by zero"):
            try_optimizer(spec, 100, CPU)
    else:
        try_optimizer(spec, 100, CPU)


@pytest.mark.parametrize("name", HERE)
def test_the_memory_an_optimizer_keeps_is_known(name: str) -> None:
    weight = make_weight()
    optimizer = make_optimizer(spec_of(name).train, [LearningGroup("unet", 1.0, [weight])])
    update(optimizer)
    tensors = [v for v in optimizer.state[weight].values() if isinstance(v, torch.Tensor)]
    kept = sum(t.numel() * t.element_size() for t in tensors) / weight.numel()
    assert kept == pytest.approx(OPTIMIZERS[name].state_bytes, abs=0.3)


@pytest.mark.parametrize("name", HERE)
def test_what_lorawiz_gives_is_what_the_class_takes(name: str) -> None:
    entry = OPTIMIZERS[name]
    made = module.load_class(name, entry.class_path, torch.optim.Optimizer)
    assert {*entry.fixed, *entry.defaults} <= set(inspect.signature(made).parameters)


def test_sd_scripts_defaults_are_given() -> None:
    nesterov = make_optimizer(
        spec_of("SGDNesterov").train, [LearningGroup("unet", 1.0, [make_weight()])]
    )
    assert nesterov.defaults["nesterov"] is True
    assert nesterov.defaults["momentum"] == 0.9
    other = spec_of("SGDNesterov", optimizer_args={"momentum": 0.5}).train
    assert (
        make_optimizer(other, [LearningGroup("unet", 1.0, [make_weight()])]).defaults["momentum"]
        == 0.5
    )


def test_arguments_reach_the_optimizer_and_lists_are_tuples() -> None:
    train = make_spec(optimizer_args={"weight_decay": 0.25, "betas": [0.8, 0.9]}).train
    optimizer = make_optimizer(train, [LearningGroup("unet", 1.0, [make_weight()])])
    assert optimizer.defaults["weight_decay"] == 0.25
    assert optimizer.defaults["betas"] == (0.8, 0.9)


def test_a_dotted_path_is_any_class() -> None:
    train = make_spec(optimizer_type="torch.optim.RAdam").train
    assert isinstance(
        make_optimizer(train, [LearningGroup("unet", 1.0, [make_weight()])]), torch.optim.RAdam
    )


def test_the_case_of_a_name_does_not_matter() -> None:
    assert make_spec(optimizer_type="adafactor").train.optimizer_type == "AdaFactor"


@pytest.mark.parametrize(
    ("train", "said", "advice"),
    [
        ({"optimizer_args": {"wieght_decay": 0.1}}, "no argument wieght_decay", "mean weight_decay"),
        ({"optimizer_args": {"lr": 0.1}}, "no argument lr", "betas, eps, weight_decay"),
        ({"optimizer_args": {"weight_decay": -1}}, "Invalid weight_decay", "its arguments: betas"),
        ({"optimizer_args": {"betas": [0.9]}}, "train.optimizer_args: AdamW:", "its arguments"),
        ({"optimizer_args": {"weight_decay": "a"}}, "train.optimizer_args: AdamW:", "weight_decay"),
        (
            {"optimizer_type": "SGDNesterov", "optimizer_args": {"nesterov": False}},
            "no argument nesterov",
            "momentum",
        ),
        (
            {"optimizer_type": "AdaFactor", "optimizer_args": {"relative_step": False, "warmup_init": True}},
            "requires `relative_step=True`",
            "clip_threshold",
        ),
        ({"optimizer_type": "Prodigy", "optimizer_args": {"d_coef": "x"}}, "Prodigy: ", "unset"),
        (
            {"optimizer_type": "Prodigy", "unet_lr": 1.0, "text_encoder_lr": 0.5},
            "different lr values",
            "unset",
        ),
        ({"optimizer_type": "torch.optim.LBFGS"}, "torch.optim.LBFGS: ", "max_iter"),
        ({"optimizer_type": "torch.optim.Adamm"}, "cannot be imported", "module.Class"),
        ({"optimizer_type": "os.path.join"}, "is no Optimizer", "derives from"),
        ({"optimizer_type": "no_such_package.Adam"}, "not installed here", "install"),
        ({"lr_scheduler": ONE_CYCLE}, "max_lr", "total_steps"),
        ({"lr_scheduler": "torch.optim.lr_scheduler.StepLR", "lr_scheduler_args": {"step": 1}}, "no argument step", "step_size"),
        ({"lr_scheduler": "torch.optim.lr_scheduler.ReduceLROnPlateau"}, "metrics", "unset"),
        ({"lr_scheduler": "torch.optim.AdamW"}, "is no LRScheduler", "derives from"),
    ],
)  # fmt: skip
def test_a_misfit_is_one_sentence_before_anything_is_loaded(
    train: dict[str, Any], said: str, advice: str
) -> None:
    with pytest.raises(RunError) as caught:
        try_optimizer(make_spec(**train), 100, CPU)
    assert said in caught.value.message
    assert advice in caught.value.hint
    assert "\n" not in str(caught.value).removesuffix("\n  " + caught.value.hint)


def test_a_state_that_no_file_can_keep_is_said_before_the_first_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Odd(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            self.param_groups[0]["memory"] = object()
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "Odd", Odd, raising=False)
    with pytest.raises(RunError, match=r"builtins\.object cannot be kept in a state"):
        try_optimizer(make_spec(optimizer_type="torch.optim.Odd"), 100, CPU)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_missing", lambda entry: True)
    with pytest.raises(RunError) as caught:
        try_optimizer(spec_of("Prodigy"), 100, CPU)
    assert caught.value.message == "Prodigy needs prodigyopt, which is not installed here"
    assert caught.value.hint == "pip install 'lorawiz[optimizers]'"


# learning rates ---------------------------------------------------------------------------


def test_each_part_keeps_its_own_rate() -> None:
    train = make_spec(unet_lr=2e-4, lr_scheduler="linear").train
    optimizer = make_optimizer(
        train,
        [
            LearningGroup("unet", 1.0, [make_weight()]),
            LearningGroup("text_encoder", 1.0, [make_weight()]),
        ],
    )
    rates = build_rates(train, optimizer, 100)
    rates.set_rates(51)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1e-4, 5e-5])
    assert effective_rate(optimizer) == pytest.approx(1e-4)


def test_the_rate_that_is_shown_is_what_the_optimizer_found() -> None:
    for name in ("Prodigy", "DAdaptAdam"):
        optimizer = make_optimizer(
            spec_of(name).train, [LearningGroup("unet", 1.0, [make_weight()])]
        )
        for step in range(1, 9):
            update(optimizer, step)
        assert effective_rate(optimizer) == pytest.approx(optimizer.param_groups[0]["d"])
        assert effective_rate(optimizer) > 1e-6


def test_adafactors_rate_is_its_own() -> None:
    train = spec_of("AdaFactor").train
    weight = make_weight()
    optimizer = make_optimizer(train, [LearningGroup("unet", 1.0, [weight])])
    rates = build_rates(train, optimizer, 100)
    assert effective_rate(optimizer) == 0.0
    rms = float(weight.detach().square().mean().sqrt())
    rates.set_rates(1)
    update(optimizer)
    # min(1e-2, 1 / sqrt(step)) times the weight's root mean square: Shazeer & Stern 2018, §8
    assert effective_rate(optimizer) == pytest.approx(1e-2 * rms, rel=1e-5)
    assert optimizer.param_groups[0]["lr"] is None


def test_a_dotted_scheduler_sets_the_rates_as_it_would_by_itself() -> None:
    args = {"max_lr": 0.1, "total_steps": 20}
    train = make_spec(lr_scheduler=ONE_CYCLE, lr_scheduler_args=args).train
    optimizer = make_optimizer(train, [LearningGroup("unet", 1.0, [make_weight()])])
    rates = build_rates(train, optimizer, 20)
    assert isinstance(rates, TorchRates)
    theirs = torch.optim.AdamW([make_weight()], lr=1e-4)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(theirs, max_lr=0.1, total_steps=20)
    for step in range(1, 20):
        rates.set_rates(step)
        update(optimizer, step)
        assert effective_rate(optimizer) == theirs.param_groups[0]["lr"]
        update(theirs, step)
        scheduler.step()


# schedule-free ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", FREE)
def test_a_schedule_free_optimizer_shows_its_average_and_steps_on_as_before(name: str) -> None:
    weight, undisturbed = make_weight(), make_weight()
    train = spec_of(name, learning_rate=0.01).train
    optimizer = make_optimizer(train, [LearningGroup("unet", 1.0, [weight])])
    other = make_optimizer(train, [LearningGroup("unet", 1.0, [undisturbed])])
    for step in range(1, 13):
        update(optimizer, step)
        update(other, step)
        stepped = weight.detach().clone()
        with averaged_weights(optimizer):
            averaged = weight.detach().clone()
        assert torch.equal(weight, stepped)
    other.eval()  # type: ignore[attr-defined]
    assert torch.equal(averaged, undisturbed)
    assert not torch.equal(averaged, stepped)


def test_another_optimizers_weights_are_shown_as_they_are() -> None:
    weight = make_weight()
    optimizer = make_optimizer(make_spec().train, [LearningGroup("unet", 1.0, [weight])])
    with averaged_weights(optimizer):
        assert torch.equal(weight, make_weight())


# arguments --------------------------------------------------------------------------------


def test_sd_scripts_texts_become_a_table() -> None:
    texts = ["weight_decay=0.01", "betas=.9,.99", "decouple=True", "beta3=1e-3"]
    read = read_kohya_args(texts)
    assert read == {"weight_decay": 0.01, "betas": [0.9, 0.99], "decouple": True, "beta3": 0.001}
    assert as_toml(read) == (
        "{ weight_decay = 0.01, betas = [0.9, 0.99], decouple = true, beta3 = 0.001 }"
    )


@pytest.mark.parametrize(
    "text", ["a=lambda x: x", "a", "=1", "a=None", "a={'b': 1}", "a b=1", "a=(("]
)
def test_what_is_no_plain_value_is_told_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"write \{"):
        read_kohya_args([text])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (["weight_decay=0.01"], "write { weight_decay = 0.01 }"),
        ("weight_decay=0.01", "a table of arguments"),
        ({"betas": {"a": 1}}, "betas is to be a number"),
        ({"eps": float("nan")}, "eps is to be a number"),
    ],
)
def test_the_spec_wants_a_table(value: object, said: str) -> None:
    with pytest.raises(SpecError, match=r"train\.optimizer_args: ") as caught:
        make_spec(optimizer_args=value)
    assert said in caught.value.message


def test_a_template_and_a_frozen_spec_keep_the_arguments() -> None:
    args = {"betas": [0.9, 0.99], "decouple": True, "d_coef": 2.0}
    template = Template("x", "X", 1, {"project": {}, "train": {"optimizer_args": args}})
    for text in (render_spec(template, {}), dump_spec(make_spec(optimizer_args=args))):
        assert build_spec(tomllib.loads(text)).train.optimizer_args == args


def test_the_spec_takes_whole_numbers_for_rates() -> None:
    assert make_spec(lr_warmup_steps=5).train.lr_warmup_steps == 5.0


# whole runs -------------------------------------------------------------------------------

RUNS: dict[str, dict[str, str]] = {
    "Prodigy": {"train.optimizer_type": "Prodigy", "train.learning_rate": "1.0"},
    "AdaFactor": {"train.optimizer_type": "AdaFactor"},
    "AdamWScheduleFree": {
        "train.optimizer_type": "AdamWScheduleFree",
        "train.learning_rate": "0.01",
        "train.save_precision": "float",
    },
    "StepLR": {
        "train.lr_scheduler": "torch.optim.lr_scheduler.StepLR",
        "train.lr_scheduler_args": "{ step_size = 2, gamma = 0.5 }",
    },
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_is_stopped_and_resumed_equals_a_straight_one(
    name: str, tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**SHORT, **RUNS[name]}
    straight = make_run(tmp_path / "straight", tiny_base, settings)
    assert train(straight) == 0
    resumed = make_run(tmp_path / "resumed", tiny_base, settings)
    with monkeypatch.context() as patch:
        stop_after(resumed, 3, patch)
        assert train(resumed) == 0
    assert train(resumed, "--resume") == 0
    assert losses(resumed) == losses(straight)
    assert model_hash(resumed.path / "lyq.safetensors") == model_hash(
        straight.path / "lyq.safetensors"
    )


def test_saves_and_samples_leave_a_schedule_free_run_as_it_is(
    tmp_path: Path, tiny_base: Path
) -> None:
    settings = {**SHORT, **RUNS["AdamWScheduleFree"]}
    plain = make_run(tmp_path / "plain", tiny_base, {**settings, "train.save_every_n_steps": "6"})
    often = {"sample.prompts": '["lyq"]', "sample.every_n_steps": "1", "sample.steps": "1"}
    busy = make_run(
        tmp_path / "busy", tiny_base, {**settings, **often, "train.save_every_n_steps": "1"}
    )
    assert train(plain) == train(busy) == 0
    assert losses(plain) == losses(busy)
    files = [run.path / "lyq.safetensors" for run in (plain, busy)]
    assert model_hash(files[0]) == model_hash(files[1])
    # what is saved is the average: the weights that were stepped are in the state
    state, _ = find_newest_state(busy.state)
    assert state is not None
    with safe_open(busy.path / f"lyq-s{state.step:06d}.safetensors", framework="pt") as file:
        saved = {key: file.get_tensor(key) for key in file.keys() if "up" in key}  # noqa: SIM118
    stepped = load(state.files["network.safetensors"])
    assert any(not torch.equal(stepped[key], value.flatten(1)) for key, value in saved.items())


def test_a_misfit_ends_a_run_before_anything_is_cached(tmp_path: Path, tiny_base: Path) -> None:
    run = make_run(tmp_path, tiny_base, {**SHORT, "train.optimizer_args": "{ betas = 5 }"})
    assert train(run) == 2
    view = load_view(run)
    assert view.message.startswith("train.optimizer_args: AdamW: ")
    assert not (run.project.root / "work" / "latents").exists()
