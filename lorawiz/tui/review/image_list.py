"""The list of images: only those that fit are ever drawn, however many there are."""

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from lorawiz.dataset.records import ImageRecord
from lorawiz.errors import visible_text
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.theme import STYLES, Tone

_GAP = "  "
_MAX_NAME_CELLS = 28


class ImageList(Widget):
    """A column of names, or a strip of them where it is one line high."""

    DEFAULT_CSS = "ImageList { padding: 0 1; }"

    @dataclass
    class Chosen(Message):
        """A name was clicked."""

        place: int

    @dataclass
    class Scrolled(Message):
        """The wheel was turned."""

        step: int

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(id="list")
        self._session = session
        self._ends: list[tuple[int, int]] = []
        """Of the strip: up to which cell a place reaches."""
        self._first = 0

    def render(self) -> Content:
        if not self._session.shown or not self.size.width:
            return Content()
        return self._build_strip() if self.size.height == 1 else self._build_column()

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or not self._session.shown:
            return
        if self.size.height > 1:
            place = self._first + offset.y
        else:
            place = next((place for end, place in self._ends if offset.x < end), -1)
        if 0 <= place < len(self._session.shown):
            self.post_message(self.Chosen(place))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.post_message(self.Scrolled(1))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.post_message(self.Scrolled(-1))

    def _build_column(self) -> Content:
        height, num = self.size.height, len(self._session.shown)
        self._first = max(0, min(self._session.cursor - height // 2, num - height))
        width = self.size.width - 4
        lines = []
        for place in range(self._first, min(self._first + height, num)):
            record = self._session.record_at(place)
            name = Content(_name(record)).truncate(width, ellipsis=True, pad=True)
            lines.append(self._build_label(place, record, name))
        return Content("\n").join(lines)

    def _build_strip(self) -> Content:
        """As many names as fit, the current one in the middle while there are enough."""
        cursor, num = self._session.cursor, len(self._session.shown)
        labels = {cursor: self._label_at(cursor)}
        room = self.size.width - labels[cursor].cell_length
        lower, upper = cursor - 1, cursor + 1
        while room > 0 and (lower >= 0 or upper < num):
            for place in (lower, upper):
                if 0 <= place < num and room > 0:
                    labels[place] = self._label_at(place)
                    room -= labels[place].cell_length + len(_GAP)
            lower, upper = lower - 1, upper + 1
        places = sorted(labels)
        self._ends = []
        end = 0
        for place in places:
            end += labels[place].cell_length + len(_GAP)
            self._ends.append((end, place))
        strip = Content(_GAP).join(labels[place] for place in places)
        if room < 0 and places[0] < cursor and places[-1] <= cursor:
            # the names before do not all fit: cut the first one, never the current one
            overhang = strip.cell_length - self.size.width
            strip = strip[overhang:]
            self._ends = [(end - overhang, place) for end, place in self._ends]
        return strip.truncate(self.size.width)

    def _label_at(self, place: int) -> Content:
        record = self._session.record_at(place)
        name = _name(record).rpartition(".")[0] or _name(record)
        return self._build_label(
            place, record, Content(name).truncate(_MAX_NAME_CELLS, ellipsis=True)
        )

    def _build_label(self, place: int, record: ImageRecord, name: Content) -> Content:
        is_current = place == self._session.cursor
        mark, tone = find_mark(self._session, record)
        chosen = "*" if record.image_path in self._session.selected else " "
        label = Content.assemble(
            ("▸" if is_current else " ", STYLES["accent"]),
            name,
            (f" {mark}", STYLES[tone]),
            (chosen, STYLES["accent"]),
        )
        return label.stylize("bold") if is_current else label


def find_mark(session: ReviewSession, record: ImageRecord) -> tuple[str, Tone]:
    """✗ rejected, ⚠ has a finding, ✓ is used."""
    if not record.keep:
        return "✗", "error"
    return ("⚠", "warning") if session.has_finding(record) else ("✓", "note")


def _name(record: ImageRecord) -> str:
    return visible_text(record.image_path.rpartition("/")[2])
