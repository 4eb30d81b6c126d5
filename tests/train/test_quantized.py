"""Frozen weights in few bits: how near they are, what is kept, and that a run is repeatable."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lorawiz.families import load_adapter
from lorawiz.families.conditioning import Framing, TextConditioning
from lorawiz.families.random_base import build_random_base
from lorawiz.spec.network import NetworkTable
from lorawiz.train import quantized
from lorawiz.train.lean import make_lean
from lorawiz.train.live_bytes import count_bytes
from lorawiz.train.network import LoraNetwork
from lorawiz.train.quantized import Quantized, find_stored, quantize
from tests.support.training import losses, make_run, model_hash, stop_after, train

SETTINGS = {
    "train.fp8_base": "true", "train.max_train_steps": "4", "train.save_every_n_steps": "2",
    "network.train_unet_only": "true", "train.learning_rate": "1e-2", "network.dropout": "0.1",
}  # fmt: skip


def fake_bitsandbytes() -> Any:
    """Sixteen even levels for each block of 64, two codes a byte."""

    def pack(weight: Tensor, quant_type: str, blocksize: int) -> tuple[Tensor, Any]:
        assert (quant_type, blocksize) == ("nf4", 64)
        flat = nn.functional.pad(weight.flatten().float(), (0, -weight.numel() % 64)).view(-1, 64)
        scales = flat.abs().amax(1, keepdim=True).clamp(min=1e-12)
        codes = ((flat / scales + 1) * 7.5).round().to(torch.uint8).flatten()
        state = SimpleNamespace(scales=scales, shape=weight.shape, to=lambda device: None)
        return (codes[::2] << 4 | codes[1::2])[:, None], state

    def unpack(packed: Tensor, state: Any) -> Tensor:
        codes = torch.stack([packed[:, 0] >> 4, packed[:, 0] & 15], dim=1).view(-1, 64)
        flat = (codes.float() / 7.5 - 1) * state.scales
        whole: Tensor = flat.flatten()[: state.shape.numel()].view(state.shape)
        return whole

    return SimpleNamespace(quantize_4bit=pack, dequantize_4bit=unpack)


@pytest.mark.parametrize("shape", [(8, 32), (8, 4, 3, 3)])
def test_eight_bits_are_within_a_sixteenth(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    # rows of very different size: each has a scale of its own
    weight = torch.randn(shape) * torch.logspace(-5, 2, 8).view(-1, *[1] * (len(shape) - 1))
    found = Quantized(weight, "fp8").read(torch.float32)
    largest = weight.flatten(1).abs().amax(1).view(-1, *[1] * (len(shape) - 1))
    # three bits behind the point, and near zero the smallest step
    assert ((found - weight).abs() <= weight.abs() / 16 + largest / 448 * 2**-9).all()
    assert Quantized(torch.zeros(shape), "fp8").read(torch.float32).abs().sum() == 0


def predict(bits: Any, dropout: float = 0.0) -> tuple[Tensor, dict[str, Tensor], nn.Module]:
    unet: Any = build_random_base("tiny", 0, "sd15")["unet"].requires_grad_(False).eval()
    torch.manual_seed(1)
    network = LoraNetwork(NetworkTable(kind="locon", dim=4, conv_dim=4, dropout=dropout))
    network.inject("unet", load_adapter("sd15").iter_unet_targets(unet), torch.device("cpu"))
    network.set_training(True)
    with torch.no_grad():
        for _, weight in network.iter_weights():
            weight.normal_(std=0.02)
    if bits is not None:
        assert quantize(unet, bits) > 50
    make_lean(unet)
    torch.manual_seed(2)
    text = TextConditioning(torch.randn(1, 77, unet.config.cross_attention_dim))
    predicted = load_adapter("sd15").predict_noise(
        unet, torch.randn(1, 4, 16, 16), torch.tensor([500]), text, [Framing.whole((128, 128))]
    )
    torch.autograd.backward(predicted.square().mean())
    gradients = {n: w.grad for n, w in network.iter_weights() if w.grad is not None}
    return predicted.detach(), gradients, unet


@pytest.mark.parametrize(("bits", "share"), [("fp8", 0.45), ("nf4", 0.3)])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_a_step_is_about_the_same_in_less_memory(
    monkeypatch: pytest.MonkeyPatch, bits: str, share: float, dropout: float
) -> None:
    monkeypatch.setattr(quantized, "load_bitsandbytes", fake_bitsandbytes)
    whole, gradients, unet = predict(None, dropout)
    stored, found, small = predict(bits, dropout)
    # a random base shows each bit that is lost; a trained one forgives more
    near = 0.9 if bits == "fp8" else 0.6
    assert torch.cosine_similarity(whole.flatten(), stored.flatten(), dim=0) > near
    assert found.keys() == gradients.keys()
    flat, other = (
        torch.cat([each[name].flatten() for name in gradients]) for each in (gradients, found)
    )
    assert torch.cosine_similarity(flat, other, dim=0) > near - 0.3
    trained = sum(weight.numel() * 4 for weight in gradients.values())
    assert count_bytes(small) - trained < share * (count_bytes(unet) - trained)


def test_the_first_and_last_convolution_and_the_norms_stay() -> None:
    unet: Any = build_random_base("tiny", 0, "sd15")["unet"].requires_grad_(False)
    quantize(unet, "fp8")
    assert find_stored(unet.conv_in) is None and find_stored(unet.conv_out) is None
    assert find_stored(unet.down_blocks[0].resnets[0].conv1) is not None
    assert unet.down_blocks[0].resnets[0].norm1.weight.dtype == torch.float32


def test_layers_that_train_stay() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4).requires_grad_(False))
    assert quantize(model, "fp8") == 1
    assert find_stored(model[0]) is None


def test_a_run_learns_and_resumes_to_the_bit(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = make_run(tmp_path / "straight", tiny_base, SETTINGS)
    assert train(straight) == 0
    resumed = make_run(tmp_path / "resumed", tiny_base, SETTINGS)
    with monkeypatch.context() as patch:
        stop_after(resumed, 3, patch)
        assert train(resumed) == 0
    assert train(resumed, "--resume") == 0
    assert losses(resumed) == losses(straight)
    files = [run.path / "lyq.safetensors" for run in (straight, resumed)]
    assert model_hash(files[0]) == model_hash(files[1])
