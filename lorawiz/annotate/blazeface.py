"""BlazeFace: finds faces with two small networks of MediaPipe, on the CPU.

What the full-range network takes for a face is looked at again from close by, with both
networks: their mean is the score. Where there is nothing, the short-range network looks for a
close-up that fills the picture, and then the search goes on in tiles, ever smaller ones.

Bazarevsky et al. 2019, "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs"
(https://arxiv.org/abs/1907.05047); anchors and ranges are those of MediaPipe's graphs.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lorawiz.annotate.litert import Network, hash_weights, load_network
from lorawiz.annotate.protocols import Face, FloatArray

WORKING_SIDE_PX = 600
"""The shorter side of the picture that is searched: a face of 3 % of it is 18 pixels wide."""
_TILINGS = (2, 3, 4)
"""Tiles along the shorter side."""
_TILE_OVERLAP = 0.25
_MIN_TILE_PX = 96
"""A tile of fewer pixels shows nothing that the whole picture did not."""
_CANDIDATE_SCORE = 0.4
"""From this score in a tile, a place is worth a second look."""
_CLOSE_VIEW = 4.0
"""The second look's view, in widths of the face: there both networks are surest."""
_GLIMPSE_SCORE = 0.1
"""What scores less is nothing, whatever `min_score` is."""
_CLOSE_UP = 0.3
"""Of the picture's longer side: smaller faces the short-range network mostly imagines."""
_MERGE_OVERLAP = 0.3
"""Boxes that share more than this of their union are one face."""

_SCORE, _BOX = 0, slice(1, 5)
_NUM_COLUMNS = 17

Rows = NDArray[np.float64]
"""[faces, 17]: score; left, top, right, bottom; x and y of the six points."""

_NO_FACES: Rows = np.empty((0, _NUM_COLUMNS))


