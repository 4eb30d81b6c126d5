"""Every kind of network: it starts as the base, and readers' formulas give what was trained."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lorawiz.families.adapter import LoraTarget
from lorawiz.runs.view import load_view
from lorawiz.spec.network import Kind, NetworkTable
from lorawiz.train.layers import LAYERS, AdapterLayer
from lorawiz.train.layers.base import Settings
from lorawiz.train.layers.lora import LoraLayer
from lorawiz.train.network import LoraNetwork
from tests.support.projects import link_base, make_project
from tests.support.training import freeze, make_run, model_hash, stop_after, train

KINDS: list[Kind] = ["lora", "locon", "dora", "loha", "lokr", "oft"]
BASES: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(24, 16),
    "pointwise": lambda: nn.Conv2d(24, 16, 1),
    "wide": lambda: nn.Conv2d(24, 16, 3, padding=1),
    "strided": lambda: nn.Conv2d(24, 16, 3, stride=2, padding=1),
    "no bias": lambda: nn.Linear(24, 16, bias=False),
}
SETTINGS = {kind: Settings(dim=4, alpha=2.0, factor=4) for kind in KINDS}


def make_layer(kind: Kind, base: str, settings: Settings | None = None) -> AdapterLayer:
    """A layer whose every weight has moved from where it starts."""
    torch.manual_seed(0)
    layer = LAYERS[kind](BASES[base]().requires_grad_(False), settings or SETTINGS[kind])
    for weight in layer.weights.values():
        weight.data += 0.1 * torch.randn_like(weight)
    return layer


def draw_input(base: nn.Module) -> Tensor:
    shape = (2, 24, 6, 8) if isinstance(base, nn.Conv2d) else (2, 5, 24)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def merge(weight: Tensor, tensors: dict[str, Tensor]) -> Tensor:
    """The base's weight with a file's tensors, as ComfyUI's weight adapters read them."""
    alpha = float(tensors["alpha"])
    if "oft_blocks" in tensors:
        return turn(weight, tensors["oft_blocks"])
    if "hada_w1_a" in tensors:
        first = tensors["hada_w1_a"] @ tensors["hada_w1_b"]
        second = tensors["hada_w2_a"] @ tensors["hada_w2_b"]
        change = first * second * alpha / len(tensors["hada_w1_b"])
    elif "lokr_w1" in tensors:
        change = kronecker(tensors, alpha)
    else:
        down = tensors["lora_down.weight"]
        change = tensors["lora_up.weight"].flatten(1) @ down.flatten(1) * alpha / len(down)
    merged = weight + change.reshape(weight.shape)
    if "dora_scale" in tensors:
        columns = merged.transpose(0, 1).flatten(1).norm(dim=1)
        columns = columns.view(1, -1, *[1] * (weight.ndim - 2))
        merged = merged * tensors["dora_scale"] / columns
    return merged


def kronecker(tensors: dict[str, Tensor], alpha: float) -> Tensor:
    small = tensors["lokr_w1"]
    if "lokr_w2" in tensors:
        large, scale = tensors["lokr_w2"].flatten(1), 1.0
    else:
        large = tensors["lokr_w2_a"] @ tensors["lokr_w2_b"].flatten(1)
        scale = alpha / len(tensors["lokr_w2_b"])
    return torch.kron(small, large) * scale


def turn(weight: Tensor, blocks: Tensor) -> Tensor:
    whole = torch.eye(blocks.shape[-1])
    skew = blocks - blocks.transpose(1, 2)
    turns = (whole + skew) @ torch.linalg.inv(whole - skew)
    rows = weight.view(*blocks.shape[:2], -1)
    return torch.einsum("nst,nsi->nti", turns, rows).reshape(weight.shape)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_files_tensors_merged_into_the_base_give_the_same_output(kind: Kind, base: str) -> None:
    layer = make_layer(kind, base)
    x = draw_input(layer.base)
    merged = merge(layer.base.weight, layer.tensors())
    expected = layer.apply_weight(x, merged, layer.base.bias)
    assert not torch.allclose(expected, layer.base(x), atol=1e-3)
    assert torch.allclose(layer(x), expected, atol=2e-5), (layer(x) - expected).abs().max()


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_layer_is_the_base(kind: Kind, base: str) -> None:
    torch.manual_seed(0)
    layer = LAYERS[kind](BASES[base]().requires_grad_(False), SETTINGS[kind])
    x = draw_input(layer.base)
    assert torch.allclose(layer(x), layer.base(x), atol=1e-6)
    (layer(x) * torch.rand_like(layer(x))).sum().backward()
    grads = [weight.grad for weight in layer.weights.values()]
    assert any(grad is not None and grad.abs().max() > 0 for grad in grads)


