"""The live panel of one run: watch it, steer it, leave it; it runs on without the panel."""

from typing import ClassVar, Literal

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from lorawiz.errors import visible_text
from lorawiz.runs.control import Request
from lorawiz.tui.compare.picking import ComparingScreen
from lorawiz.tui.follow import RunFollower
from lorawiz.tui.images import ImageWidget
from lorawiz.tui.language import tr
from lorawiz.tui.screens.dialogs import Leaving, build_leave_dialog, build_stop_dialog
from lorawiz.tui.screens.sample import SampleScreen
from lorawiz.tui.slider import SampleSlider
from lorawiz.tui.states import build_headline, build_notice, tell_over
from lorawiz.tui.widgets.events import EventLines
from lorawiz.tui.widgets.figures import Figures
from lorawiz.tui.widgets.header import RunHeader
from lorawiz.tui.widgets.image_losses import ImageLosses
from lorawiz.tui.widgets.key_lines import KeyLines
from lorawiz.tui.widgets.log_view import LogView
from lorawiz.tui.widgets.loss_chart import LossChart
from lorawiz.tui.widgets.notice import NoticeLines, WarningLines
from lorawiz.tui.widgets.progress import RunProgress
from lorawiz.tui.widgets.samples import SampleStrip, SliderLine

_POLL_S = 0.25
_POLLS_PER_CHART = 4
_POLLS_PER_SEEN = 40
_WIDTHS = [(0, "-narrow"), (64, "-normal"), (110, "-wide")]
_HEIGHTS = [(0, "-short"), (20, "-usual"), (32, "-tall")]
"""From which size in cells on the screen has a class."""
_ONE_KEY_LINE_CELLS = 80

Departure = Literal["detached", "ended", "stopped"]
"""detached: the run goes on; ended: it was over; stopped: it was asked to stop here, and did."""