@dataclass(frozen=True, slots=True)
class _View:
    """A part of a picture, in pixels; it may reach over the edge."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


class _Range:
    """One of the two networks, with its grid of anchors."""

    def __init__(self, network: Network, side_px: int, grids: Sequence[tuple[int, int]]) -> None:
        """`grids` are (stride in pixels, anchors a cell) of the network's layers."""
        self.network = network
        self._side_px = side_px
        self._anchors = np.concatenate([_anchors(side_px // step, num) for step, num in grids])

    def look(self, picture: Image.Image, view: _View, min_score: float) -> Rows:
        """What looks like a face in `view`, many times over; places are pixels of the picture."""
        pixels, scale, left, top = self._fit(picture, view)
        outputs = {output.shape[-1]: output for output in self.network.run(pixels)}
        scores = _sigmoid(outputs[1][:, 0].astype(np.float64))
        chosen = scores >= min_score
        places = outputs[16][chosen].astype(np.float64).reshape(-1, 8, 2)
        places[:, [0, *range(2, 8)]] += self._anchors[chosen, None] * self._side_px
        centres, sizes = places[:, 0], places[:, 1]
        corners = np.stack([centres - sizes / 2, centres + sizes / 2], axis=1)
        found = np.concatenate([corners, places[:, 2:]], axis=1)
        found = (found - (left, top)) / scale + (view.left, view.top)
        return np.column_stack([scores[chosen], found.reshape(-1, 16)])

    def _fit(self, picture: Image.Image, view: _View) -> tuple[FloatArray, float, int, int]:
        """The view in the middle of the network's square input, black around it.

        Returns the input in -1…1, input pixels a picture pixel, and the left and top margins.
        """
        scale = self._side_px / max(view.width, view.height)
        size = max(1, round(view.width * scale)), max(1, round(view.height * scale))
        shown = picture.crop((view.left, view.top, view.right, view.bottom))
        left, top = (self._side_px - size[0]) // 2, (self._side_px - size[1]) // 2
        canvas = Image.new("RGB", (self._side_px, self._side_px))
        canvas.paste(shown.resize(size, Image.Resampling.BILINEAR), (left, top))
        return np.asarray(canvas, dtype=np.float32) / 127.5 - 1.0, scale, left, top


class BlazeFaceDetector:
    """Finds faces that it is at least `min_score` sure of; see FaceDetector."""

    name = "blazeface"
    device = "CPU"
    min_side: int | None = WORKING_SIDE_PX

    def __init__(self, full_range: _Range, short_range: _Range, min_score: float) -> None:
        self.revision = hash_weights([full_range.network, short_range.network])
        self._full_range = full_range
        self._short_range = short_range
        self._min_score = min_score

    def prepare(self, image: Image.Image) -> Image.Image:
        """The picture with a shorter side of WORKING_SIDE_PX; a small one stays as it is."""
        scale = WORKING_SIDE_PX / min(image.size)
        if scale >= 1.0:
            return image
        size = round(image.width * scale), round(image.height * scale)
        return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)

    def run(self, inputs: Sequence[Image.Image], keys: Sequence[str]) -> list[list[Face]]:
        """Faces, surest first, with places clipped to the picture."""
        return [[_as_face(row, picture.size) for row in self._find(picture)] for picture in inputs]

    def _find(self, picture: Image.Image) -> Rows:
        whole = _View(0, 0, picture.width, picture.height)
        faces = self._find_in(picture, [whole])
        if len(faces) == 0:
            close_ups = _merge(self._short_range.look(picture, whole, self._min_score))
            widths = close_ups[:, 3] - close_ups[:, 1]
            faces = close_ups[widths >= _CLOSE_UP * max(picture.size)]
        for num_tiles in _TILINGS:
            if len(faces):
                break
            faces = self._find_in(picture, list(_iter_tiles(picture.size, num_tiles)))
        return faces

    def _find_in(self, picture: Image.Image, views: Sequence[_View]) -> Rows:
        floor = min(_CANDIDATE_SCORE, max(self._min_score, _GLIMPSE_SCORE))
        found = [self._full_range.look(picture, view, floor) for view in views]
        candidates = _merge(np.concatenate([_NO_FACES, *found]))
        looked_at = np.array([self._look_closely(picture, face) for face in candidates])
        faces = _merge(looked_at.reshape(-1, _NUM_COLUMNS))
        return faces[faces[:, _SCORE] >= self._min_score]

    def _look_closely(self, picture: Image.Image, face: Rows) -> Rows:
        """`face` as both networks see it from close by: the mean of the three scores, and the
        places of the full-range network, which are much finer there."""
        left, top, right, bottom = face[_BOX]
        reach = max(right - left, bottom - top, 1.0) * _CLOSE_VIEW / 2
        x, y = (left + right) / 2, (top + bottom) / 2
        view = _View(round(x - reach), round(y - reach), round(x + reach), round(y + reach))
        full, short = (
            _find_same(face, network.look(picture, view, _GLIMPSE_SCORE))
            for network in (self._full_range, self._short_range)
        )
        close = face.copy() if full is None else full
        scores = [float(each[_SCORE]) for each in (full, short) if each is not None]
        close[_SCORE] = (face[_SCORE] + sum(scores)) / 3
        return close


def load_blazeface(min_score: float) -> BlazeFaceDetector:
    """The detector that keeps faces from `min_score`, 0…1. Raises MissingExtraError."""
    full_range = load_network("face_detection_full_range.tflite", "face detection")
    short_range = load_network("face_detection_short_range.tflite", "face detection")
    return BlazeFaceDetector(
        _Range(full_range, 192, [(4, 1)]), _Range(short_range, 128, [(8, 2), (16, 6)]), min_score
    )


def _anchors(num_cells: int, num_a_cell: int) -> Rows:
    """[anchors, 2]: x and y of the cells' centres as shares, row by row."""
    centres = (np.arange(num_cells) + 0.5) / num_cells
    grid = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
    return grid.repeat(num_a_cell, axis=0)


def _sigmoid(logits: Rows) -> Rows:
    scores: Rows = 1.0 / (1.0 + np.exp(-np.clip(logits, -100.0, 100.0)))
    return scores


def _iter_tiles(size: tuple[int, int], num_tiles: int) -> Iterator[_View]:
    """Square views that cover the picture, `num_tiles` along its shorter side, overlapping."""
    side = math.ceil(min(size) / (num_tiles - (num_tiles - 1) * _TILE_OVERLAP))
    if side < _MIN_TILE_PX:
        return
    for top, left in product(_starts(size[1], side), _starts(size[0], side)):
        yield _View(left, top, left + side, top + side)


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    num = math.ceil((length - side) / (side * (1 - _TILE_OVERLAP)) - 1e-6) + 1
    return [round(index * (length - side) / (num - 1)) for index in range(num)]


def _merge(rows: Rows) -> Rows:
    """One row a face, surest first: rows that overlap the surest become their mean, weighted
    by score, under its score (MediaPipe's weighted non-maximum suppression)."""
    left = rows[np.argsort(-rows[:, _SCORE], kind="stable")]
    merged = []
    while len(left):
        same = _overlaps(left[0], left) > _MERGE_OVERLAP
        same[0] = True
        face = np.average(left[same], axis=0, weights=left[same, _SCORE])
        face[_SCORE] = left[0, _SCORE]
        merged.append(face)
        left = left[~same]
    return np.array(merged).reshape(-1, _NUM_COLUMNS)


def _find_same(face: Rows, rows: Rows) -> Rows | None:
    """What of `rows` is `face`, merged."""
    same = _merge(rows[_overlaps(face, rows) > _MERGE_OVERLAP])
    return same[0] if len(same) else None


def _overlaps(face: Rows, rows: Rows) -> Rows:
    """Intersection over union of one face with each of `rows`."""
    corner, far = np.maximum(face[1:3], rows[:, 1:3]), np.minimum(face[3:5], rows[:, 3:5])
    shared = np.clip(far - corner, 0.0, None).prod(axis=1)
    areas = np.clip(rows[:, 3:5] - rows[:, 1:3], 0.0, None).prod(axis=1)
    own = float(np.clip(face[3:5] - face[1:3], 0.0, None).prod())
    overlaps: Rows = shared / np.maximum(areas + own - shared, 1e-9)
    return overlaps


def _as_face(row: Rows, size: tuple[int, int]) -> Face:
    shares = row[1:] / np.tile(size, 8)
    left, top, right, bottom = shares[:4].clip(0.0, 1.0).tolist()
    points = tuple((float(x), float(y)) for x, y in shares[4:].reshape(-1, 2))
    return Face(left, top, right, bottom, float(row[_SCORE]), points)
