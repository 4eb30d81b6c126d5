"""The random numbers of a batch: noise, timesteps, and what shapes the noise.

Every number is a function of seed, epoch and image alone, whatever else is in the batch, and is
drawn on the CPU, so that every device trains on the same. Shape suffixes: B batch, C channels,
H W latent rows and columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from lorawiz.dataset.batches import Item
from lorawiz.dataset.seeds import derive_seed
from lorawiz.spec.training import TrainTable


@dataclass(frozen=True)
class NoiseDraw:
    """The random numbers of one batch."""

    noise_BCHW: Tensor
    vae_noise_BCHW: Tensor
    """What the latents are drawn from the VAE's moments with."""
    timesteps_B: Tensor
    offset_BC11: Tensor | None = None
    """A normal draw a channel: the direction of the noise offset."""
    offset_strength_B: Tensor | None = None
    extra_BCHW: Tensor | None = None
    """Noise that the model sees beside what it has to predict, at its strength."""


def draw_noise(train: TrainTable, batch: Sequence[Item], shape_CHW: tuple[int, ...]) -> NoiseDraw:
    """Draw for a batch. What a setting adds is drawn last: it changes no other number."""
    draws = [_draw_one(train, item, shape_CHW) for item in batch]

    def stack(name: str) -> Tensor | None:
        found = [getattr(draw, name) for draw in draws]
        return None if found[0] is None else torch.cat(found)

    noise, vae_noise, timesteps = (
        torch.cat([getattr(draw, name) for draw in draws])
        for name in ("noise_BCHW", "vae_noise_BCHW", "timesteps_B")
    )
    return NoiseDraw(
        noise, vae_noise, timesteps,
        stack("offset_BC11"), stack("offset_strength_B"), stack("extra_BCHW"),
    )  # fmt: skip


def shape_noise(train: TrainTable, draw: NoiseDraw, latents_BCHW: Tensor) -> Tensor:
    """noise_BCHW that the model has to predict: with its offset and its coarser grains.

    Offset: crosslabs.org/blog/diffusion-with-offset-noise, adaptive as in sd-scripts.
    """
    if draw.offset_BC11 is None or draw.offset_strength_B is None:
        return draw.noise_BCHW
    strength = draw.offset_strength_B.view(-1, 1, 1, 1)
    if train.adaptive_noise_scale is not None:
        mean_BC11 = latents_BCHW.mean(dim=(2, 3), keepdim=True).abs()
        strength = (strength + train.adaptive_noise_scale * mean_BC11).clamp(min=0.0)
    return draw.noise_BCHW + strength * draw.offset_BC11


def _draw_one(train: TrainTable, item: Item, shape_CHW: tuple[int, ...]) -> NoiseDraw:
    """The draw of one image, with a batch dimension of 1."""
    seed = derive_seed(train.seed, "noise", item.record.image_path, item.epoch, item.repeat)
    generator = torch.Generator().manual_seed(seed)
    shape_1CHW = (1, *shape_CHW)
    timesteps = torch.randint(train.min_timestep, train.max_timestep, (1,), generator=generator)
    noise_1CHW = torch.randn(shape_1CHW, generator=generator)
    vae_noise_1CHW = torch.randn(shape_1CHW, generator=generator)
    if train.multires_noise_iterations is not None:
        noise_1CHW = _add_coarser(train, noise_1CHW, generator)
    offset = strength = extra = None
    if train.noise_offset is not None:
        offset = torch.randn((1, shape_CHW[0], 1, 1), generator=generator)
        strength = torch.tensor([train.noise_offset])
        if train.noise_offset_random_strength:
            strength = strength * torch.rand(1, generator=generator)
    if train.ip_noise_gamma is not None:
        extra = torch.randn(shape_1CHW, generator=generator) * train.ip_noise_gamma
        if train.ip_noise_gamma_random_strength:
            extra = extra * torch.rand(1, generator=generator)
    return NoiseDraw(noise_1CHW, vae_noise_1CHW, timesteps, offset, strength, extra)


def _add_coarser(train: TrainTable, noise_1CHW: Tensor, generator: Generator) -> Tensor:
    """Pyramid noise: each grain two to four times as coarse as the one before, then unit variance.

    wandb.ai/johnowhitaker/multires_noise; the variance is taken over the image, not the batch.
    """
    assert train.multires_noise_iterations is not None
    size = noise_1CHW.shape[2:]
    for level in range(train.multires_noise_iterations):
        ratio = (2 + 2 * float(torch.rand((), generator=generator))) ** level
        coarse = tuple(max(1, int(side / ratio)) for side in size)
        grain = torch.randn((*noise_1CHW.shape[:2], *coarse), generator=generator)
        noise_1CHW = noise_1CHW + train.multires_noise_discount**level * interpolate(
            grain, size, mode="bilinear"
        )
        if min(coarse) == 1:
            break
    return noise_1CHW / noise_1CHW.std()
