"""The family's adapter: loading both layouts, and the LoRA's keys."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from lorawiz.families import FAMILIES, load_adapter
from lorawiz.families.adapter import Adapter, LoraTarget
from lorawiz.families.checkpoints import inspect_checkpoint
from lorawiz.families.clip import encode_prompt
from lorawiz.families.sd15.random_base import build_random_base
from lorawiz.spec.tables import NetworkTable
from lorawiz.train.network import LoraNetwork
from tests.support.ldm import save_single_file

# SHA-256 of the sorted lines "key [shape]" of a LoRA of dim 16 that sd-scripts v0.10.1
# (commit 48d368fa, networks/lora.py) creates for SD1.5 at its default targets
KOHYA_KEYS_SHA256 = "ab5b4e494b1d3261ae6a5a987dab23cfe5a9d03173b1fad15cb5e550927c7237"


@pytest.fixture(scope="module")
def adapter() -> Adapter:
    return load_adapter("sd15")


def test_a_full_size_lora_has_kohyas_792_tensors(adapter: Adapter) -> None:
    configs = FAMILIES["sd15"].sizes["full"].configs
    with torch.device("meta"):
        from diffusers import UNet2DConditionModel
        from transformers import CLIPTextConfig, CLIPTextModel

        unet = UNet2DConditionModel.from_config(json.loads((configs / "unet.json").read_text()))
        values = json.loads((configs / "text_encoder.json").read_text())
        text_encoder = CLIPTextModel(CLIPTextConfig(**values))
    network = LoraNetwork(NetworkTable(dim=16, alpha=8.0))
    network.inject("text_encoder", adapter.iter_text_targets(text_encoder), torch.device("cpu"))
    network.inject("unet", adapter.iter_unet_targets(unet), torch.device("cpu"))
    tensors = network.export(torch.float16)
    lines = sorted(f"{key} {list(tensor.shape)}" for key, tensor in tensors.items())
    assert len(lines) == 792
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == KOHYA_KEYS_SHA256


@pytest.mark.parametrize("size", ["full", "tiny"])
def test_the_cards_figures_are_those_of_the_models(adapter: Adapter, size: str) -> None:
    facts = adapter.card.sizes[size]
    with torch.device("meta"):
        parts = build_random_base(size, seed=0)
    counts = tuple(
        sum(p.numel() for p in parts[part].parameters()) for part in ("unet", "text_encoder", "vae")
    )
    assert counts == facts.num_parameters
    targets = (
        list(adapter.iter_unet_targets(parts["unet"])),
        list(adapter.iter_text_targets(parts["text_encoder"])),
    )
    assert tuple(len(found) for found in targets) == facts.num_lora_modules
    widths = tuple(sum(_width(target) for target in found) for found in targets)
    assert widths == facts.lora_width_sum


def _width(target: LoraTarget) -> int:
    """Inputs + outputs."""
    assert isinstance(target.module, nn.Linear | nn.Conv2d)
    return sum(target.module.weight.shape[:2])


def test_a_single_file_and_a_folder_load_the_same_weights(
    adapter: Adapter, tiny_base: Path, tiny_single_file: Path
) -> None:
    folder, file = inspect_checkpoint(tiny_base), inspect_checkpoint(tiny_single_file)
    loaders = (
        lambda c: adapter.load_unet(c, torch.float32),
        lambda c: adapter.load_vae(c, None),
        lambda c: adapter.load_text_encoder(c, torch.float32),
    )
    for load in loaders:
        ours, theirs = load(folder).state_dict(), load(file).state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_half_precision_files_load_in_fp32(adapter: Adapter, tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    parts = build_random_base("tiny", seed=0)
    save_single_file(parts, path, torch.float16)
    unet = adapter.load_unet(inspect_checkpoint(path), torch.float32)
    weight = unet.conv_in.weight
    assert weight.dtype == torch.float32
    assert torch.allclose(weight, parts["unet"].conv_in.weight, atol=2e-4)


def test_everything_is_frozen_and_deterministic(adapter: Adapter, tiny_base: Path) -> None:
    checkpoint = inspect_checkpoint(tiny_base)
    text_encoder = adapter.load_text_encoder(checkpoint, torch.float32)
    unet = adapter.load_unet(checkpoint, torch.float32)
    assert not any(p.requires_grad for m in (text_encoder, unet) for p in m.parameters())
    with torch.no_grad():
        text = adapter.encode_prompts(text_encoder, ["a cat", "a dog"], clip_skip=1)
        assert text.shape == (2, 77, 32)
        noisy = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
        first = adapter.predict_noise(unet, noisy, torch.tensor([3, 700]), text)
        second = adapter.predict_noise(unet, noisy, torch.tensor([3, 700]), text)
    assert first.shape == noisy.shape
    assert torch.equal(first, second)


def test_clip_skip_takes_an_earlier_layer(adapter: Adapter, tiny_base: Path) -> None:
    text_encoder = adapter.load_text_encoder(inspect_checkpoint(tiny_base), torch.float32)
    with torch.no_grad():
        last = adapter.encode_prompts(text_encoder, ["a cat"], clip_skip=1)
        earlier = adapter.encode_prompts(text_encoder, ["a cat"], clip_skip=2)
        ids = torch.tensor([encode_prompt("a cat")])
        output = text_encoder(input_ids=ids, output_hidden_states=True)
    assert not torch.equal(last, earlier)
    norm = getattr(text_encoder, "text_model", text_encoder).final_layer_norm
    assert isinstance(norm, nn.LayerNorm)
    assert torch.equal(earlier, norm(output.hidden_states[-2]))


def test_noise_levels_are_those_of_diffusers(adapter: Adapter) -> None:
    from diffusers import DDPMScheduler

    theirs = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    assert torch.equal(adapter.alphas_cumprod(), theirs.alphas_cumprod)


def test_the_random_base_is_a_function_of_its_seed() -> None:
    one, same, other = (
        build_random_base("tiny", seed)["unet"].conv_in.weight for seed in (0, 0, 1)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
