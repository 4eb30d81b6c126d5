"""Saving the state: durable in the right order, and restored to the bit."""

import json
import os
import shutil
from collections import Counter, deque
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from lorawiz.errors import RunError
from lorawiz.runs.states import VerifiedState, find_newest_state, list_states
from lorawiz.spec.document import build_spec
from lorawiz.spec.optimizers import OPTIMIZERS, is_missing
from lorawiz.spec.tables import Spec
from lorawiz.train.averaging import MovingAverage
from lorawiz.train.optimizers import averaged_weights, build_optimizer
from lorawiz.train.packing import Packer, unpack
from lorawiz.train.rates import Rates, build_rates
from lorawiz.train.state import restore_state, save_state
from tests.train.test_network import make_network

# bitsandbytes belongs to the extra cuda, not to dev
HERE = [n for n, o in OPTIMIZERS.items() if not (o.package == "bitsandbytes" and is_missing(o))]
FREE = [name for name, entry in OPTIMIZERS.items() if entry.is_schedule_free]
DOTTED: dict[str, dict[str, Any]] = {
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 6},
    "CosineAnnealingWarmRestarts": {"T_0": 2},
    "MultiStepLR": {"milestones": [2, 4]},
    "ExponentialLR": {"gamma": 0.9},
}

pytestmark = pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")
CPU = torch.device("cpu")
TOTAL = 6


class Training:
    """A small network with what moves it, as a run builds them."""

    def __init__(self, spec: Spec) -> None:
        self.network, _ = make_network()
        for index, (_, weight) in enumerate(self.network.iter_weights()):
            # one matrix is all zeros, as a LoRA's half is at first
            steps = torch.linspace(-1, 1, weight.numel()).reshape(weight.shape)
            weight.data.copy_(steps * index)
        self.optimizer: torch.optim.Optimizer = build_optimizer(spec, self.network)
        self.rates: Rates = build_rates(spec.train, self.optimizer, TOTAL)
        self.average: MovingAverage | None = None

    def train(self, first: int, last: int) -> None:
        for step in range(first, last + 1):
            for index, (_, weight) in enumerate(self.network.iter_weights()):
                weight.grad = torch.sin(weight.detach() + step * (index + 1)) / step
            self.rates.set_rates(step)
            self.optimizer.step()

    def save(self, folder: Path, step: int) -> None:
        save_state(folder, step, self, {"scale": 2.0})

    def restore(self, folder: Path) -> dict[str, Any]:
        return restore_state(newest(folder), self)

    def bits(self) -> list[bytes]:
        """Weights and everything that the optimizer remembers."""
        packer = Packer()
        values = [packer.pack(dict(s), CPU, f"{i}") for i, s in enumerate(self.states())]
        groups = [
            {key: value for key, value in group.items() if key != "params"}
            for group in self.optimizer.param_groups
        ]
        values.append(packer.pack(groups, CPU, "groups"))
        values.append(packer.pack(self.rates.state_dict(), CPU, "rates"))
        tensors: list[torch.Tensor] = [weight for _, weight in self.network.iter_weights()]
        tensors += [packer.tensors[name] for name in sorted(packer.tensors)]
        return [t.detach().numpy().tobytes() for t in tensors] + [repr(values).encode()]

    def states(self) -> list[dict[str, Any]]:
        return [self.optimizer.state.get(weight, {}) for _, weight in self.network.iter_weights()]


def newest(folder: Path) -> VerifiedState:
    state, _ = find_newest_state(folder)
    assert state is not None
    return state


def make_spec(**train: Any) -> Spec:
    return build_spec({"train": train, "network": {"train_unet_only": True}})


def trained() -> Training:
    training = Training(make_spec(learning_rate=0.1))
    training.train(1, 1)
    return training


