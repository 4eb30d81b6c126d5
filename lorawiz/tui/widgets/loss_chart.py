"""The loss over the steps: raw values as faint dots, the smoothed loss as a line."""

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static
from textual_plot import HiResMode

from lorawiz.runs.view import RunView
from lorawiz.tui.curve import build_curve, fit_axis
from lorawiz.tui.format import format_loss
from lorawiz.tui.language import tr
from lorawiz.tui.theme import STYLES
from lorawiz.tui.widgets.loss_plot import LossPlot

_TREND_STEPS = 50
_BRAILLE_COLUMNS = 2
_CHECKED = "◇"
"""The mark of a validation."""


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
        self._view: RunView | None = None
        self._named: tuple[int, int] | None = None

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._plot

    def on_mount(self) -> None:
        self._plot.set_up()

    def on_resize(self, _event: events.Resize) -> None:
        if self._view is not None:
            self.draw(self._view)

    def show(self, view: RunView) -> None:
        """Name the newest losses."""
        named = len(view.steps), len(view.validations)
        if self._named != named:
            self._named = named
            self._title.update(_build_title(view), layout=False)

    def draw(self, view: RunView) -> None:
        """Draw the plot anew; the caller says when, since it costs some milliseconds."""
        self._view = view
        plot = self._plot
        curve = build_curve(view.steps, plot.num_columns * _BRAILLE_COLUMNS, view.validations)
        limits = None if curve is None else (curve.low, curve.high)
        plot.begin(fit_axis(view.step, view.total_steps), limits)
        plot.set_xticks(None if view.total_steps else [])
        if curve is None:
            return
        colors = self.app.theme_variables
        plot.scatter(
            curve.dot_steps, curve.dots, marker_style=colors["secondary"],
            hires_mode=HiResMode.BRAILLE,
        )  # fmt: skip
        # one point has no line: a dot in the line's colour
        draw = plot.plot if len(curve.line) > 1 else plot.scatter
        draw(curve.line_steps, curve.line, colors["accent"], hires_mode=HiResMode.BRAILLE)
        if len(curve.checked) > 1:
            plot.plot(
                curve.checked_steps, curve.checked, colors["warning"],
                hires_mode=HiResMode.BRAILLE,
            )  # fmt: skip
        plot.scatter(curve.checked_steps, curve.checked, _CHECKED, colors["warning"])


def _build_title(view: RunView) -> Content:
    if not view.steps:
        return Content.styled(tr("loss"), STYLES["note"])
    loss = view.steps[-1].smooth_loss
    before = view.steps[max(len(view.steps) - 1 - _TREND_STEPS, 0)].smooth_loss
    trend = "▼" if loss < before else "▲" if loss > before else " "
    num = view.num_not_finite
    checked = [(f"  {_CHECKED} ", STYLES["warning"]), (tr("validation"), STYLES["note"])]
    return Content.assemble(
        (tr("loss"), STYLES["note"]),
        " ",
        (format_loss(loss), "bold"),
        (f" {trend}", STYLES["accent"]),
        *(checked if view.validations else []),
        (f"  {num} × nan" if num else "", STYLES["error"]),
    )
