"""cl_tagger and its like: `model_optimized.onnx` with `tag_mapping.json`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lorawiz.annotate.onnx import OnnxTagger
from lorawiz.annotate.protocols import Category, FloatArray, Label, Scores, Tagger
from lorawiz.errors import ModelError, visible_text
from lorawiz.spec.annotating import TagTable

FILES = ("model_optimized.onnx", "tag_mapping.json")
_CATEGORIES: dict[str, Category] = {
    "General": "general", "Character": "character", "Rating": "rating", "Copyright": "copyright",
    "Artist": "artist", "Meta": "meta", "Model": "model", "Quality": "quality",
}  # fmt: skip
_TAKE_ANEW = "take the file anew from the model's repository"


def load_cl_tagger(folder: Path, table: TagTable, name: str) -> Tagger:
    """The tagger in `folder`. Raises ModelError and MissingExtraError."""
    model, tags = (folder / file for file in FILES)
    return ClTagger(name, model, read_labels(tags), table)


class ClTagger(OnnxTagger):
    """Wants -1…1, channels first, gives logits; its tags are ordered by score."""

    def _to_batch(self, squares_NYXC: FloatArray) -> FloatArray:
        return np.ascontiguousarray(squares_NYXC.transpose(0, 3, 1, 2)) / np.float32(127.5) - 1

    def _to_scores(self, outputs: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):  # exp of a large negative logit: the score is 0
            return (1 / (1 + np.exp(-outputs))).astype(np.float32)

    def _name_scores(self, row: FloatArray) -> Scores:
        scores = super()._name_scores(row)
        scores.pop("", None)
        return dict(sorted(scores.items(), key=lambda item: -item[1]))


def read_labels(path: Path) -> list[Label]:
    """The model's outputs in order; numbers that the table leaves out have no name.

    Raises ModelError.
    """
    shown = visible_text(str(path))
    try:
        mapping = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{shown}: not JSON", _TAKE_ANEW) from error
    if not isinstance(mapping, dict) or not mapping:
        raise ModelError(f"{shown}: not a table of tags", _TAKE_ANEW)
    labels: dict[int, Label] = {}
    for number, entry in mapping.items():
        if not str(number).isdecimal():
            raise ModelError(f"{shown}: {visible_text(str(number))!r}: not a number", _TAKE_ANEW)
        labels[int(number)] = _label(entry, f"{shown}: tag {number}")
    nameless = Label("", "general")
    return [labels.get(number, nameless) for number in range(max(labels) + 1)]


def _label(entry: Mapping[str, Any] | Any, where: str) -> Label:
    if not isinstance(entry, dict) or not isinstance(entry.get("tag"), str):
        raise ModelError(f"{where}: has no tag", _TAKE_ANEW)
    category = entry.get("category")
    if category not in _CATEGORIES:
        raise ModelError(
            f"{where}: category {visible_text(str(category))}, not one of {', '.join(_CATEGORIES)}",
            _TAKE_ANEW,
        )
    return Label(entry["tag"], _CATEGORIES[category])
