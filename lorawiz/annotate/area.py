"""Shrinking by area: each new pixel is the mean of all that it covers, edges in part.

The sums are those of OpenCV's INTER_AREA, which taggers are fed with elsewhere; Pillow's BOX
filter takes pixels whole or not at all, and other scores come of it.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

_EDGE = 1e-3
"""A share of a pixel that is not worth a sum; OpenCV's figure."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A side of a picture that lies in a longer, padded one."""

    length: int
    """Pixels of the picture."""
    before: int = 0
    """Pixels of padding before it."""
    after: int = 0

    @property
    def total(self) -> int:
        return self.before + self.length + self.after


def shrink_padded(pixels_YXC: Pixels, side: int, padding: int = 255) -> Pixels:
    """`pixels` [rows, columns, channels], padded to a square, shrunk to [side, side, channels].

    The padding is never built. The picture's longer side is at least `side`.
    """
    rows, columns, channels = pixels_YXC.shape
    longest = max(rows, columns)
    down, across = _centred(rows, longest), _centred(columns, longest)
    flat = pixels_YXC.reshape(rows, columns * channels)
    shrunk = _shrink_rows(flat, down, side, padding).reshape(side, columns, channels)
    turned = np.ascontiguousarray(shrunk.transpose(1, 0, 2)).reshape(columns, side * channels)
    means = _shrink_rows(turned, across, side, padding).reshape(side, side, channels)
    return _rounded(means.transpose(1, 0, 2), longest / side)


def _centred(length: int, total: int) -> Frame:
    before = (total - length) // 2
    return Frame(length, before, total - length - before)


def _shrink_rows(
    rows: NDArray[np.uint8] | NDArray[np.float32], frame: Frame, size: int, padding: int
) -> NDArray[np.float32]:
    """Means over the first axis: [frame.length, N] to [size, N]."""
    scale = frame.total / size
    means = np.empty((size, rows.shape[1]), np.float32)
    for index in range(size):
        begin = index * scale
        covered = min(scale, frame.total - begin)
        first, last = math.ceil(begin), min(math.floor(begin + scale), frame.total - 1)
        first = min(first, last)
        mean = means[index]
        outside = _sum_whole(rows, first, last, frame, mean)
        if first - begin > _EDGE:
            outside += _add_part(rows, first - 1, first - begin, frame, mean)
        if begin + scale - last > _EDGE:
            share = min(begin + scale - last, 1.0, covered)
            outside += _add_part(rows, last, share, frame, mean)
        if outside:
            mean += np.float32(outside * padding)
        mean /= np.float32(covered)
    return means


def _sum_whole(
    rows: NDArray[np.uint8] | NDArray[np.float32],
    first: int,
    last: int,
    frame: Frame,
    total: NDArray[np.float32],
) -> float:
    """Write the sum of the rows from `first` up to `last` of the frame; rows of padding are
    counted."""
    low = min(max(first - frame.before, 0), frame.length)
    high = min(max(last - frame.before, low), frame.length)
    kind = np.float32 if rows.dtype == np.float32 else np.uint32
    total[:] = np.add.reduce(rows[low:high], axis=0, dtype=kind)
    return (last - first) - (high - low)


def _add_part(
    rows: NDArray[np.uint8] | NDArray[np.float32],
    index: int,
    share: float,
    frame: Frame,
    total: NDArray[np.float32],
) -> float:
    """Add a share of one row; returns it where the row is padding."""
    if not 0 <= index - frame.before < frame.length:
        return share
    total += rows[index - frame.before] * np.float32(share)
    return 0.0


def _rounded(means: NDArray[np.float32], scale: float) -> Pixels:
    # halves go up where a pixel is two by two, and to the even number elsewhere, as in OpenCV
    whole = np.floor(means + 0.5) if scale == 2.0 else np.rint(means)
    return np.ascontiguousarray(whole.clip(0.0, 255.0).astype(np.uint8))
