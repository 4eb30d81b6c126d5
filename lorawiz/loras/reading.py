"""What a LoRA file holds: its kind, its ranks and its alphas, read without torch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lorawiz.errors import ModelError, visible_text
from lorawiz.families.safetensors_header import read_header
from lorawiz.loras.layout import Placed
from lorawiz.paths import Project, iter_model_candidates, model_folders
from lorawiz.spec.network import Kind, NetworkTable
from lorawiz.wording import show_count

_KIND_MARKS: tuple[tuple[str, Kind], ...] = (
    ("dora_scale", "dora"), ("hada_w1_a", "loha"), ("lokr_w1", "lokr"), ("oft_blocks", "oft"),
    ("lora_down.weight", "lora"),
)  # fmt: skip
_RANK_AT = {
    "lora_down.weight": 0, "hada_w1_b": 0, "lokr_w2_a": 1, "oft_blocks": 1
}  # fmt: skip
"""Which side of which tensor is the rank."""


@dataclass(frozen=True)
class LoraFile:
    """A LoRA's header: what it is made of."""

    path: Path
    kind: Kind
    """locon is told from lora by its layers alone: both are `lora` here."""
    shapes: dict[str, tuple[int, ...]]
    """By key and tensor name: `lora_unet_….lora_down.weight`."""
    ranks: dict[str, tuple[int, float]]
    """(dim, alpha) by key."""


def find_lora(name: str, project: Project) -> Path:
    """Where the LoRA `name` lies. Raises ModelError that lists the folders searched."""
    for candidate in (project.root / name, *iter_model_candidates(name, project)):
        if candidate.is_file():
            return candidate
    folders = ", ".join(visible_text(str(f)) for f in (project.root, *model_folders(project)))
    raise ModelError(
        f"{visible_text(name)}: no such LoRA in {folders}",
        "put it into one of these folders, or: lorawiz unset network.weights",
    )


def read_lora(path: Path) -> LoraFile:
    """The LoRA at `path`. Raises ModelError for what is none, or of a writer with other names."""
    shapes = read_header(path).shapes
    kind = next((kind for mark, kind in _KIND_MARKS if any(k.endswith(mark) for k in shapes)), None)
    if kind is None:
        raise ModelError(
            f"{visible_text(path.name)}: no LoRA with sd-scripts' or LyCORIS' names",
            "diffusers' LoRAs have other names: convert it first",
        )
    alphas = _read_alphas(path)
    ranks = {}
    for key in dict.fromkeys(name.partition(".")[0] for name in shapes):
        alpha = alphas.get(key)
        rank = _find_rank(key, shapes)
        if rank is None:  # lokr of two whole matrices: its alpha is its rank
            rank = max(1, round(alpha or 1))
        ranks[key] = (rank, alpha if alpha else float(rank))
    return LoraFile(path, kind, shapes, ranks)


@dataclass(frozen=True)
class Misfit:
    """Why training cannot go on from a file."""

    message: str
    setting: tuple[str, str] | None = None
    """What would mend it, and its value."""


def find_misfit(table: NetworkTable, placed: Sequence[Placed], file: LoraFile) -> Misfit | None:
    """What keeps training from going on from `file`; None where nothing does."""
    name = visible_text(file.path.name)
    kind = "lora" if table.kind == "locon" else table.kind
    if file.kind != kind:
        return Misfit(
            f"{name} is a {file.kind}, and network.kind is {table.kind}",
            ("network.kind", file.kind),
        )
    by_key = {each.layer.key: each for each in placed}
    strange = [key for key in file.ranks if key not in by_key]
    if strange:
        return Misfit(
            f"{name} has {show_count(len(strange), 'layer')} not trained here that would be lost, first "
            f"{strange[0]}: see base.family, network.conv_dim, targets and train_unet_only"
        )
    for key, (dim, _) in file.ranks.items():
        if dim != by_key[key].dim and kind != "oft":
            return Misfit(
                f"{name} has rank {dim} in {key}, and the spec has {by_key[key].dim}",
                ("network.dim_from_weights", "true"),
            )
    return None


def _find_rank(key: str, shapes: dict[str, tuple[int, ...]]) -> int | None:
    for mark, side in _RANK_AT.items():
        shape = shapes.get(f"{key}.{mark}")
        if shape is not None:
            return shape[side]
    return None


def _read_alphas(path: Path) -> dict[str, float]:
    """The `.alpha` of each key. The header has been checked."""
    found = {}
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        for name, entry in header.items():
            if name.endswith(".alpha"):
                begin, end = entry["data_offsets"]
                file.seek(8 + length + begin)
                found[name.partition(".")[0]] = _decode(entry["dtype"], file.read(end - begin))
    return found


def _decode(dtype: str, data: bytes) -> float:
    """One number of a safetensors file."""
    if dtype == "BF16":  # the upper half of an fp32
        return float(np.frombuffer(b"\0\0" + data, "<f4")[0])
    kinds = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}
    return float(np.frombuffer(data, kinds[dtype])[0])
