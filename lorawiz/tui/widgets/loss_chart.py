"""The loss over the steps: raw values as faint dots, the smoothed loss as a line."""

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static
from textual_plot import HiResMode

from lorawiz.runs.view import RunView, StepLog
from lorawiz.tui.curve import build_curve, fit_axis
from lorawiz.tui.format import format_loss
from lorawiz.tui.theme import STYLES
from lorawiz.tui.widgets.loss_plot import LossPlot, SparseAxis

_TREND_STEPS = 50
_BRAILLE_COLUMNS = 2


class LossChart(Vertical):
    """A title with the newest loss and the plot under it."""

    DEFAULT_CSS = """
    LossChart {
        #loss-title { height: 1; padding: 0 1; }
        LossPlot { height: 1fr; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._title = Static(markup=False, id="loss-title")
        self._plot = LossPlot()
        self._x_axis, self._y_axis = SparseAxis(), SparseAxis()
        self._view: RunView | None = None
        self._num_named = -1

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._plot

    def on_mount(self) -> None:
        self._plot.margin_top, self._plot.margin_bottom, self._plot.margin_left = 0, 1, 7
        self._plot.set_x_formatter(self._x_axis)
        self._plot.set_y_formatter(self._y_axis)

    def on_resize(self, _event: events.Resize) -> None:
        if self._view is not None:
            self.draw(self._view)

    def show(self, view: RunView) -> None:
        """Name the newest loss."""
        if self._num_named != len(view.steps):
            self._num_named = len(view.steps)
            self._title.update(_build_title(view.steps), layout=False)

    def draw(self, view: RunView) -> None:
        """Draw the plot anew; the caller says when, since it costs some milliseconds."""
        self._view = view
        self._plot.clear()
        columns = max(self._plot.size.width - self._plot.margin_left, 8)
        self._x_axis.max_ticks = columns // 10
        self._y_axis.max_ticks = max(self._plot.size.height // 3, 2)
        curve = build_curve(view.steps, columns * _BRAILLE_COLUMNS)
        self._plot.set_xlimits(0, fit_axis(view.step, view.total_steps))
        self._plot.set_xticks(None if view.total_steps else [])
        self._plot.set_yticks([] if curve is None else None)
        if curve is None:
            return
        self._plot.set_ylimits(curve.low, curve.high)
        colors = self.app.theme_variables
        self._plot.scatter(
            curve.dot_steps, curve.dots, marker_style=colors["secondary"],
            hires_mode=HiResMode.BRAILLE,
        )  # fmt: skip
        # one point has no line: a dot in the line's colour
        draw = self._plot.plot if len(curve.line) > 1 else self._plot.scatter
        draw(curve.line_steps, curve.line, colors["accent"], hires_mode=HiResMode.BRAILLE)


def _build_title(steps: list[StepLog]) -> Content:
    if not steps:
        return Content.styled("loss", STYLES["note"])
    loss = steps[-1].smooth_loss
    before = steps[max(len(steps) - 1 - _TREND_STEPS, 0)].smooth_loss
    trend = "▼" if loss < before else "▲" if loss > before else " "
    num_nan = sum(log.loss != log.loss for log in steps)
    return Content.assemble(
        ("loss ", STYLES["note"]),
        (format_loss(loss), "bold"),
        (f" {trend}", STYLES["accent"]),
        (f"  {num_nan} × nan" if num_nan else "", STYLES["error"]),
    )
