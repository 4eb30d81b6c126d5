"""Samples are a function of prompt, seed and weights."""

from pathlib import Path

import pytest
import torch
from torch import nn

from lorawiz.families import load_adapter
from lorawiz.families.checkpoints import inspect_checkpoint
from lorawiz.families.clip.reading import Reading
from lorawiz.spec.document import build_spec
from lorawiz.spec.tables import Spec
from lorawiz.train.sampling import SamplePrompt, draw_latents

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def parts(tiny_base: Path) -> tuple[nn.Module, list[SamplePrompt]]:
    adapter, checkpoint = load_adapter("sd15"), inspect_checkpoint(tiny_base)
    text_encoder = adapter.load_text_encoder(checkpoint, torch.float32)
    with torch.no_grad():
        texts = [
            adapter.encode_prompts(text_encoder, [p], Reading()) for p in ("", "a cat", "a dog")
        ]
    prompts = [SamplePrompt(i, p, texts[i + 1], texts[0]) for i, p in enumerate(("a cat", "a dog"))]
    return adapter.load_unet(checkpoint, torch.float32), prompts


def spec_of(**sample: object) -> Spec:
    return build_spec(
        {"schema": 1, "dataset": {"resolution": 64}, "sample": {"steps": 3, **sample}}
    )


@pytest.mark.parametrize("sampler", ["ddim", "euler", "dpmsolver++"])
def test_each_sampler_draws_the_same_again(
    parts: tuple[nn.Module, list[SamplePrompt]], sampler: str
) -> None:
    unet, prompts = parts
    adapter = load_adapter("sd15")
    with torch.no_grad():
        one, same = (
            draw_latents(adapter, unet, prompts[0], spec_of(sampler=sampler), CPU, 8)
            for _ in range(2)
        )
        other = draw_latents(adapter, unet, prompts[0], spec_of(sampler=sampler, seed=9), CPU, 8)
    assert one.shape == (1, 4, 8, 8)
    assert torch.isfinite(one).all()
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_the_global_generator_is_left_alone(parts: tuple[nn.Module, list[SamplePrompt]]) -> None:
    unet, prompts = parts
    before = torch.random.get_rng_state()
    with torch.no_grad():
        draw_latents(load_adapter("sd15"), unet, prompts[1], spec_of(sampler="dpmsolver++"), CPU, 8)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_ddim_picture_is_the_one_diffusers_draws(
    parts: tuple[nn.Module, list[SamplePrompt]], tiny_base: Path
) -> None:
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline

    unet, prompts = parts
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
        set_alpha_to_one=False, steps_offset=1,
    )  # fmt: skip
    vae = AutoencoderKL.from_pretrained(tiny_base, subfolder="vae", local_files_only=True)
    pipeline = StableDiffusionPipeline(
        vae, None, None, unet, scheduler, None, None, requires_safety_checker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        prompt_embeds=prompts[0].text.states_BTD,
        negative_prompt_embeds=prompts[0].negative.states_BTD,
        num_inference_steps=3, guidance_scale=7.5, width=64, height=64, output_type="latent",
        generator=torch.Generator().manual_seed(1),
    ).images  # fmt: skip
    with torch.no_grad():
        ours = draw_latents(load_adapter("sd15"), unet, prompts[0], spec_of(), CPU, 8)
    assert torch.allclose(ours, theirs, atol=1e-4)
