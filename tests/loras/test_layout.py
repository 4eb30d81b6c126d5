"""Which layers are trained, with which rank and rate."""

import pytest

from lorawiz.families import FAMILIES
from lorawiz.loras.layout import (
    Layer,
    find_block,
    find_wrong_lengths,
    load_layers,
    lokr_shapes,
    place_adapters,
    split_factor,
)
from lorawiz.spec.network import NetworkTable

SD = load_layers(FAMILIES["sd15"].sizes["full"].configs)["unet"]
SDXL = load_layers(FAMILIES["sdxl"].sizes["full"].configs)["unet"]


@pytest.mark.parametrize(
    ("key", "block"),
    [
        ("lora_unet_down_blocks_0_attentions_0_proj_in", 1),
        ("lora_unet_down_blocks_0_downsamplers_0_conv", 3),
        ("lora_unet_down_blocks_3_resnets_1_conv1", 11),
        ("lora_unet_mid_block_attentions_0_proj_out", 12),
        ("lora_unet_up_blocks_0_resnets_0_conv1", 13),
        ("lora_unet_up_blocks_3_attentions_2_proj_in", 24),
        ("lora_unet_input_blocks_4_1_proj_in", 5),
        ("lora_unet_middle_block_1_proj_in", 11),
        ("lora_unet_output_blocks_8_0_in_layers_2", 21),
        ("lora_te_text_model_encoder_layers_0_mlp_fc1", None),
    ],
)
def test_blocks_are_counted_as_in_sd_scripts(key: str, block: int | None) -> None:
    # numbers that sd-scripts v0.10.1's get_block_index gives for these names
    assert find_block(key) == block


@pytest.mark.parametrize(("layers", "num_blocks"), [(SD, 25), (SDXL, 23)])
def test_every_layer_of_the_unet_is_in_a_block(layers: tuple[Layer, ...], num_blocks: int) -> None:
    blocks = {find_block(layer.key) for layer in layers}
    assert None not in blocks
    # SD's first block has no layer, SDXL's first two and its last
    assert blocks == (set(range(1, 25)) if num_blocks == 25 else set(range(2, 22)))


def test_blocks_have_ranks_and_alphas_of_their_own() -> None:
    dims = [0] * 25
    dims[1], dims[12] = 4, 8
    alphas = [1.0] * 25
    alphas[12] = 2.0
    table = NetworkTable(block_dims=dims, block_alphas=alphas)
    placed = place_adapters(table, SD)
    assert {(find_block(p.layer.key), p.dim, p.alpha) for p in placed} == {
        (1, 4, 1.0),
        (12, 8, 2.0),
    }
    assert not any(p.layer.is_wide for p in placed)


def test_convolutions_of_a_block_have_their_own_rank() -> None:
    conv = [0] * 25
    conv[2] = 6
    table = NetworkTable(conv_block_dims=conv, dim=16, alpha=8.0)
    wide = [p for p in place_adapters(table, SD) if p.layer.is_wide]
    assert {(find_block(p.layer.key), p.dim, p.alpha) for p in wide} == {(2, 6, 3.0)}


@pytest.mark.parametrize(("layers", "down", "mid"), [(SD, 12, 12), (SDXL, 9, 10)])
def test_weights_of_learning_rates_reach_their_blocks(
    layers: tuple[Layer, ...], down: int, mid: int
) -> None:
    weights = [0.1 * (i + 1) for i in range(down)]
    middle = [0.5] * (1 if down == 12 else 3)
    table = NetworkTable(down_lr_weight=weights, mid_lr_weight=middle, block_lr_zero_threshold=0.25)
    found = {find_block(p.layer.key): p.lr_weight for p in place_adapters(table, layers)}
    first = 0 if down == 12 else 1
    for block, weight in found.items():
        assert block is not None
        if block < mid:
            assert weight == pytest.approx(weights[block - first])
            assert weight > 0.25
        else:
            assert weight == (0.5 if block < mid + len(middle) else 1.0)
    assert len(found) < len({find_block(layer.key) for layer in layers}), "small ones are left out"


def test_patterns_choose_layers_and_take_them_out() -> None:
    both = place_adapters(NetworkTable(targets=["*attn2*", "!*to_out*"]), SD)
    keys = {p.layer.key for p in both}
    assert len(keys) == 16 * 3
    assert all("attn2" in key and "to_out" not in key for key in keys)


def test_lists_of_a_wrong_length_are_found() -> None:
    table = NetworkTable(block_dims=[4] * 23, mid_lr_weight=[1.0])
    assert find_wrong_lengths(table, "sd15") == [("block_dims", 25)]
    assert find_wrong_lengths(table, "sdxl") == [("mid_lr_weight", 3)]


def test_sides_are_split_as_lycoris_does() -> None:
    assert [split_factor(side, 8) for side in (320, 768, 1280, 30)] == [
        (8, 40), (8, 96), (8, 160), (5, 6),
    ]  # fmt: skip
    assert lokr_shapes((320, 768), 16, 8) == {
        "lokr_w1": (8, 8), "lokr_w2_a": (40, 16), "lokr_w2_b": (16, 96),
    }  # fmt: skip
    assert lokr_shapes((320, 320, 3, 3), 64, 8) == {"lokr_w1": (8, 8), "lokr_w2": (40, 40, 3, 3)}
