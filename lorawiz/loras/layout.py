"""Which layers an adapter reaches, with which rank, alpha and learning rate; without torch.

The blocks of a U-Net are counted as sd-scripts counts them (networks/lora.py): 25 in SD1.x and
SD2.x, of which the first has no layer, and 23 in SDXL, without layers in the first and the last.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, Literal

from lorawiz.spec.network import BLOCK_LISTS, Kind, NetworkTable

Part = Literal["unet", "text_encoder"]
_SD_BLOCKS = {"all": 25, "down": 12, "mid": 1, "up": 12}
_SDXL_BLOCKS = {"all": 23, "down": 9, "mid": 3, "up": 9}
_SD_BLOCK = re.compile(
    r"lora_unet_(?:(?P<mid>mid_block)|(?P<side>down|up)_blocks_(?P<block>\d+)_"
    r"(?P<kind>resnets|attentions|upsamplers|downsamplers)_(?P<layer>\d+))"
)
_SDXL_BLOCK = re.compile(r"lora_unet_(?P<side>input|middle|output)_blocks?_(?P<block>\d+)_")
_SDXL_FIRST = {"input": 1, "middle": 10, "output": 13}
_MID = 12
_NOT_PLACED = (0, 1.0)


@dataclass(frozen=True)
class Layer:
    """One Linear or convolution of the base that an adapter may reach."""

    key: str
    """Its name in the file: `lora_unet_…`, `lora_te_…`, `lora_te1_…`, `lora_te2_…`."""
    shape: tuple[int, ...]
    """Of its weight: [O, I], or [O, I, rows, columns]."""
    is_attention: bool
    """In a transformer: reached by default. Others only where convolutions are."""

    @property
    def is_wide(self) -> bool:
        """Whether it is a convolution over more than one pixel."""
        return prod(self.shape[2:]) > 1

    @property
    def num_inputs(self) -> int:
        """Values that one output is made of."""
        return prod(self.shape[1:])


@dataclass(frozen=True)
class Placed:
    """A layer with what is put beside it."""

    layer: Layer
    dim: int
    alpha: float
    lr_weight: float
    """Multiplies the learning rate of its part."""


def place_adapters(
    table: NetworkTable,
    layers: Iterable[Layer],
    from_file: Mapping[str, tuple[int, float]] | None = None,
) -> list[Placed]:
    """The layers that are trained, in the order given.

    `from_file` maps keys to (dim, alpha) where `dim_from_weights` decides them.
    """
    placed = []
    for layer in layers:
        if not _is_wanted(table, layer.key):
            continue
        if from_file is not None:
            ranks = from_file.get(layer.key, _NOT_PLACED)
        elif layer.is_attention or table.reaches_convolutions:
            ranks = _find_ranks(table, layer)
        else:
            ranks = _NOT_PLACED
        lr_weight = _find_lr_weight(table, layer.key)
        if ranks[0] and lr_weight:
            placed.append(Placed(layer, *ranks, lr_weight))
    return placed


def find_idle_patterns(table: NetworkTable, layers: Sequence[Layer]) -> list[str]:
    """The patterns of `targets` that fit no layer."""
    return [
        pattern
        for pattern in table.targets
        if not any(fnmatchcase(layer.key, pattern.removeprefix("!")) for layer in layers)
    ]


def find_wrong_lengths(table: NetworkTable, family: str) -> list[tuple[str, int]]:
    """Block lists of a wrong length, each with the number that it should have."""
    counts = _SDXL_BLOCKS if family == "sdxl" else _SD_BLOCKS
    return [
        (key, counts[which])
        for key, which in BLOCK_LISTS
        if getattr(table, key) is not None and len(getattr(table, key)) != counts[which]
    ]


def find_block(key: str) -> int | None:
    """The block of a U-Net layer as sd-scripts counts them; None for other layers."""
    if found := _SDXL_BLOCK.match(key):
        return _SDXL_FIRST[found["side"]] + int(found["block"])
    found = _SD_BLOCK.match(key)
    if found is None:
        return None
    if found["mid"]:
        return _MID
    is_between = found["kind"] in ("upsamplers", "downsamplers")
    place = 3 * int(found["block"]) + (2 if is_between else int(found["layer"]))
    return place + (1 if found["side"] == "down" else _MID + 1)


def count_parameters(table: NetworkTable, placed: Placed) -> int:
    """Trained numbers of one layer."""
    shape, dim = placed.layer.shape, placed.dim
    outputs, inputs = shape[0], placed.layer.num_inputs
    if table.kind == "oft":
        size = find_block_side(outputs, dim)
        return outputs * size
    if table.kind == "lokr":
        return sum(prod(each) for each in lokr_shapes(shape, dim, table.lokr_factor).values())
    pair = dim * (outputs + inputs)
    return {"loha": 2 * pair, "dora": pair + shape[1]}.get(table.kind, pair)


def count_tensors(kind: Kind) -> int:
    """About how many tensors of the file one layer has."""
    return {"loha": 5, "dora": 4, "lokr": 4, "oft": 2}.get(kind, 3)


def find_block_side(outputs: int, most: int) -> int:
    """Of oft: the largest divisor of `outputs` that is at most `most`."""
    return next(side for side in range(min(most, outputs), 0, -1) if outputs % side == 0)


def lokr_shapes(shape: tuple[int, ...], dim: int, factor: int) -> dict[str, tuple[int, ...]]:
    """Of lokr: the matrices of one layer by their names in the file.

    The weight is the Kronecker product of w1 and w2; w2 is a product of two where its sides are
    more than twice the rank (Yeh et al. 2023, arXiv:2309.14859, as LyCORIS lays it out).
    """
    (few_out, many_out), (few_in, many_in) = (split_factor(side, factor) for side in shape[:2])
    wide = many_in * prod(shape[2:])
    names: dict[str, tuple[int, ...]] = {"lokr_w1": (few_out, few_in)}
    if dim < max(many_out, many_in) / 2:
        return names | {"lokr_w2_a": (many_out, dim), "lokr_w2_b": (dim, wide)}
    return names | {"lokr_w2": (many_out, many_in, *shape[2:])}


def split_factor(side: int, factor: int) -> tuple[int, int]:
    """(a, b) with a · b = `side`, a ≤ b: a the largest divisor up to `factor`."""
    few = find_block_side(side, factor)
    return min(few, side // few), max(few, side // few)


@cache
def load_layers(configs: Path) -> dict[Part, tuple[Layer, ...]]:
    """What an adapter may reach in a base of one size, from its folder of configs."""
    entries: dict[Part, list[Any]] = json.loads((configs / "layers.json").read_text("utf-8"))
    return {
        part: tuple(Layer(key, tuple(shape), is_attention) for key, shape, is_attention in each)
        for part, each in entries.items()
    }


def _is_wanted(table: NetworkTable, key: str) -> bool:
    wanted = [pattern for pattern in table.targets if not pattern.startswith("!")] or ["*"]
    unwanted = [pattern[1:] for pattern in table.targets if pattern.startswith("!")]
    return any(fnmatchcase(key, pattern) for pattern in wanted) and not any(
        fnmatchcase(key, pattern) for pattern in unwanted
    )


def _is_sdxl(key: str) -> bool:
    return _SDXL_BLOCK.match(key) is not None


def _find_ranks(table: NetworkTable, layer: Layer) -> tuple[int, float]:
    """(dim, alpha) of a layer; a dim of 0 leaves it out."""
    block = find_block(layer.key)
    if layer.is_wide:
        dim = table.wide_dim
        alpha = table.conv_alpha or (dim * table.alpha / table.dim)
        dims, alphas = table.conv_block_dims, table.conv_block_alphas
        if dims and not table.conv_alpha and block is not None:
            alpha = dims[block] * table.alpha / table.dim
    else:
        dim, alpha, dims, alphas = table.dim, table.alpha, table.block_dims, table.block_alphas
    if block is not None:
        dim = dims[block] if dims else dim
        alpha = alphas[block] if alphas else alpha
    return dim, alpha


def _find_lr_weight(table: NetworkTable, key: str) -> float:
    block = find_block(key)
    lists = (table.down_lr_weight, table.mid_lr_weight, table.up_lr_weight)
    if block is None or not any(lists):
        return 1.0
    is_sdxl = _is_sdxl(key)
    counts = _SDXL_BLOCKS if is_sdxl else _SD_BLOCKS
    # SD's first block has no layer but a place in the list, SDXL's has none
    place = block - 1 if is_sdxl else block
    for numbers, which in zip(lists, ("down", "mid", "up"), strict=True):
        if place < counts[which]:
            weight = numbers[place] if numbers else 1.0
            return weight if weight > table.block_lr_zero_threshold else 0.0
        place -= counts[which]
    return 1.0
