"""Looking closer: which part of a picture is shown at which scale. Pure arithmetic."""

import math
from dataclasses import dataclass

from lorawiz.dataset.buckets import Size
from lorawiz.dataset.records import Crop

SCALES = tuple(2.0**power for power in range(-5, 3))
"""Pixels of the screen for one of the picture: 1:32 … 1:1 … 4:1."""
ACTUAL = 1.0
_PAN_FRACTION = 0.25


@dataclass(frozen=True, slots=True)
class Zoom:
    """A scale, and the middle of what is shown as shares of the picture's sides."""

    scale: float | None = None
    """One of SCALES; None where the whole picture fits in."""
    across: float = 0.5
    down: float = 0.5


def fit_scale(size: Size, view_px: Size) -> float:
    """The scale at which a picture of `size` just fits into the view."""
    return min(view_px[0] / size[0], view_px[1] / size[1])


def step_scale(scale: float | None, step: int, fit: float) -> float | None:
    """The next larger (1) or smaller (-1) scale; None at and below the one that fits."""
    if step > 0:
        now = fit if scale is None else scale
        return next((each for each in SCALES if each > now * 1.001), scale)
    if scale is None:
        return None
    smaller = max((each for each in SCALES if each < scale), default=0.0)
    return smaller if smaller > fit * 1.001 else None


def find_view(size: Size, view_px: Size, zoom: Zoom) -> Crop:
    """The pixels of a picture of `size` that a view shows; the whole picture where it fits."""
    if zoom.scale is None:
        return 0, 0, size[0], size[1]
    wide = min(size[0], max(1, round(view_px[0] / zoom.scale)))
    high = min(size[1], max(1, round(view_px[1] / zoom.scale)))
    left = min(max(round(zoom.across * size[0] - wide / 2), 0), size[0] - wide)
    top = min(max(round(zoom.down * size[1] - high / 2), 0), size[1] - high)
    return left, top, left + wide, top + high


def pan(zoom: Zoom, across: int, down: int, size: Size, view_px: Size) -> Zoom:
    """A quarter of the view further; the middle stays where there is something to show."""
    left, top, right, bottom = find_view(size, view_px, zoom)
    wide, high = right - left, bottom - top
    moved = Zoom(
        zoom.scale,
        ((left + right) / 2 + across * max(1.0, wide * _PAN_FRACTION)) / size[0],
        ((top + bottom) / 2 + down * max(1.0, high * _PAN_FRACTION)) / size[1],
    )
    left, top, right, bottom = find_view(size, view_px, moved)
    return Zoom(zoom.scale, (left + right) / 2 / size[0], (top + bottom) / 2 / size[1])


def measure_view(view: Crop, scale: float) -> Size:
    """How many pixels of the screen a part of a picture takes, at least one."""
    wide, high = view[2] - view[0], view[3] - view[1]
    return max(1, math.floor(wide * scale)), max(1, math.floor(high * scale))


def show_scale(scale: float) -> str:
    """`1:4`, `1:1`, `2:1`."""
    return f"{scale:.0f}:1" if scale >= 1 else f"1:{1 / scale:.0f}"
