"""The list of images: only those that fit are ever drawn, however many there are."""

from textual.content import Content
from textual.geometry import Offset, Region

from lorawiz.dataset.records import ImageRecord
from lorawiz.tui.review.editing_session import name_image
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.theme import STYLES, Tone
from lorawiz.tui.widgets.cursor_list import CursorList

_GAP = "  "
_MAX_NAME_CELLS = 28


class ImageList(CursorList):
    """A column of names, or a strip of them where it is one line high."""

    DEFAULT_CSS = "ImageList { padding: 0 1; }"

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(id="list")
        self._session = session
        self._first = 0
        """The place at the top or left end; it stays until the cursor leaves what is shown."""
        self._ends: list[tuple[int, int]] = []
        """Of the strip: up to which cell a place reaches."""
        self._drawn_at = -1

    def show_move(self) -> None:
        """Draw the cursor where it is now: of a column, only the lines that are others."""
        before, now = self._drawn_at, self._session.cursor
        if self.size.height > 1 and self._first == self._find_first():
            lines = {before - self._first, now - self._first}
            self._drawn_at = now
            self.refresh(*(Region(0, line, self.size.width, 1) for line in lines))
        else:
            self.refresh()

    def render(self) -> Content:
        if not self._session.shown or not self.size.width:
            return Content()
        self._drawn_at = self._session.cursor
        return self._build_strip() if self.size.height == 1 else self._build_column()

    def find_place(self, offset: Offset) -> int | None:
        if self.size.height > 1:
            place = self._first + offset.y
        else:
            place = next((place for end, place in self._ends if offset.x < end), -1)
        return place if 0 <= place < len(self._session.shown) else None

    def _find_first(self) -> int:
        """The place at the top: as it was, or half a page on where the cursor left the page."""
        height, num, cursor = self.size.height, len(self._session.shown), self._session.cursor
        first = self._first
        if not first <= cursor < first + height:
            first = cursor - height // 2
        return max(0, min(first, num - height))

    def _build_column(self) -> Content:
        self._first = self._find_first()
        width = self.size.width - 4
        lines = []
        records = self._session.list_window(self._first, self.size.height)
        for place, record in enumerate(records, self._first):
            name = Content(name_image(record.image_path)).truncate(width, ellipsis=True, pad=True)
            lines.append(self._build_label(place, record, name))
        return Content("\n").join(lines)

    def _build_strip(self) -> Content:
        """As many names as fit, from one that stays while the cursor's name fits behind it."""
        cursor = min(self._session.cursor, len(self._session.shown) - 1)
        self._first = min(self._first, cursor)
        labels = self._list_labels(self._first)
        if not any(place == cursor for place, _ in labels):
            # the cursor's name comes to the middle
            self._first = max(0, cursor - self._count_before(cursor))
            labels = self._list_labels(self._first)
        end, self._ends = 0, []
        for place, label in labels:
            end += label.cell_length + len(_GAP)
            self._ends.append((end, place))
        return Content(_GAP).join(label for _, label in labels).truncate(self.size.width)

    def _list_labels(self, first: int) -> list[tuple[int, Content]]:
        """Labels from a place on, as many as fit whole, and at least one."""
        labels: list[tuple[int, Content]] = []
        room = self.size.width
        for place, record in enumerate(self._session.list_window(first, room // 4 + 1), first):
            label = self._build_short(place, record)
            room -= label.cell_length
            if labels and room < 0:
                break
            labels.append((place, label))
            room -= len(_GAP)
        return labels

    def _count_before(self, cursor: int) -> int:
        """How many names fit into the half of the strip before the cursor's."""
        room, num = self.size.width // 2, 0
        first = max(0, cursor - room // 4)
        for place, record in reversed(
            list(enumerate(self._session.list_window(first, cursor - first), first))
        ):
            room -= self._build_short(place, record).cell_length + len(_GAP)
            if room < 0:
                break
            num += 1
        return num

    def _build_short(self, place: int, record: ImageRecord) -> Content:
        name = name_image(record.image_path)
        short = Content(name.rpartition(".")[0] or name)
        width = min(_MAX_NAME_CELLS, max(self.size.width - 4, 1))
        return self._build_label(place, record, short.truncate(width, ellipsis=True))

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
