"""What the long lists share: a click goes to a line, the wheel moves the cursor."""

from dataclasses import dataclass

from textual import events
from textual.geometry import Offset
from textual.message import Message
from textual.widget import Widget


class CursorList(Widget):
    """Only the lines that fit are ever drawn; where the cursor is, the screen's state knows."""

    @dataclass
    class Chosen(Message):
        """A line was clicked."""

        place: int

    @dataclass
    class Scrolled(Message):
        """The wheel was turned."""

        step: int

    def find_place(self, offset: Offset) -> int | None:
        """Which line is drawn at an offset in cells; None where there is none."""
        raise NotImplementedError

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        place = self.find_place(offset) if offset is not None else None
        if place is not None:
            self.post_message(self.Chosen(place))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.post_message(self.Scrolled(1))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.post_message(self.Scrolled(-1))
