"""The diffusion process: noise levels, noisy latents, the loss (Ho et al. 2020, arXiv:2006.11239).

Shape suffixes: B batch, C channels, H W latent rows and columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lorawiz.dataset.batches import Item
from lorawiz.dataset.seeds import derive_seed


@dataclass(frozen=True)
class NoiseDraw:
    """The random numbers of one batch: a function of seed, epoch and image alone."""

    noise_BCHW: Tensor
    vae_noise_BCHW: Tensor
    """What the latents are drawn from the VAE's moments with."""
    timesteps_B: Tensor


def draw_noise(
    seed: int, batch: Sequence[Item], shape_CHW: tuple[int, ...], num_timesteps: int
) -> NoiseDraw:
    """Draw for a batch, on the CPU, so that every device trains on the same numbers."""
    noises, vae_noises, timesteps = [], [], []
    for item in batch:
        generator = torch.Generator().manual_seed(
            derive_seed(seed, "noise", item.record.image_path, item.epoch, item.repeat)
        )
        timesteps.append(torch.randint(num_timesteps, (), generator=generator))
        noises.append(torch.randn(shape_CHW, generator=generator))
        vae_noises.append(torch.randn(shape_CHW, generator=generator))
    return NoiseDraw(torch.stack(noises), torch.stack(vae_noises), torch.stack(timesteps))


def add_noise(
    latents_BCHW: Tensor, noise_BCHW: Tensor, timesteps_B: Tensor, alphas_cumprod: Tensor
) -> Tensor:
    """√ᾱ·latents + √(1−ᾱ)·noise (equation 4)."""
    signal_B111 = alphas_cumprod[timesteps_B].view(-1, 1, 1, 1)
    return signal_B111.sqrt() * latents_BCHW + (1 - signal_B111).sqrt() * noise_BCHW


def noise_loss(predicted_BCHW: Tensor, noise_BCHW: Tensor) -> Tensor:
    """Mean squared error of the predicted noise, over the batch; in fp32 (equation 14)."""
    return torch.nn.functional.mse_loss(predicted_BCHW.float(), noise_BCHW.float())
