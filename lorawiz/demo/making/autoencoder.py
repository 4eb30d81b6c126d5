"""Trains the demo's VAE: 64 pixels to a 16×16 latent of 4 channels and back.

Shape suffixes: B batch, N pictures, C channels, Y X pixels, H W latent rows and columns.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from lorawiz.demo.making.photos import Pixels

_BATCH_SIZE = 12
_PEAK_LR = 3e-3
_CROP_PX = 32
"""It is convolutional: small cuts teach it as much a pixel, in more and quicker steps."""
_NOISE_STD = 0.05
"""A fixed spread in place of a learned one: at first that would be louder than the latents."""
_SIZE_WEIGHT = 1e-4
_EDGE_WEIGHT = 0.5
_LATENT_STD = 1 / 0.18215
"""What SD1.x multiplies latents with, turned round: it makes them of unit spread."""
Tell = Callable[[str], None]


def train_autoencoder(
    config: dict[str, object], pixels_NYXC: Pixels, num_steps: int, seed: int, tell: Tell
) -> AutoencoderKL:
    """An AutoencoderKL whose latents fit the family's scale. Draws from `seed` alone."""
    torch.manual_seed(seed)
    vae = AutoencoderKL.from_config(config).to(memory_format=torch.channels_last)
    weights = list(vae.parameters())
    optimizer = torch.optim.AdamW(weights, lr=_PEAK_LR, betas=(0.9, 0.98), weight_decay=0)
    began = time.perf_counter()
    for step in range(num_steps):
        for group in optimizer.param_groups:
            group["lr"] = _PEAK_LR * warmup_cosine(step, num_steps)
        loss = _measure(vae, _draw_crops(pixels_NYXC))
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % 200 == 0 or step == num_steps - 1:
            took = time.perf_counter() - began
            tell(f"vae {step + 1}/{num_steps}  loss {loss.item():.4f}  {took:.0f} s")
    vae.eval().requires_grad_(False)
    _fit_latent_scale(vae, pixels_NYXC)
    return vae


def _draw_crops(pixels_NYXC: Pixels) -> Tensor:
    """pixels_BCYX: one place of some pictures."""
    top, left = torch.randint(pixels_NYXC.shape[1] - _CROP_PX + 1, (2,)).tolist()
    chosen = torch.randint(len(pixels_NYXC), (_BATCH_SIZE,)).numpy()
    crops_BYXC = pixels_NYXC[chosen, top : top + _CROP_PX, left : left + _CROP_PX]
    return to_tensor(crops_BYXC).contiguous(memory_format=torch.channels_last)


def _measure(vae: AutoencoderKL, pixels_BCYX: Tensor) -> Tensor:
    means_BCHW = vae.encode(pixels_BCYX).latent_dist.mean
    noisy_BCHW = means_BCHW + _NOISE_STD * torch.randn_like(means_BCHW)
    loss = _reconstruction_loss(vae.decode(noisy_BCHW).sample, pixels_BCYX)
    size: Tensor = means_BCHW.square().mean()
    return loss + _SIZE_WEIGHT * size


def to_tensor(pixels_NYXC: Pixels) -> Tensor:
    """pixels_NCYX in -1…1."""
    values = torch.from_numpy(np.ascontiguousarray(pixels_NYXC)).float()
    return values.permute(0, 3, 1, 2) / 127.5 - 1.0


def warmup_cosine(step: int, num_steps: int) -> float:
    """The learning rate's factor: up along a line over at most 100 steps, then a cosine down to 2 %."""
    num_warmup = max(1, min(100, num_steps * 3 // 100))
    if step < num_warmup:
        return (step + 1) / num_warmup
    progress = (step - num_warmup) / max(1, num_steps - num_warmup)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress))


def encode_all(vae: AutoencoderKL, pixels_NYXC: Pixels) -> Tensor:
    """The means of the latents, unscaled: [N, 4, 16, 16]."""
    with torch.no_grad():
        means = [
            vae.encode(to_tensor(pixels_NYXC[start : start + 64])).latent_dist.mean
            for start in range(0, len(pixels_NYXC), 64)
        ]
    return torch.cat(means)


def _reconstruction_loss(drawn_BCYX: Tensor, pixels_BCYX: Tensor) -> Tensor:
    """Absolute error of the colours, and of their steps to the right and below: keeps edges."""
    loss = (drawn_BCYX - pixels_BCYX).abs().mean()
    for dim in (2, 3):
        loss = (
            loss
            + _EDGE_WEIGHT * (drawn_BCYX.diff(dim=dim) - pixels_BCYX.diff(dim=dim)).abs().mean()
        )
    return loss


def _fit_latent_scale(vae: AutoencoderKL, pixels_NYXC: Pixels) -> None:
    """Shift and scale each latent channel to mean 0 and the family's spread.

    The two 1×1 convolutions around the latent take it up: pictures stay the same.
    """
    means_NCHW = encode_all(vae, pixels_NYXC[:1024])
    centre_C = means_NCHW.mean(dim=(0, 2, 3))
    gain_C = _LATENT_STD / means_NCHW.std(dim=(0, 2, 3))
    num = len(gain_C)
    with torch.no_grad():
        into, outof = vae.quant_conv, vae.post_quant_conv
        outof.bias += outof.weight[:, :, 0, 0] @ centre_C
        outof.weight /= gain_C[None, :, None, None]
        into.weight[:num] *= gain_C[:, None, None, None]
        into.bias[:num] = (into.bias[:num] - centre_C) * gain_C
        into.weight[num:] = 0
        into.bias[num:] = 2 * (_NOISE_STD * gain_C).log()


def save_half(model: nn.Module, folder: Path) -> None:
    """Write a component of a diffusers folder in fp16."""
    model.to(torch.float16).save_pretrained(folder, safe_serialization=True)  # type: ignore[operator]
    model.to(torch.float32)