@pytest.mark.parametrize("base", ["linear", "wide"])
@pytest.mark.parametrize("kind", ["loha", "lokr", "oft", "locon"])
def test_gradients_are_those_of_the_formula(kind: Kind, base: str) -> None:
    layer = make_layer(kind, base)
    x = draw_input(layer.base)
    weights = list(layer.weights.values())
    ours = torch.autograd.grad(layer(x).square().sum(), weights)
    copies = {name: weight.detach().clone() for name, weight in layer.weights.items()}
    tensors = {name: copy.requires_grad_() for name, copy in copies.items()}
    merged = merge(layer.base.weight, {**tensors, "alpha": layer.tensors()["alpha"]})
    output = layer.apply_weight(x, merged, layer.base.bias)
    theirs = torch.autograd.grad(output.square().sum(), list(tensors.values()))
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, other, rtol=1e-3, atol=1e-3)


def test_doras_lengths_take_no_part_in_the_gradient_of_the_direction() -> None:
    layer = make_layer("dora", "linear")
    assert isinstance(layer, LoraLayer)
    x = draw_input(layer.base)
    merged = merge(layer.base.weight, layer.tensors())
    columns = (layer.base.weight + 0.5 * layer.up_OR @ layer.down_RI).detach().norm(dim=0)
    factor = (layer.weights["dora_scale"] / columns).detach()
    up = layer.up_OR.detach().clone().requires_grad_(True)
    weight = (layer.base.weight + 0.5 * up @ layer.down_RI.detach()) * factor
    assert torch.allclose(weight, merged, atol=1e-5)
    nn.functional.linear(x, weight, layer.base.bias).square().sum().backward()  # type: ignore[no-untyped-call]
    layer(x).square().sum().backward()
    assert up.grad is not None
    assert layer.up_OR.grad is not None
    assert torch.allclose(layer.up_OR.grad, up.grad, rtol=1e-3, atol=1e-3)


def test_lohas_product_is_not_kept_for_the_backward_pass() -> None:
    layer = LAYERS["loha"](nn.Linear(400, 400).requires_grad_(False), Settings(2, 2.0))
    kept: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(torch.randn(1, 400, requires_grad=True))
    assert sum(kept) < 400 * 400


def test_oft_keeps_the_length_of_every_column() -> None:
    layer = make_layer("oft", "linear")
    merged = merge(layer.base.weight, layer.tensors())
    assert torch.allclose(merged.norm(dim=0), layer.base.weight.norm(dim=0), atol=1e-5)


@pytest.mark.parametrize("base", ["linear", "wide"])
@pytest.mark.parametrize(
    "settings",
    [Settings(8, 4.0, dropout=0.3), Settings(8, 4.0, rank_dropout=0.3)],
    ids=["dropout", "rank_dropout"],
)
def test_what_is_dropped_is_made_up_for_in_the_mean(base: str, settings: Settings) -> None:
    layer = make_layer("locon", base, settings)
    x = draw_input(layer.base)
    torch.manual_seed(0)
    with torch.no_grad():
        drawn = torch.stack([layer(x) for _ in range(3000)])
        layer.training = False
        settled = layer(x)
    assert drawn.std(dim=0).mean() > 0.01
    assert torch.allclose(drawn.mean(dim=0), settled, atol=0.05)


def test_ranks_are_dropped_for_each_image_alone() -> None:
    layer = make_layer("lora", "linear", Settings(1, 1.0, rank_dropout=0.5))
    x = draw_input(layer.base)[:1].expand(200, -1, -1)
    change = (layer(x) - layer.base(x)).detach()
    is_kept = change.flatten(1).abs().amax(dim=1) > 1e-6
    assert 60 < int(is_kept.sum()) < 140
    assert torch.allclose(
        change[is_kept], change[is_kept][:1].expand(int(is_kept.sum()), -1, -1), atol=1e-5
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_module_that_is_dropped_is_the_base(kind: Kind) -> None:
    settings = Settings(4, 2.0, module_dropout=0.5, factor=4)
    layer = make_layer(kind, "linear", settings)
    x = draw_input(layer.base)
    torch.manual_seed(0)
    outputs = [layer(x) for _ in range(60)]
    num_dropped = sum(torch.equal(y, layer.base(x)) for y in outputs)
    assert 15 < num_dropped < 45
    layer.training = False
    assert not any(torch.equal(layer(x), layer.base(x)) for _ in range(20))


def make_network(**settings: object) -> LoraNetwork:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(24, 16), nn.Conv2d(24, 16, 3)).requires_grad_(False)
    key = "lora_unet_up_blocks_1_{}_0_{}"
    network = LoraNetwork(NetworkTable.model_validate({"dim": 4, "alpha": 2.0, **settings}))
    targets = [
        LoraTarget(key.format("attentions", "proj_in"), model, "0"),
        LoraTarget(key.format("resnets", "conv1"), model, "1", is_attention=False),
    ]
    network.inject("unet", targets, torch.device("cpu"))
    text = nn.Sequential(nn.Linear(24, 16)).requires_grad_(False)
    te_targets = [LoraTarget("lora_te_text_model_encoder_layers_0_mlp_fc1", text, "0")]
    network.inject("text_encoder", te_targets, torch.device("cpu"))
    return network


