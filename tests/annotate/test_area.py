"""Shrinking by area, against figures of OpenCV 5's INTER_AREA on the padded square."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lorawiz.annotate.area import Pixels, shrink_padded


def pattern(rows: int, columns: int) -> Pixels:
    numbers = np.arange(rows * columns * 3).reshape(rows, columns, 3)
    return (numbers * 37 % 251).astype(np.uint8)


def test_a_small_picture_is_shrunk_as_opencv_does() -> None:
    assert shrink_padded(pattern(7, 5), 3).tolist() == [
        [[147, 163, 184], [127, 107, 134], [210, 185, 155]],
        [[190, 201, 192], [130, 116, 102], [177, 183, 193]],
        [[157, 178, 169], [133, 124, 115], [174, 195, 170]],
    ]


def test_a_landscape_is_padded_above_and_below() -> None:
    shrunk = shrink_padded(pattern(50, 70), 16)
    assert shrunk[0, :4].tolist() == [[255, 255, 255]] * 4
    assert int(shrunk.sum()) == 124_508
    assert shrunk[7, 5].tolist() == [105, 137, 130]
    assert shrunk[8, 15].tolist() == [129, 109, 128]


@pytest.mark.parametrize(("side", "total", "at", "pixel"), [
    (16, 96_096, (3, 4), [124, 98, 135]),  # two by two: halves go up
    (8, 23_985, (1, 1), [129, 135, 125]),
])  # fmt: skip
def test_a_whole_factor_is_the_plain_mean(
    side: int, total: int, at: tuple[int, int], pixel: list[int]
) -> None:
    shrunk = shrink_padded(pattern(32, 32), side)
    assert int(shrunk.sum()) == total
    assert shrunk[at].tolist() == pixel


def test_the_same_size_changes_nothing() -> None:
    picture = pattern(24, 24)
    assert np.array_equal(shrink_padded(picture, 24), picture)


@settings(max_examples=100, deadline=None)
@given(
    picture=arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(8, 40), st.just(3))),
    side=st.integers(1, 8),
)
def test_the_padding_is_as_good_as_built(picture: Pixels, side: int) -> None:
    rows, columns, _ = picture.shape
    longest = max(rows, columns)
    top, left = (longest - rows) // 2, (longest - columns) // 2
    square = np.full((longest, longest, 3), 255, np.uint8)
    square[top : top + rows, left : left + columns] = picture
    assert np.array_equal(shrink_padded(picture, side), shrink_padded(square, side))
    # and the mean is kept
    scale = longest / side
    error = abs(float(shrink_padded(square, side).mean()) - float(square.mean()))
    assert error <= 0.51 or scale < 1
