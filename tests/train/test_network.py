"""The LoRA layers against their formula."""

import pytest
import torch
from torch import nn

from lorawiz.families.adapter import LoraTarget
from lorawiz.spec.network import NetworkTable
from lorawiz.train.layers import LoraLayer
from lorawiz.train.layers.base import Settings
from lorawiz.train.network import LoraNetwork


def make_layer(
    base: nn.Module, dim: int = 3, alpha: float = 6.0, dropout: float = 0.0
) -> LoraLayer:
    base.requires_grad_(False)
    layer = LoraLayer(base, Settings(dim, alpha, dropout))
    nn.init.normal_(layer.up_OR)
    return layer


def test_a_linear_layer_adds_scaled_up_times_down() -> None:
    base = nn.Linear(5, 4)
    layer = make_layer(base)
    x = torch.randn(2, 7, 5)
    merged = base.weight + 2.0 * layer.up_OR @ layer.down_RI
    expected = nn.functional.linear(x, merged, base.bias)
    assert torch.allclose(layer(x), expected, atol=1e-5)


def test_a_convolution_adds_the_same_at_every_pixel() -> None:
    base = nn.Conv2d(5, 4, 1)
    layer = make_layer(base)
    x = torch.randn(2, 5, 3, 6)
    merged = base.weight[:, :, 0, 0] + 2.0 * layer.up_OR @ layer.down_RI
    expected = nn.functional.conv2d(x, merged[:, :, None, None], base.bias)
    assert torch.allclose(layer(x), expected, atol=1e-5)


@pytest.mark.parametrize("base", [nn.Linear(5, 4), nn.Conv2d(5, 4, 1)])
def test_gradients_are_those_of_the_formula(base: nn.Module) -> None:
    assert isinstance(base, nn.Linear | nn.Conv2d)
    layer = make_layer(base)
    is_conv = isinstance(base, nn.Conv2d)
    x = torch.randn(2, 5, 3, 6) if is_conv else torch.randn(2, 7, 5)
    x.requires_grad_(True)
    layer(x).square().sum().backward()
    ours = [x.grad, layer.down_RI.grad, layer.up_OR.grad]
    down, up = (p.detach().clone().requires_grad_(True) for p in (layer.down_RI, layer.up_OR))
    x_again = x.detach().clone().requires_grad_(True)
    weight = base.weight.flatten(1) + 2.0 * up @ down
    y = torch.einsum("bi...,oi->bo...", x_again if is_conv else x_again.movedim(-1, 1), weight)
    assert base.bias is not None
    y = y + base.bias.view(1, -1, *[1] * (y.ndim - 2))
    y.square().sum().backward()  # type: ignore[no-untyped-call]
    for mine, theirs in zip(ours, [x_again.grad, down.grad, up.grad], strict=True):
        assert mine is not None
        assert theirs is not None
        assert torch.allclose(mine, theirs, rtol=1e-4, atol=1e-4)
    assert base.weight.grad is None


def test_a_fresh_layer_changes_nothing() -> None:
    base = nn.Linear(5, 4).requires_grad_(False)
    x = torch.randn(2, 5)
    assert torch.equal(LoraLayer(base, Settings(3, 1.0))(x), base(x))


def test_dropout_is_on_in_training_and_off_elsewhere() -> None:
    layer = make_layer(nn.Linear(50, 4), dropout=0.5)
    x = torch.randn(2, 50)
    assert not torch.equal(layer(x), layer(x))
    layer.training = False
    assert torch.equal(layer(x), layer(x))


def make_network() -> tuple[LoraNetwork, nn.Module]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.Conv2d(4, 4, 1)).requires_grad_(False)
    targets = [LoraTarget("lora_unet_a", model, "0"), LoraTarget("lora_unet_b", model, "1")]
    network = LoraNetwork(NetworkTable(dim=2, alpha=1.0))
    network.inject("unet", targets, torch.device("cpu"))
    return network, model


def test_the_export_has_kohyas_keys_and_shapes() -> None:
    network, _ = make_network()
    shapes = {key: tensor.shape for key, tensor in network.export(torch.float16).items()}
    assert shapes == {
        "lora_unet_a.lora_down.weight": (2, 5),
        "lora_unet_a.lora_up.weight": (4, 2),
        "lora_unet_a.alpha": (),
        "lora_unet_b.lora_down.weight": (2, 4, 1, 1),
        "lora_unet_b.lora_up.weight": (4, 2, 1, 1),
        "lora_unet_b.alpha": (),
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_exported_bytes_are_the_weights(dtype: torch.dtype) -> None:
    network, _ = make_network()
    raw = network.export(dtype)["lora_unet_a.lora_down.weight"]
    weight = dict(network.iter_weights())["lora_unet_a.lora_down.weight"]
    again = torch.frombuffer(bytearray(raw.data), dtype=dtype).reshape(raw.shape)
    assert torch.equal(again, weight.detach().to(dtype))


def test_weights_that_were_taken_out_can_be_put_back() -> None:
    network, model = make_network()
    saved = {name: weight.detach().clone() for name, weight in network.iter_weights()}
    (group,) = network.list_groups()
    assert group.part == "unet"
    for weight in group.weights:
        weight.data.add_(1.0)
    network.load_weights(saved)
    assert all(torch.equal(weight, saved[name]) for name, weight in network.iter_weights())
    assert isinstance(model[0], LoraLayer)  # type: ignore[index]
