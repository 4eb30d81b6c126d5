"""Pictures that are in the dataset twice: the same pixels, or nearly the same."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lorawiz.dataset.facts import LOOK_BITS

MAX_LOOK_DISTANCE = 6
"""Bits of 128 that may differ. Measured on nine photos: saved again as JPEG, at half the size or
10 % brighter, up to 2 differ; cut by 10 % or turned by 1°, 12 and more; mirrored, 30 and more."""
_NUM_BANDS = MAX_LOOK_DISTANCE + 1
_ROWS_AT_ONCE = 256
_COLUMNS_AT_ONCE = 1 << 16

_Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Similar:
    """That a picture looks like one that stands before it."""

    index: int
    other: int
    """Of those before it, the one most like it."""
    distance: int
    """Bits of the look that differ, 0…MAX_LOOK_DISTANCE."""

    @property
    def percent(self) -> int:
        """How alike the two are."""
        return round(100 * (1 - self.distance / LOOK_BITS))


def find_same(keys: Sequence[Hashable]) -> Iterator[tuple[int, int]]:
    """(index, index of the first with the same key), for every key that was there before."""
    first: dict[Hashable, int] = {}
    for index, key in enumerate(keys):
        other = first.setdefault(key, index)
        if other != index:
            yield index, other


def find_similar(looks: Sequence[int]) -> list[Similar]:
    """Pictures whose look differs in few bits from one before them, by index.

    Two looks that differ in at most n bits are equal in at least one of n + 1 bands, so only
    looks that share a band are compared. Memory is bounded; time is near linear unless most
    pictures are alike.
    """
    # hundreds of frames of one still scene cost no more than one
    first_with = {look: index for index, look in reversed(list(enumerate(looks)))}
    firsts = [index for index, look in enumerate(looks) if first_with[look] == index]
    nearest = _find_nearest([looks[index] for index in firsts])
    found = [Similar(firsts[each.index], firsts[each.other], each.distance) for each in nearest]
    found += [
        Similar(index, first_with[look], 0)
        for index, look in enumerate(looks)
        if first_with[look] != index
    ]
    return sorted(found, key=lambda each: each.index)


def _find_nearest(looks: Sequence[int]) -> list[Similar]:
    words = _as_words(looks)
    distances = np.full(len(words), MAX_LOOK_DISTANCE + 1, np.uint8)
    others = np.full(len(words), -1, np.int64)
    for band in range(_NUM_BANDS):
        for members in _iter_groups(_read_band(words, band)):
            _compare(words, members, distances, others)
    return [
        Similar(int(index), int(others[index]), int(distances[index]))
        for index in np.flatnonzero(others >= 0)
    ]


def _as_words(looks: Sequence[int]) -> _Words:
    """Each look as two numbers of 64 bits: [pictures, 2]."""
    raw = b"".join(look.to_bytes(LOOK_BITS // 8, "big") for look in looks)
    return np.frombuffer(raw, ">u8").astype(np.uint64).reshape(-1, 2)


def _read_band(words: _Words, band: int) -> _Words:
    """The bits of one band of each look."""
    begin, end = (LOOK_BITS * each // _NUM_BANDS for each in (band, band + 1))
    mask = ((1 << end) - (1 << begin)) & ((1 << LOOK_BITS) - 1)
    high, low = np.uint64(mask >> 64), np.uint64(mask & (2**64 - 1))
    # a band lies in one word or across both; mixing keeps equal bands equal
    return (words[:, 0] & high) * np.uint64(0x9E3779B97F4A7C15) ^ (words[:, 1] & low)


def _iter_groups(keys: _Words) -> Iterator[NDArray[np.int64]]:
    """Indexes of equal keys, in order, where there are at least two."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    edges = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1], True])
    for begin, end in pairwise(edges):
        if end - begin > 1:
            yield order[begin:end]


def _compare(
    words: _Words,
    members: NDArray[np.int64],
    distances: NDArray[np.uint8],
    others: NDArray[np.int64],
) -> None:
    """Note for each of `members` (rising indexes) the most similar one before it."""
    for top in range(1, len(members), _ROWS_AT_ONCE):
        rows = members[top : top + _ROWS_AT_ONCE]
        for left in range(0, top + len(rows), _COLUMNS_AT_ONCE):
            columns = members[left : left + _COLUMNS_AT_ONCE]
            _compare_block(words, rows, columns[columns < rows[-1]], distances, others)


def _compare_block(
    words: _Words,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    distances: NDArray[np.uint8],
    others: NDArray[np.int64],
) -> None:
    if not len(columns):
        return
    differing = words[rows][:, None, :] ^ words[columns][None, :, :]
    counts = np.bitwise_count(differing).sum(axis=2, dtype=np.uint8)
    counts[columns[None, :] >= rows[:, None]] = LOOK_BITS
    nearest = counts.argmin(axis=1)
    best = counts[np.arange(len(rows)), nearest]
    closer = (best < distances[rows]) | (
        (best == distances[rows]) & (columns[nearest] < others[rows])
    )
    closer &= best <= MAX_LOOK_DISTANCE
    distances[rows[closer]] = best[closer]
    others[rows[closer]] = columns[nearest[closer]]
