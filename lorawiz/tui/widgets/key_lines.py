"""The last lines of a screen: the keys that do something now."""

from textual.content import Content
from textual.style import Style
from textual.widget import Widget

from lorawiz.tui.language import tr
from lorawiz.tui.theme import STYLES

_GAP = "  "


class KeyLines(Widget):
    """The keys that do something now, in so many lines; a click is as good as a key."""

    DEFAULT_CSS = "KeyLines { padding: 0 1; }"

    def __init__(self, num_lines: int = 2) -> None:
        super().__init__()
        self.styles.height = num_lines

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _screen: self.refresh())

    def render(self) -> Content:
        lines = [Content()]
        for label in self._build_labels():
            if (
                lines[-1]
                and lines[-1].cell_length + len(_GAP) + label.cell_length > self.size.width
            ):
                lines.append(Content())
            lines[-1] = Content.assemble(lines[-1], _GAP if lines[-1] else "", label)
        return Content("\n").join(lines[: self.size.height])

    def _build_labels(self) -> list[Content]:
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
        return list(labels.values())
