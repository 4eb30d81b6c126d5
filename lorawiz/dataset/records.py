"""dataset.jsonl: one line an image, sorted, keys in a fixed order, so that a diff is readable."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from lorawiz.errors import DatasetError, visible_text
from lorawiz.paths import Project, write_atomically

Crop = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels of the upright image."""


@dataclass(frozen=True)
class ImageRecord:
    """What is known and decided about one image; the file itself is never changed."""

    image_path: str
    """Relative to the project, with forward slashes."""
    sha256: str
    """Of the file's bytes."""
    width: int
    """Pixels, upright; 0 when broken."""
    height: int
    caption: str = ""
    tags: tuple[str, ...] = ()
    keep: bool = True
    crop: Crop | None = None
    status: Literal["ok", "broken"] = "ok"
    reason: str = ""

    @property
    def is_trained(self) -> bool:
        """Whether a run uses this image."""
        return self.keep and self.status == "ok"

    @property
    def content_size(self) -> tuple[int, int]:
        """(width, height) in pixels of what is trained: the crop, or the whole image."""
        if self.crop is None:
            return self.width, self.height
        left, top, right, bottom = self.crop
        return right - left, bottom - top


@dataclass(frozen=True)
class Dataset:
    """All images of a project, sorted by path."""

    records: tuple[ImageRecord, ...] = field(default=())

    @property
    def trained(self) -> list[ImageRecord]:
        return [record for record in self.records if record.is_trained]

    def with_records(self, new: Iterable[ImageRecord]) -> "Dataset":
        """This dataset with `new` records put in, in place of those of the same path."""
        merged = {record.image_path: record for record in self.records}
        merged.update({record.image_path: record for record in new})
        return Dataset(tuple(sorted(merged.values(), key=lambda record: record.image_path)))


def load_dataset(path: Path) -> Dataset:
    """Read dataset.jsonl; a missing file is an empty dataset.

    Raises DatasetError that names the line of what cannot be read.
    """
    if not path.exists():
        return Dataset()
    records: list[ImageRecord] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(_read_lines(path), 1):
        if not line.strip():
            continue
        record = _parse_line(line, f"{path.name}:{number}")
        if record.image_path in seen:
            raise DatasetError(
                f"{path.name}:{number}: {visible_text(record.image_path)} stands in line "
                f"{seen[record.image_path]} already",
                "delete one of the two lines",
            )
        seen[record.image_path] = number
        records.append(record)
    return Dataset(tuple(sorted(records, key=lambda record: record.image_path)))


def save_dataset(path: Path, dataset: Dataset) -> None:
    """Write dataset.jsonl in one step. Raises OSError; the old file is then intact."""
    write_atomically(path, "".join(_dump_line(record) for record in dataset.records))


def find_image(project: Project, record: ImageRecord) -> Path:
    """The image's file. Raises DatasetError for a path that leaves the project."""
    path = project.root / record.image_path
    if Path(record.image_path).is_absolute() or ".." in Path(record.image_path).parts:
        raise DatasetError(
            f"dataset.jsonl: {visible_text(record.image_path)} lies outside the project",
            "lorawiz add brings images in",
        )
    return path


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_bytes().decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise DatasetError(f"{path.name}:{line}: not UTF-8", "save the file as UTF-8") from error


_ORDER = (
    "image_path", "caption", "tags", "keep", "crop", "width", "height", "sha256", "status", "reason",
)  # fmt: skip
_DEFAULTS: dict[str, Any] = {"keep": True, "crop": None, "status": "ok", "reason": ""}
_TYPES: dict[str, type] = {
    "image_path": str, "caption": str, "tags": list, "keep": bool, "width": int, "height": int,
    "sha256": str, "status": str, "reason": str,
}  # fmt: skip


def _dump_line(record: ImageRecord) -> str:
    values = {key: getattr(record, key) for key in _ORDER}
    shown = {k: v for k, v in values.items() if k not in _DEFAULTS or v != _DEFAULTS[k]}
    try:
        return json.dumps(shown, ensure_ascii=False).encode("utf-8").decode("utf-8") + "\n"
    except UnicodeEncodeError:  # a file name that is not UTF-8: its bytes as escapes
        return json.dumps(shown) + "\n"


def _parse_line(line: str, where: str) -> ImageRecord:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where}: not a JSON object", "git diff dataset.jsonl") from error
    if not isinstance(values, dict):
        raise DatasetError(f"{where}: not a JSON object", "git diff dataset.jsonl")
    for key, value in values.items():
        if key not in _ORDER:
            raise DatasetError(
                f"{where}: unknown key {visible_text(key)}", f"keys are {', '.join(_ORDER)}"
            )
        if key != "crop" and type(value) is not _TYPES[key]:
            raise DatasetError(f"{where}: {key} is not a {_TYPES[key].__name__}")
    missing = [key for key in ("image_path", "sha256", "width", "height") if key not in values]
    if missing:
        raise DatasetError(f"{where}: no {missing[0]}", "lorawiz add writes these lines")
    if not all(isinstance(tag, str) for tag in values.get("tags", [])):
        raise DatasetError(f"{where}: tags are not all text")
    if values.get("status", "ok") not in ("ok", "broken"):
        raise DatasetError(f"{where}: status is neither ok nor broken")
    values["tags"] = tuple(values.get("tags", ()))
    record = ImageRecord(**{**values, "crop": None})
    return replace(record, crop=_parse_crop(values.get("crop"), record, where))


def _parse_crop(value: Any, record: ImageRecord, where: str) -> Crop | None:
    if value is None:
        return None
    if not (isinstance(value, list) and len(value) == 4 and all(type(v) is int for v in value)):
        raise DatasetError(f"{where}: crop is not [left, top, right, bottom] in pixels")
    left, top, right, bottom = value
    if not (0 <= left < right <= record.width and 0 <= top < bottom <= record.height):
        raise DatasetError(
            f"{where}: crop {value} does not lie in the {record.width}×{record.height} image"
        )
    return left, top, right, bottom


def dataset_digest(records: Iterable[ImageRecord]) -> str:
    """SHA-256 over what training sees of the records: images, crops, captions, tags."""
    import hashlib

    seen = [[r.image_path, r.sha256, r.crop, r.caption, r.tags] for r in records]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def relative_image_path(project: Project, path: Path) -> str:
    """`path` as dataset.jsonl writes it."""
    return os.path.relpath(path, project.root).replace(os.sep, "/")
