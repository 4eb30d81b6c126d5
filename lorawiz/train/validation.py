"""The loss on held-out images: fixed noise at fixed noise levels, so that only the weights count.

Nothing here touches the training: no gradient, no dropout, no draw from a global generator.
Shape suffixes: B batch, C latent channels, H W latent rows and columns.
"""

import statistics
from collections.abc import Iterator

import torch
from torch import Tensor

from lorawiz.dataset.batches import Item
from lorawiz.dataset.prompts import settled_prompt
from lorawiz.dataset.seeds import derive_seed
from lorawiz.runs.view import load_view
from lorawiz.spec import Spec
from lorawiz.train.measuring import find_latent_shape, load_batch_moments, measure_losses
from lorawiz.train.noise import NoiseDraw
from lorawiz.train.trainer import Trainer

_NUM_TOLD = 10
"""How often its progress is told: a journal keeps every line."""


def is_due(trainer: Trainer, step: int) -> bool:
    """Whether the held-out images are measured behind `step`."""
    job, table = trainer.job, trainer.job.spec.validation
    if not job.held_out or step == 0:
        return False
    epoch, into_epoch = divmod(step, job.count.steps_per_epoch)
    by_epoch = table.every_n_epochs and not into_epoch and epoch % table.every_n_epochs == 0
    by_step = table.every_n_steps and step % table.every_n_steps == 0
    return bool(by_epoch or by_step or step == job.count.total_steps)


def validate(trainer: Trainer, step: int) -> None:
    """Measure, and tell the journal. Where a stop is asked for it ends without: see `catch_up`."""
    is_last = step == trainer.job.count.total_steps
    losses = _measure_all(trainer, is_last)
    if losses is None:
        return
    spread = {"std": statistics.stdev(losses)} if len(losses) > 1 else {}
    trainer.journal.write("validation", step=step, loss=statistics.fmean(losses), **spread)


def catch_up(trainer: Trainer) -> None:
    """Measure what a run that was stopped left out behind the step that it goes on from."""
    step = trainer.first_step - 1
    if is_due(trainer, step):
        known = load_view(trainer.job.run).validations
        if all(log.step != step for log in known):
            validate(trainer, step)


def find_timesteps(spec: Spec) -> list[int]:
    """The noise levels: the middles of equal parts of those that are trained."""
    least, num = spec.train.min_timestep, spec.validation.num_timesteps
    span = spec.train.max_timestep - least
    return [least + (2 * part + 1) * span // (2 * num) for part in range(num)]


def draw_fixed_noise(
    spec: Spec, item: Item, timesteps: list[int], shape_CHW: tuple[int, ...]
) -> NoiseDraw:
    """The draw of one image at each of `timesteps`; the same in every validation of every run.

    It is plain noise: what `[train]` adds to it is for learning. The latents are drawn once.
    """
    generator = torch.Generator()
    own = ("validation noise", item.record.sha256)
    seed = spec.validation.seed

    def draw(*parts: str | int) -> Tensor:
        generator.manual_seed(derive_seed(seed, *own, *parts))
        return torch.randn(shape_CHW, generator=generator)

    noise_BCHW = torch.stack([draw(timestep) for timestep in timesteps])
    vae_noise_BCHW = draw("vae").expand_as(noise_BCHW)
    return NoiseDraw(noise_BCHW, vae_noise_BCHW, torch.tensor(timesteps))


@torch.no_grad()
def _measure_all(trainer: Trainer, is_last: bool) -> list[float] | None:
    """The loss of each held-out image over its noise levels; None where a stop was asked for.

    Behind the last step nobody would catch up: there it is always measured to the end.
    """
    views = trainer.validation_views
    means = []
    with trainer.evaluating():
        for done, item in enumerate(views):
            if trainer.stop.reason and not is_last:
                return None
            if done % -(-len(views) // _NUM_TOLD) == 0:
                trainer.journal.write("phase", name="validating", done=done, total=len(views))
            means.append(torch.cat(list(_iter_losses(trainer, item))).double().mean())
        losses: list[float] = torch.stack(means).tolist()
    return losses


def _iter_losses(trainer: Trainer, item: Item) -> Iterator[Tensor]:
    """loss_B of one image at its noise levels, as many at once as a batch of the training has."""
    spec = trainer.job.spec
    size, timesteps = spec.dataset.batch_size, find_timesteps(spec)
    prompt = settled_prompt(item.record, spec, spec.validation.seed)
    for start in range(0, len(timesteps), size):
        batch = [item] * len(timesteps[start : start + size])
        moments_BMHW = load_batch_moments(trainer, batch)
        shape_CHW = find_latent_shape(moments_BMHW)
        draw = draw_fixed_noise(spec, item, timesteps[start : start + size], shape_CHW)
        text = trainer.encode_prompts([prompt] * len(batch))
        yield measure_losses(trainer, batch, moments_BMHW, draw, text)
