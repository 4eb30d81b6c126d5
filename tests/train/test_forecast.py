"""Memory that is foretold on the meta device is what real tensors take."""

from pathlib import Path

import pytest
import torch

from lorawiz.families.checkpoints import inspect_checkpoint
from lorawiz.families.random_base import build_random_base, save_folder
from lorawiz.spec import Spec
from lorawiz.spec.document import build_spec, dump_spec, edit_text, parse_spec
from lorawiz.train import frozen
from lorawiz.train.forecast import forecast
from lorawiz.train.live_bytes import LiveBytes, count_bytes
from lorawiz.train.rehearsal import META, Rehearsal, Scene

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["sd15", "sdxl"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param) / "tiny"
    save_folder(build_random_base("tiny", 0, request.param), folder)
    return folder


def scene(base: Path, **settings: str) -> Scene:
    checkpoint = inspect_checkpoint(base)
    words = {"project": {"trigger": "lyq"}, "base": {"family": checkpoint.family}}
    spec = Spec.model_validate({"schema": 1, **words, "sample": {"prompts": ["lyq"]}})
    typed = {key.replace("__", "."): value for key, value in settings.items()}
    spec = build_spec(parse_spec(edit_text(dump_spec(spec), typed)))
    return Scene(spec, checkpoint, None, (256, 192))


def test_live_bytes_are_counted_once_and_until_the_last_view_is_gone() -> None:
    live = LiveBytes()
    with live:
        matrix = torch.zeros(100, 10)
        view = matrix.t()[:5]
        assert live.now == 4000
        del matrix
        assert live.now == 4000
        _ = torch.zeros(1000)
        del view
        assert live.now == 4000
    assert live.peak == 8000


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"network__train_unet_only": "true", "dataset__batch_size": "2"},
        {"train__gradient_checkpointing": "true"},
        {"network__kind": "full"},
        {"network__kind": "lokr", "network__conv_dim": "4"},
    ],
    ids=["lora", "batch", "checkpointed", "full", "lokr"],
)
def test_a_step_takes_what_was_foretold(
    base: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    # the CPU's own shortcuts trade columns for copies: what every device does is compared
    monkeypatch.setattr(frozen, "is_plain_cpu", lambda x: False)
    asked = scene(base, train__optimizer_type="SGDNesterov", **settings)
    rehearsal = Rehearsal(asked, CPU)
    live = LiveBytes()
    with live:
        rehearsal.accumulate_gradients()
    momentum = sum(4 * weight.numel() for _, weight in rehearsal.trained.iter_weights())
    standing = sum(map(count_bytes, rehearsal.models)) + momentum
    phases = {phase.name: phase.peak_bytes for phase in forecast(asked, is_cuda=False)}
    assert phases["making a step"] == pytest.approx(standing + live.peak, rel=0.05)


def test_what_is_drawn_and_cached_is_foretold_too(base: Path) -> None:
    asked = scene(base)
    phases = {phase.name: phase.peak_bytes for phase in forecast(asked, is_cuda=False)}
    assert list(phases) == ["caching latents", "caching text", "making a step", "drawing samples"]
    rehearsal = Rehearsal(asked, CPU)
    vae = rehearsal.adapter.load_vae(asked.checkpoint, None)
    live = LiveBytes()
    with live, torch.no_grad():
        rehearsal.adapter.encode_pixels(vae, torch.randn(1, 3, 192, 256))
    # but for the attention at the VAE's middle, which a CPU does in other pieces
    assert phases["caching latents"] == pytest.approx(live.peak + count_bytes(vae), rel=0.05)


@pytest.mark.parametrize(
    "settings",
    [
        {"train__gradient_checkpointing": "true"},
        {"train__gradient_checkpointing": "true", "train__cpu_offload_checkpointing": "true"},
        {"train__mixed_precision": "bf16"},
        {"network__train_unet_only": "true"},
        {"dataset__batch_size": "1"},
        {"train__ema_decay": ""},
    ],
)
def test_every_setting_that_saves_memory_is_foretold_to(
    base: Path, settings: dict[str, str]
) -> None:
    before = {"train__ema_decay": "0.9", "dataset__batch_size": "2"}
    if "train__cpu_offload_checkpointing" in settings:
        before["train__gradient_checkpointing"] = "true"

    def step_bytes(given: dict[str, str]) -> int:
        typed = {key: value for key, value in given.items() if value}
        phases = forecast(scene(base, **typed), is_cuda=True)
        return next(phase.peak_bytes for phase in phases if phase.name == "making a step")

    assert step_bytes({**before, **settings}) < step_bytes(before)


def test_nothing_is_read_of_the_weights(base: Path, tmp_path: Path) -> None:
    whole = forecast(scene(base), is_cuda=False)
    hollow = tmp_path / "tiny"
    for path in base.rglob("*"):
        copy = hollow / path.relative_to(base)
        if path.is_dir():
            copy.mkdir(parents=True)
        elif path.suffix == ".safetensors":
            data = path.read_bytes()
            header = 8 + int.from_bytes(data[:8], "little")
            with copy.open("wb") as file:
                file.write(data[:header])
                file.truncate(len(data))  # nothing behind the header but zeros
        else:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    assert forecast(scene(hollow), is_cuda=False) == whole


def test_offloaded_activations_give_the_same_gradients(base: Path) -> None:
    gradients = []
    for offloads in ("false", "true"):
        asked = scene(
            base, train__gradient_checkpointing="true", train__cpu_offload_checkpointing=offloads
        )
        torch.manual_seed(0)
        rehearsal = Rehearsal(asked, CPU)
        torch.manual_seed(1)
        rehearsal.accumulate_gradients()
        gradients.append([weight.grad for _, weight in rehearsal.trained.iter_weights()])
    for plain, offloaded in zip(*gradients, strict=True):
        # SDXL's last layer of text is not read
        assert (plain is None) == (offloaded is None)
        assert plain is None or torch.equal(plain, offloaded)


def test_meta_tensors_stay_meta(base: Path) -> None:
    rehearsal = Rehearsal(scene(base), META)
    assert all(weight.is_meta for _, weight in rehearsal.trained.iter_weights())
    assert all(p.is_meta for model in rehearsal.models for p in model.parameters())
