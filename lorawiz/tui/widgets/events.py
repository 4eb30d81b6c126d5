"""What happened last, with the time: saves, samples, warnings, the end."""

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from lorawiz.tui.format import format_clock
from lorawiz.tui.happenings import Happening
from lorawiz.tui.theme import STYLES


class EventLines(Widget):
    """As many of the last events as there is room for, the newest at the bottom."""

    DEFAULT_CSS = "EventLines { height: 1; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._happenings: Sequence[Happening] = ()

    def show(self, happenings: Sequence[Happening]) -> None:
        if list(happenings) != self._happenings:
            self._happenings = list(happenings)
            self.refresh()

    def render(self) -> Content:
        width, height = self.size
        lines = [
            Content.assemble(
                (f"{format_clock(happening.time)} ", STYLES["note"]),
                (happening.text, STYLES[happening.tone]),
            ).truncate(width, ellipsis=True)
            for happening in self._happenings[-height:]
        ]
        return Content("\n").join([*[Content()] * (height - len(lines)), *lines])
