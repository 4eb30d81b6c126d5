"""The plan of the run: every figure with its source, or the few that matter."""

import textwrap
from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from lorawiz.errors import visible_text
from lorawiz.preflight.report_lines import PlanRow
from lorawiz.tui.check.session import CheckSession
from lorawiz.tui.language import tr
from lorawiz.tui.theme import STYLES

_GAP = "  "
_TEXTS = ("bucket", "steps", "LoRA", "model", "word", "state", "latents", "disk", "memory", "time")
_SHORT = ("steps", "time", "memory", "disk")
_SHORT_LINES = 3
_FEW_BUCKETS = 4


class PlanView(Widget):
    """All rows where there is room for them, else three lines."""

    DEFAULT_CSS = "PlanView { padding: 0 1; }"

    def __init__(self, session: CheckSession) -> None:
        super().__init__(id="plan")
        self._session = session

    def render(self) -> Content:
        result = self._session.result
        if result is None or result.failure is not None:
            return Content()
        width = self.size.width
        if self.size.height <= _SHORT_LINES:
            lines = _build_short(result.plan)
        else:
            lines = _build_long(result.inputs, result.plan, width, self.size.height)
        return Content("\n").join(line.truncate(width, ellipsis=True) for line in lines)


def _build_short(rows: Sequence[PlanRow]) -> list[Content]:
    by_label = {row.label: row for row in rows}
    figures = [
        Content.assemble((f"{tr(label)} ", STYLES["note"]), by_label[label].figure)
        for label in _SHORT
    ]
    buckets = [row for row in rows if row.label == "bucket"]
    named = [f"{row.figure} {row.note.partition(' ')[0]}" for row in buckets[:_FEW_BUCKETS]]
    rest = len(buckets) - len(named)
    if rest > 0:
        named.append(tr("{num} more", num=rest))
    shown = Content.assemble((f"{tr('bucket')} ", STYLES["note"]), " · ".join(named))
    steps = Content.styled(visible_text(by_label["steps"].note), STYLES["note"])
    return [Content(_GAP * 2).join(figures), steps, shown]


def _build_long(inputs: str, rows: Sequence[PlanRow], width: int, height: int) -> list[Content]:
    """All rows, their notes wrapped; of many buckets the fullest."""
    others = [row for row in rows if row.label != "bucket"]
    buckets = _choose_buckets([row for row in rows if row.label == "bucket"], height // 3)
    counts = max((len(row.note) for row in buckets), default=0)
    widest = max(Content(tr(row.label)).cell_length for row in rows)
    figure = max(Content(row.figure).cell_length for row in rows)
    indent = widest + figure + 2 * len(_GAP)
    lines = [Content.styled(inputs, "bold"), Content()]
    for row in [*buckets, *others]:
        note = f"{row.note:>{counts}}" if row.is_note_figure else visible_text(row.note)
        first, *more = textwrap.wrap(note, max(width - indent, 12), drop_whitespace=False) or [""]
        label = Content(tr(row.label)).truncate(widest, pad=True).stylize(STYLES["note"])
        gap = " " * (figure - Content(row.figure).cell_length)
        lines.append(Content.assemble(label, _GAP, gap, row.figure, _GAP, (first, STYLES["note"])))
        lines += [Content.styled(" " * indent + part.lstrip(), STYLES["note"]) for part in more]
    return lines


def _choose_buckets(buckets: list[PlanRow], most: int) -> list[PlanRow]:
    if len(buckets) <= max(most, 1):
        return buckets
    fullest = sorted(buckets, key=lambda row: -_count_images(row))[: max(most - 1, 0)]
    rest = len(buckets) - len(fullest)
    return [*fullest, PlanRow("bucket", "…", tr("{num} more", num=rest))]


def _count_images(bucket: PlanRow) -> int:
    return int(bucket.note.partition(" ")[0])
