"""Full fine-tuning of the tiny bases: what trains, what is saved, what a resume gives."""

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from lorawiz.families import load_adapter
from lorawiz.families.checkpoints import Checkpoint, inspect_checkpoint
from lorawiz.families.clip.reading import Reading
from lorawiz.families.conditioning import Framing
from lorawiz.families.latent_diffusion.export import BaseExport
from lorawiz.families.random_base import build_random_base, save_folder
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.view import load_view
from lorawiz.train.trainer import Trainer
from tests.support.ldm import save_single_file
from tests.support.training import losses, make_run, model_hash, stop_after, train

FULL = {
    "network.kind": "full",
    "train.learning_rate": "1e-4",
    "train.max_train_steps": "2",
    "train.save_precision": "float",
    "dataset.batch_size": "2",
}
BOTH = {"train.text_encoder_lr": "5e-5"}
FOLDER = {"train.save_model_as": "diffusers"}
LONG = {"train.max_train_steps": "4", "train.save_every_n_steps": "2"}


@pytest.fixture(scope="module", params=["sd15", "sd2", "sdxl"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base of each family, as a folder."""
    folder = tmp_path_factory.mktemp(request.param) / f"tiny-{request.param}"
    save_folder(build_random_base("tiny", seed=0, family=request.param), folder)
    return folder


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, nn.Module]:
    """The models of the newest run as they are behind its last step."""
    models: dict[str, nn.Module] = {}
    save = Trainer.save_lora

    def watch(trainer: Trainer, path: Path, step: int, epoch: int) -> None:
        save(trainer, path, step, epoch)
        models["unet"] = trainer.models.unet
        if trainer.models.text_encoder is not None:
            models["text_encoder"] = trainer.models.text_encoder

    monkeypatch.setattr(Trainer, "save_lora", watch)
    return models


def make_full_run(folder: Path, base: Path, settings: Mapping[str, str]) -> RunFolder:
    family = inspect_checkpoint(base).family
    return make_run(folder, base, {**FULL, "base.family": family, **settings})


@torch.no_grad()
def predict(base: Checkpoint, unet: nn.Module, text_encoder: nn.Module) -> Tensor:
    adapter = load_adapter(base.family)
    noisy = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    text = adapter.encode_prompts(text_encoder.eval(), ["a lyq woman"], Reading())
    framings = [Framing.whole((64, 64))]
    return adapter.predict_noise(unet.eval(), noisy, torch.tensor([300]), text, framings)


def predict_from(base: Checkpoint) -> Tensor:
    adapter = load_adapter(base.family)
    unet = adapter.load_unet(base, torch.float32)
    return predict(base, unet, adapter.load_text_encoder(base, torch.float32))


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)


def test_a_saved_file_draws_what_was_trained(
    tmp_path: Path, base: Path, kept: dict[str, nn.Module]
) -> None:
    run = make_full_run(tmp_path, base, BOTH)
    assert train(run) == 0, load_view(run).message
    saved = inspect_checkpoint(run.path / "lyq.safetensors")
    before = inspect_checkpoint(base)
    assert (saved.family, saved.size, saved.layout) == (before.family, "tiny", "single")
    trained = predict(saved, kept["unet"], kept["text_encoder"])
    assert torch.equal(predict_from(saved), trained)
    assert not torch.allclose(predict_from(before), trained, atol=1e-4)
    adapter = load_adapter(before.family)
    assert same_weights(adapter.load_vae(saved, None), adapter.load_vae(before, None))


def test_a_saved_folder_draws_what_was_trained_in_diffusers_too(
    tmp_path: Path, base: Path, kept: dict[str, nn.Module]
) -> None:
    run = make_full_run(tmp_path, base, {**BOTH, **FOLDER})
    assert train(run) == 0, load_view(run).message
    folder = run.path / "lyq-diffusers"
    saved = inspect_checkpoint(folder)
    trained = predict(saved, kept["unet"], kept["text_encoder"])
    assert torch.equal(predict_from(saved), trained)
    pipeline: Any = diffusers.DiffusionPipeline.from_pretrained(folder, local_files_only=True)
    assert same_weights(pipeline.unet, kept["unet"])
    view = load_view(run)
    assert view.result is not None
    assert view.result.endswith("/lyq-diffusers")
    assert view.saves[-1].num_bytes == sum(
        file.stat().st_size for file in folder.rglob("*") if file.is_file()
    )
    assert not list(run.path.glob(".*"))


def test_diffusers_reads_the_saved_file(
    tmp_path: Path, base: Path, kept: dict[str, nn.Module]
) -> None:
    run = make_full_run(tmp_path, base, {})
    assert train(run) == 0
    configs = tmp_path / "configs"
    kept["unet"].save_config(configs / "unet")  # type: ignore[operator]
    loaded = diffusers.UNet2DConditionModel.from_single_file(
        str(run.path / "lyq.safetensors"), config=str(configs), subfolder="unet",
        local_files_only=True,
    )  # fmt: skip
    assert same_weights(loaded, kept["unet"])


@pytest.mark.parametrize(
    "settings",
    [{}, BOTH, {**BOTH, "train.gradient_checkpointing": "true"},
     {"network.train_text_encoder_only": "true"}, {"train.optimizer_type": "AdamWScheduleFree"}],
    ids=["unet", "both", "checkpointed", "text only", "schedule-free"],
)  # fmt: skip
def test_a_stopped_and_resumed_run_equals_one_that_never_stopped(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, str]
) -> None:
    straight = make_full_run(tmp_path / "straight", tiny_base, {**LONG, **settings})
    assert train(straight) == 0, load_view(straight).message
    resumed = make_full_run(tmp_path / "resumed", tiny_base, {**LONG, **settings})
    with monkeypatch.context() as patch:
        stop_after(resumed, 3, patch)
        assert train(resumed) == 0
    assert train(resumed, "--resume") == 0, load_view(resumed).message
    assert losses(resumed) == losses(straight)
    hashes = [model_hash(run.path / "lyq.safetensors") for run in (straight, resumed)]
    assert hashes[0] == hashes[1]


def test_checkpointing_gives_the_same_losses(tmp_path: Path, tiny_base: Path) -> None:
    plain = make_full_run(tmp_path / "plain", tiny_base, BOTH)
    saving = make_full_run(
        tmp_path / "saving", tiny_base, {**BOTH, "train.gradient_checkpointing": "true"}
    )
    assert train(plain) == train(saving) == 0
    assert losses(saving) == pytest.approx(losses(plain), rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "trained"),
    [
        ({}, {"unet"}),
        (BOTH, {"unet", "text_encoder"}),
        ({**BOTH, "network.train_unet_only": "true"}, {"unet"}),
        ({"network.train_text_encoder_only": "true"}, {"text_encoder"}),
    ],
    ids=["unet", "both", "unet only", "text only"],
)
def test_what_trains_is_what_the_spec_says(
    tmp_path: Path, tiny_base: Path, settings: Mapping[str, str], trained: set[str]
) -> None:
    run = make_full_run(tmp_path, tiny_base, settings)
    assert train(run) == 0, load_view(run).message
    saved, before = inspect_checkpoint(run.path / "lyq.safetensors"), inspect_checkpoint(tiny_base)
    adapter = load_adapter("sd15")
    for part, load in (("unet", adapter.load_unet), ("text_encoder", adapter.load_text_encoder)):
        is_same = same_weights(load(saved, torch.float32), load(before, torch.float32))
        assert is_same == (part not in trained), part


def test_every_weight_of_the_unet_moves(tmp_path: Path, tiny_base: Path) -> None:
    # the convolutions too: the packed, frozen kind would get no gradient
    run = make_full_run(tmp_path, tiny_base, {})
    assert train(run) == 0
    before = load_adapter("sd15").load_unet(inspect_checkpoint(tiny_base), torch.float32)
    after = load_adapter("sd15").load_unet(
        inspect_checkpoint(run.path / "lyq.safetensors"), torch.float32
    )
    moved = after.state_dict()
    still = [k for k, v in before.state_dict().items() if torch.equal(v, moved[k])]
    assert still == []


def test_small_updates_are_not_rounded_away_in_half_precision(
    tmp_path: Path, tiny_base: Path, kept: dict[str, nn.Module]
) -> None:
    run = make_full_run(tmp_path, tiny_base, {**BOTH, "train.mixed_precision": "bf16"})
    assert train(run) == 0, load_view(run).message
    dtypes = {p.dtype for model in kept.values() for p in model.parameters()}
    assert dtypes == {torch.float32}


def test_the_metadata_is_that_of_a_model(tmp_path: Path, base: Path) -> None:
    run = make_full_run(tmp_path, base, {"train.save_precision": "fp16"})
    assert train(run) == 0
    with safe_open(run.path / "lyq.safetensors", framework="pt") as file:
        metadata = file.metadata()
        dtypes = {file.get_tensor(key).dtype for key in file.keys()}  # noqa: SIM118 - a handle
    assert dtypes == {torch.float16}
    architecture = metadata["modelspec.architecture"]
    assert architecture in (
        "stable-diffusion-v1", "stable-diffusion-v2-768-v", "stable-diffusion-xl-v1-base"
    )  # fmt: skip
    assert metadata["modelspec.hash_sha256"] == f"0x{metadata['sshs_model_hash']}"
    assert metadata["ss_steps"] == "2"
    assert not {key for key in metadata if key.startswith("ss_network")}


def test_a_single_file_base_trains_like_its_folder(tmp_path: Path, tiny_base: Path) -> None:
    file = tmp_path / "tiny.safetensors"
    save_single_file(build_random_base("tiny", seed=0), file)
    one = make_full_run(tmp_path / "file", file, {})
    other = make_full_run(tmp_path / "folder", tiny_base, {})
    assert train(one) == train(other) == 0
    with (
        safe_open(one.path / "lyq.safetensors", framework="pt") as mine,
        safe_open(other.path / "lyq.safetensors", framework="pt") as theirs,
    ):
        assert set(mine.keys()) == set(theirs.keys())
    assert losses(one) == pytest.approx(losses(other), rel=1e-4)


def test_a_file_says_what_its_base_predicts(tmp_path: Path, tiny_base: Path) -> None:
    settings = {"base.prediction_type": "v_prediction", "base.zero_terminal_snr": "true"}
    run = make_full_run(tmp_path, tiny_base, settings)
    assert train(run) == 0, load_view(run).message
    saved = inspect_checkpoint(run.path / "lyq.safetensors")
    assert (saved.prediction, saved.zero_terminal_snr) == ("v_prediction", True)


def test_a_full_disk_leaves_no_half_folder(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_full_run(tmp_path, tiny_base, FOLDER)

    def fill_up(self: Any, folder: Path, base: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    monkeypatch.setattr(BaseExport, "write_configs", fill_up)
    assert train(run) == 2
    assert "No space left on device" in load_view(run).message
    assert sorted(path.name for path in run.path.iterdir() if "lyq" in path.name) == []


def test_a_loss_that_is_not_finite_leaves_the_last_state(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_full_run(tmp_path, tiny_base, LONG)
    adapter = type(load_adapter("sd15"))
    predict_noise, calls = adapter.predict_noise, []

    def break_third(self: Any, *inputs: Any) -> Tensor:
        calls.append(1)
        predicted = predict_noise(self, *inputs)
        return predicted * float("nan") if len(calls) == 3 else predicted

    monkeypatch.setattr(adapter, "predict_noise", break_third)
    assert train(run) == 2
    view = load_view(run)
    assert (view.state(), view.step, view.state_step) == ("failed", 2, 2)
    assert "the loss is not finite at step 3" in view.message
