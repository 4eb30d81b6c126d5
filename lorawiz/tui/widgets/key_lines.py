"""The last lines of a screen: the keys that do something now."""

from collections.abc import Sequence

from textual.content import Content
from textual.style import Style
from textual.widget import Widget

from lorawiz.tui.language import tr
from lorawiz.tui.theme import STYLES

_GAP = "  "
LAST = ("help", "quit", "back", "leave", "leave_crop", "leave_zoom", "detach")
"""What ends the lines of every screen: help, then the way out."""


class KeyLines(Widget):
    """The keys that do something now, in so many lines; a click is as good as a key.

    Actions in `order` stand in that order. Those in `last` come at the end and always have
    room: others give way to them.
    """

    DEFAULT_CSS = "KeyLines { padding: 0 1; }"

    def __init__(
        self, num_lines: int = 2, last: Sequence[str] = LAST, order: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._last = last
        self._order = {action: place for place, action in enumerate(order)}
        # links would all have one colour, and a line under them
        self.auto_links = False
        self.styles.height = num_lines

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _screen: self.refresh())

    def render(self) -> Content:
        unordered = self._build_labels()
        actions = sorted(unordered, key=lambda action: self._order.get(action, -1))
        labels = {action: unordered[action] for action in actions}
        first = [label for action, label in labels.items() if action not in self._last]
        last = [labels[action] for action in self._last if action in labels]
        lines = self._break_lines([*first, *last])
        while self._last and first and len(lines) > self.size.height:
            first.pop()
            lines = self._break_lines([*first, *last])
        return Content("\n").join(lines[: self.size.height])

    def _break_lines(self, labels: list[Content]) -> list[Content]:
        lines = [Content()]
        for label in labels:
            room = self.size.width - len(_GAP) - label.cell_length
            if lines[-1] and lines[-1].cell_length > room:
                lines.append(Content())
            lines[-1] = Content.assemble(lines[-1], _GAP if lines[-1] else "", label)
        return lines

    def _build_labels(self) -> dict[str, Content]:
        labels: dict[str, Content] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and active.enabled and binding.action not in labels:
                key = self.app.get_key_display(binding)
                label = Content.assemble(
                    (key, STYLES["accent"]), (f" {tr(binding.description)}", STYLES["note"])
                )
                click = Style.from_meta({"@click": f"screen.{binding.action}"})
                labels[binding.action] = label.stylize(click)
        return labels
