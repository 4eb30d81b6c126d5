"""The findings, a line each, worst first; below them the line that starts the run."""

from textual.content import Content
from textual.geometry import Offset

from lorawiz.errors import visible_text
from lorawiz.preflight.finding import Finding
from lorawiz.preflight.report_lines import MARKS
from lorawiz.tui.check.session import CheckSession
from lorawiz.tui.check.words import TONES, name_action
from lorawiz.tui.language import tr
from lorawiz.tui.settings.words import visible_lines
from lorawiz.tui.theme import STYLES
from lorawiz.tui.widgets.cursor_list import CursorList

_GAP = "  "


class FindingList(CursorList):
    """Only the lines that fit are ever drawn; the last one always is."""

    DEFAULT_CSS = "FindingList { padding: 0 1; }"

    def __init__(self, session: CheckSession) -> None:
        super().__init__(id="findings")
        self._session = session
        self._first = 0

    @property
    def _room(self) -> int:
        return max(self.size.height - 1, 1)

    def render(self) -> Content:
        session = self._session
        if session.result is None:
            return Content.styled(
                tr("nothing is known yet: the first check is under way"), STYLES["note"]
            )
        if session.result.failure is not None:
            return self._build_failure(str(session.result.failure))
        num = len(session.shown)
        self._first = max(0, min(session.cursor - self._room // 2, num - self._room))
        places = range(self._first, min(self._first + self._room, num))
        lines = [self._build_line(place, session.shown[place]) for place in places]
        lines.append(self._build_start())
        return Content("\n").join(lines)

    def find_place(self, offset: Offset) -> int | None:
        result = self._session.result
        num = len(self._session.shown)
        num_drawn = min(self._room, num)
        if result is None or result.failure is not None or offset.y > num_drawn:
            return None
        return num if offset.y == num_drawn else self._first + offset.y

    def _build_line(self, place: int, finding: Finding) -> Content:
        is_current = place == self._session.cursor
        is_healed = self._session.is_healed(finding)
        does = tr("✓ done") if is_healed else name_action(finding.fix.action)
        right = Content.styled(does, STYLES["accent" if is_current or is_healed else "note"])
        left = Content.assemble(
            ("▸" if is_current else " ", STYLES["accent"]),
            (MARKS[finding.severity], STYLES[TONES[finding.severity]]),
            " ",
            (visible_text(finding.message), STYLES["note"] if is_healed else ""),
        )
        line = _join(left, right, self.size.width)
        return line.stylize("bold") if is_current else line

    def _build_start(self) -> Content:
        session = self._session
        is_current = session.current is None
        mark = ("▸" if is_current else " ", STYLES["accent"])
        if session.can_start:
            line = Content.assemble(mark, (tr("start the run"), STYLES["accent"]))
        elif session.progress is not None:
            line = Content.assemble(mark, (tr("start the run: once it is checked"), STYLES["note"]))
        else:
            line = Content.assemble(
                mark, (tr("start the run: once there are no errors"), STYLES["note"])
            )
        line = line.truncate(self.size.width, ellipsis=True)
        return line.stylize("bold") if is_current else line

    def _build_failure(self, text: str) -> Content:
        advice = tr("e opens the settings there, and the file from them.")
        return Content.assemble(
            ("✗ ", STYLES["error"]), visible_lines(text), "\n\n", (advice, STYLES["note"])
        )


def _join(left: Content, right: Content, width: int) -> Content:
    """Two ends of a line; the left one gives way."""
    if width < 3 * right.cell_length:
        return left.truncate(width, ellipsis=True)
    left = left.truncate(max(width - right.cell_length - len(_GAP), 1), ellipsis=True, pad=True)
    return Content.assemble(left, _GAP, right)
