"""What a picture's pixels tell before anybody looks: measured once, at `lorawiz add`.

Kept in work/facts.jsonl by the SHA-256 of the file: a cache that can be deleted at any time.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorawiz.dataset.images import decode_image
from lorawiz.dataset.parallel import map_in_order
from lorawiz.dataset.records import ImageRecord, find_image
from lorawiz.errors import DatasetError
from lorawiz.paths import Project, file_sha256

FACTS_VERSION = 1
"""Goes up when a figure is measured in another way; older lines are then measured anew."""
SHARPNESS_SIDE_PX = 512
"""Sharpness is measured at this longer side, so that it is comparable between sizes."""
LOOK_BITS = 128

_STRIP_PIXELS = 1 << 20
_LOOK_SIDE = 8
_FLAT_CONTRAST = 2.0
_MAX_LINE_BYTES = 4096
_APPENDED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """Figures of one upright picture."""

    sharpness: float
    """Variance of the Laplacian of the grey picture, 8-bit units, at most 512 px long."""
    brightness: float
    """Mean of the grey picture, 0 black … 1 white."""
    black_fraction: float
    """Share of pixels that are clipped to black, 0…1."""
    white_fraction: float
    """Share of pixels that are clipped to white, 0…1."""
    pixels: str
    """SHA-256 over size and upright RGB pixels: the same picture in another file has the same."""
    look: int | None
    """128 bits that stay alike when a picture is resized or compressed; None when it is flat."""


def measure_picture(image: Image.Image) -> PictureFacts:
    """The facts of an upright RGB picture."""
    digest = hashlib.sha256(f"{image.width}x{image.height}:".encode())
    counts = np.zeros(256, np.int64)
    for strip in _iter_strips(image):
        digest.update(strip.tobytes())
        counts += strip.convert("L").histogram()
    num_pixels, small = int(counts.sum()), _reduce(image)
    return PictureFacts(
        sharpness=_measure_sharpness(small),
        brightness=round(float(counts @ np.arange(256)) / (255 * num_pixels), 4),
        black_fraction=round(int(counts[:3].sum()) / num_pixels, 4),
        white_fraction=round(int(counts[253:].sum()) / num_pixels, 4),
        pixels=digest.hexdigest(),
        look=_measure_look(small),
    )


def load_facts(project: Project, records: Iterable[ImageRecord]) -> dict[str, PictureFacts]:
    """What is known of the records' files, by image path."""
    wanted = {record.sha256: record.image_path for record in records}
    return {
        wanted[sha256]: facts
        for sha256, facts in _iter_lines(_facts_path(project))
        if sha256 in wanted
    }


def append_facts(project: Project, facts: Sequence[tuple[str, PictureFacts]]) -> None:
    """Remember facts as (SHA-256 of the file, facts). Raises OSError."""
    if not facts:
        return
    path = _facts_path(project)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(_dump_line(sha256, each) for sha256, each in facts)
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            # a line that a kill cut off stays alone and is never read
            lines = lines if file.read(1) == b"\n" else "\n" + lines
        file.write(lines.encode())


def compute_missing_facts(
    project: Project,
    records: Sequence[ImageRecord],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, PictureFacts]:
    """The facts of all `records` by image path; measures and remembers what is not known.

    What is gone, broken or no longer the file that was added has none. Where work/ cannot be
    written, the next call measures again.
    """
    facts = load_facts(project, records)
    missing = [r for r in records if r.image_path not in facts and r.status == "ok"]
    measured: list[tuple[str, PictureFacts]] = []
    with closing(map_in_order(lambda record: _measure_file(project, record), missing)) as answers:
        for done, (record, found) in enumerate(zip(missing, answers, strict=True), 1):
            if found is not None:
                facts[record.image_path] = found
                measured.append((record.sha256, found))
            if len(measured) >= _APPENDED_AT_ONCE:
                _remember(project, measured)
            on_progress(done, len(missing))
    _remember(project, measured)
    return facts


def _remember(project: Project, measured: list[tuple[str, PictureFacts]]) -> None:
    with suppress(OSError):
        append_facts(project, measured)
    measured.clear()


def _measure_file(project: Project, record: ImageRecord) -> PictureFacts | None:
    try:
        path = find_image(project, record)
        if not path.is_file() or file_sha256(path) != record.sha256:
            return None
        return measure_picture(decode_image(path)[1])
    except (DatasetError, OSError):  # check has a rule for each of these
        return None


def _iter_strips(image: Image.Image) -> Iterator[Image.Image]:
    """The picture in bands of rows: one of 120 megapixels is never copied whole."""
    num_rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, num_rows):
        yield image.crop((0, top, image.width, min(top + num_rows, image.height)))


def _reduce(image: Image.Image) -> Image.Image:
    """The grey picture, at most SHARPNESS_SIDE_PX long; never enlarged."""
    scale = SHARPNESS_SIDE_PX / max(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BOX)
    return image.convert("L")


def _measure_sharpness(small: Image.Image) -> float:
    grey = np.asarray(small, np.float32)
    if min(grey.shape) < 3:
        return 0.0
    middle = grey[1:-1, 1:-1]
    sides = grey[1:-1, :-2] + grey[1:-1, 2:] + grey[:-2, 1:-1] + grey[2:, 1:-1]
    return round(float((sides - 4 * middle).var()), 2)


def _measure_look(small: Image.Image) -> int | None:
    """Whether it gets brighter to the right and downwards, over 8×8 places each."""
    # in floats: between places that are almost equal, rounding would decide
    floats = small.convert("F")
    across = _shrink(floats, _LOOK_SIDE + 1, _LOOK_SIDE)
    down = _shrink(floats, _LOOK_SIDE, _LOOK_SIDE + 1)
    if across.std() < _FLAT_CONTRAST:
        return None
    rises = [(across[:, 1:] > across[:, :-1]).ravel(), (down[1:] > down[:-1]).ravel()]
    return int.from_bytes(np.packbits(np.concatenate(rises)).tobytes(), "big")


def _shrink(image: Image.Image, width: int, height: int) -> NDArray[np.float32]:
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS), np.float32)


def _facts_path(project: Project) -> Path:
    return project.work / "facts.jsonl"


def _dump_line(sha256: str, facts: PictureFacts) -> str:
    values = {"v": FACTS_VERSION, "sha256": sha256, **asdict(facts)}
    if facts.look is not None:
        values["look"] = f"{facts.look:0{LOOK_BITS // 4}x}"
    return json.dumps(values) + "\n"


def _iter_lines(path: Path) -> Iterator[tuple[str, PictureFacts]]:
    """Whole lines of this version; what a kill or somebody's editor spoilt is passed over."""
    try:
        file = path.open("rb")
    except OSError:
        return
    with file:
        while line := file.readline(_MAX_LINE_BYTES):
            known = _parse_line(line) if line.endswith(b"\n") else None
            if known is not None:
                yield known


def _parse_line(line: bytes) -> tuple[str, PictureFacts] | None:
    try:
        values: dict[str, Any] = json.loads(line)
        if values["v"] != FACTS_VERSION:
            return None
        look = values["look"]
        return values["sha256"], PictureFacts(
            float(values["sharpness"]),
            float(values["brightness"]),
            float(values["black_fraction"]),
            float(values["white_fraction"]),
            str(values["pixels"]),
            None if look is None else int(look, 16),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