def assert_resumed_equals_straight(spec: Spec, folder: Path) -> None:
    straight, first, second = Training(spec), Training(spec), Training(spec)
    straight.train(1, TOTAL)
    first.train(1, 3)
    first.save(folder, 3)
    assert second.restore(folder) == {"scale": 2.0}
    second.train(4, TOTAL)
    assert second.bits() == straight.bits()
    assert straight.bits() != first.bits()


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("scheduler", ["constant", "cosine"])
def test_a_resumed_run_equals_a_straight_one_to_the_bit(
    name: str, scheduler: str, tmp_path: Path
) -> None:
    rates = OPTIMIZERS[name].rates
    assert rates is not None
    train = {"optimizer_type": name, "learning_rate": float(rates[0]), "lr_scheduler": scheduler}
    assert_resumed_equals_straight(make_spec(**train), tmp_path)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("AdamW", {"amsgrad": True}),
        ("Prodigy", {"slice_p": 3, "safeguard_warmup": True, "use_bias_correction": True}),
        ("AdaFactor", {"relative_step": False, "beta1": 0.9}),
        ("AdaFactor", {"warmup_init": True}),
        ("AdamWScheduleFree", {"warmup_steps": 4, "foreach": False}),
        ("torch.optim.RAdam", {}),
        ("torch.optim.Adagrad", {}),
        ("torch.optim.ASGD", {}),
        ("torch.optim.Rprop", {}),
        ("torch.optim.NAdam", {}),
        ("torch.optim.Muon", {}),
        ("schedulefree.AdamWScheduleFreePaper", {}),
    ],
)
def test_so_does_one_with_arguments_or_a_dotted_class(
    name: str, args: dict[str, Any], tmp_path: Path
) -> None:
    assert_resumed_equals_straight(make_spec(optimizer_type=name, optimizer_args=args), tmp_path)


@pytest.mark.parametrize("name", DOTTED)
@pytest.mark.parametrize("saved_behind", [1, 3])
def test_so_does_one_with_a_scheduler_of_torch(
    name: str, saved_behind: int, tmp_path: Path
) -> None:
    scheduler = f"torch.optim.lr_scheduler.{name}"
    spec = make_spec(lr_scheduler=scheduler, lr_scheduler_args=DOTTED[name])
    straight, first, second = Training(spec), Training(spec), Training(spec)
    straight.train(1, TOTAL)
    first.train(1, saved_behind)
    first.save(tmp_path, saved_behind)
    second.restore(tmp_path)
    second.train(saved_behind + 1, TOTAL)
    assert second.bits() == straight.bits()


@pytest.mark.parametrize("name", FREE)
def test_a_state_saved_while_the_average_is_shown_is_restored_as_it_was(
    name: str, tmp_path: Path
) -> None:
    spec = make_spec(optimizer_type=name)
    first, second = Training(spec), Training(spec)
    first.train(1, 3)
    with averaged_weights(first.optimizer):
        first.save(tmp_path, 3)
        shown = first.bits()
        second.restore(tmp_path)
        assert second.bits() == shown
    first.optimizer.eval()  # type: ignore[attr-defined]
    first.optimizer.train()  # type: ignore[attr-defined]
    second.optimizer.train()  # type: ignore[attr-defined]
    for training in (first, second):
        training.train(4, TOTAL)
    assert first.bits() == second.bits()


def test_a_weight_that_was_never_stepped_has_no_state_afterwards(tmp_path: Path) -> None:
    first, second = Training(make_spec()), Training(make_spec())
    first.save(tmp_path, 0)
    second.restore(tmp_path)
    assert second.states() == [{}] * len(second.states())
    first.train(1, 2)
    second.train(1, 2)
    assert first.bits() == second.bits()


def test_a_state_of_another_optimizer_is_refused(tmp_path: Path) -> None:
    trained().save(tmp_path, 1)
    with pytest.raises(RunError, match=r"is one of torch\.optim\.adamw\.AdamW, and the run has"):
        Training(make_spec(optimizer_type="Lion")).restore(tmp_path)


def first_format(folder: Path, training: Training) -> VerifiedState:
    """The state as it was written while AdamW was the one optimizer: moments alone."""
    training.save(folder, 1)
    state = newest(folder)
    moments = {
        f"{name}:{kind}": value.clone()
        for name, weight in training.network.iter_weights()
        for kind, value in training.optimizer.state[weight].items()
    }
    files = {name: data for name, data in state.files.items() if name != "optimizer.json"}
    files["optimizer.safetensors"] = save(moments)
    return VerifiedState(state.path, 1, files)


def test_a_state_of_the_first_format_is_read(tmp_path: Path) -> None:
    straight = trained()
    state = first_format(tmp_path, straight)
    again = Training(make_spec(learning_rate=0.1))
    restore_state(state, again)
    straight.train(2, 4)
    again.train(2, 4)
    # all but the names, whose order in a file is no one's business
    assert again.bits()[:-1] == straight.bits()[:-1]
    lion = Training(make_spec(optimizer_type="Lion"))
    with pytest.raises(RunError, match=r"the run has lion_pytorch"):
        restore_state(state, lion)


