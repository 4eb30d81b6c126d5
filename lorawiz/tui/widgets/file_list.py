"""The names of a folder, a line each; only those that fit are ever drawn."""

from collections.abc import Sequence

from textual.content import Content
from textual.geometry import Offset

from lorawiz.errors import visible_text
from lorawiz.tui.folders import HERE, UP, Entry, FolderView
from lorawiz.tui.language import tr
from lorawiz.tui.theme import STYLES, Tone
from lorawiz.tui.widgets.cursor_list import CursorList
from lorawiz.wording import show_bytes

_GAP = "  "
_MOST_RIGHT_CELLS = 20


class FileList(CursorList):
    """Marks and names at the left; sizes, and what folders hold, at the right."""

    DEFAULT_CSS = "FileList { height: 1fr; }"

    def __init__(self, view: FolderView) -> None:
        super().__init__(id="files")
        self._view = view
        self._first = 0

    @property
    def visible_entries(self) -> Sequence[Entry]:
        """What is drawn with the cursor where it is."""
        first = self._find_first()
        return self._view.shown[first : first + max(self.size.height, 1)]

    def _find_first(self) -> int:
        view, height = self._view, max(self.size.height, 1)
        return max(0, min(view.cursor - height // 2, len(view.shown) - height))

    def render(self) -> Content:
        view = self._view
        self._first = self._find_first()
        lines = [
            self._build_line(place, view.shown[place])
            for place in range(self._first, self._first + len(self.visible_entries))
        ]
        empty = self._explain_empty()
        if empty is not None and len(lines) < self.size.height:
            lines.append(empty)
        return Content("\n").join(lines)

    def find_place(self, offset: Offset) -> int | None:
        place = self._first + offset.y
        return place if place < len(self._view.shown) else None

    def _explain_empty(self) -> Content | None:
        view = self._view
        if view.content.error:
            reason = visible_text(view.content.error)
            said = tr("cannot be looked into: {reason}", reason=reason)
            return Content.styled(f" ✗ {said}", STYLES["error"])
        if any(entry.name not in (HERE, UP) for entry in view.shown):
            return None
        said = tr("no such name here: esc shows all") if view.filter else tr("nothing here")
        return Content.styled(f"   {said}", STYLES["note"])

    def _build_line(self, place: int, entry: Entry) -> Content:
        view, width = self._view, self.size.width
        is_current = place == view.cursor
        is_marked = view.path_of(entry) in view.marked and entry.name != UP
        right, tone = self._describe(entry)
        end = Content.styled(right, STYLES[tone]).truncate(_MOST_RIGHT_CELLS, ellipsis=True)
        name = visible_text(entry.name) + ("/" if entry.kind == "folder" else "")
        can_be_used = entry.kind in ("file", "folder")
        left = Content.assemble(
            ("▸" if is_current else " ", STYLES["accent"]),
            ("*" if is_marked else " ", STYLES["accent"]),
            " ",
            (name, "" if can_be_used else STYLES["note"]),
        )
        room = max(width - end.cell_length - len(_GAP), 1)
        line = Content.assemble(left.truncate(room, ellipsis=True, pad=True), _GAP, end)
        return line.stylize("bold") if is_current else line

    def _describe(self, entry: Entry) -> tuple[str, Tone]:
        view = self._view
        if entry.name == UP:
            return "", "note"
        if entry.name == HERE:
            return tr("this folder"), "note"
        if entry.kind == "folder":
            count = view.counts.get(view.path_of(entry), "")
            return visible_text(str(count or "")), "note"
        if entry.kind == "broken":
            return tr("broken link"), "warning"
        if entry.kind == "other":
            return tr("no file"), "note"
        return show_bytes(entry.num_bytes), "plain"
