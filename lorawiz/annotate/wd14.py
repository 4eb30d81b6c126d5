"""WD14 taggers, versions 2 and 3: `model.onnx` with `selected_tags.csv`."""

import csv
from pathlib import Path

from lorawiz.annotate.onnx import OnnxTagger
from lorawiz.annotate.protocols import Category, Label, Tagger
from lorawiz.errors import ModelError, visible_text
from lorawiz.spec.annotating import TagTable

FILES = ("model.onnx", "selected_tags.csv")
_HEADER = ["tag_id", "name", "category"]
_CATEGORIES: dict[str, Category] = {
    "0": "general", "1": "artist", "3": "copyright", "4": "character", "5": "meta", "9": "rating",
}  # fmt: skip
"""Danbooru's numbers, and the tagger's own for ratings."""


def load_wd14(folder: Path, table: TagTable, name: str) -> Tagger:
    """The tagger in `folder`. Raises ModelError and MissingExtraError."""
    model, tags = (folder / file for file in FILES)
    return OnnxTagger(name, model, read_labels(tags), table)


def read_labels(path: Path) -> list[Label]:
    """The model's outputs in order. Raises ModelError that names the line."""
    shown = visible_text(str(path))
    try:
        rows = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ModelError(f"{shown}: cannot be read: {error}", _TAKE_ANEW) from error
    if not rows or rows[0][:3] != _HEADER:
        raise ModelError(
            f"{shown}:1: not a table of tags: its first line is not {','.join(_HEADER)}[,count]",
            _TAKE_ANEW,
        )
    labels = []
    for number, row in enumerate(rows[1:], 2):
        if len(row) < 3 or row[2] not in _CATEGORIES:
            category = visible_text(row[2]) if len(row) > 2 else "none"
            raise ModelError(
                f"{shown}:{number}: category {category}, not one of {', '.join(_CATEGORIES)}",
                _TAKE_ANEW,
            )
        labels.append(Label(row[1], _CATEGORIES[row[2]]))
    return labels


_TAKE_ANEW = "take the file anew from the model's repository"
