"""The gradients of one step: forward and backward over its batches, tried again without memory.

Shape suffix: B batch.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lorawiz.dataset.batches import Item, StepPlan
from lorawiz.dataset.seeds import derive_seed
from lorawiz.dataset.subsets import is_class_image
from lorawiz.errors import RunError
from lorawiz.train.image_losses import StepLosses
from lorawiz.train.measuring import find_latent_shape, load_batch_moments, measure_losses
from lorawiz.train.memory_advice import advise, describe
from lorawiz.train.noise import draw_noise
from lorawiz.train.out_of_memory import is_out_of_memory
from lorawiz.train.trainer import Trainer

_MOST_TRIES = 3
"""Of a step that runs out of memory."""


def accumulate_or_end(trainer: Trainer, plan: StepPlan, optimizer: Any) -> Tensor:
    """Every weight's gradient of the step, over all processes. Returns the mean loss, a scalar.

    A try without memory is made again with all caches freed in between, by all processes. Raises
    RunError where it ran out `_MOST_TRIES` times, the state before the step being saved. A step
    draws the same numbers each time, so a later try is the first one's equal. Raises PeerLost.
    """
    said = ""
    for number in range(1, _MOST_TRIES + 1):
        if number > 1:
            trainer.journal.write("warning", message=f"{said}; try {number} of {_MOST_TRIES}")
        loss = torch.zeros(())
        said = ""
        try:
            loss = accumulate_gradients(trainer, plan)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            said = describe(trainer, plan)
        # outside of the handler: the error holds the frames of the step, and they its tensors
        said, loss = _agree(trainer, said, loss)
        if not said:
            weights = [weight for _, weight in trainer.models.network.iter_weights()]
            trainer.world.sum_gradients(weights)
            return loss
        _start_anew(trainer, optimizer)
    trainer.world.lead(lambda: _keep_state_before(trainer, plan))
    raise RunError(said, advise(trainer, plan))


def accumulate_gradients(trainer: Trainer, plan: StepPlan) -> Tensor:
    """Forward and backward over this process's batches. Returns what they add to the mean loss."""
    seed, scaler = trainer.job.spec.train.seed, trainer.accelerator.scaler
    losses = []
    for number, batch in trainer.world.share(list(enumerate(plan.batches))):
        # dropout is the one draw from the global generator: pinned to the batch
        torch.manual_seed(derive_seed(seed, "dropout", plan.step, number))
        loss_B = batch_losses(trainer, batch)
        trainer.image_losses.add(*_leave_out_class(trainer, batch, loss_B))
        loss = (loss_B * find_prior_weights(trainer, batch)).mean()
        trainer.accelerator.backward(loss / len(plan.batches))
        losses.append(loss.detach())
    if losses:
        return torch.stack(losses).sum() / len(plan.batches)
    if scaler is not None:  # it begins at its first loss, and is the same in all processes
        scaler.scale(torch.zeros((), device=trainer.device))
    return torch.zeros((), device=trainer.device)


def find_prior_weights(trainer: Trainer, batch: Sequence[Item]) -> Tensor:
    """weight_B on the device: `prior_loss_weight` for class images, 1 for others."""
    dataset, weight = trainer.job.spec.dataset, trainer.job.spec.train.prior_loss_weight
    weights = [weight if is_class_image(item.record, dataset) else 1.0 for item in batch]
    return torch.tensor(weights, device=trainer.device)


def batch_losses(trainer: Trainer, batch: Sequence[Item]) -> Tensor:
    """loss_B of one batch, with its graph."""
    moments_BMHW = load_batch_moments(trainer, batch)
    draw = draw_noise(trainer.job.spec.train, batch, find_latent_shape(moments_BMHW))
    text = trainer.encode_batch(tuple(batch))
    return measure_losses(trainer, batch, moments_BMHW, draw, text)


class _Share(NamedTuple):
    """What one process tells the others of its part of a step."""

    said: str
    """That it ran out of memory, or nothing."""
    loss: float
    images: StepLosses


def _agree(trainer: Trainer, said: str, loss: Tensor) -> tuple[str, Tensor]:
    """What the first process without memory said, and the loss of all together."""
    world, images = trainer.world, trainer.image_losses
    if world.size == 1:
        return said, loss
    shares = world.gather(_Share(said, float(loss), images.take_step()))
    if world.is_main:
        # in the order of one process: sums of floats depend on it
        most = max(len(share.images) for share in shares)
        turns = [share.images[turn : turn + 1] for turn in range(most) for share in shares]
        images.put_step([batch for turn in turns for batch in turn])
    total = torch.tensor([share.loss for share in shares]).sum()
    return next((share.said for share in shares if share.said), ""), total


def _start_anew(trainer: Trainer, optimizer: Any) -> None:
    optimizer.zero_grad()
    trainer.image_losses.end_step(is_made=False)
    trainer.release()


def _keep_state_before(trainer: Trainer, plan: StepPlan) -> None:
    with suppress(MemoryError):  # where not even a state can be packed, the last one stands
        if plan.step > 1:
            trainer.save_state(plan.step - 1)


def _leave_out_class(
    trainer: Trainer, batch: Sequence[Item], loss_B: Tensor
) -> tuple[Sequence[Item], Tensor]:
    """The images of the subject with their losses: class images are not what is learnt."""
    dataset = trainer.job.spec.dataset
    kept = [at for at, item in enumerate(batch) if not is_class_image(item.record, dataset)]
    if len(kept) == len(batch):
        return batch, loss_B
    return [batch[at] for at in kept], loss_B[kept]
