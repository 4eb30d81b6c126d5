"""The rail at the left: the steps, and how each of them stands."""

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from lorawiz.preflight.standing import STEPS, State, StepName
from lorawiz.preflight.survey import Survey
from lorawiz.tui.language import tr
from lorawiz.tui.theme import STYLES
from lorawiz.tui.wizard.words import show_title

_MARKS: dict[State, str] = {"done": "✓", "due": "○", "optional": "·", "unknown": "?"}
_HEAD_LINES = 1


class StepRail(Widget):
    """One line a step; a click goes there. Where there is no room for all, it scrolls."""

    DEFAULT_CSS = "StepRail { padding: 0 1; }"

    @dataclass
    class Chosen(Message):
        """A step was clicked."""

        name: StepName

    def __init__(self) -> None:
        super().__init__(id="rail")
        self._survey: Survey | None = None
        self._current: StepName = "project"
        self._first = 0

    def show(self, survey: Survey | None, current: StepName) -> None:
        self._survey, self._current = survey, current
        self.refresh()

    def render(self) -> Content:
        room = max(self.size.height - _HEAD_LINES, 1)
        at = STEPS.index(self._current)
        self._first = max(0, min(at - room // 2, len(STEPS) - room))
        lines = [Content.styled(tr("Steps"), STYLES["note"])]
        lines += [
            self._build_line(number, name)
            for number, name in list(enumerate(STEPS, 1))[self._first : self._first + room]
        ]
        return Content("\n").join(lines)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        place = self._first + offset.y - _HEAD_LINES
        if offset.y >= _HEAD_LINES and place < len(STEPS):
            self.post_message(self.Chosen(STEPS[place]))

    def _build_line(self, number: int, name: StepName) -> Content:
        step = self._survey.find(name) if self._survey is not None else None
        is_current = name == self._current
        mark = _MARKS[step.state] if step is not None else " "
        num = len(step.findings) if step is not None else 0
        count = (str(num) if num < 1000 else "999+") if num else ""
        is_quiet = step is not None and step.state in ("optional", "unknown")
        title = Content(show_title(name))
        title = title.truncate(max(self.size.width - 11, 1), ellipsis=True, pad=True)
        line = Content.assemble(
            ("▸" if is_current else " ", STYLES["accent"]),
            (f"{mark} ", STYLES["accent"]),
            (f"{number:>2} ", STYLES["note"]),
            title.stylize(STYLES["note"]) if is_quiet and not is_current else title,
            (f" {count:>4}", STYLES["warning"]),
        )
        return line.stylize("bold") if is_current else line
