"""Which box around a face is trained: pure arithmetic on places and sizes."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from lorawiz.dataset.buckets import Size, bucket_sizes, fit_bucket
from lorawiz.dataset.records import Crop, ImageRecord
from lorawiz.spec.annotating import CropTable
from lorawiz.spec.tables import DatasetTable

Shares = tuple[float, float, float, float]
"""A box as (left, top, right, bottom), in shares of the picture's width and height."""


def set_crop(record: ImageRecord, crop: Crop | None) -> ImageRecord:
    """The record with a crop that a detector chose."""
    return replace(record, crop=crop, crop_made=_fingerprint(crop))


def is_crop_by_hand(record: ImageRecord) -> bool:
    """Whether somebody set, moved or took away the crop: in a screen, an editor or by git."""
    if record.hand.crop:
        return True
    return _fingerprint(record.crop) != record.crop_made


def _fingerprint(crop: Crop | None) -> str:
    """Six hex digits of a crop; empty for none."""
    return "" if crop is None else hashlib.blake2b(repr(crop).encode(), digest_size=3).hexdigest()


def choose_crop(
    faces: Sequence[Shares], image_size: Size, table: CropTable, dataset: DatasetTable
) -> Crop | None:
    """The box to train of a picture of `image_size` pixels that shows `faces`.

    It lies in the picture and holds the face wherever its shape allows that. None where there
    is no face, and where the box would be the whole picture.
    """
    boxes = [box for box in (_in_pixels(face, image_size) for face in faces) if _area(box) > 0]
    if not boxes:
        return None
    face = max(boxes, key=_area) if table.faces == "largest" else _union(boxes)
    wanted = _whole(image_size) if table.keep_full else _grow(face, table.margin)
    shape = _choose_shape(_size(wanted), _size(face), image_size, table, dataset)
    size = _fit_around(_size(wanted), shape, image_size)
    if table.aspect == "bucket":
        size = _suit_own_bucket(size, _size(face), image_size, dataset)
    left = _place(size[0], face[0], face[2], image_size[0])
    top = _place(size[1], face[1], face[3], image_size[1])
    crop = (left, top, left + size[0], top + size[1])
    return None if crop == _whole(image_size) else crop


def _choose_shape(
    wanted: Size, face: Size, image: Size, table: CropTable, dataset: DatasetTable
) -> Size:
    """The ratio of the box, as (width, height): of what has room for the face, the nearest."""
    if table.aspect == "square":
        return 1, 1
    if not dataset.enable_bucket:
        return dataset.size
    ratio = wanted[0] / wanted[1]
    nearest = sorted(_shapes(dataset), key=lambda size: abs(size[0] / size[1] - ratio))
    return next((shape for shape in nearest if _holds(_fill(shape, image), face)), nearest[0])


def _shapes(dataset: DatasetTable) -> list[Size]:
    if not dataset.bucket_no_upscale:
        return bucket_sizes(dataset)
    # buckets of an image's own size know no shortest and longest side
    step = dataset.bucket_reso_steps
    longest = dataset.size[0] * dataset.size[1] // step
    free = dataset.model_copy(update={"min_bucket_reso": step, "max_bucket_reso": longest})
    return bucket_sizes(free)


def _fill(shape: Size, image: Size) -> Size:
    """The largest size of `shape` in the picture."""
    return _scale(shape, min(image[0] / shape[0], image[1] / shape[1]))


def _fit_around(wanted: Size, shape: Size, image: Size) -> Size:
    """The smallest size of `shape` that holds `wanted`; what does not fit is shrunk."""
    scale = max(wanted[0] / shape[0], wanted[1] / shape[1])
    return _scale(shape, min(scale, image[0] / shape[0], image[1] / shape[1]))


def _scale(shape: Size, scale: float) -> Size:
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _suit_own_bucket(size: Size, face: Size, image: Size, dataset: DatasetTable) -> Size:
    """Where images get buckets of their own size (bucket_no_upscale), what these cut least of.

    Their sides are rounded down to whole steps: one pixel short costs a step.
    """
    if not (dataset.enable_bucket and dataset.bucket_no_upscale):
        return size
    step = dataset.bucket_reso_steps
    if size[0] * size[1] <= dataset.size[0] * dataset.size[1]:
        size = _snap(size[0], face[0], image[0], step), _snap(size[1], face[1], image[1], step)
    around = [(size[0] + across, size[1] + down) for across, down in product((0, -1, 1), repeat=2)]
    possible = [
        each
        for each in around
        if min(each) > 0 and _holds(image, each) and (_holds(each, face) or not _holds(size, face))
    ]
    return min(possible, key=lambda each: _num_cut_px(each, dataset))


def _snap(length: int, face: int, limit: int, step: int) -> int:
    shorter = length // step * step
    if shorter >= max(face, step):
        return shorter
    return shorter + step if shorter + step <= limit else length


def _num_cut_px(size: Size, dataset: DatasetTable) -> float:
    """Pixels of the picture that a bucket cuts off both axes of `size`."""
    fit = fit_bucket(size, dataset)
    return sum(
        (fit.resized[axis] - fit.bucket[axis]) * size[axis] / fit.resized[axis] for axis in (0, 1)
    )


def _place(length: int, start: int, end: int, limit: int) -> int:
    """Where a box of `length` begins: around the middle of start…end, inside 0…limit."""
    return min(max((start + end - length) // 2, 0), limit - length)


def _in_pixels(face: Shares, image: Size) -> Crop:
    """The pixels that `face` touches inside the picture."""
    left, right = (min(max(x, 0.0), 1.0) * image[0] for x in (face[0], face[2]))
    top, bottom = (min(max(y, 0.0), 1.0) * image[1] for y in (face[1], face[3]))
    return math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)


def _grow(box: Crop, margin: float) -> Crop:
    left, top, right, bottom = box
    across, down = round((right - left) * margin), round((bottom - top) * margin)
    return left - across, top - down, right + across, bottom + down


def _union(boxes: Sequence[Crop]) -> Crop:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _whole(size: Size) -> Crop:
    return 0, 0, size[0], size[1]


def _size(box: Crop) -> Size:
    return box[2] - box[0], box[3] - box[1]


def _area(box: Crop) -> int:
    width, height = _size(box)
    return max(width, 0) * max(height, 0)


def _holds(outer: Size, inner: Size) -> bool:
    return outer[0] >= inner[0] and outer[1] >= inner[1]
