"""The training loop. One optimizer step: draw, predict, measure, check, update, tell.

Several processes go through it alike; the main one writes, draws and listens (see world.py).
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import torch
from torch import Tensor

from lorawiz.dataset.batches import Item, StepPlan, iter_steps
from lorawiz.errors import RunError
from lorawiz.train.accumulating import accumulate_or_end, batch_losses
from lorawiz.train.finiteness import HINT, MAX_SKIPPED_IN_A_ROW, describe_failure
from lorawiz.train.noise import draw_noise
from lorawiz.train.rates import effective_rate
from lorawiz.train.steering import Refused
from lorawiz.train.stopping import StopRequested
from lorawiz.train.trainer import Trainer
from lorawiz.train.validation import catch_up, is_due, validate


def run_loop(trainer: Trainer) -> str:
    """Train from `trainer.first_step` to the end. Returns why it was stopped early, or ''."""
    job, spec = trainer.job, trainer.job.spec
    reason = trainer.world.lead(lambda: _begin(trainer))
    if reason:
        return reason
    # its state is where it belongs: accelerate would load it anew, in other number formats
    optimizer = trainer.accelerator.prepare_optimizer(
        trainer.models.optimizer, device_placement=False
    )
    guard = _Guard(trainer)
    last_end = time.perf_counter()
    for plan in iter_steps(spec, job.records):
        if plan.step < trainer.first_step:
            continue
        mean_loss = accumulate_or_end(trainer, plan, optimizer)
        # the one wait for the device in a step
        loss, grad_norm = _read(mean_loss, _clip_gradients(trainer))
        is_sound = guard.judge(plan, loss, grad_norm)
        trainer.image_losses.end_step(is_sound)
        trainer.models.rates.set_rates(plan.step)
        scaled: int | None = None
        if is_sound:
            optimizer.step()
            scaled = trainer.models.network.limit_norms()
            if trainer.models.average is not None:
                trainer.models.average.update(plan.step)
        lr = effective_rate(trainer.models.optimizer)
        optimizer.zero_grad()
        now = time.perf_counter()
        _log_step(
            trainer, plan, loss=loss, lr=lr, grad_norm=grad_norm, step_s=now - last_end,
            scaled=scaled,
        )  # fmt: skip
        reason = trainer.world.lead(partial(_end_step, trainer, plan))
        if reason:
            return reason
        last_end = time.perf_counter()
    return ""


def _end_step(trainer: Trainer, plan: StepPlan) -> str:
    """What comes behind a step, in the main process. Returns why to stop, or ''."""
    job = trainer.job
    if plan.ends_epoch or plan.step == job.count.total_steps:
        images = trainer.image_losses.end_epoch()
        trainer.journal.write("image_loss", epoch=plan.epoch, images=images)
    reason = trainer.stop.reason
    _save_and_sample(trainer, plan, is_stopping=bool(reason))
    if is_due(trainer, plan.step):
        validate(trainer, plan.step)
    here = _Here(trainer, plan.step, plan.epoch)
    reason = trainer.steering.obey(here)
    if not reason or here.is_last:
        return ""
    trainer.save_state(plan.step)
    return reason


@dataclass(frozen=True)
class _Here:
    """The place behind a step. See `lorawiz.train.steering.Point`."""

    trainer: Trainer
    step: int
    epoch: int

    @property
    def is_ready(self) -> bool:
        return self.step > 0

    @property
    def is_last(self) -> bool:
        return self.step == self.trainer.job.count.total_steps

    def keep_state(self) -> None:
        if self.step and not self.is_last:
            self.trainer.save_state(self.step)

    def save(self) -> None:
        if not self.step:
            raise Refused("nothing is trained yet")
        self.trainer.save_lora(_step_file(self.trainer, self.step), self.step, self.epoch)
        self.keep_state()

    def sample(self) -> None:
        if not self.trainer.has_sample_prompts:
            raise Refused("sample.prompts is empty")
        self.trainer.draw_samples(self.step)


def _begin(trainer: Trainer) -> str:
    """What comes before the first step. Returns why to stop there; raises StopRequested."""
    step = trainer.first_step - 1
    here = _Here(trainer, step, math.ceil(step / trainer.job.count.steps_per_epoch))
    reason = trainer.steering.obey(here)
    if not reason and step == 0 and trainer.job.spec.sample.at_first:
        trainer.draw_samples(step=0)
        reason = trainer.steering.obey(here)
    if not reason:
        catch_up(trainer)
    if reason and step == 0:
        raise StopRequested(reason)
    return reason


def _clip_gradients(trainer: Trainer) -> Tensor:
    """Clip to max_grad_norm (0: measure only). Returns the norm before, a scalar."""
    weights = [weight for _, weight in trainer.models.network.iter_weights()]
    limit = trainer.job.spec.train.max_grad_norm or math.inf
    norm = trainer.accelerator.clip_grad_norm_(weights, limit)
    return torch.zeros(()) if norm is None else norm


def _read(*scalars: Tensor) -> list[float]:
    """The values of several scalars, which a device is waited for once."""
    device = scalars[-1].device
    values: list[float] = torch.stack([each.float().to(device) for each in scalars]).tolist()
    return values


class _Guard:
    """Lets no step be made of what is not finite."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._num_skipped = 0

    def judge(self, plan: StepPlan, loss: float, grad_norm: float) -> bool:
        """Whether the step may be made. Raises RunError where the run has to stop.

        fp16's scaler skips overflowing gradients by itself, and lowers its scale.
        """
        trainer = self._trainer
        has_scaler = trainer.accelerator.scaler is not None
        if math.isfinite(loss) and (math.isfinite(grad_norm) or has_scaler):
            self._num_skipped = 0
            return True
        said = trainer.world.lead(lambda: _describe(trainer, plan, loss))
        self._num_skipped += 1
        if trainer.job.spec.train.on_nan == "stop":
            raise RunError(said, HINT)
        if self._num_skipped >= MAX_SKIPPED_IN_A_ROW:
            raise RunError(f"{said}; so were the {self._num_skipped - 1} steps before", HINT)
        trainer.journal.write("warning", message=f"{said}; the step is skipped")
        return False


