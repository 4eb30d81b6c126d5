"""The live panel of one run: watch it, stop it, leave it; it runs on without the panel."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer

from lorawiz.errors import visible_text
from lorawiz.tui.follow import RunFollower
from lorawiz.tui.images import ImageWidget
from lorawiz.tui.screens.dialogs import Leaving, build_leave_dialog, build_stop_dialog
from lorawiz.tui.screens.help import HelpScreen, list_keys
from lorawiz.tui.states import build_headline, build_notice
from lorawiz.tui.widgets.events import EventLines
from lorawiz.tui.widgets.figures import Figures
from lorawiz.tui.widgets.header import RunHeader
from lorawiz.tui.widgets.log_view import LogView
from lorawiz.tui.widgets.loss_chart import LossChart
from lorawiz.tui.widgets.notice import NoticeLines, WarningLines
from lorawiz.tui.widgets.progress import RunProgress
from lorawiz.tui.widgets.samples import SampleStrip

_POLL_S = 0.25
_POLLS_PER_CHART = 4
_POLLS_PER_SEEN = 40
_WIDTHS = [(0, "-narrow"), (64, "-normal"), (110, "-wide")]
_HEIGHTS = [(0, "-short"), (20, "-usual"), (32, "-tall")]
"""From which size in cells on the screen has a class."""


class RunScreen(Screen[None]):
    """Draws a RunFollower and turns keys into requests; knows nothing about training."""

    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    DEFAULT_CSS = """
    RunScreen {
        layers: base;
        #body { height: 1fr; }
        #pictures { width: 1fr; }
        #side { width: 29; border-left: solid $frame; }
        LossChart { height: 1fr; }
        LogView { display: none; }
        Footer { dock: bottom; }

        &.-wide #side { width: 36; }
        &.-tall SampleStrip { height: 14; }
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
        Binding("l", "toggle_log", "log", tooltip="show or hide the trainer's log"),
        Binding("question_mark,f1", "help", "help", tooltip="this list"),
        Binding("ctrl+c", "ask_leave", show=False, tooltip="ask: detach, stop or stay"),
    ]

    def __init__(self, follower: RunFollower, image_widget: ImageWidget | None) -> None:
        super().__init__()
        self._follower = follower
        self._header = RunHeader()
        self._notice = NoticeLines()
        self._progress = RunProgress()
        self._chart = LossChart()
        self._samples = SampleStrip(follower.run.project.root, image_widget)
        self._figures = Figures()
        self._warnings = WarningLines()
        self._log = LogView(follower.run.log)
        self._events = EventLines()
        self._num_polls = 0
        self._is_chart_old = True
        self._is_over = follower.is_over()
        self._is_stop_asked = follower.is_stop_asked

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
        yield self._log
        yield self._warnings
        yield self._events
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._log.can_focus = False
        self.call_after_refresh(self.poll)
        self.set_interval(_POLL_S, self.poll)

    def on_unmount(self) -> None:
        self._follower.mark_seen()

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
        is_over = follower.is_over()
        if (is_over, follower.is_stop_asked) != (self._is_over, self._is_stop_asked):
            self._is_over, self._is_stop_asked = is_over, follower.is_stop_asked
            self.refresh_bindings()
        self._header.show(follower.view, build_headline(follower), is_over)
        self._notice.show(follower.meanwhile, build_notice(follower))
        self._progress.show(follower.view, is_over)
        self._figures.show(follower)
        self._chart.show(follower.view)
        self._samples.show(follower.view.samples)
        self._warnings.show(follower.view.warnings, 3 if self.has_class("-tall") else 1)
        self._events.show(follower.happenings)
        if self.has_class("-log"):
            self._log.poll()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "detach":
                return not self._is_over
            case "leave":
                return self._is_over
            case "stop":
                return not (self._is_over or self._is_stop_asked)
        return super().check_action(action, parameters)

    def action_detach(self) -> None:
        self.app.exit("detached")

    def action_leave(self) -> None:
        self.app.exit("stopped" if self._follower.has_asked_to_stop else "ended")

    def action_stop(self) -> None:
        self.app.push_screen(build_stop_dialog(self._follower.run.run_id), self._stop_if)

    def _stop_if(self, is_sure: bool | None) -> None:
        # the run may have ended while the question was open
        if is_sure and self.check_action("stop", ()):
            try:
                self._follower.ask_to_stop()
            except OSError as error:
                said = f"cannot ask the trainer to stop: {visible_text(str(error))}"
                self.notify(said, severity="error", markup=False)
            self._draw()

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

    def action_toggle_log(self) -> None:
        is_shown = not self.has_class("-log")
        self.set_class(is_shown, "-log")
        self._log.can_focus = is_shown
        if is_shown:
            self._log.poll()
            self._log.focus()

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen(list_keys(self.app, self.active_bindings.values())))
