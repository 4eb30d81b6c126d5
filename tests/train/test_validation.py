"""Held-out images while training: what is measured, and that nothing of it is trained."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lorawiz.dataset.batches import build_validation_views
from lorawiz.dataset.holdout import split_records
from lorawiz.dataset.records import load_dataset, save_dataset
from lorawiz.loras.file import RawTensor
from lorawiz.paths import Project
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.journal import read_events
from lorawiz.runs.view import load_view
from lorawiz.spec import load_spec
from lorawiz.spec.document import set_value
from lorawiz.spec.tables import Spec
from lorawiz.spec.training import TrainTable
from lorawiz.spec.validating import ValidationTable
from lorawiz.train import validation
from lorawiz.train.measuring import measure_losses
from lorawiz.train.network import LoraNetwork
from lorawiz.train.noise import NoiseDraw
from lorawiz.train.validation import draw_fixed_noise, find_timesteps
from tests.support.projects import link_base, make_project
from tests.support.training import SHORT, freeze, losses, model_hash, stop_after, train

NUM_IMAGES, SPLIT = 6, 0.3
CACHED = {"network.train_unet_only": "true", "prompt.shuffle_caption": "false"}
FREE = {"train.optimizer_type": "AdamWScheduleFree", "train.save_precision": "float"}
DROPPED = {"prompt.caption_dropout_rate": "0.5", "prompt.caption_tag_dropout_rate": "0.5"}


def make_validated(
    folder: Path, base: Path, settings: Mapping[str, str] | None = None
) -> RunFolder:
    """A run that holds two of six images out, and measures every second step."""
    project = make_project(
        folder, NUM_IMAGES, {**SHORT, "validation.every_n_steps": "2", **(settings or {})}
    )
    link_base(project, base)
    records = load_dataset(project.dataset).trained
    seed = next(
        seed
        for seed in range(1000)
        if len(
            split_records(
                Spec(validation=ValidationTable(split=SPLIT, seed=seed)), records
            ).held_out
        )
        == 2
    )
    set_value(project.spec, "validation.split", str(SPLIT))
    set_value(project.spec, "validation.seed", str(seed))
    return freeze(project)


def drop_held_out(project: Project) -> None:
    """Leave the held-out images out of the dataset, and measure nothing."""
    spec, dataset = load_spec(project.spec), load_dataset(project.dataset)
    held_out = split_records(spec, dataset.trained).held_out
    save_dataset(
        project.dataset, dataset.with_records([replace(each, keep=False) for each in held_out])
    )
    set_value(project.spec, "validation.split", "0.0")


def told(run: RunFolder) -> list[tuple[int, float, float | None]]:
    return [(log.step, log.loss, log.std) for log in load_view(run).validations]


@pytest.mark.parametrize(
    "settings", [{}, CACHED, FREE, DROPPED], ids=["both parts", "cached", "schedule-free", "drops"]
)
def test_the_training_is_bit_for_bit_one_on_the_trained_images_alone(
    tmp_path: Path, tiny_base: Path, settings: Mapping[str, str]
) -> None:
    run = make_validated(tmp_path / "run", tiny_base, settings)
    assert train(run) == 0
    drop_held_out(run.project)
    plain = freeze(run.project)
    assert train(plain) == 0
    assert losses(run) == losses(plain)
    name = "lyq.safetensors"
    assert model_hash(run.path / name) == model_hash(plain.path / name)
    found = told(run)
    assert [step for step, _, _ in found] == [2, 4, 6]
    assert len({loss for _, loss, _ in found}) == 3  # the weights moved
    assert all(std is not None and std > 0 for _, _, std in found)
    start = next(e for e in read_events(run.journal) if e["event"] == "start")
    assert start["num_images"] == NUM_IMAGES - 2
    assert told(plain) == []


def test_weights_that_do_not_move_give_the_same_loss_to_the_bit(
    tmp_path: Path, tiny_base: Path
) -> None:
    frozen = {"train.optimizer_type": "torch.optim.SGD", "train.learning_rate": "1e-30"}
    run = make_validated(tmp_path / "run", tiny_base, frozen)
    assert train(run) == 0
    again = freeze(run.project)
    set_value(again.spec, "train.seed", "7")
    assert train(again) == 0
    assert losses(run) != losses(again)
    assert len({(loss, std) for _, loss, std in [*told(run), *told(again)]}) == 1


@pytest.mark.parametrize("stopped_after", [3, 4])
def test_a_resumed_run_has_measured_the_same(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch, stopped_after: int
) -> None:
    straight = make_validated(tmp_path / "straight", tiny_base)
    assert train(straight) == 0
    run = make_validated(tmp_path / "run", tiny_base)
    with monkeypatch.context() as patch:
        stop_after(run, stopped_after, patch)
        assert train(run) == 0
    # a stop is obeyed at once: what it left out comes behind the resume
    assert [step for step, _, _ in told(run)] == [2]
    assert train(run, "--resume") == 0
    assert told(run) == told(straight)
    steps = [e["step"] for e in read_events(run.journal) if e["event"] == "validation"]
    assert steps == [2, 4, 6]
    assert losses(run) == losses(straight)


def test_epochs_and_the_end_are_measured(tmp_path: Path, tiny_base: Path) -> None:
    settings = {"train.max_train_steps": "5", "dataset.batch_size": "2"}
    run = make_validated(tmp_path / "run", tiny_base, settings)
    set_value(run.spec, "validation.every_n_steps", "100")
    set_value(run.spec, "validation.every_n_epochs", "2")
    assert train(run) == 0  # two steps an epoch
    assert [step for step, _, _ in told(run)] == [4, 5]


def test_a_schedule_free_optimizer_is_measured_with_its_average(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file

    seen: list[dict[str, RawTensor]] = []

    def look(trainer: Any, *inputs: Any) -> Tensor:
        [saver] = trainer.models.savers
        network: LoraNetwork = saver.trained
        seen.append(network.export(torch.float32))
        return measure_losses(trainer, *inputs)

    monkeypatch.setattr(validation, "measure_losses", look)
    run = make_validated(tmp_path / "run", tiny_base, FREE)
    assert train(run) == 0
    saved = load_file(run.path / "lyq.safetensors")
    assert saved.keys() == seen[-1].keys()
    for name, tensor in seen[-1].items():
        assert saved[name].numpy().tobytes() == tensor.data


def test_the_loss_is_the_mean_and_the_spread_is_that_of_the_images(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: list[str] = []

    def measure(_trainer: Any, batch: Any, _moments: Any, draw: NoiseDraw, _text: Any) -> Tensor:
        first.append(batch[0].record.image_path)
        return draw.timesteps_B / 1000 + (1.0 if batch[0].record.image_path == first[0] else 0.0)

    monkeypatch.setattr(validation, "measure_losses", measure)
    # four noise levels in batches of three and one
    run = make_validated(tmp_path / "run", tiny_base, {"dataset.batch_size": "3"})
    assert train(run) == 0
    assert len(first) == 3 * 2 * 2
    ((_, loss, std), *_) = told(run)
    assert loss == pytest.approx((0.5 + 1.5) / 2)
    assert std == pytest.approx(0.5**0.5)


def test_the_state_of_no_generator_is_moved(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = validation._measure_all
    states: list[bool] = []

    def compare(*inputs: Any) -> Any:
        before = torch.random.get_rng_state()
        found = measured(*inputs)
        states.append(torch.equal(before, torch.random.get_rng_state()))
        return found

    monkeypatch.setattr(validation, "_measure_all", compare)
    assert train(make_validated(tmp_path / "run", tiny_base)) == 0
    assert states == [True] * 3


@pytest.mark.parametrize(
    ("num", "least", "most", "timesteps"),
    [(4, 0, 1000, [125, 375, 625, 875]), (1, 0, 1000, [500]), (2, 200, 240, [210, 230]),
     (3, 7, 8, [7, 7, 7])],
)  # fmt: skip
def test_timesteps_are_the_middles_of_equal_parts(
    num: int, least: int, most: int, timesteps: list[int]
) -> None:
    train_table = TrainTable(min_timestep=least, max_timestep=most)
    spec = Spec(validation=ValidationTable(num_timesteps=num), train=train_table)
    assert find_timesteps(spec) == timesteps


def test_fixed_noise_is_of_image_level_and_seed_alone(tmp_path: Path) -> None:
    records = load_dataset(make_project(tmp_path / "p", 2).dataset).trained
    spec, other = Spec(), Spec(validation=ValidationTable(seed=1))
    one, two = build_validation_views(spec, records)
    shape_CHW = (4, 8, 8)
    draw = draw_fixed_noise(spec, one, [100, 900], shape_CHW)
    alone = draw_fixed_noise(spec, one, [900], shape_CHW)
    assert torch.equal(draw.noise_BCHW[1:], alone.noise_BCHW)
    assert torch.equal(draw.vae_noise_BCHW[0], draw.vae_noise_BCHW[1])
    assert not torch.equal(draw.noise_BCHW[0], draw.noise_BCHW[1])
    for others in (
        draw_fixed_noise(spec, two, [900], shape_CHW),
        draw_fixed_noise(other, one, [900], shape_CHW),
    ):
        assert not torch.equal(others.noise_BCHW, alone.noise_BCHW)
        assert not torch.equal(others.vae_noise_BCHW, alone.vae_noise_BCHW)


def test_the_lock_file_and_the_metadata_tell_what_was_held_out(
    tmp_path: Path, tiny_base: Path
) -> None:
    import tomllib

    from safetensors import safe_open

    run = make_validated(tmp_path / "run", tiny_base)
    lock = tomllib.loads(run.project.lock_file.read_text())
    assert (lock["dataset"]["num_images"], lock["dataset"]["num_held_out"]) == (NUM_IMAGES, 2)
    assert len(lock["images"]) == NUM_IMAGES
    assert train(run) == 0
    with safe_open(run.path / "lyq.safetensors", framework="pt") as file:
        metadata = file.metadata()
    assert metadata["ss_num_train_images"] == "4"
    assert metadata["ss_num_validation_images"] == "2"
    assert metadata["ss_validation_split"] == "0.3"
