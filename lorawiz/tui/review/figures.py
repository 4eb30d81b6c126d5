"""The figures of one image beside others: lines with numbers at the right, the best one marked."""

from collections.abc import Sequence

from textual.content import Content

from lorawiz.dataset.records import ImageRecord
from lorawiz.tui.language import tr
from lorawiz.tui.review.ordering import Measure, measure_face
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.theme import STYLES

BEST = "▲"
_NAME_CELLS = 12
_FIGURE_CELLS = 17


def build_figures(
    session: ReviewSession, record: ImageRecord, others: Sequence[ImageRecord]
) -> list[Content]:
    """Size, what is trained of it, sharpness, face, words; then what was found.

    ▲ marks a figure that is the best of `others` and not the same for all of them.
    """
    knowledge, least = session.knowledge, session.spec.crop.min_score
    lines = [
        _line(tr("size"), f"{record.width}×{record.height}", record, others, _count_pixels),
        _line(tr("trained"), "{}×{}".format(*record.content_size), record, others, _count_trained),
    ]

    def sharpness(each: ImageRecord) -> float | None:
        return knowledge.sharpness.get(each.image_path)

    def face(each: ImageRecord) -> float | None:
        return measure_face(each, knowledge, least)

    lines.append(_line(tr("sharpness"), _show(sharpness(record)), record, others, sharpness))
    side_px = face(record)
    lines.append(_line(tr("face"), _show_face(side_px), record, others, face))
    words = tr("{num} tags, caption", num=len(record.tags))
    if not record.caption.strip():
        words = tr("{num} tags, no caption", num=len(record.tags))
    lines.append(_line(tr("words"), words, record, others, None))
    for problem in session.problems_of(record):
        lines.append(Content.styled(f"⚠ {problem.message}", STYLES["warning"]))
    return lines


def _line(
    name: str,
    figure: str,
    record: ImageRecord,
    others: Sequence[ImageRecord],
    measure: Measure | None,
) -> Content:
    is_best = measure is not None and _is_best(record, others, measure)
    text = Content(figure)
    gap = " " * max(_FIGURE_CELLS - text.cell_length, 1)
    label = Content.styled(name, STYLES["note"])
    label = Content.assemble(label, " " * max(_NAME_CELLS - label.cell_length, 1))
    mark = (f" {BEST}", STYLES["accent"]) if is_best else ""
    return Content.assemble(label, gap, text, mark)


def _is_best(record: ImageRecord, others: Sequence[ImageRecord], measure: Measure) -> bool:
    known = [figure for each in others if (figure := measure(each)) is not None]
    return len(set(known)) > 1 and measure(record) == max(known)


def _count_pixels(record: ImageRecord) -> float:
    return record.width * record.height


def _count_trained(record: ImageRecord) -> float:
    return record.content_size[0] * record.content_size[1]


def _show(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.0f}"


def _show_face(side_px: float | None) -> str:
    if side_px is None:
        return "–"
    return f"{side_px:.0f} px" if side_px else tr("none")
