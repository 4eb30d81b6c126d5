"""What the first lines of screens share: they say what happened last."""

from textual.widget import Widget

from lorawiz.errors import visible_text
from lorawiz.tui.theme import Tone


class SayingLine(Widget):
    """One line; a subclass draws `said`, mostly at its right end."""

    DEFAULT_CSS = "SayingLine { height: 1; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self.said: tuple[str, Tone] = ("", "note")
        """Safe to show."""

    def say(self, text: str, tone: Tone = "note") -> None:
        """Say what happened; it stays until something else does."""
        self.said = visible_text(text), tone
        self.refresh()
