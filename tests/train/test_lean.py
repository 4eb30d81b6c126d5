"""Lean blocks give what diffusers' give, and keep less for the backward pass."""

from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor

from lorawiz.families import load_adapter
from lorawiz.families.conditioning import Framing, TextConditioning
from lorawiz.families.random_base import build_random_base
from lorawiz.spec.network import NetworkTable
from lorawiz.train.frozen import FrozenConv2d, freeze_convolutions
from lorawiz.train.lean import LeanAttnProcessor, LeanResnet, make_lean
from lorawiz.train.network import LoraNetwork

SIDE = 16


def build_unet(family: str, is_lean: bool) -> tuple[Any, LoraNetwork]:
    """A tiny U-Net with a LoRA that does something; the same weights at each call."""
    unet: Any = build_random_base("tiny", 0, family)["unet"].requires_grad_(False).eval()
    torch.manual_seed(1)
    network = LoraNetwork(NetworkTable(dim=4))
    network.inject("unet", load_adapter(family).iter_unet_targets(unet), torch.device("cpu"))
    with torch.no_grad():
        for _, weight in network.iter_weights():
            weight.normal_(std=0.05)
    if is_lean:
        freeze_convolutions(unet)
        make_lean(unet)
    return unet, network


def predict(family: str, unet: Any) -> Tensor:
    torch.manual_seed(2)
    config = unet.config
    noisy = torch.randn(2, config.in_channels, SIDE, SIDE)
    pooled = None
    if config.addition_embed_type == "text_time":
        width = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        pooled = torch.randn(2, width)
    text = TextConditioning(torch.randn(2, 77, config.cross_attention_dim), pooled)
    framings = [Framing.whole((SIDE * 8, SIDE * 8))] * 2
    return load_adapter(family).predict_noise(unet, noisy, torch.tensor([10, 700]), text, framings)


def measure(family: str, is_lean: bool, dtype: torch.dtype | None = None) -> tuple[Any, int]:
    """The prediction and all gradients; and the bytes that were kept for them."""
    unet, network = build_unet(family, is_lean)
    kept: dict[int, int] = {}
    frozen = {p.untyped_storage().data_ptr() for p in unet.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in frozen:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with hooks, torch.autocast("cpu", dtype or torch.bfloat16, enabled=dtype is not None):
        predicted = predict(family, unet)
    torch.autograd.backward(predicted.float().square().mean())
    gradients = {name: weight.grad for name, weight in network.iter_weights()}
    return (predicted.detach(), gradients), sum(kept.values())


@pytest.mark.parametrize("family", ["sd15", "sd2", "sdxl"])
def test_a_step_is_the_same_and_keeps_less(family: str) -> None:
    (plain, plain_gradients), plain_bytes = measure(family, is_lean=False)
    (lean, lean_gradients), lean_bytes = measure(family, is_lean=True)
    assert torch.allclose(plain, lean, atol=1e-5)
    for name, gradient in plain_gradients.items():
        assert gradient is not None and lean_gradients[name] is not None
        assert torch.allclose(gradient, lean_gradients[name], rtol=1e-3, atol=1e-7), name
    assert lean_bytes < 0.8 * plain_bytes


def test_half_precision_is_no_further_off_than_without() -> None:
    (_, exact), _ = measure("sd15", is_lean=False)
    (plain, plain_gradients), _ = measure("sd15", is_lean=False, dtype=torch.bfloat16)
    (lean, lean_gradients), _ = measure("sd15", is_lean=True, dtype=torch.bfloat16)
    assert lean.dtype == plain.dtype == torch.bfloat16
    assert all(gradient.dtype == torch.float32 for gradient in lean_gradients.values())
    plain_error, lean_error = (
        sum(float((exact[name] - found[name]).square().sum()) for name in exact)
        for found in (plain_gradients, lean_gradients)
    )
    assert lean_error < 1.5 * plain_error


def test_every_block_of_a_known_unet_is_taken() -> None:
    unet, _ = build_unet("sdxl", is_lean=True)
    resnets = [m for m in unet.modules() if isinstance(m, ResnetBlock2D)]
    attentions: list[Any] = [m for m in unet.modules() if isinstance(m, Attention)]
    assert resnets and all(type(m) is LeanResnet for m in resnets)
    assert attentions and all(type(m.processor) is LeanAttnProcessor for m in attentions)
    assert any(isinstance(m, FrozenConv2d) for m in unet.modules())


def test_a_block_that_is_set_up_in_another_way_stays() -> None:
    scaled = ResnetBlock2D(in_channels=32, temb_channels=8, output_scale_factor=2.0)
    shifted = ResnetBlock2D(in_channels=32, temb_channels=8, time_embedding_norm="scale_shift")
    dropping = ResnetBlock2D(in_channels=32, temb_channels=8, dropout=0.1)
    assert [make_lean(block) for block in (scaled, shifted, dropping)] == [0, 0, 0]


def test_norms_that_train_get_their_gradients() -> None:
    unet, _ = build_unet("sd15", is_lean=True)
    norms = [m.norm1 for m in unet.modules() if isinstance(m, LeanResnet)]
    for norm in norms:
        norm.requires_grad_(True)
    torch.autograd.backward(predict("sd15", unet).square().mean())
    assert all(norm.weight.grad is not None and norm.weight.grad.abs().sum() > 0 for norm in norms)
