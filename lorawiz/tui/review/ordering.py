"""In which order images are shown: by name, or what is worst in some way first."""

from collections.abc import Callable, Sequence
from typing import Literal

from lorawiz.dataset.records import ImageRecord
from lorawiz.tui.review.knowledge import Knowledge

Order = Literal["name", "findings", "sharpness", "face", "tokens", "tags"]
NEEDS_KNOWLEDGE: frozenset[Order] = frozenset({"findings", "sharpness", "face"})
Measure = Callable[[ImageRecord], float | None]
"""The figure of an image, or None where it is not known."""


def sort_places(
    places: Sequence[int], records: Sequence[ImageRecord], measure: Measure, is_reversed: bool
) -> list[int]:
    """Places by rising figures, or by falling ones; equal ones by name, unknown ones last."""
    figures = [(measure(records[place]), place) for place in places]
    known = [(figure, place) for figure, place in figures if figure is not None]
    known.sort(key=lambda each: (-each[0] if is_reversed else each[0], each[1]))
    return [place for _, place in known] + [place for figure, place in figures if figure is None]


def measure_face(record: ImageRecord, knowledge: Knowledge, min_score: float) -> float | None:
    """The longer side of the largest face in pixels, 0 without one; None if nobody looked."""
    if knowledge.faces is None or record.image_path not in knowledge.faces:
        return None
    sides = [
        max((right - left) * record.width, (bottom - top) * record.height)
        for left, top, right, bottom, score in knowledge.faces[record.image_path]
        if score >= min_score
    ]
    return max(sides, default=0.0)
