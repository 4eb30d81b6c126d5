"""masks/: where somebody stands in an image, as a grey PNG of the whole picture."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from lorawiz.dataset.buckets import Size
from lorawiz.dataset.crops import Shares
from lorawiz.dataset.records import Crop, ImageRecord, find_image
from lorawiz.errors import DatasetError, visible_text
from lorawiz.paths import Project, write_atomically

MAX_SIDE_PX = 1024
"""The longer side of a mask: finer than any segmenter sees, and small beside the photo."""

Segment = Callable[[Image.Image], NDArray[np.float32]]
"""[rows, columns] in 0…1 over the whole of a picture: how surely each place is the subject."""


def mask_path(project: Project, record: ImageRecord) -> Path:
    """Where the mask lies; the image's full name is kept, so that a.jpg and a.png differ.

    Raises DatasetError for an image outside the project.
    """
    path = find_image(project, record)
    below = path.relative_to(
        project.images if path.is_relative_to(project.images) else project.root
    )
    return project.masks / below.with_name(f"{below.name}.png")


def build_mask(
    segment: Segment, image: Image.Image, crop: Shares | None, feather: float
) -> Image.Image:
    """The mask of a whole upright picture: 8-bit grey, white where the subject is.

    What `crop` keeps of it is segmented once more by itself, at the finer scale. `feather`
    softens the edge, as a share of the shorter side of what is kept. The same picture gives
    the same mask.
    """
    scale = min(1.0, MAX_SIDE_PX / max(image.size))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    mask = _as_grey(segment(image), size)
    kept = size
    if crop is not None:
        box = _box(crop, size)
        kept = box[2] - box[0], box[3] - box[1]
        mask.paste(_as_grey(segment(image.crop(_box(crop, image.size))), kept), box[:2])
    return mask.filter(ImageFilter.GaussianBlur(feather * min(kept))) if feather else mask


def save_mask(project: Project, record: ImageRecord, mask: Image.Image) -> str:
    """Write the record's mask; returns the SHA-256 of its PNG. Raises OSError."""
    packed = io.BytesIO()
    mask.save(packed, format="PNG")
    write_atomically(mask_path(project, record), packed.getvalue())
    return hashlib.sha256(packed.getvalue()).hexdigest()


def load_mask(project: Project, record: ImageRecord) -> Image.Image | None:
    """The record's mask, or None where it has none.

    Raises DatasetError when the file is missing, or is another than the record names.
    """
    if not record.mask:
        return None
    path = mask_path(project, record)
    shown = visible_text(path.relative_to(project.root).as_posix())
    try:
        packed = path.read_bytes()
    except OSError as error:
        reason = "no such mask" if isinstance(error, FileNotFoundError) else error.strerror
        raise DatasetError(f"{shown}: {reason}", "make it again: lorawiz cutout") from error
    if hashlib.sha256(packed).hexdigest() != record.mask:
        raise DatasetError(
            f"{shown}: not the mask that dataset.jsonl names",
            "make it again: lorawiz cutout --redo",
        )
    return Image.open(io.BytesIO(packed)).convert("L")


def _as_grey(shares: NDArray[np.float32], size: Size) -> Image.Image:
    grey = Image.fromarray(np.rint(shares.clip(0.0, 1.0) * 255.0).astype(np.uint8))
    return grey.resize(size, Image.Resampling.BICUBIC)


def _box(crop: Shares, size: Size) -> Crop:
    """`crop` in pixels of a picture of `size`; at least one pixel."""
    left, top = (
        min(round(share * side), side - 1) for share, side in zip(crop, size, strict=False)
    )
    right, bottom = (round(share * side) for share, side in zip(crop[2:], size, strict=True))
    return left, top, max(right, left + 1), max(bottom, top + 1)