class RunScreen(ComparingScreen[Departure]):
    """Draws a RunFollower and turns keys into requests; knows nothing about training."""

    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    RunScreen {
        layers: base;
        #body { height: 1fr; }
        #pictures { width: 1fr; }
        #side { width: 29; border-left: solid $frame; }
        LossChart { height: 1fr; }
        LogView { display: none; }

        &.-wide #side { width: 36; }
        &.-tall SampleStrip { height: 15; }
        &.-tall EventLines { height: 4; }
        &.-narrow #pictures, &.-short SampleStrip.-filled { display: none; }
        &.-narrow #side { width: 1fr; border-left: none; }

        &.-log #body { display: none; }
        &.-log LogView { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d,q,escape,ctrl+q", "detach", "detach", tooltip="detach: the run goes on"),
        Binding("d,q,escape,ctrl+q", "leave", "leave", tooltip="leave: the run has ended"),
        Binding("s", "stop", "stop", tooltip="stop after saving (asks first)"),
        Binding("p", "ask('pause')", "pause", tooltip="pause after this step"),
        Binding("p", "ask('resume')", "go on", tooltip="go on training"),
        Binding("S", "ask('save')", "save now", tooltip="save a LoRA and a state after this step"),
        Binding("x", "ask('sample')", "sample now", tooltip="draw the samples after this step"),
        Binding("s,p,S,x", "tell_over", show=False),
        Binding("c", "compare", "compare", tooltip="compare with another run"),
        Binding("l", "toggle_log", "log", tooltip="show or hide the trainer's log"),
        Binding("left", "move(-1)", show=False, tooltip="samples of the step before"),
        Binding("right", "move(1)", show=False, tooltip="samples of the next step"),
        Binding("home", "move_to(0)", show=False, tooltip="the first samples"),
        Binding("end", "move_to(-1)", show=False, tooltip="the newest samples, and those to come"),
        Binding("enter", "enlarge", show=False, tooltip="a sample as large as the screen"),
        Binding("ctrl+c", "ask_leave", show=False, tooltip="ask: detach, stop or stay"),
    ]

    def __init__(self, follower: RunFollower, image_widget: ImageWidget | None) -> None:
        super().__init__()
        self._follower = follower
        self._slider = SampleSlider()
        self._image_widget = image_widget
        self._header = RunHeader()
        self._notice = NoticeLines()
        self._progress = RunProgress()
        self._chart = LossChart()
        self._samples = SampleStrip(follower.run.project.root, self._slider, image_widget)
        self._figures = Figures()
        self._image_losses = ImageLosses()
        self._warnings = WarningLines()
        self._log = LogView(follower.run.log)
        self._events = EventLines()
        self._keys = KeyLines(1)
        self._num_polls = 0
        self._is_chart_old = True
        self._is_over = follower.is_over()
        self._bound: object = None
        """What the keys that do something depend on."""

    def compose(self) -> ComposeResult:
        yield self._header
        yield self._notice
        yield self._progress
        with Horizontal(id="body"):
            with Vertical(id="pictures"):
                yield self._chart
                yield self._samples
            with Vertical(id="side"):
                yield self._figures
                yield self._image_losses
        yield self._log
        yield self._warnings
        yield self._events
        yield self._keys

    def on_mount(self) -> None:
        self._log.can_focus = False
        self.call_after_refresh(self.poll)
        self.set_interval(_POLL_S, self.poll)

    def on_unmount(self) -> None:
        self._follower.mark_seen()

    def on_resize(self, event: events.Resize) -> None:
        self._keys.styles.height = 1 if event.size.width >= _ONE_KEY_LINE_CELLS else 2

    def poll(self) -> None:
        """Take in what is new and draw it; the chart at most once a second."""
        self._is_chart_old = self._follower.poll() or self._is_chart_old
        self._draw()
        if self._num_polls % _POLLS_PER_SEEN == 0:
            self._follower.mark_seen()
        if self._is_chart_old and self._num_polls % _POLLS_PER_CHART == 0:
            self._is_chart_old = False
            self._chart.draw(self._follower.view)
        self._num_polls += 1

    def _draw(self) -> None:
        follower = self._follower
        self._is_over = is_over = follower.is_over()
        self._slider.take_in(follower.view.samples)
        bound = is_over, follower.asked, follower.will_pause, bool(self._slider.steps)
        if bound != self._bound:
            self._bound = bound
            self.refresh_bindings()
        self._header.show(follower.view, build_headline(follower), is_over)
        self._notice.show(follower.meanwhile, build_notice(follower))
        self._progress.show(follower.view, is_over)
        self._figures.show(follower)
        self._image_losses.show(follower.view)
        self._chart.show(follower.view)
        self._samples.show()
        self._warnings.show(follower.view.warnings, 3 if self.has_class("-tall") else 1)
        self._events.show(follower.happenings)
        if self.has_class("-log"):
            self._log.poll()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "detach":
                return not self._is_over
            case "leave" | "tell_over":
                return self._is_over
            case "stop":
                return not (self._is_over or self._follower.is_stop_asked)
            case "ask":
                return not (self._is_over or self._follower.is_stop_asked) and self._can_ask(
                    parameters[0]
                )
            case "move" | "move_to" | "enlarge":
                return bool(self._slider.steps) and self._image_widget is not None
        return super().check_action(action, parameters)

    def _can_ask(self, what: object) -> bool:
        match what:
            case "pause":
                return not self._follower.will_pause
            case "resume":
                return self._follower.will_pause
        return what not in self._follower.asked

    # leaving and stopping

    def action_detach(self) -> None:
        self.leave("detached")

    def action_leave(self) -> None:
        self.leave("stopped" if self._follower.has_asked_to_stop else "ended")

    def action_stop(self) -> None:
        self.app.push_screen(build_stop_dialog(self._follower.run.run_id), self._stop_if)

    def _stop_if(self, is_sure: bool | None) -> None:
        # the run may have ended while the question was open
        if is_sure and self.check_action("stop", ()):
            self.action_ask("stop")

    def action_ask_leave(self) -> None:
        if self._is_over:
            self.action_leave()
        else:
            self.app.push_screen(build_leave_dialog(self._follower.run.run_id), self._obey)

    def _obey(self, leaving: Leaving | None) -> None:
        if leaving == "detach":
            self.action_detach()
        elif leaving == "stop":
            self._stop_if(True)

    # steering

    def action_ask(self, what: Request) -> None:
        try:
            self._follower.ask(what)
        except OSError as error:
            said = tr("cannot ask the trainer: {error}", error=visible_text(str(error)))
            self.notify(said, severity="error", markup=False)
        self._draw()

    def action_tell_over(self) -> None:
        self.notify(tell_over(self._follower.state()), markup=False)

    # looking

    def action_move(self, by: int) -> None:
        if self._slider.move(by):
            self._samples.show()

    def action_move_to(self, index: int) -> None:
        if self._slider.move_to(index % len(self._slider.steps)):
            self._samples.show()

    def on_slider_line_moved(self, event: SliderLine.Moved) -> None:
        if self._slider.move_to(event.index):
            self._samples.show()

    def action_enlarge(self) -> None:
        assert self._image_widget is not None
        root = self._follower.run.project.root
        self.app.push_screen(SampleScreen(root, self._slider, self._image_widget, self.poll))

    async def action_compare(self) -> None:
        await self.pick_and_compare(self._follower.run)

    def action_toggle_log(self) -> None:
        is_shown = not self.has_class("-log")
        self.set_class(is_shown, "-log")
        self._log.can_focus = is_shown
        if is_shown:
            self._log.poll()
            self._log.focus()