def test_any_nest_of_values_comes_back_as_it_was() -> None:
    shared = torch.arange(6.0)
    value = {
        "floats": [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, float("inf"), -0.0],
        "nested": {"deep": {"tensor": torch.tensor([1, 2], dtype=torch.uint8)}},
        3: (None, True, "text", [torch.tensor(0.5, dtype=torch.float64)]),
        "shared": [shared, shared, shared[2:], shared.reshape(2, 3).t()],
        "counts": Counter({2: 1, 4: 3}),
        "last": deque([1, 2]),
        "half": torch.ones(2, dtype=torch.bfloat16),
        "format": torch.bfloat16,
    }
    packer = Packer()
    packed = json.loads(json.dumps(packer.pack(value, CPU, "all")))
    tensors = load(save(packer.tensors))
    back = unpack(packed, tensors, lambda tensor, at: tensor)
    assert repr(back) == repr(value)
    assert back["half"].dtype is torch.bfloat16


def test_a_count_stays_on_the_host_and_the_rest_goes_with_its_weight() -> None:
    packer = Packer()
    values = {"step": torch.tensor(3.0), "moment": torch.ones(2), "max": torch.tensor(1.0)}
    packed = packer.pack(values, CPU, "weight")
    places: dict[float, str] = {}
    unpack(packed, packer.tensors, lambda tensor, at: places.setdefault(float(tensor.sum()), at))  # type: ignore[arg-type,return-value]
    assert places == {3.0: "host", 2.0: "weight", 1.0: "weight"}


def test_two_states_are_kept(tmp_path: Path) -> None:
    training = trained()
    for step in (1, 2, 3):
        training.save(tmp_path, step)
    assert [path.name for path in list_states(tmp_path)] == ["step-00000002", "step-00000003"]


def test_a_state_of_other_weights_is_refused(tmp_path: Path) -> None:
    training = trained()
    training.save(tmp_path, 1)
    del training.network.layers["lora_unet_b"]
    with pytest.raises(RunError, match="another network"):
        training.restore(tmp_path)


def test_everything_is_on_the_disk_before_it_counts_and_before_the_old_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = trained()
    for step in (1, 2):
        training.save(tmp_path, step)
    calls: list[tuple[str, str]] = []
    real_fsync, real_rename, real_remove = os.fsync, Path.rename, shutil.rmtree

    def fsync(descriptor: int) -> None:
        calls.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        real_fsync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        calls.append(("rename", target.name))
        return real_rename(self, target)

    def remove(path: Path, *flags: Any, **options: Any) -> None:
        if Path(path).exists():
            calls.append(("remove", Path(path).name))
        real_remove(path, *flags, **options)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    monkeypatch.setattr(shutil, "rmtree", remove)
    training.save(tmp_path, 3)
    assert calls == [
        ("fsync", "network.safetensors"),
        ("fsync", "optimizer.safetensors"),
        ("fsync", "optimizer.json"),
        ("fsync", "scaler.json"),
        ("fsync", "image-losses.json"),
        ("fsync", "manifest.json"),
        ("fsync", "step-00000003.tmp"),
        ("rename", "step-00000003"),
        ("fsync", tmp_path.name),
        ("remove", "step-00000001"),
    ]


@pytest.mark.parametrize("nth", range(1, 10))
def test_a_failure_at_any_call_leaves_the_old_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    training = trained()
    for step in (1, 2):
        training.save(tmp_path, step)
    count = 0

    def failing(real: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == nth:
                raise OSError(28, "No space left on device")
            return real(*arguments, **options)

        return call

    monkeypatch.setattr(os, "fsync", failing(os.fsync))
    monkeypatch.setattr(Path, "rename", failing(Path.rename))
    with pytest.raises(OSError, match="No space"):
        training.save(tmp_path, 3)
    state, damaged = find_newest_state(tmp_path)
    assert state is not None
    # the ninth call comes after the rename: the new state is then there and whole
    assert state.step == (3 if nth == 9 else 2)
    assert damaged == []
    assert not list(tmp_path.glob("*.tmp"))
