"""The crop box as it is moved by keys: whole pixels, always inside the picture."""

from lorawiz.dataset.buckets import Size
from lorawiz.dataset.records import Crop

MIN_SIDE_PX = 16
_GROWTH = 1.06
_STEP_FRACTION = 0.02


def step_px(size: Size) -> int:
    """How far one key moves a box in a picture of `size`: 2 % of its shorter side."""
    return max(1, round(_STEP_FRACTION * min(size)))


def whole_box(size: Size) -> Crop:
    return 0, 0, size[0], size[1]


def move_box(box: Crop, across_px: int, down_px: int, size: Size) -> Crop:
    """The box moved as far as the picture of `size` lets it."""
    left, top, right, bottom = box
    across_px = min(max(across_px, -left), size[0] - right)
    down_px = min(max(down_px, -top), size[1] - bottom)
    return left + across_px, top + down_px, right + across_px, bottom + down_px


def scale_box(box: Crop, direction: int, size: Size) -> Crop:
    """The box one step larger (1) or smaller (-1), of the same shape around the same middle."""
    width, height = box[2] - box[0], box[3] - box[1]
    most = min(size[0] / width, size[1] / height)
    least = min(1.0, MIN_SIDE_PX / min(width, height))
    scale = min(max(_GROWTH**direction, least), most)
    wide, high = (
        max(1, min(round(side * scale), limit))
        for side, limit in zip((width, height), size, strict=True)
    )
    return _around(box, (wide, high), size)


def stretch_box(box: Crop, wider_px: int, higher_px: int, size: Size) -> Crop:
    """The box with other sides around the same middle, at least MIN_SIDE_PX and as it fits."""
    wide, high = (
        min(max(side + more, min(MIN_SIDE_PX, limit)), limit)
        for side, more, limit in zip(
            (box[2] - box[0], box[3] - box[1]), (wider_px, higher_px), size, strict=True
        )
    )
    return _around(box, (wide, high), size)


def _around(box: Crop, sides: Size, size: Size) -> Crop:
    """A box of these sides around the middle of another, inside the picture."""
    wide, high = sides
    left = min(max((box[0] + box[2] - wide) // 2, 0), size[0] - wide)
    top = min(max((box[1] + box[3] - high) // 2, 0), size[1] - high)
    return left, top, left + wide, top + high
