"""The review screen: move through the images, look at them, and draw what is known of each."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Vertical
from textual.timer import Timer

from lorawiz.errors import LorawizError
from lorawiz.families.clip import load_tokenizer
from lorawiz.tui.background import run_in_background, start_alone
from lorawiz.tui.images import ImageWidget
from lorawiz.tui.language import tr
from lorawiz.tui.review import keys
from lorawiz.tui.review.choosing import ChoosingScreen
from lorawiz.tui.review.details import Details
from lorawiz.tui.review.header import ReviewHeader
from lorawiz.tui.review.image_list import ImageList
from lorawiz.tui.review.picture_view import PictureView
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.review.zoom import Zoom
from lorawiz.tui.widgets.key_lines import KeyLines

PICTURE_DELAY_S = 0.1
"""While a key is held only the list moves; the picture comes after the last key."""
_WATCH_S = 1.0
_PROBLEMS_DELAY_S = 0.5
_MAX_PROBLEMS_S = 1.0
"""Where looking for problems takes longer, it is done once, when the screen opens."""
_NUM_AHEAD = 2
_WIDTHS = [(0, "-narrow"), (57, "-normal"), (110, "-wide")]
"""From which width in cells on the screen has a class."""


class ReviewScreen(ChoosingScreen):
    """Draws a ReviewSession."""

    HORIZONTAL_BREAKPOINTS = _WIDTHS
    DEFAULT_CSS = """
    ReviewScreen {
        layers: base;
        #columns, #body { height: 1fr; }
        #body { layout: horizontal; }
        PictureView { width: 2fr; height: 1fr; }
        Details { width: 3fr; height: 1fr; }
        #list { height: 1; width: 1fr; }

        &.-wide {
            PictureView { width: 1fr; }
            Details { width: 44; }
            #list { dock: left; height: 1fr; width: 30; border-right: solid $frame; }
        }
        &.-narrow {
            #body { layout: vertical; }
            PictureView { width: 1fr; height: 4fr; }
            Details { width: 1fr; height: 5fr; }
        }
        &.-zoom PictureView { width: 1fr; height: 1fr; }
        &.-zoom Details { display: none; }
        &.-zoom #list { dock: none; height: 1; width: 1fr; border-right: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = keys.BINDINGS

    def __init__(self, session: ReviewSession, image_widget: ImageWidget | None) -> None:
        super().__init__(session, PictureView(session.project, image_widget))
        self.image_widget = image_widget
        self._header = ReviewHeader(session)
        self._details = Details(session)
        self._list = ImageList(session)
        self._pause: Timer | None = None
        """Runs while keys may still follow."""
        self._is_learning = False
        self._problems_timer: Timer | None = None
        self._problems_s = 0.0
        self._complaint = ""

    def compose(self) -> ComposeResult:
        yield self._header
        with Vertical(id="columns"):
            with Container(id="body"):
                yield self.picture
                yield self._details
            yield self._list
        yield KeyLines(order=keys.ORDER)

    def on_mount(self) -> None:
        self.show_all()
        self.set_interval(_WATCH_S, self._watch)

    # drawing

    def say(self, text: str) -> None:
        self._header.say(text)

    def show_all(self) -> None:
        current = self.session.current
        self.leave_box_of_another(current)
        if current is None:
            self.zoom = None
            self.remove_class("-zoom")
        self._header.refresh()
        self._list.refresh()
        self._show_details()
        self.draw_now()
        self.refresh_bindings()

    def show_marks(self) -> None:
        self._header.refresh()
        self._list.refresh()
        self.refresh_bindings()

    def _show_details(self) -> None:
        if not self.session.records:
            nothing = tr("no images here yet: lorawiz add PHOTOS…")
        else:
            nothing = tr("no image matches the filter: esc clears it, / changes it")
        self._details.show(nothing)

    def draw_now(self) -> None:
        session = self.session
        near = [session.cursor + step for step in (*range(1, _NUM_AHEAD + 1), -1)]
        ahead = [session.record_at(place) for place in near if 0 <= place < len(session.shown)]
        record = session.current
        crop = self.box or (record.crop if record is not None else None)
        self.picture.show(record, crop, () if self.box else ahead, self.zoom or Zoom())

    def draw_soon(self) -> None:
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(PICTURE_DELAY_S, self._settle)

    def go_to(self, place: int) -> None:
        """Only the list moves until no key follows; the first step shows the words at once."""
        if not self.session.move_to(place):
            return
        self._header.refresh()
        self._list.show_move()
        self.center_zoom()
        if self._pause is None:
            self._show_details()
        self.draw_soon()

    @property
    def is_quiet(self) -> bool:
        """Whether no picture and no search for problems waits for a pause between keys."""
        return self._pause is None and self._problems_timer is None

    def _settle(self) -> None:
        self._pause = None
        self._show_details()
        self.draw_now()
        self.refresh_bindings()

    # what others and models say

    @on(PictureView.Drawn)
    def _start_learning(self) -> None:
        """What takes longer is read when the first picture stands."""
        if not self._is_learning:
            self._is_learning = True
            self._learn_anew()

    def _learn_anew(self) -> None:
        def job() -> None:
            load_tokenizer()
            if not self.session.is_known:
                self.session.load_knowledge()

        start_alone(self, partial(self._learn, job), "learn")

    async def _learn(self, job: Callable[[], None]) -> None:
        """Read what is known in a thread, then show it."""
        begin = time.monotonic()
        try:
            await run_in_background(job)
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
        self._problems_timer = None
        start_alone(self, partial(self._learn, self.session.refresh_problems), "learn")

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
        self.tell_given_way()
        if is_other:
            self.say(tr("changed elsewhere: read again"))
            self.show_all()
            self.session.is_known = False
            self._learn_anew()

    # keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action not in keys.ACTIONS:
            return super().check_action(action, parameters)
        if self.box is not None or action in keys.CROPPING:
            return self.box is not None and action in keys.CROPPING
        if action in keys.ZOOMING:
            return self._can_zoom(action)
        if action in keys.NEED_NO_IMAGE:
            return action != "filter" or bool(self.session.records)
        return self._can_begin(action)

    def _can_begin(self, action: str) -> bool:
        record = self.session.current
        if record is None:
            return False
        if action == "crop":
            return record.status == "ok" and min(record.content_size) > 0
        return action != "zoom" or self.picture.can_show

    def _can_zoom(self, action: str) -> bool:
        if self.zoom is None or self.session.current is None:
            return False
        return action != "pan" or self.zoom.scale is not None

    def action_move(self, step: int) -> None:
        self.go_to(self.session.cursor + step)

    def action_move_to_end(self, end: int) -> None:
        self.go_to(end * len(self.session.shown))

    @on(ImageList.Scrolled)
    def _scroll_list(self, event: ImageList.Scrolled) -> None:
        if self.box is None:
            self.action_move(event.step)

    @on(ImageList.Chosen)
    def _go_to_clicked(self, event: ImageList.Chosen) -> None:
        if self.box is None:
            self.go_to(event.place)

    def action_scroll_details(self, step: int) -> None:
        self._details.scroll_relative(y=4 * step, animate=False)

    async def action_back(self) -> None:
        if self.zoom is not None:
            self.action_leave_zoom()
        elif self.session.selected:
            self.session.selected.clear()
            self.show_all()
        elif self.session.filter.text.strip():
            await self.set_filter("")
        else:
            self.action_quit()

    def action_quit(self) -> None:
        self.leave()
