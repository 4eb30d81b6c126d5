"""The settings of a group, or what was found: name, value, marks."""

from textual.content import Content
from textual.geometry import Offset

from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.settings.rows import Row
from lorawiz.tui.settings.session import SettingsSession
from lorawiz.tui.settings.words import visible_lines
from lorawiz.tui.theme import STYLES
from lorawiz.tui.widgets.cursor_list import CursorList

_MARKS_CELLS = 5
_GAP = "  "


class FieldList(CursorList):
    """A title, then a line a setting; only those that fit are ever drawn."""

    DEFAULT_CSS = "FieldList { padding: 0 1; }"

    def __init__(self, session: SettingsSession) -> None:
        super().__init__(id="fields")
        self._session = session
        self._first = 0

    def render(self) -> Content:
        session = self._session
        if session.state.failure is not None:
            return _build_failure(str(session.state.failure))
        lines = [self._build_title().truncate(self.size.width, ellipsis=True)]
        rows, room = session.shown, max(self.size.height - 1, 1)
        self._first = max(0, min(session.cursor - room // 2, len(rows) - room))
        names = [_name(row, session.is_filtered) for row in rows]
        longest = max((Content(name).cell_length for name in names), default=0)
        width = min(longest, max(self.size.width * 2 // 3 - _MARKS_CELLS, 8))
        for place in range(self._first, min(self._first + room, len(rows))):
            lines.append(self._build_line(rows[place], names[place], width))
        return Content("\n").join(lines)

    def find_place(self, offset: Offset) -> int | None:
        place = self._first + offset.y - 1
        return place if offset.y and place < len(self._session.shown) else None

    def _build_title(self) -> Content:
        session = self._session
        if not session.is_filtered:
            words = tr(session.group_help) if session.group_help else ""
            return Content.assemble((session.group, "bold"), (f"{_GAP}{words}", STYLES["note"]))
        num = len(session.shown)
        if session.only_changed and not num:
            found = tr("nothing is changed: c shows everything")
        elif not num:
            found = tr("nothing is found: esc shows everything")
        elif session.only_changed:
            found = tr("{num} changed: c shows everything", num=num)
        else:
            found = tr_count(num, "{num} setting found", "{num} settings found")
        return Content.styled(found, STYLES["note"])

    def _build_line(self, row: Row, name: str, width: int) -> Content:
        is_current = row is self._session.current
        value, tone = (row.value, "") if row.is_set else (row.value, STYLES["note"])
        if not value and row.field is not None:
            value, tone = tr("not set") if row.field.default is None else '""', STYLES["note"]
        label = Content.assemble(
            ("▸" if is_current else " ", STYLES["accent"]),
            ("●" if row.is_set else " ", STYLES["note"]),
            ("⚠" if row.is_wrong else "◆" if row.differs else " ",
             STYLES["error" if row.is_wrong else "accent"]),
            " ",
            Content(name).truncate(width, ellipsis=True, pad=True),
            _GAP,
            (value, tone),
        )  # fmt: skip
        label = label.truncate(self.size.width, ellipsis=True)
        return label.stylize("bold") if is_current else label


def _name(row: Row, is_filtered: bool) -> str:
    return row.name if not is_filtered or row.field is None else row.key


def _build_failure(text: str) -> Content:
    """What is wrong with a file that is no TOML."""
    advice = tr("e opens it there. Nothing is written until it can be read.")
    return Content.assemble(
        ("⚠ ", STYLES["error"]), visible_lines(text), "\n\n", (advice, STYLES["note"])
    )
