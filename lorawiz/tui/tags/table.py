"""The table of tags: its visible lines alone are drawn, however many there are."""

from dataclasses import dataclass

from textual.content import Content
from textual.geometry import Offset
from textual.message import Message

from lorawiz.dataset.tag_report import TagCount
from lorawiz.errors import visible_text
from lorawiz.tui.language import tr
from lorawiz.tui.tags.model import TagsModel
from lorawiz.tui.tags.rows import SIGNS, Mark
from lorawiz.tui.theme import STYLES, Tone
from lorawiz.tui.widgets.cursor_list import CursorList

_EIGHTHS = " ▏▎▍▌▋▊▉"
_SHARE_CELLS = 5
_MARK_CELLS = 7
_TONES: dict[Mark, Tone] = {
    "trigger": "accent", "identity": "warning", "once": "note", "rare": "note",
    "opposite": "warning", "unknown": "note",
}  # fmt: skip


@dataclass(frozen=True)
class _Columns:
    """How many cells each column has; a column of 0 is not there."""

    name: int
    count: int
    bar: int
    marks: int


class TagTable(CursorList):
    """Name, count, share, a bar and marks of each tag; a head line tells the order."""

    DEFAULT_CSS = "TagTable { height: 1fr; padding: 0 1; }"

    class HeadClicked(Message):
        """The head line was clicked."""

    def __init__(self, model: TagsModel) -> None:
        super().__init__()
        self._model = model
        self._first = 0
        self.nothing = ""
        """What stands in place of the lines where there are none."""

    @property
    def num_lines(self) -> int:
        """How many tags are in sight."""
        return max(self.size.height - 1, 1)

    def render(self) -> Content:
        rows = self._model.rows
        columns = self._measure()
        if not rows:
            return Content.styled(self.nothing, STYLES["note"])
        cursor = min(self._model.cursor, len(rows) - 1)
        first = min(max(self._first, cursor - self.num_lines + 1), cursor)
        self._first = max(min(first, len(rows) - self.num_lines), 0)
        shown = rows[self._first : self._first + self.num_lines]
        lines = [self._build_head(columns)]
        for place, count in enumerate(shown, self._first):
            lines.append(self._build_line(count, columns, is_current=place == cursor))
        return Content("\n").join(lines)

    def find_place(self, offset: Offset) -> int | None:
        place = self._first + offset.y - 1
        if offset.y == 0:
            self.post_message(self.HeadClicked())
            return None
        return place if place < len(self._model.rows) else None

    def _measure(self) -> _Columns:
        width = self.size.width - 2
        num = max((row.num_images for row in self._model.rows), default=0)
        count = max(len(str(num)), len("n"), 4) + 1
        marks = _MARK_CELLS if width >= 34 else 0
        bar = 0 if width < 44 else 8 if width < 60 else 20
        taken = count + 1 + _SHARE_CELLS + (bar + 2 if bar else 0) + (marks + 1 if marks else 0)
        return _Columns(max(width - taken, 4), count, bar, marks)

    def _build_head(self, columns: _Columns) -> Content:
        sort = self._model.sort
        names = {
            "name": tr("tag") + (" ↓" if sort == "name" else ""),
            "count": ("↓" if sort == "count" else "") + tr("n"),
            "share": ("↑" if sort == "share" else "") + tr("share"),
        }
        name = Content(f"  {names['name']}").truncate(columns.name + 2, ellipsis=True, pad=True)
        count, share = _right(names["count"], columns.count), _right(names["share"], 6)
        return Content.assemble(name, count, share).stylize(STYLES["note"])

    def _build_line(self, row: TagCount, columns: _Columns, is_current: bool) -> Content:
        model = self._model
        marks = [Content.styled(SIGNS[m], STYLES[_TONES[m]]) for m in model.marks_of(row)]
        is_chosen = row.tag in model.chosen
        name = Content(visible_text(row.tag)).truncate(columns.name, ellipsis=True, pad=True)
        pieces: list[Content | str | tuple[str, str]] = [
            ("▸" if is_current else " ", STYLES["accent"]),
            ("*" if is_chosen else " ", STYLES["accent"]),
            name.stylize("bold") if is_current else name,
            f"{row.num_images:>{columns.count}}",
            (f" {_show_share(row.share):>{_SHARE_CELLS}}", STYLES["note"]),
        ]
        if columns.bar:
            pieces += ["  ", (build_bar(row.share, columns.bar), "$accent 55%")]
        if columns.marks:
            fitting = Content(" ").join(marks).truncate(columns.marks, ellipsis=True, pad=True)
            pieces += [" ", fitting]
        line = Content.assemble(*pieces)
        return line.stylize("on $panel") if is_current else line


def build_bar(share: float, num_cells: int) -> str:
    """A bar of `num_cells` cells, filled to an eighth of a cell; something is never nothing."""
    eighths = max(round(share * num_cells * 8), 1 if share else 0)
    full, rest = divmod(min(eighths, num_cells * 8), 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(num_cells)


def _show_share(share: float) -> str:
    if 0 < share < 0.01:
        return "<1 %"
    # not 100 % while a single image lacks it
    return f"{99 if 0.99 < share < 1 else round(100 * share)} %"


def _right(text: str, num_cells: int) -> Content:
    content = Content(text)
    gap = max(num_cells - content.cell_length, 0)
    return Content(" " * gap + text).truncate(num_cells)
