"""The rail at the left: the steps, and how each of them stands."""

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from lorawiz.preflight.survey import STEPS, StepName, Survey
from lorawiz.tui.language import tr
from lorawiz.tui.theme import STYLES

_TEXTS = (
    "Project", "Images", "Base model", "Crop, cut-out", "Captions", "Tags", "Clean", "Review",
    "Settings", "Check", "Run",
)  # fmt: skip
TITLES: dict[StepName, str] = dict(zip(STEPS, _TEXTS, strict=True))
"""In English: shown through `tr`."""
_MARKS = {"done": "✓", "due": "○", "optional": "·"}


class StepRail(Widget):
    """One line a step; a click goes there."""

    DEFAULT_CSS = "StepRail { padding: 0 1; }"

    @dataclass
    class Chosen(Message):
        """A step was clicked."""

        name: StepName

    def __init__(self) -> None:
        super().__init__(id="rail")
        self._survey: Survey | None = None
        self._current: StepName = "project"

    def show(self, survey: Survey | None, current: StepName) -> None:
        self._survey, self._current = survey, current
        self.refresh()

    def render(self) -> Content:
        lines = [Content.styled(tr("Steps"), STYLES["note"])]
        lines += [self._build_line(number, name) for number, name in enumerate(STEPS, 1)]
        return Content("\n").join(lines)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None and 1 <= offset.y <= len(STEPS):
            self.post_message(self.Chosen(STEPS[offset.y - 1]))

    def _build_line(self, number: int, name: StepName) -> Content:
        step = self._survey.find(name) if self._survey is not None else None
        is_current = name == self._current
        mark = "▸" if is_current else _MARKS[step.state] if step is not None else " "
        count = str(len(step.findings)) if step is not None and step.findings else ""
        is_quiet = step is not None and step.state == "optional"
        room = max(self.size.width - 5 - 3, 1)
        title = Content(tr(TITLES[name])).truncate(room, ellipsis=True, pad=True)
        line = Content.assemble(
            (f"{mark} ", STYLES["accent"]),
            (f"{number:>2} ", STYLES["note"]),
            title.stylize(STYLES["note"]) if is_quiet and not is_current else title,
            (f"{count:>3}", STYLES["warning"]),
        )
        return line.stylize("bold") if is_current else line
