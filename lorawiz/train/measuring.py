"""The losses of a batch under given random numbers: what training and validation both measure.

Shape suffixes: B batch, C latent channels (M is twice that), H W latent rows and columns.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lorawiz.dataset.batches import Item
from lorawiz.families.conditioning import TextConditioning
from lorawiz.train.caches import find_framing
from lorawiz.train.noise import NoiseDraw, shape_noise
from lorawiz.train.trainer import Trainer


def load_batch_moments(trainer: Trainer, batch: Sequence[Item]) -> Tensor:
    """moments_BMHW of a batch's images, from the cache."""
    return torch.stack([trainer.load_moments(item) for item in batch])


def find_latent_shape(moments_BMHW: Tensor) -> tuple[int, ...]:
    """(C, H, W) of the latents that are drawn from moments."""
    return moments_BMHW.shape[1] // 2, *moments_BMHW.shape[2:]


def measure_losses(
    trainer: Trainer,
    batch: Sequence[Item],
    moments_BMHW: Tensor,
    draw: NoiseDraw,
    text: TextConditioning,
) -> Tensor:
    """loss_B in fp32 on the device, with its graph."""
    diffusion, device = trainer.diffusion, trainer.device
    latents_BCHW = trainer.adapter.scale_latents(moments_BMHW, draw.vae_noise_BCHW)
    noise_BCHW = shape_noise(trainer.job.spec.train, draw, latents_BCHW)
    seen_BCHW = noise_BCHW if draw.extra_BCHW is None else noise_BCHW + draw.extra_BCHW
    noisy_BCHW = diffusion.add_noise(latents_BCHW, seen_BCHW, draw.timesteps_B)
    target_BCHW = diffusion.find_target(latents_BCHW, noise_BCHW, draw.timesteps_B)
    framings = [find_framing(item) for item in batch]
    with trainer.accelerator.autocast():
        predicted_BCHW = trainer.adapter.predict_noise(
            trainer.models.unet, noisy_BCHW.to(device), draw.timesteps_B.to(device), text, framings
        )
    weights_B1HW = trainer.masks.find_weights(batch)
    if weights_B1HW is not None:
        weights_B1HW = weights_B1HW.to(device)
    return trainer.loss.per_image(
        predicted_BCHW, target_BCHW.to(device), draw.timesteps_B, weights_B1HW
    )
