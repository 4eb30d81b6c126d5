"""dataset.jsonl: one line an image, sorted, keys in a fixed order, so that a diff is readable."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lorawiz.errors import DatasetError, visible_text
from lorawiz.paths import Project, write_parts_atomically

Crop = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels of the upright image."""


@dataclass(frozen=True, slots=True)
class Hand:
    """What somebody decided by hand about one image: it wins over models and rules."""

    caption: bool = False
    """The caption was written by hand."""
    crop: bool = False
    """The crop was set, moved or taken away by hand."""
    add: tuple[str, ...] = ()
    """Tags put in."""
    remove: tuple[str, ...] = ()
    """Tags taken out."""
    first: tuple[str, ...] = ()
    """Tags moved to the front, in this order."""


@dataclass(frozen=True, slots=True)
class Words:
    """A caption and tags."""

    caption: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
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
    mask: str = ""
    """SHA-256 of the mask's PNG, where `lorawiz cutout` made one."""
    hand: Hand = Hand()
    source: Words | None = None
    """The words that came with the image, where those in use differ from them."""
    made: str = ""
    """Fingerprint of caption and tags as lorawiz last wrote them: see dataset/words.py."""
    crop_made: str = ""
    """Fingerprint of the crop as `lorawiz crop` last set it: see dataset/crops.py."""

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


@dataclass(frozen=True, slots=True)
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
    for number, line in _iter_lines(path):
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
    write_parts_atomically(
        path, (dump_json_line(record_as_json(record)) for record in dataset.records)
    )


def find_image(project: Project, record: ImageRecord) -> Path:
    """The image's file. Raises DatasetError for a path that leaves the project."""
    path = project.root / record.image_path
    if Path(record.image_path).is_absolute() or ".." in Path(record.image_path).parts:
        raise DatasetError(
            f"dataset.jsonl: {visible_text(record.image_path)} lies outside the project",
            "lorawiz add brings images in",
        )
    return path


def _iter_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Each line with its number, from 1; a byte order mark is not part of the first."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise DatasetError(
                    f"{path.name}:{number}: not UTF-8", "save the file as UTF-8"
                ) from error
            yield number, line


_ORDER = (
    "image_path", "caption", "tags", "hand", "keep", "crop", "mask", "width", "height", "sha256",
    "status", "reason", "source", "made", "crop_made",
)  # fmt: skip
_DEFAULTS: dict[str, Any] = {
    "keep": True, "crop": None, "status": "ok", "reason": "", "mask": "", "hand": Hand(),
    "source": None, "made": "", "crop_made": "",
}  # fmt: skip
_TYPES: dict[str, type] = {
    "image_path": str, "caption": str, "tags": list, "keep": bool, "width": int, "height": int,
    "sha256": str, "status": str, "reason": str, "mask": str, "hand": dict, "source": dict,
    "made": str, "crop_made": str, "crop": object,
}  # fmt: skip
_HAND_TYPES: dict[str, type] = {
    "caption": bool, "crop": bool, "add": list, "remove": list, "first": list,
}  # fmt: skip
_WORDS_TYPES: dict[str, type] = {"caption": str, "tags": list}


def record_as_json(record: ImageRecord) -> dict[str, Any]:
    """The record as its line of dataset.jsonl shows it: keys in order, defaults left out."""
    shown: dict[str, Any] = {}
    for key in _ORDER:
        value = getattr(record, key)
        if key in _DEFAULTS and value == _DEFAULTS[key]:
            continue
        if isinstance(value, Hand):
            value = {k: getattr(value, k) for k in _HAND_TYPES if getattr(value, k)}
        elif isinstance(value, Words):
            value = {"caption": value.caption, "tags": value.tags}
        shown[key] = value
    return shown


def dump_json_line(value: Any) -> bytes:
    """One line of JSON Lines, as readable as its text allows."""
    try:
        return json.dumps(value, ensure_ascii=False).encode("utf-8") + b"\n"
    except UnicodeEncodeError:  # a file name that is not UTF-8: its bytes as escapes
        return json.dumps(value).encode("ascii") + b"\n"


def _parse_line(line: str, where: str) -> ImageRecord:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where}: not a JSON object", "git diff dataset.jsonl") from error
    return record_from_json(values, where)


def record_from_json(values: Any, where: str) -> ImageRecord:
    """A record of what `record_as_json` gave. Raises DatasetError that begins with `where`."""
    if not isinstance(values, dict):
        raise DatasetError(f"{where}: not a JSON object", "git diff dataset.jsonl")
    _check_types(values, _TYPES, where)
    missing = [key for key in ("image_path", "sha256", "width", "height") if key not in values]
    if missing:
        raise DatasetError(f"{where}: no {missing[0]}", "lorawiz add writes these lines")
    if values.get("status", "ok") not in ("ok", "broken"):
        raise DatasetError(f"{where}: status is neither ok nor broken")
    values["tags"] = _parse_tags(values, "tags", where)
    if "hand" in values:
        hand = values["hand"]
        _check_types(hand, _HAND_TYPES, f"{where}: hand")
        tags = {k: _parse_tags(hand, k, where) for k in ("add", "remove", "first")}
        values["hand"] = Hand(**{**hand, **tags})
    if "source" in values:
        source = values["source"]
        _check_types(source, _WORDS_TYPES, f"{where}: source")
        values["source"] = Words(source.get("caption", ""), _parse_tags(source, "tags", where))
    if "crop" in values:
        values["crop"] = _parse_crop(values["crop"], (values["width"], values["height"]), where)
    return ImageRecord(**values)


def _check_types(values: dict[str, Any], types: dict[str, type], where: str) -> None:
    for key, value in values.items():
        if key not in types:
            raise DatasetError(
                f"{where}: unknown key {visible_text(key)}", f"keys are {', '.join(types)}"
            )
        if types[key] is not object and type(value) is not types[key]:
            raise DatasetError(f"{where}: {key} is not a {types[key].__name__}")


def _parse_tags(values: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    tags = values.get(key, ())
    if not set(map(type, tags)) <= {str}:
        raise DatasetError(f"{where}: {key} are not all text")
    # a tag stands on thousands of images: one object for all of them
    return tuple(map(sys.intern, tags))


def _parse_crop(value: Any, size: tuple[int, int], where: str) -> Crop | None:
    if value is None:
        return None
    if not (isinstance(value, list) and len(value) == 4 and all(type(v) is int for v in value)):
        raise DatasetError(f"{where}: crop is not [left, top, right, bottom] in pixels")
    left, top, right, bottom = value
    if not (0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]):
        raise DatasetError(f"{where}: crop {value} does not lie in the {size[0]}×{size[1]} image")
    return left, top, right, bottom


def dataset_digest(records: Iterable[ImageRecord]) -> str:
    """SHA-256 over what training sees of the records: images, crops, captions, tags."""
    import hashlib

    seen = [[r.image_path, r.sha256, r.crop, r.mask, r.caption, r.tags] for r in records]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def relative_image_path(project: Project, path: Path) -> str:
    """`path` as dataset.jsonl writes it."""
    return os.path.relpath(path, project.root).replace(os.sep, "/")
