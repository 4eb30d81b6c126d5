"""The settings screen: groups at the left, settings at the right, the words of one below."""

import subprocess
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from lorawiz.errors import LorawizError, visible_text
from lorawiz.paths import Project
from lorawiz.tui.language import tr
from lorawiz.tui.screens.asking import VisibleInput
from lorawiz.tui.screens.dialogs import Choice, ChoiceScreen
from lorawiz.tui.settings.editing import EditingScreen
from lorawiz.tui.settings.editor import build_command, find_editor
from lorawiz.tui.settings.field_help import FieldHelp
from lorawiz.tui.settings.field_list import FieldList
from lorawiz.tui.settings.group_list import GroupList
from lorawiz.tui.settings.header import SettingsHeader
from lorawiz.tui.settings.session import SettingsSession
from lorawiz.tui.settings.words import visible_lines
from lorawiz.tui.theme import Tone
from lorawiz.tui.widgets.key_lines import KeyLines

_WATCH_S = 0.5
_WIDTHS = [(0, "-narrow"), (56, "-normal"), (110, "-wide")]
"""From which width in cells on the screen has a class."""
_HEIGHTS = [(0, "-low"), (20, "-usual"), (32, "-high")]
"""From how many lines on it has one."""
_EDITS = {"edit", "step", "choice", "unset", "template"}
_NOT_WHILE_TYPING = {"undo", "redo", "search"}
"""Their keys with ctrl would act unseen behind the search."""


