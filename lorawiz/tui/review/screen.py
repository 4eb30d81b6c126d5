"""The review screen: move through the images, look at them, filter and select, set the crop."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer

from lorawiz.dataset.filters import FilterError, parse_filter
from lorawiz.dataset.records import Crop, ImageRecord
from lorawiz.errors import LorawizError
from lorawiz.tui.images import ImageWidget
from lorawiz.tui.review import crop_box
from lorawiz.tui.review.details import Details
from lorawiz.tui.review.editing import EditingScreen, name_images
from lorawiz.tui.review.header import ReviewHeader
from lorawiz.tui.review.image_list import ImageList
from lorawiz.tui.review.picture_view import PictureView
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.screens.asking import Remark, TextScreen
from lorawiz.tui.screens.base import BaseScreen
from lorawiz.tui.widgets.key_lines import KeyLines

PICTURE_DELAY_S = 0.1
"""While a key is held only the list moves; the picture comes after the last key."""
_WATCH_S = 1.0
_PROBLEMS_DELAY_S = 0.5
_MAX_PROBLEMS_S = 1.0
"""Where looking for problems takes longer, it is done once, when the screen opens."""
_NUM_AHEAD = 2
_WIDTHS = [(0, "-narrow"), (56, "-normal"), (110, "-wide")]
"""From which width in cells on the screen has a class."""

_ANYWHERE = {"help", "undo", "redo", "scroll_details", "zoom"}
_CROPPING = {"nudge", "scale", "reset_crop", "save_crop", "leave_crop"}
_WITHOUT_IMAGES = {"back", "quit", "filter"}


class ReviewScreen(EditingScreen):
    """Draws a ReviewSession; the crop box is a mode in which arrows move the box."""

    HORIZONTAL_BREAKPOINTS = _WIDTHS
    DEFAULT_CSS = """
    ReviewScreen {
        layers: base;
        #columns, #body { height: 1fr; }
        PictureView { width: 2fr; }
        Details { width: 3fr; }
        #list { height: 1; width: 1fr; }

        &.-wide {
            PictureView { width: 1fr; }
            Details { width: 44; }
            #list { dock: left; height: 1fr; width: 30; border-right: solid $frame; }
        }
        &.-narrow Details { width: 1fr; }
        &.-narrow PictureView { display: none; }
        &.-zoom PictureView { display: block; width: 1fr; }
        &.-zoom Details { display: none; }
        &.-zoom #list { dock: none; height: 1; width: 1fr; border-right: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "next_finding(1)", "finding", tooltip="next finding"),
        Binding("left_square_bracket", "next_finding(-1)", show=False, tooltip="finding before"),
        Binding("n", "next_bare", "untagged", tooltip="next without tags or caption"),
        Binding("b", "crop", "crop box", tooltip="move the crop box"),
        Binding("slash", "filter", "filter", tooltip="filter"),
        Binding("v", "select", "select", tooltip="select, or not any more"),
        Binding("a", "select_shown", "all", tooltip="select all that are shown"),
        Binding("z", "zoom", "zoom", tooltip="the picture alone"),
        Binding("J", "scroll_details(1)", show=False, tooltip="scroll the words down"),
        Binding("K", "scroll_details(-1)", show=False, tooltip="scroll the words up"),
        Binding("down,right,j,l", "move(1)", show=False, tooltip="next image"),
        Binding("up,left,k,h", "move(-1)", show=False, tooltip="image before"),
        Binding("ctrl+d,pagedown", "move(10)", show=False, tooltip="ten images on"),
        Binding("ctrl+u,pageup", "move(-10)", show=False, tooltip="ten images back"),
        Binding("g,home", "move_to_end(0)", show=False, tooltip="first image"),
        Binding("G,end", "move_to_end(1)", show=False, tooltip="last image"),
        Binding("left,h", "nudge(-1, 0)", "move", key_display="←↑↓→", tooltip="move the box"),
        Binding("right,l", "nudge(1, 0)", show=False, tooltip="move the box"),
        Binding("up,k", "nudge(0, -1)", show=False, tooltip="move the box"),
        Binding("down,j", "nudge(0, 1)", show=False, tooltip="move the box"),
        Binding("plus,equals_sign", "scale(1)", "larger", tooltip="a larger box"),
        Binding("minus", "scale(-1)", "smaller", tooltip="a smaller box"),
        Binding("r", "reset_crop", "whole picture", tooltip="the whole picture"),
        Binding("enter", "save_crop", "save", tooltip="save the box"),
        Binding("escape,q,b", "leave_crop", "leave it", tooltip="leave the box as it was"),
        Binding("escape", "back", "back", tooltip="back: zoom, selection, filter, then leave"),
        Binding("q,ctrl+q,ctrl+c", "quit", show=False, tooltip="leave; everything is saved"),
    ]

    def __init__(self, session: ReviewSession, image_widget: ImageWidget | None) -> None:
        super().__init__(session)
        self._header = ReviewHeader(session)
        self._picture = PictureView(session.project, image_widget)
        self._details = Details(session)
        self._list = ImageList(session)
        self._keys = KeyLines()
        self._box: Crop | None = None
        """The crop box while it is moved."""
        self._pause: Timer | None = None
        """Runs while keys may still follow."""
        self._problems_timer: Timer | None = None
        self._problems_s = 0.0
        self._complaint = ""

    def compose(self) -> ComposeResult:
        yield self._header
        with Vertical(id="columns"):
            with Horizontal(id="body"):
                yield self._picture
                yield self._details
            yield self._list
        yield self._keys

    def on_mount(self) -> None:
        self.show_all()
        self.set_interval(_WATCH_S, self._watch)
        if not self.session.is_known:
            self.call_after_refresh(self._start_learning)

    # drawing

    def say(self, text: str) -> None:
        self._header.say(text)

    def show_all(self) -> None:
        self._header.refresh()
        self._list.refresh()
        self._show_details()
        self._show_picture()
        self.refresh_bindings()

    def _show_details(self) -> None:
        if not self.session.records:
            nothing = "no images here yet: lorawiz add PHOTOS…"
        else:
            nothing = "no image matches the filter: esc clears it, / changes it"
        self._details.show(nothing)

    def _show_picture(self) -> None:
        session = self.session
        near = [session.cursor + step for step in (*range(1, _NUM_AHEAD + 1), -1)]
        ahead = [session.record_at(place) for place in near if 0 <= place < len(session.shown)]
        record = session.current
        crop = self._box or (record.crop if record is not None else None)
        self._picture.show(record, crop, () if self._box else ahead)

    def _go_to(self, place: int) -> None:
        """Only the list moves until no key follows; the first step shows the words at once."""
        if not self.session.move_to(place):
            return
        self._header.refresh()
        self._list.refresh()
        if self._pause is None:
            self._show_details()
        else:
            self._pause.stop()
        self._pause = self.set_timer(PICTURE_DELAY_S, self._settle)

    def _settle(self) -> None:
        self._pause = None
        self._show_details()
        self._show_picture()
        self.refresh_bindings()

    # what others and models say

    def _start_learning(self) -> None:
        self.run_worker(self._learn(self.session.load_knowledge), group="learn", exclusive=True)

    async def _learn(self, job: Callable[[], None]) -> None:
        """Read what is known in a thread, then show it."""
        begin = time.monotonic()
        try:
            await asyncio.to_thread(job)
        except (LorawizError, OSError) as error:
            self.complain(error)
        self._problems_s = time.monotonic() - begin
        self._list.refresh()
        self._show_details()
        self.refresh_bindings()

    def note_new_training(self) -> None:
        if self._problems_timer is not None:
            self._problems_timer.stop()
        self._problems_timer = None
        if self.session.is_known and self._problems_s <= _MAX_PROBLEMS_S:
            self._problems_timer = self.set_timer(_PROBLEMS_DELAY_S, self._look_again)

    def _look_again(self) -> None:
        self.run_worker(self._learn(self.session.refresh_problems), group="learn", exclusive=True)

    async def _watch(self) -> None:
        """Take in what another session, an editor or git changed."""
        if not self.session.is_changed_elsewhere():
            return
        try:
            is_other = await asyncio.to_thread(self.session.reload_if_changed)
        except (LorawizError, OSError) as error:
            if str(error) != self._complaint:  # said once, not every second
                self.complain(error)
            self._complaint = str(error)
            return
        self._complaint = ""
        if is_other:
            self.say("changed elsewhere: read again")
            self.show_all()
            self._start_learning()

    # keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in _CROPPING or self._box is not None:
            return self._box is not None and action in _CROPPING | {"help"}
        if action in _ANYWHERE or action not in ACTIONS:
            return super().check_action(action, parameters)
        if action == "filter":
            return bool(self.session.records)
        if action in _WITHOUT_IMAGES:
            return True
        record = self.session.current
        if action == "crop":
            return record is not None and record.status == "ok" and min(record.content_size) > 0
        return record is not None

    def action_move(self, step: int) -> None:
        self._go_to(self.session.cursor + step)

    def action_move_to_end(self, end: int) -> None:
        self._go_to(end * len(self.session.shown))

    @on(ImageList.Scrolled)
    def _scroll_list(self, event: ImageList.Scrolled) -> None:
        if self._box is None:
            self.action_move(event.step)

    @on(ImageList.Chosen)
    def _go_to_clicked(self, event: ImageList.Chosen) -> None:
        if self._box is None:
            self._go_to(event.place)

    def action_next_finding(self, step: int) -> None:
        self._jump(self.session.has_finding, step, "no other image with a finding")

    def action_next_bare(self) -> None:
        self._jump(self.session.build_bare_test(), 1, "no other image without tags or caption")

    def _jump(self, is_wanted: Callable[[ImageRecord], bool], step: int, nothing: str) -> None:
        place = self.session.find_next(is_wanted, step)
        if place is None:
            self.say(nothing)
        else:
            self._go_to(place)

    def action_select(self) -> None:
        self.session.toggle_selected()
        self._header.refresh()
        self._list.refresh()

    def action_select_shown(self) -> None:
        self.session.select_shown()
        self._header.refresh()
        self._list.refresh()

    def action_scroll_details(self, step: int) -> None:
        self._details.scroll_relative(y=4 * step, animate=False)

    def action_zoom(self) -> None:
        self.toggle_class("-zoom")

    def action_filter(self) -> None:
        self.app.push_screen(
            TextScreen("filter", self.session.filter.text, remark=_read_filter), self._set_filter
        )

    async def _set_filter(self, text: str | None) -> None:
        if text is None:
            return
        wanted, session = parse_filter(text), self.session

        def apply() -> int:
            if not session.is_known and wanted.text.strip():
                session.load_knowledge()
            session.set_filter(wanted)
            return len(session.shown)

        await self.work(apply)
        self.say("")
        self.show_all()

    async def action_back(self) -> None:
        if self.has_class("-zoom"):
            self.action_zoom()
        elif self.session.selected:
            self.session.selected.clear()
            self.show_all()
        elif self.session.filter.text.strip():
            await self._set_filter("")
        else:
            self.action_quit()

    def action_quit(self) -> None:
        self.leave()

    # the crop box

    def action_crop(self) -> None:
        record = self.session.current
        assert record is not None
        self._set_box(record.crop or crop_box.whole_box((record.width, record.height)))
        self.say("crop box: - makes it smaller")

    def _set_box(self, box: Crop | None) -> None:
        self._box = box
        self._show_picture()
        self.refresh_bindings()

    def action_nudge(self, across: int, down: int) -> None:
        record, box = self.session.current, self._box
        assert record is not None
        assert box is not None
        size = record.width, record.height
        step = crop_box.step_px(size)
        self._set_box(crop_box.move_box(box, across * step, down * step, size))
        self._say_box()

    def action_scale(self, direction: int) -> None:
        record, box = self.session.current, self._box
        assert record is not None
        assert box is not None
        self._set_box(crop_box.scale_box(box, direction, (record.width, record.height)))
        self._say_box()

    def action_reset_crop(self) -> None:
        record = self.session.current
        assert record is not None
        self._set_box(crop_box.whole_box((record.width, record.height)))
        self._say_box()

    def _say_box(self) -> None:
        assert self._box is not None
        left, top, right, bottom = self._box
        self.say(f"{right - left}×{bottom - top} at {left}, {top}")

    def action_leave_crop(self) -> None:
        self._set_box(None)
        self.say("")

    async def action_save_crop(self) -> None:
        record, box = self.session.current, self._box
        assert record is not None
        size = record.width, record.height
        crop = None if box == crop_box.whole_box(size) else box
        self._set_box(None)

        def change(found: ImageRecord, _machine: object) -> ImageRecord:
            if (found.width, found.height) != size or found.crop == crop:
                return found
            return replace(found, crop=crop, hand=replace(found.hand, crop=True))

        await self.edit(f"crop box of {name_images([record])}", [record], change)
        self.note_new_training()


def _read_filter(text: str) -> Remark:
    try:
        parse_filter(text)
    except FilterError as error:
        return "error", str(error)
    return "note", 'tag:smile -tag:solo caption:"red" tokens:>75 keep:no finding:* (a or b)'


ACTIONS = frozenset(
    binding.action.partition("(")[0]
    for screen in (BaseScreen, EditingScreen, ReviewScreen)
    for binding in screen.BINDINGS
    if isinstance(binding, Binding)
)
"""The actions of the screen's own keys."""
