"""The file dialog: files or folders picked from the disk by keys, over SSH as well."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from lorawiz.errors import visible_text
from lorawiz.tui.background import run_in_background
from lorawiz.tui.folders import (
    Entry,
    FolderView,
    complete_path,
    count_files,
    find_start,
    read_folder,
    read_path,
)
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.screens.asking import VisibleInput
from lorawiz.tui.screens.help import HelpScreen, list_keys
from lorawiz.tui.theme import STYLES, Tone
from lorawiz.tui.widgets.file_list import FileList
from lorawiz.tui.widgets.key_lines import KeyLines

_READING_S = 0.3
"""A folder that takes longer to be read says so."""
_IN_LINE = {"path", "leave"}
"""What keys do while a line is typed."""


class FileDialog(ModalScreen[list[Path] | None]):
    """Asks for files, folders, or either; answers with whole paths, or None where it was left.

    Files that have none of `suffixes` are left out. With `many`, several can be marked.
    """

    DEFAULT_CSS = """
    FileDialog {
        align: center middle;
        #dialog {
            width: 90%; max-width: 100; height: 92%;
            border: round $accent; border-title-color: $accent; border-subtitle-color: $text-muted;
            background: $surface; padding: 0 1;
        }
        #path { width: 1fr; height: 1; }
        #line { display: none; }
        &.-typing #line { display: block; }
        &.-typing-path #path { display: none; }
        #remark { height: 1; color: $text-muted; }
        KeyLines { padding: 0; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "take", tooltip="take it; of .. and unfit folders: open"),
        Binding("right,l", "open", "open", tooltip="open the folder"),
        Binding("left,h,backspace", "up", "up", tooltip="the folder above"),
        Binding("space", "mark", "mark", tooltip="mark it, or not any more"),
        Binding("a", "mark_all", "all", tooltip="mark all files that are shown, or none"),
        Binding("slash", "filter", "filter", tooltip="show only names with these letters"),
        Binding("colon", "path", "path", tooltip="type a path; tab completes it"),
        Binding("tab", "path", show=False, tooltip="type a path; tab completes it", priority=True),
        Binding("tilde", "home", "home", tooltip="type a path in the home folder"),
        Binding("full_stop", "hidden", "hidden", tooltip="show hidden names, or hide them"),
        Binding("down,j", "move(1)", show=False, tooltip="next"),
        Binding("up,k", "move(-1)", show=False, tooltip="before"),
        Binding("ctrl+d,pagedown", "move(10)", show=False, tooltip="ten on"),
        Binding("ctrl+u,pageup", "move(-10)", show=False, tooltip="ten back"),
        Binding("g,home", "move_to_end(False)", show=False, tooltip="first"),
        Binding("G,end", "move_to_end(True)", show=False, tooltip="last"),
        Binding("question_mark,f1", "help", "help", tooltip="this list"),
        Binding("escape", "leave", "back", tooltip="back: line, filter, then leave"),
        Binding("ctrl+c,ctrl+q", "leave", show=False, tooltip="back: line, filter, then leave"),
        Binding("q", "quit", show=False, tooltip="leave; nothing is taken"),
    ]

    def __init__(
        self,
        title: str,
        start: Path,
        wanted: Literal["file", "folder", "any"],
        suffixes: frozenset[str] = frozenset(),
        many: bool = False,
    ) -> None:
        """`suffixes` in small letters, with their dots."""
        super().__init__()
        self._title, self._start, self._many = title, start, many
        self._view = FolderView(wanted, suffixes)
        self._list = FileList(self._view)
        self._path = Static(id="path", markup=False)
        self._remark = Static(id="remark", markup=False)
        self._line = VisibleInput(id="line", select_on_focus=False)
        self._line.can_focus = False
        self._is_reading = False
        self._opened = ""
        """What the path line held when it was opened."""

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as frame:
            frame.border_title = Content(visible_text(self._title))
            yield self._path
            yield self._line
            yield self._list
            yield self._remark
            yield KeyLines()

    def on_mount(self) -> None:
        self.run_worker(self._begin(), group="read", exclusive=True)

    # reading

    async def _begin(self) -> None:
        folder, name = await run_in_background(lambda: find_start(self._start))
        await self._read(folder, name)

    def _go_to(self, folder: Path, at_name: str = "") -> None:
        self.run_worker(self._read(folder, at_name), group="read", exclusive=True)

    async def _read(self, folder: Path, at_name: str) -> None:
        """Show a folder once it is read; until then the old one stays, and nothing is taken."""
        self._is_reading = True
        sign = self.set_timer(_READING_S, lambda: self._say(tr("reading…")))
        try:
            content = await run_in_background(lambda: read_folder(folder))
        finally:
            sign.stop()
        self._is_reading = False
        self._view.show(content, at_name)
        self._show_all()

    async def _count(self, entries: Sequence[Entry]) -> None:
        """Count what is in the folders that are shown, one after the other."""
        view = self._view
        for path in [view.path_of(entry) for entry in entries if entry.kind == "folder"]:
            if path not in view.counts:
                num = await run_in_background(lambda path=path: count_files(path, view.suffixes))  # type: ignore[misc]
                view.counts[path] = num
                self._list.refresh()

    # drawing

    def _show_all(self) -> None:
        view = self._view
        width = max(self._list.size.width, 1)
        path = Content(visible_text(str(view.folder)))
        if path.cell_length > width:  # the end of a path says most
            path = Content.assemble("…", path[-(width - 1) :])
        self._path.update(path.stylize("bold"))
        self._list.refresh()
        self._describe()
        self.refresh_bindings()
        if view.suffixes:
            self.call_after_refresh(self._count_shown)

    def _count_shown(self) -> None:
        self.run_worker(self._count(self._list.visible_entries), group="count", exclusive=True)

    def _describe(self) -> None:
        view = self._view
        pieces = []
        if view.wanted != "folder":
            pieces.append(tr_count(view.num_files, "{num} file", "{num} files"))
        if view.filter:
            pieces.append(tr("filter: {text}", text=visible_text(view.filter)))
        if view.suffixes and view.num_left_out:
            pieces.append(tr("{num} of other kinds left out", num=view.num_left_out))
        if view.marked:
            pieces.append(tr("{num} marked", num=len(view.marked)))
        self._say(" · ".join(pieces))

    def _say(self, text: str, tone: Tone = "note") -> None:
        shown = Content.styled(visible_text(text), STYLES[tone])
        self._remark.update(shown.truncate(max(self._remark.size.width, 1), ellipsis=True))

    # keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if self.has_class("-typing") and action in _ACTIONS:
            return action in _IN_LINE
        entry = self._view.current
        if action in ("mark", "mark_all") and not self._many:
            return False
        if action == "mark":
            return entry is not None and self._view.can_take(entry)
        if action == "open":
            return entry is not None and entry.kind == "folder"
        return super().check_action(action, parameters)

    def action_move(self, step: int) -> None:
        self._view.go_to(self._view.cursor + step)
        self._show_all()

    def action_move_to_end(self, is_last: bool) -> None:
        self._view.go_to(len(self._view.shown) if is_last else 0)
        self._show_all()

    @on(FileList.Scrolled)
    def _scroll(self, event: FileList.Scrolled) -> None:
        self.action_move(event.step)

    @on(FileList.Chosen)
    def _go_to_clicked(self, event: FileList.Chosen) -> None:
        if event.place != self._view.cursor:
            self._view.go_to(event.place)
            self._show_all()
        elif self._view.shown[event.place].kind == "folder":
            self.action_open()
        else:
            self.action_take()

    def action_open(self) -> None:
        entry = self._view.current
        if entry is None or entry.kind != "folder" or self._is_reading:
            return
        if entry.name == "..":
            self.action_up()
        elif entry.name != ".":
            self._go_to(self._view.path_of(entry))

    def action_up(self) -> None:
        folder = self._view.folder
        if not self._is_reading and folder != folder.parent:
            self._go_to(folder.parent, folder.name)

    def action_take(self) -> None:
        view, entry = self._view, self._view.current
        if self._is_reading:
            return
        if view.marked:
            self.dismiss(list(view.marked))
        elif entry is not None and view.can_take(entry):
            self.dismiss([view.path_of(entry)])
        elif entry is not None and entry.kind == "folder":
            self.action_open()
        elif entry is not None:
            self._say(view.explain(entry), "warning")

    def action_mark(self) -> None:
        entry = self._view.current
        if entry is not None and not self._is_reading:
            self._view.toggle_mark(entry)
            self.action_move(1)

    def action_mark_all(self) -> None:
        if not self._is_reading:
            self._view.toggle_all()
            self._show_all()

    def action_hidden(self) -> None:
        self._view.toggle_hidden()
        self._show_all()

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen(list_keys(self.app, self.active_bindings.values())))

    def action_leave(self) -> None:
        is_finding = bool(self._view.filter) and not self.has_class("-typing-path")
        if is_finding:
            self._view.find("")
        if self.has_class("-typing"):
            self._close_line()
        elif is_finding:
            self._show_all()
        else:
            self.action_quit()

    def action_quit(self) -> None:
        self.dismiss(None)

    # the line: a path, or letters to find

    async def action_path(self) -> None:
        if self.has_class("-typing"):
            await self._complete()
            return
        shown = visible_text(str(self._view.folder)).rstrip("/")
        self._open_line(f"{shown}/", is_path=True)

    def action_home(self) -> None:
        self._open_line("~/", is_path=True)

    def action_filter(self) -> None:
        self._open_line(self._view.filter, is_path=False)

    def _open_line(self, text: str, is_path: bool) -> None:
        self._opened = text
        self._line.placeholder = "" if is_path else tr("letters of the name")
        self.add_class("-typing")
        self.set_class(is_path, "-typing-path")
        self._line.can_focus = True
        self._line.value = text
        self._line.cursor_position = len(text)
        self._line.focus()
        if is_path:
            self._say(tr("tab completes · enter opens or takes it · ~ is the home folder"))

    def _close_line(self) -> None:
        self.set_focus(None)
        self._line.can_focus = False
        self.remove_class("-typing", "-typing-path")
        self._show_all()

    @on(Input.Changed, "#line")
    def _find(self) -> None:
        if self.has_class("-typing") and not self.has_class("-typing-path"):
            self._view.find(self._line.value)
            self._show_all()

    @on(Input.Submitted, "#line")
    async def _submit(self) -> None:
        if not self.has_class("-typing-path"):
            self._close_line()
            return
        typed = self._line.value
        if typed == self._opened and typed != "~/":
            self._close_line()
            return
        path = read_path(typed, self._view.folder)
        kind = await run_in_background(lambda: _find_kind(path))
        if kind == "folder":
            self._close_line()
            self._go_to(path)
        elif kind == "file" and self._view.wanted != "folder":
            self.dismiss([path])
        elif kind == "file":
            self._say(tr("a folder is wanted, and this is a file"), "warning")
        else:
            self._say(tr("no such file or folder"), "warning")

    async def _complete(self) -> None:
        if not self.has_class("-typing-path"):
            return
        typed, folder = self._line.value, self._view.folder
        completed, names = await run_in_background(lambda: complete_path(typed, folder))
        if self._line.value == typed:
            self._line.value = completed
            self._line.cursor_position = len(completed)
            self._say("  ".join(names) if names else "")


def _find_kind(path: Path) -> Literal["folder", "file", ""]:
    try:
        return "folder" if path.is_dir() else "file" if path.is_file() else ""
    except (OSError, ValueError):  # a name that no file can have
        return ""


_ACTIONS = frozenset(
    each.action.partition("(")[0] for each in FileDialog.BINDINGS if isinstance(each, Binding)
)
