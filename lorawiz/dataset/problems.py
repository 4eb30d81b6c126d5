"""What is wrong with single images: found from figures, told, never acted upon."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import TYPE_CHECKING, Literal, get_args

from lorawiz.dataset.evidence import FaceBox
from lorawiz.dataset.records import ImageRecord
from lorawiz.errors import visible_text

if TYPE_CHECKING:
    from lorawiz.dataset.facts import PictureFacts

ProblemCode = Literal[
    "duplicate", "near-duplicate", "blurred", "dark", "bright", "clipped", "small", "no-face",
    "several-faces", "small-face",
]  # fmt: skip
PROBLEM_CODES: tuple[ProblemCode, ...] = get_args(ProblemCode)

BLURRED_ALWAYS = 15.0
"""Sharpness of a photo whose details are lost: focused ones have 100 to 2000."""
BLURRED_AT_MOST = 100.0
"""From here on nothing is blurred, however sharp the others are."""
BLURRED_SHARE = 0.25
"""Of the median: less stands out."""
DARK = 0.12
BRIGHT = 0.9
CLIPPED_FRACTION = 0.35
SMALL_SIDE_PX = 512
SMALL_FACE_FRACTION = 0.15
"""Of the shorter side; at 512 px the face is then 77 px, and its eyes are a latent pixel."""
MIN_FACE_SCORE = 0.6

Facts = Mapping[str, "PictureFacts"]
Faces = Mapping[str, Sequence[FaceBox]]


@dataclass(frozen=True, slots=True)
class ImageProblem:
    """One thing about one image."""

    image_path: str
    code: ProblemCode
    message: str
    """Made visible: can be shown as it is."""
    related_path: str | None = None
    """The image that it is like."""


def find_image_problems(
    records: Sequence[ImageRecord],
    facts: Facts,
    faces: Faces | None = None,
    min_face_score: float = MIN_FACE_SCORE,
) -> list[ImageProblem]:
    """Everything about `records`, in their order; broken ones are passed over.

    `facts` and `faces` go by image path; an image that is not in them is not judged by them.
    Of two that are alike, the smaller one is named, or the one that comes later.
    """
    usable = [record for record in records if record.status == "ok"]
    problems = [
        *_find_alike(usable, facts),
        *_find_blurred(usable, facts),
        *_find_badly_lit(usable, facts),
        *_find_small(usable),
        *_find_face_problems(usable, faces or {}, min_face_score),
    ]
    places = {record.image_path: place for place, record in enumerate(usable)}
    problems.sort(key=lambda each: (places[each.image_path], PROBLEM_CODES.index(each.code)))
    return problems


def _find_alike(records: Sequence[ImageRecord], facts: Facts) -> Iterator[ImageProblem]:
    # numpy: those who only want the names of problems do without
    from lorawiz.dataset.duplicates import find_same, find_similar

    ranked = [record for record in records if record.image_path in facts]
    ranked.sort(key=lambda record: -record.width * record.height)
    known = [facts[record.image_path] for record in ranked]
    twins = set()
    for index, other in find_same([each.pixels for each in known]):
        twins.add(index)
        related = ranked[other].image_path
        message = f"duplicate: the same pixels as {_name(related)}"
        yield ImageProblem(ranked[index].image_path, "duplicate", message, related)
    looks = [
        (index, each.look)
        for index, each in enumerate(known)
        if index not in twins and each.look is not None
    ]
    for similar in find_similar([look for _, look in looks]):
        image, other_image = ranked[looks[similar.index][0]], ranked[looks[similar.other][0]]
        related = other_image.image_path
        message = f"near-duplicate: {similar.percent} % like {_name(related)}"
        if (image.width, image.height) != (other_image.width, other_image.height):
            message += f", which is {other_image.width}×{other_image.height}"
        yield ImageProblem(image.image_path, "near-duplicate", message, related)


def _find_blurred(records: Sequence[ImageRecord], facts: Facts) -> Iterator[ImageProblem]:
    figures = {
        record.image_path: facts[record.image_path].sharpness
        for record in records
        if record.image_path in facts
    }
    if not figures:
        return
    limit = max(BLURRED_ALWAYS, min(BLURRED_AT_MOST, BLURRED_SHARE * median(figures.values())))
    others = sorted(figure for figure in figures.values() if figure >= limit)
    range_of_others = f", others {_describe_range(others)}" if others else ""
    for image_path, figure in figures.items():
        if figure < limit:
            message = f"blurred: sharpness {figure:.0f}{range_of_others}"
            yield ImageProblem(image_path, "blurred", message)


def _describe_range(ordered: Sequence[float]) -> str:
    """Most of them: the lowest and highest tenth left out where there are enough."""
    if len(ordered) < 10:
        low, high = ordered[0], ordered[-1]
    else:
        tenths = quantiles(ordered, n=10)
        low, high = tenths[0], tenths[-1]
    return f"{low:.0f}–{high:.0f}"


def _find_badly_lit(records: Sequence[ImageRecord], facts: Facts) -> Iterator[ImageProblem]:
    for record in records:
        known = facts.get(record.image_path)
        if known is None:
            continue
        path, percent = record.image_path, f"brightness {100 * known.brightness:.0f} %"
        if known.brightness < DARK:
            yield ImageProblem(path, "dark", f"dark: {percent}")
        elif known.brightness > BRIGHT:
            yield ImageProblem(path, "bright", f"bright: {percent}")
        elif max(known.black_fraction, known.white_fraction) > CLIPPED_FRACTION:
            share = max(known.black_fraction, known.white_fraction)
            colour = "black" if share == known.black_fraction else "white"
            message = f"clipped: {100 * share:.0f} % of it is pure {colour}"
            yield ImageProblem(path, "clipped", message)


def _find_small(records: Sequence[ImageRecord]) -> Iterator[ImageProblem]:
    for record in records:
        width, height = record.content_size
        if min(width, height) < SMALL_SIDE_PX:
            message = f"small: {width}×{height}"
            yield ImageProblem(record.image_path, "small", message)


def _find_face_problems(
    records: Sequence[ImageRecord], faces: Faces, min_score: float
) -> Iterator[ImageProblem]:
    for record in records:
        if record.image_path not in faces:
            continue
        found = [face for face in faces[record.image_path] if face[4] >= min_score]
        shares = [share for face in found if (share := _face_fraction(record, face)) is not None]
        path = record.image_path
        if not shares:
            yield ImageProblem(path, "no-face", "no face found")
        elif len(shares) > 1:
            yield ImageProblem(path, "several-faces", f"{len(shares)} faces")
        if shares and max(shares) < SMALL_FACE_FRACTION:
            message = f"small face: {100 * max(shares):.0f} % of the shorter side"
            yield ImageProblem(path, "small-face", message)


def _face_fraction(record: ImageRecord, face: FaceBox) -> float | None:
    """The face's longer side over the content's shorter one; None when it is cut away."""
    left, right = face[0] * record.width, face[2] * record.width
    top, bottom = face[1] * record.height, face[3] * record.height
    box = record.crop or (0, 0, record.width, record.height)
    if not (box[0] <= (left + right) / 2 <= box[2] and box[1] <= (top + bottom) / 2 <= box[3]):
        return None
    return max(right - left, bottom - top) / min(record.content_size)


def _name(image_path: str) -> str:
    return visible_text(image_path.rpartition("/")[2])
