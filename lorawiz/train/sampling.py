"""Pictures drawn while training. They touch no random state of the training."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from lorawiz.families.adapter import Adapter
from lorawiz.families.card import FamilyCard
from lorawiz.families.conditioning import Framing, TextConditioning
from lorawiz.spec.tables import BaseTable, SampleTable, Spec

_SAMPLERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}),
    "euler": ("EulerDiscreteScheduler", {"steps_offset": 1}),
    "dpmsolver++": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True, "steps_offset": 1}),
}


@dataclass(frozen=True)
class SamplePrompt:
    """A prompt of the spec with its text embeddings, conditional and not: a batch of one each."""

    index: int
    prompt: str
    text: TextConditioning
    negative: TextConditioning


def draw_latents(
    adapter: Adapter,
    unet: nn.Module,
    prompt: SamplePrompt,
    spec: Spec,
    device: torch.device,
    vae_scale: int,
) -> Tensor:
    """latents_BCHW of one picture by classifier-free guidance (Ho & Salimans 2022).

    `vae_scale` is the pixels per latent cell, along a side.
    """
    table = spec.sample
    scheduler = build_sampler(table, spec.base, adapter.card)
    width, height = (side // vae_scale for side in spec.sample_size)
    generator = torch.Generator().manual_seed(table.seed + prompt.index)
    shape = (1, adapter.card.latent_channels, height, width)
    scheduler.set_timesteps(table.steps, device=device)
    latents_BCHW = torch.randn(shape, generator=generator).to(device) * scheduler.init_noise_sigma
    text = TextConditioning.cat([prompt.negative, prompt.text]).to(device)
    framings = [Framing.whole(spec.sample_size)] * 2
    for timestep in scheduler.timesteps:
        doubled_BCHW = scheduler.scale_model_input(torch.cat([latents_BCHW] * 2), timestep)
        noise_BCHW = adapter.predict_noise(unet, doubled_BCHW, timestep.expand(2), text, framings)
        without, along = noise_BCHW.float().chunk(2)
        guided = without + table.guidance * (along - without)
        latents_BCHW = scheduler.step(guided, timestep, latents_BCHW).prev_sample
    drawn_BCHW: Tensor = latents_BCHW
    return drawn_BCHW


def build_sampler(table: SampleTable, base: BaseTable, card: FamilyCard) -> Any:
    """The diffusers scheduler behind `sample.sampler`, with the base's noise levels."""
    import diffusers

    name, options = _SAMPLERS[table.sampler]
    if base.zero_terminal_snr:
        # all noise stands at the last timestep alone: sampling has to begin there
        options = {**options, "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    return getattr(diffusers, name)(
        num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012,
        beta_schedule="scaled_linear", prediction_type=base.prediction_type or card.prediction,
        **options,
    )  # fmt: skip


def save_pictures(
    adapter: Adapter,
    load_vae: Callable[[], nn.Module],
    latents: list[tuple[SamplePrompt, Tensor]],
    path_of: Callable[[int], Path],
) -> list[tuple[SamplePrompt, Path]]:
    """Decode and write one PNG a prompt. The VAE is loaded for this and let go again."""
    vae = load_vae()
    saved = []
    for prompt, latents_BCHW in latents:
        path = path_of(prompt.index)
        save_picture(adapter.decode_latents(vae, latents_BCHW.float()), path)
        saved.append((prompt, path))
    return saved


def save_picture(pixels_BCYX: Tensor, path: Path) -> None:
    """Write the first picture of a batch in 0…1 as a PNG, whole or not at all."""
    array_YXC = (pixels_BCYX[0].permute(1, 2, 0).cpu().numpy() * 255.0).round()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    Image.fromarray(array_YXC.astype(np.uint8)).save(temporary, format="PNG")
    temporary.replace(path)
