"""A base that learns: what overfitting, held-out images, masks and min-SNR do to it.

The pictures are small but the base is trained: what random weights cannot show is shown here.
Shape suffixes: T timesteps, H W latent rows and columns.
"""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from lorawiz.dataset.batches import iter_steps
from lorawiz.demo import PHOTOS, PORTRAITS
from lorawiz.families.conditioning import Framing, TextConditioning
from lorawiz.paths import Project
from lorawiz.runs.journal import JournalWriter, read_events
from lorawiz.train.job import load_job
from lorawiz.train.loop import run_loop
from lorawiz.train.stopping import StopWatch
from lorawiz.train.trainer import Trainer
from tests.support.learning import make_learner, measure_distance
from tests.support.masks import left_half_mask, mask_images
from tests.support.training import freeze, losses, train

pytestmark = pytest.mark.slow
TIMESTEPS = (50, 150, 300, 500, 700, 900)


def measure_learning(project: Project) -> tuple[Tensor, Tensor]:
    """errors_THW of the first photo before and behind the run, with the same noise."""
    run = freeze(project)
    trainer = Trainer(load_job(run), JournalWriter(run.journal), StopWatch(run))
    trainer.prepare(None)
    before_THW = measure_errors(trainer)
    assert run_loop(trainer) == ""
    return before_THW, measure_errors(trainer)


@torch.no_grad()
def measure_errors(trainer: Trainer) -> Tensor:
    """The squared error of the predicted noise, mean over channels and four draws of noise."""
    item = next(iter_steps(trainer.job.spec, trainer.job.records)).batches[0][0]
    moments = trainer.load_moments(item)[None]
    adapter, diffusion = trainer.adapter, trainer.diffusion
    text = trainer.encode_prompts(["a photo of zkw woman"] * len(TIMESTEPS))
    timesteps_T = torch.tensor(TIMESTEPS)
    generator = torch.Generator().manual_seed(0)
    errors = []
    with trainer.evaluating():
        latents = adapter.scale_latents(moments, torch.zeros(1, 4, 16, 16))
        for _ in range(4):
            noise_TCHW = torch.randn(len(TIMESTEPS), 4, 16, 16, generator=generator)
            noisy_TCHW = diffusion.add_noise(latents.expand_as(noise_TCHW), noise_TCHW, timesteps_T)
            predicted_TCHW = adapter.predict_noise(
                trainer.models.unet, noisy_TCHW, timesteps_T, TextConditioning.cat([text]),
                [Framing.whole((64, 64))] * len(TIMESTEPS),
            )  # fmt: skip
            errors.append((predicted_TCHW - noise_TCHW).square().mean(dim=1))
    return torch.stack(errors).mean(dim=0)


def test_one_image_overfits(tmp_path: Path) -> None:
    steps = {"train.max_train_steps": "120", "sample.prompts": '["a photo of zkw woman"]'}
    project = make_learner(tmp_path / "one", [PORTRAITS[1]], {**steps, "sample.at_first": "true"})
    run = freeze(project)
    assert train(run) == 0
    found = losses(run)
    assert sum(found[-20:]) < 0.35 * sum(found[:20]), (sum(found[:20]), sum(found[-20:]))
    first, last = (
        measure_distance(run.samples / f"s{step:06d}-1.png", [PORTRAITS[1]]) for step in (0, 120)
    )
    assert last.pixels < 0.6 * first.pixels, (first, last)
    assert last.features < 0.6 * first.features, (first, last)


def test_the_loss_of_what_is_held_out_falls_and_then_rises(tmp_path: Path) -> None:
    photos = [PHOTOS / f"astronaut-0{number}.jpg" for number in (3, 5)]
    settings = {
        "train.max_train_steps": "120",
        "train.learning_rate": "1e-3",
        "train.text_encoder_lr": "1e-3",
        "validation.split": "0.5",
        "validation.every_n_steps": "5",
        "validation.num_timesteps": "16",
    }
    project = make_learner(tmp_path / "held-out", photos, settings)
    run = freeze(project)
    assert train(run) == 0
    measured = [e["loss"] for e in read_events(run.journal) if e["event"] == "validation"]
    least = measured.index(min(measured))
    assert 0 < least < len(measured) - 2, measured
    assert measured[-1] > 1.05 * measured[least], measured
    trained = losses(run)
    assert sum(trained[-20:]) < 0.5 * sum(trained[:20]), "while what is trained goes on falling"


def test_a_masked_run_learns_where_the_mask_is_white(tmp_path: Path) -> None:
    settings = {"train.max_train_steps": "60", "train.masked_loss": "true",
                "train.unmasked_weight": "0.0"}  # fmt: skip
    project = make_learner(tmp_path / "masked", [PORTRAITS[1]], settings)
    mask_images(project, left_half_mask)
    before_THW, after_THW = measure_learning(project)
    # a column of cells at the edge sees both halves
    inside = float(after_THW[..., :7].sum() / before_THW[..., :7].sum())
    outside = float(after_THW[..., 9:].sum() / before_THW[..., 9:].sum())
    assert inside < 0.6, (inside, outside)
    assert outside > 1.3 * inside, (inside, outside)


def test_min_snr_learns_less_of_what_is_hardly_noisy(tmp_path: Path) -> None:
    shares = {}
    for gamma in (None, "0.05"):
        settings = {"train.max_train_steps": "60", "train.min_snr_gamma": gamma}
        project = make_learner(tmp_path / f"gamma-{gamma}", [PORTRAITS[1]], settings)
        before_THW, after_THW = measure_learning(project)
        left_T = after_THW.mean(dim=(1, 2)) / before_THW.mean(dim=(1, 2))
        # SNR is far above gamma at timesteps 50 and 150, and below it at 900
        shares[gamma] = (float(left_T[:2].mean()), float(left_T[-1]))
    plain, capped = shares[None], shares["0.05"]
    assert capped[0] > plain[0] + 0.05, shares
    assert capped[1] < 1.1 * plain[1], shares