def test_convolutions_are_reached_where_conv_dim_or_locon_says_so() -> None:
    assert len(make_network().layers) == 2
    for settings, rank, alpha in (
        ({"kind": "locon"}, 4, 2.0),
        ({"conv_dim": 8}, 8, 4.0),
        ({"kind": "loha", "conv_dim": 2, "conv_alpha": 2.0}, 2, 2.0),
    ):
        layer = make_network(**settings).layers["lora_unet_up_blocks_1_resnets_0_conv1"]
        assert (layer.settings.dim, layer.settings.alpha) == (rank, alpha)


def test_groups_have_the_rates_of_lora_plus_and_of_blocks() -> None:
    up = [1.0] * 12
    up[3] = 0.5  # block 16 of 25: the first layer of the second block on the way up
    network = make_network(loraplus_lr_ratio=16, loraplus_text_encoder_lr_ratio=4, up_lr_weight=up)
    found = {(group.part, group.lr_weight): len(group.weights) for group in network.list_groups()}
    assert found == {
        ("unet", 0.5): 1, ("unet", 8.0): 1, ("text_encoder", 1.0): 1, ("text_encoder", 4.0): 1,
    }  # fmt: skip
    second = next(g for g in network.list_groups() if g.lr_weight == 8.0).weights[0]
    assert second.abs().max() == 0, "the matrix that starts at zero learns faster"


def test_large_norms_are_scaled_down_and_counted() -> None:
    network = make_network(scale_weight_norms=1.0, kind="locon")
    layers = [layer for layer in network.layers.values() if isinstance(layer, LoraLayer)]
    for index, layer in enumerate(layers):
        layer.up_OR.data.normal_().mul_(10.0 if index else 1e-3)
    before = [0.5 * layer.up_OR @ layer.down_RI for layer in layers]
    assert network.limit_norms() == 2
    after = [0.5 * layer.up_OR @ layer.down_RI for layer in layers]
    assert torch.equal(before[0], after[0])
    for old, new in zip(before[1:], after[1:], strict=True):
        assert old.norm() > 1
        assert torch.allclose(new, old / old.norm(), atol=1e-5)
    assert make_network().limit_norms() is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_of_each_kind_resumes_to_the_bit(
    kind: Kind, tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "network.kind": kind,
        "network.conv_dim": "2",
        "network.module_dropout": "0.2",
        "train.max_train_steps": "3",
        "train.save_precision": "float",
    }
    hashes = set()
    for name in ("straight", "stopped"):
        run = make_run(tmp_path / name, tiny_base, settings, num_images=2)
        if name == "stopped":
            with monkeypatch.context() as patch:
                stop_after(run, 1, patch)
                train(run)
            assert load_view(run).outcome == "stopped"
        assert train(run, *(["--resume"] if name == "stopped" else [])) == 0, load_view(run).message
        hashes.add(model_hash(run.path / "lyq.safetensors"))
    assert len(hashes) == 1
    saved = load_file(run.path / "lyq.safetensors")
    assert any("resnets" in key for key in saved)
    assert any("attentions" in key for key in saved)
    assert all(torch.isfinite(value).all() for value in saved.values())


def test_training_goes_on_from_a_file_with_its_ranks(tmp_path: Path, tiny_base: Path) -> None:
    settings = {"network.dim": "3", "network.alpha": "1.5", "train.save_precision": "float"}
    first = make_run(tmp_path / "a", tiny_base, {**settings, "train.max_train_steps": "2"}, 1)
    assert train(first) == 0
    file = first.path / "lyq.safetensors"
    more = {
        "network.weights": "before.safetensors",
        "network.dim_from_weights": "true",
        "train.max_train_steps": "1",
        "train.learning_rate": "1e-9",
        "train.save_precision": "float",
    }
    project = make_project(tmp_path / "b", 1, more)
    link_base(project, tiny_base)
    (project.root / "before.safetensors").write_bytes(file.read_bytes())
    run = freeze(project)
    assert train(run) == 0, load_view(run).message
    old, new = load_file(file), load_file(run.path / "lyq.safetensors")
    assert old.keys() == new.keys()
    assert all(torch.allclose(old[key], new[key], atol=1e-6) for key in old)
    assert any(value.any() for key, value in new.items() if "lora_up" in key)
