"""The tags screen: look through all tags, find some, see what they stand on, change them."""

import asyncio
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Input, Static

from lorawiz.errors import LorawizError
from lorawiz.tui.language import tr
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.screens.asking import VisibleInput
from lorawiz.tui.tags.commands import ACTIONS, TagCommands
from lorawiz.tui.tags.finding import quote_tags
from lorawiz.tui.tags.panels import AboutTag, PreviewPanel, TagsHeader
from lorawiz.tui.tags.table import TagTable
from lorawiz.tui.theme import Tone
from lorawiz.tui.widgets.key_lines import KeyLines

ABOUT_DELAY_S = 0.1
"""While a key is held only the table moves; what is said of a tag comes after the last key."""
_WATCH_S = 1.0
_WHILE_FINDING = {"move", "back"}
_WIDTHS = [(0, "-narrow"), (64, "-normal"), (110, "-wide")]
_HEIGHTS = [(0, "-low"), (30, "-tall")]
"""From which size in cells on the screen has a class."""


class TagsScreen(TagCommands):
    """Draws a TagsModel. Leaves with a filter for a tag's images, or None."""

    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    DEFAULT_CSS = """
    TagsScreen {
        #body { height: 1fr; }
        #tags { width: 1fr; }
        #about { width: 29; }
        #find { height: 1; padding: 0 1; display: none; }
        #find Static { width: 2; color: $accent; }
        #find VisibleInput { width: 1fr; }
        &.-finding #find { display: block; }
        &.-wide #about { width: 46; }
        &.-narrow #about { display: none; }
        &.-tall PreviewPanel { height: 9; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "choose", "select", tooltip="select the tag, or not any more"),
        Binding("slash", "find", "find", tooltip="find tags as you type"),
        Binding("s", "sort", "sort", tooltip="sort by count, name or share"),
        Binding("down,j", "move(1)", show=False, tooltip="next tag"),
        Binding("up,k", "move(-1)", show=False, tooltip="tag before"),
        Binding("ctrl+d,pagedown", "page(1)", show=False, tooltip="a page on"),
        Binding("ctrl+u,pageup", "page(-1)", show=False, tooltip="a page back"),
        Binding("g,home", "move_to_end(0)", show=False, tooltip="first tag"),
        Binding("G,end", "move_to_end(1)", show=False, tooltip="last tag"),
    ]

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self._header = TagsHeader(self.model)
        self._table = TagTable(self.model)
        self._about = AboutTag(self.model)
        self._preview = PreviewPanel()
        self._input = VisibleInput(id="wanted")
        self._pause: Timer | None = None
        """Runs while keys may still follow."""
        self._complaint = ""

    def compose(self) -> ComposeResult:
        yield self._header
        with Horizontal(id="body"):
            with Vertical(id="tags"):
                with Horizontal(id="find"):
                    yield Static("/", markup=False)
                    yield self._input
                yield self._table
            yield self._about
        yield self._preview
        yield KeyLines()

    def on_mount(self) -> None:
        self.model.recount()
        self.say(tr("every key shows here first what it will change"))
        self.show_all()
        self.call_after_refresh(self.learn)
        self.set_interval(_WATCH_S, self._watch)

    # drawing

    def say(self, text: str, tone: Tone = "note") -> None:
        self._preview.say(text, tone)

    def show_all(self) -> None:
        model = self.model
        if not model.counts:
            self._table.nothing = tr("no tags yet: lorawiz tag finds some, a adds one")
        else:
            self._table.nothing = tr("no tag like that: esc shows all")
        self._header.refresh()
        self._table.refresh()
        self._about.show()
        step = ""
        if model.queue:
            at = model.num_queued - len(model.queue) + 1
            step = tr("{at} of {num}", at=at, num=model.num_queued)
        self._preview.show(model.prepared, step)
        self.refresh_bindings()

    def on_resize(self) -> None:
        self.call_after_refresh(self._about.show)

    def _go_to(self, place: int) -> None:
        if not self.model.move_to(place):
            return
        self._table.refresh()
        if self._pause is None:
            self._about.show()
        else:
            self._pause.stop()
        self._pause = self.set_timer(ABOUT_DELAY_S, self._settle)

    def _settle(self) -> None:
        self._pause = None
        self._about.show()

    # what others do, and what takes longer

    def learn(self) -> None:
        self.run_worker(self._learn(), group="learn", exclusive=True)

    async def _learn(self) -> None:
        await self.work(self.model.learn)
        self.show_all()

    async def _watch(self) -> None:
        """Take in what another session, an editor or git changed."""
        if not self.model.is_changed_elsewhere():
            return
        try:
            is_other = await asyncio.to_thread(self.model.reload)
        except (LorawizError, OSError) as error:
            if str(error) != self._complaint:  # said once, not every second
                self.complain(error)
            self._complaint = str(error)
            self.show_all()
            return
        self._complaint = ""
        if not is_other:
            return
        self.say(tr("changed elsewhere: read again"))
        if self.model.prepared is not None and not await self.attempt(self.model.prepare_again):
            self.model.drop()
        self.show_all()
        self.learn()

    # keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if self.has_class("-finding"):
            return action in _WHILE_FINDING
        if action not in MOVES:
            return super().check_action(action, parameters)
        if self.model.prepared is not None:
            return False
        return action != "choose" or bool(self.model.rows)

    def action_move(self, step: int) -> None:
        self._go_to(self.model.cursor + step)

    def action_page(self, step: int) -> None:
        self._go_to(self.model.cursor + step * self._table.num_lines)

    def action_move_to_end(self, end: int) -> None:
        self._go_to(end * len(self.model.rows))

    @on(TagTable.Chosen)
    def _go_to_clicked(self, event: TagTable.Chosen) -> None:
        if self.model.prepared is None:
            self._go_to(event.place)

    @on(TagTable.Scrolled)
    def _scroll(self, event: TagTable.Scrolled) -> None:
        if self.model.prepared is None:
            self._go_to(self.model.cursor + event.step)

    @on(TagTable.HeadClicked)
    def action_sort(self) -> None:
        if self.model.prepared is None:
            self.model.set_sort(self.model.next_sort())
            self.show_all()

    def action_choose(self) -> None:
        self.model.toggle_chosen()
        self.model.move_to(self.model.cursor + 1)
        self.show_all()

    def action_find(self) -> None:
        self.add_class("-finding")
        self._input.value = self.model.wanted
        self.call_after_refresh(self._input.focus)

    @on(Input.Changed)
    def _find(self, event: Input.Changed) -> None:
        if self.has_class("-finding"):
            self.model.find(event.value)
            self.show_all()

    @on(Input.Submitted)
    def _end_finding(self) -> None:
        self.set_focus(None)
        self.remove_class("-finding")

    def action_images(self) -> None:
        self.leave(quote_tags(self.model.operands))

    def action_back(self) -> None:
        if self.has_class("-finding") or self.model.wanted:
            self._end_finding()
            self.model.find("")
        elif self.model.chosen:
            self.model.chosen.clear()
        else:
            self.leave()
            return
        self.show_all()

    def action_quit(self) -> None:
        self.leave()


MOVES = {
    binding.action.partition("(")[0]
    for binding in TagsScreen.BINDINGS
    if isinstance(binding, Binding)
} - ACTIONS
"""The actions that change nothing but what is shown."""
