"""Tiny taggers in the layouts of the real ones: kilobytes, and scores that depend on the picture."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

LABELS: Sequence[tuple[str, int]] = (
    ("general", 9), ("sensitive", 9), ("questionable", 9), ("explicit", 9),
    ("1girl", 0), ("long_hair", 0), ("smile", 0), ("red_coat", 0), ("^_^", 0), ("outdoors", 0),
    ("hat", 0), ("shirt", 0), ("white_shirt", 0), ("solo", 0),
    ("alice_(wonderland)", 4), ("bob", 4),
)  # fmt: skip


def build_wd14(
    folder: Path,
    labels: Sequence[tuple[str, int]] = LABELS,
    side: int = 448,
    seed: int = 0,
    batch: int | str = "N",
) -> Path:
    """A folder with model.onnx and selected_tags.csv."""
    _save_model(folder / "model.onnx", len(labels), side, seed, batch, channels_first=False)
    rows = [
        f"{number},{name},{category},{1000 - number}"
        for number, (name, category) in enumerate(labels)
    ]
    text = "\n".join(["tag_id,name,category,count", *rows, ""])
    (folder / "selected_tags.csv").write_text(text, "utf-8")
    return folder


_NAMES = {9: "Rating", 0: "General", 4: "Character", 3: "Copyright", 1: "Artist", 5: "Meta"}


def build_cl_tagger(
    folder: Path,
    labels: Sequence[tuple[str, int]] = LABELS,
    side: int = 448,
    seed: int = 0,
    extra: Sequence[tuple[str, str]] = (("best quality", "Quality"), ("low quality", "Quality")),
) -> Path:
    """A folder with model_optimized.onnx and tag_mapping.json."""
    named = [(name, _NAMES[category]) for name, category in labels] + list(extra)
    path = folder / "model_optimized.onnx"
    _save_model(path, len(named), side, seed, "N", channels_first=True)
    mapping = {str(i): {"tag": tag, "category": kind} for i, (tag, kind) in enumerate(named)}
    (folder / "tag_mapping.json").write_text(json.dumps(mapping), "utf-8")
    return folder


def _save_model(
    path: Path, num_labels: int, side: int, seed: int, batch: int | str, channels_first: bool
) -> None:
    """Means over a grid of 4×4 tiles, a linear layer, and for WD14 a sigmoid."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(seed)
    weights = rng.normal(0.0, 1.2, (3 * 16, num_labels)).astype(np.float32)
    bias = rng.normal(-0.5, 1.0, num_labels).astype(np.float32)
    shape = [batch, 3, side, side] if channels_first else [batch, side, side, 3]
    tile = side // 4
    nodes = []
    source = "input"
    if not channels_first:
        nodes.append(helper.make_node("Transpose", ["input"], ["first"], perm=[0, 3, 1, 2]))
        nodes.append(helper.make_node("Mul", ["first", "unit"], ["scaled"]))
        nodes.append(helper.make_node("Sub", ["scaled", "one"], ["centred"]))
        source = "centred"
    nodes += [
        helper.make_node(
            "AveragePool", [source], ["means"], kernel_shape=[tile, tile], strides=[tile, tile]
        ),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["sums"]),
        helper.make_node("Add", ["sums", "bias"], ["logits"]),
    ]
    output = "logits"
    if not channels_first:
        nodes.append(helper.make_node("Sigmoid", ["logits"], ["scores"]))
        output = "scores"
    constants = {
        "weights": weights,
        "bias": bias,
        "unit": np.array(1 / 127.5, np.float32),
        "one": np.array(1.0, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "tiny tagger",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [batch, num_labels])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