class SettingsScreen(EditingScreen):
    """Draws a SettingsSession over a project's lorawiz.toml."""

    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    DEFAULT_CSS = """
    SettingsScreen {
        layers: base;
        #body, #right, #fields { height: 1fr; }
        #groups { width: 19; height: 1fr; border-right: solid $frame; }
        #help { height: 8; }
        #search-line { display: none; height: 1; padding: 0 1; }
        #slash { width: 2; color: $accent; }
        #search { width: 1fr; }
        &.-searching #search-line { display: block; }
        &.-narrow #groups { display: none; }
        &.-low #help { height: 5; }
        &.-high #help { height: 11; }
        &.-wide #groups { width: 24; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search", tooltip="search in names and help, over all groups"),
        Binding("c", "changed", "changed", tooltip="only what is changed, or everything again"),
        Binding("e", "editor", "editor", tooltip="open the file in your editor, at this line"),
        Binding("tab,J", "group(1)", "group", tooltip="next group"),
        Binding("shift+tab,K", "group(-1)", show=False, tooltip="group before"),
        Binding("down,j", "move(1)", show=False, tooltip="next setting"),
        Binding("up,k", "move(-1)", show=False, tooltip="setting before"),
        Binding("ctrl+d,pagedown", "move(10)", show=False, tooltip="ten settings on"),
        Binding("ctrl+u,pageup", "move(-10)", show=False, tooltip="ten settings back"),
        Binding("g,home", "move_to_end(False)", show=False, tooltip="first setting"),
        Binding("G,end", "move_to_end(True)", show=False, tooltip="last setting"),
        Binding("escape", "back", "back", tooltip="back: search, changed, then leave"),
        Binding("q,ctrl+q,ctrl+c", "quit", show=False, tooltip="leave; everything is saved"),
    ]

    def __init__(self, project: Project, at_key: str = "") -> None:
        super().__init__(SettingsSession(project, at_key))
        self._header = SettingsHeader(self.session)
        self._groups = GroupList(self.session)
        self._fields = FieldList(self.session)
        self._help = FieldHelp(self.session)
        self._search = VisibleInput(placeholder=tr("search"), id="search")
        self._search.can_focus = False
        self._came_from = ""

    def compose(self) -> ComposeResult:
        yield self._header
        with Horizontal(id="body"):
            yield self._groups
            with Vertical(id="right"):
                with Horizontal(id="search-line"):
                    yield Static("/ ", id="slash", markup=False)
                    yield self._search
                yield self._fields
                yield self._help
        yield KeyLines()

    def on_mount(self) -> None:
        self.set_interval(_WATCH_S, self._watch)

    # drawing

    def say(self, text: str, tone: Tone = "note") -> None:
        self._header.say(text, tone)

    def show_all(self) -> None:
        for widget in (self._header, self._groups, self._fields, self._help):
            widget.refresh()
        self.refresh_bindings()

    def _watch(self) -> None:
        """Take in what another session, an editor or git changed."""
        if self.session.file.reload_if_changed():
            self.session.refresh()
            self.say(tr("changed elsewhere: read again"))
            self.show_all()

    # moving

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in _NOT_WHILE_TYPING and self._search.has_focus:
            return False
        if action in _EDITS:
            setting = self.find_setting()
            if setting is None:
                return False
            can_step = setting.kind == "switch" or len(setting.listed) > 1
            return action not in ("step", "choice") or can_step
        return super().check_action(action, parameters)

    def action_move(self, step: int) -> None:
        self.session.move(step)
        self.show_all()

    def action_move_to_end(self, is_last: bool) -> None:
        self.session.move_to_end(is_last)
        self.show_all()

    def action_group(self, step: int) -> None:
        self.session.move_group(step)
        self.show_all()

    @on(FieldList.Scrolled)
    def _scroll(self, event: FieldList.Scrolled) -> None:
        self.action_move(event.step)

    @on(FieldList.Chosen)
    async def _go_to_clicked(self, event: FieldList.Chosen) -> None:
        if event.place == self.session.cursor:
            await self.action_edit()
        else:
            self.session.go_to_place(event.place)
            self.show_all()

    @on(GroupList.Chosen)
    def _go_to_group(self, event: GroupList.Chosen) -> None:
        self.session.go_to_group(event.name)
        self._show_search()
        self.show_all()

    # finding

    def action_search(self) -> None:
        current = self.session.current
        self._came_from = current.key if current is not None else ""
        self._search.can_focus = True
        self.add_class("-searching")
        self._search.focus()

    @on(Input.Changed, "#search")
    def _find(self) -> None:
        if self._search.value != self.session.search:
            self.session.find(self._search.value)
            self.show_all()

    @on(Input.Submitted, "#search")
    def _keep_found(self) -> None:
        self.set_focus(None)
        self._search.can_focus = False
        self._show_search()

    def _show_search(self) -> None:
        """The line of the search is there while there is one."""
        if not self.session.search.strip() or self._search.value != self.session.search:
            self._search.value = self.session.search
        self.set_class(bool(self.session.search.strip()), "-searching")

    def action_changed(self) -> None:
        self.session.show_changed(not self.session.only_changed)
        self.show_all()

    def action_back(self) -> None:
        session = self.session
        if self.has_class("-searching"):
            session.find("")
            if self._search.has_focus:  # nothing was chosen
                session.go_to(self._came_from)
            self._search.value = ""
            self._keep_found()
            self.show_all()
        elif session.only_changed:
            self.action_changed()
        else:
            self.action_quit()

    def action_quit(self) -> None:
        self.leave()

    # the editor

    def action_editor(self) -> None:
        """Lend the terminal to the user's editor, then read the file again."""
        session, spec = self.session, self.session.file.project.spec
        try:
            command = build_command(find_editor(), spec, session.find_line())
            with self.app.suspend():
                status = subprocess.run(command, check=False).returncode
        except SuspendNotSupported:
            self._advise_other_terminal()
            return
        except LorawizError as error:
            self.complain(error)
            return
        except OSError as error:
            reason = visible_text(f"{error.filename or ''}: {error.strerror}".strip(": "))
            self.say(tr("the editor did not start: {reason}", reason=reason), "error")
            return
        is_changed = session.file.reload_if_changed()
        session.refresh()
        session.go_to_mistake()
        self.show_all()
        self._say_edited(command[0], status, is_changed)

    def _say_edited(self, editor: str, status: int, is_changed: bool) -> None:
        state = self.session.state
        if state.failure is not None or state.problems:
            self._offer_editor()
        if status:
            name = visible_text(Path(editor).name)
            self.say(tr("{editor} ended with {status}", editor=name, status=status), "warning")
        else:
            self.say(tr("read again") if is_changed else tr("nothing was changed"))

    def _advise_other_terminal(self) -> None:
        path = visible_text(str(self.session.file.project.spec))
        self.notify(
            tr("Open {path} on that machine in another terminal: what is saved shows here.",
               path=path),
            title=tr("this terminal cannot be lent to an editor"),
            markup=False,
        )  # fmt: skip

    def _offer_editor(self) -> None:
        """The file is wrong now: show why, and open it again if that is wanted."""
        failure, problems = self.session.state.failure, self.session.state.problems
        said = str(failure) if failure is not None else "\n".join(p.message for p in problems)
        choices = [
            Choice("e", tr("open it again there"), True),
            Choice("escape", tr("leave it as it is; nothing is written over it"), False),
        ]

        def obey(is_wanted: bool | None) -> None:
            if is_wanted:
                self.action_editor()

        self.app.push_screen(ChoiceScreen(visible_lines(said), choices), obey)