def _describe(trainer: Trainer, plan: StepPlan, loss: float) -> str:
    return describe_failure(
        plan, loss, trainer.models.network, trainer.models.unet,
        lambda batch: batch_losses(trainer, batch).mean(),
        lambda batch: _find_timesteps(trainer, batch),
    )  # fmt: skip


def _find_timesteps(trainer: Trainer, batch: Sequence[Item]) -> list[int]:
    # the shape of the noise does not change the timesteps: they are drawn first
    timesteps: list[int] = draw_noise(trainer.job.spec.train, batch, (1, 8, 8)).timesteps_B.tolist()
    return timesteps


def _log_step(
    trainer: Trainer, plan: StepPlan, *, loss: float, lr: float, grad_norm: float, step_s: float,
    scaled: int | None,
) -> None:  # fmt: skip
    optional = {} if scaled is None else {"keys_scaled": scaled}
    memory = {"memory_bytes": psutil.Process().memory_info().rss}
    if trainer.device.type == "cuda":
        memory["device_memory_bytes"] = torch.cuda.max_memory_allocated(trainer.device)
    trainer.journal.write(
        "step", step=plan.step, epoch=plan.epoch, loss=loss, lr=lr, grad_norm=grad_norm,
        step_s=round(step_s, 6), **memory, **optional,
    )  # fmt: skip


def _save_and_sample(trainer: Trainer, plan: StepPlan, is_stopping: bool) -> None:
    """What is due behind a step: files, the state to resume from, pictures."""
    job, train, sample = trainer.job, trainer.job.spec.train, trainer.job.spec.sample
    name = job.spec.project.name
    is_last = plan.step == job.count.total_steps
    by_epoch = plan.ends_epoch and _comes_up(train.save_every_n_epochs, plan.epoch)
    by_step = _comes_up(train.save_every_n_steps, plan.step)
    if by_epoch and not is_last:
        trainer.save_lora(
            job.run.path / f"{name}-e{plan.epoch:04d}.safetensors", plan.step, plan.epoch
        )
    if by_step and not is_last:
        trainer.save_lora(_step_file(trainer, plan.step), plan.step, plan.epoch)
    if is_last:
        trainer.save_lora(job.run.path / f"{name}.safetensors", plan.step, plan.epoch)
    elif by_epoch or by_step or is_stopping:
        trainer.save_state(plan.step)
    is_sampling = sample.every_n_epochs is not None or sample.every_n_steps is not None
    sample_due = (plan.ends_epoch and _comes_up(sample.every_n_epochs, plan.epoch)) or _comes_up(
        sample.every_n_steps, plan.step
    )
    if sample_due or (is_last and (is_sampling or sample.at_first)):
        trainer.draw_samples(plan.step)


def _step_file(trainer: Trainer, step: int) -> Path:
    """Where a LoRA that is saved between two epochs goes."""
    job = trainer.job
    return job.run.path / f"{job.spec.project.name}-s{step:06d}.safetensors"


def _comes_up(every: int | None, count: int) -> bool:
    return every is not None and count % every == 0
