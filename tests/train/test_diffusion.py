"""Noisy latents against diffusers."""

import torch
from diffusers import DDPMScheduler

from lorawiz.families import load_adapter
from lorawiz.train.diffusion import Diffusion

SHAPE = (4, 8, 8)


def test_noisy_latents_are_those_of_diffusers() -> None:
    theirs = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    latents, noise = torch.randn(3, *SHAPE), torch.randn(3, *SHAPE)
    timesteps = torch.tensor([0, 500, 999])
    ours = Diffusion(load_adapter("sd15").alphas_cumprod()).add_noise(latents, noise, timesteps)
    assert torch.allclose(ours, theirs.add_noise(latents, noise, timesteps), atol=1e-6)
