"""Two smoothed losses in one chart: the one solid, the other dashed."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static
from textual_plot import HiResMode

from lorawiz.errors import visible_text
from lorawiz.tui.compare.comparison import Comparison
from lorawiz.tui.curve import build_line
from lorawiz.tui.theme import STYLES
from lorawiz.tui.widgets.loss_plot import LossPlot

_DOTS_PER_COLUMN = 2
_DASH_DOTS, _GAP_DOTS = 7, 3
_SOLID, _DASHED = "⠒⠒⠒⠒⠒⠒⠒", "⠒⠒⠒ ⠒⠒⠒"

Floats = NDArray[np.float64]
Line = tuple[Floats, Floats]


class CompareChart(Vertical):
    """A legend and the plot under it."""

    DEFAULT_CSS = """
    CompareChart {
        #legend-line { height: 1; padding: 0 1; }
        LossPlot { height: 1fr; }
    }
    """

    def __init__(self, comparison: Comparison) -> None:
        super().__init__()
        self._comparison = comparison
        self._legend = Static(id="legend-line", markup=False)
        self._plot = LossPlot()

    def compose(self) -> ComposeResult:
        yield self._legend
        yield self._plot

    def on_mount(self) -> None:
        self._plot.set_up()

    def on_resize(self, _event: events.Resize) -> None:
        self.draw()

    def draw(self) -> None:
        """Draw both lines as they are now."""
        this, that = self._comparison.this.view, self._comparison.that.view
        self._legend.update(
            Content.assemble(
                (_SOLID, STYLES["accent"]), f" {visible_text(this.run_id)}    ",
                (_DASHED, STYLES["warning"]), f" {visible_text(that.run_id)}",
            )
        )  # fmt: skip
        plot = self._plot
        axis_end = max(this.total_steps, this.step, that.total_steps, that.step, 1)
        num_dots = plot.num_columns * _DOTS_PER_COLUMN
        lines = [build_line(view.steps, axis_end, num_dots) for view in (this, that)]
        plot.begin(axis_end, find_limits(lines))
        colors = self.app.theme_variables
        for steps, losses in iter_dashes(lines[1]):
            plot.plot(steps, losses, colors["warning"], hires_mode=HiResMode.BRAILLE)
        if lines[0][0].size:
            plot.plot(*lines[0], colors["accent"], hires_mode=HiResMode.BRAILLE)


def find_limits(lines: list[Line]) -> tuple[float, float] | None:
    """Lowest and highest loss to show: a wild beginning must not flatten the rest."""
    losses = np.concatenate([loss for _, loss in lines])
    if not losses.size:
        return None
    low, high = float(losses.min()), float(np.quantile(losses, 0.99))
    high = max(high, *(float(loss[-1]) for _, loss in lines if loss.size))
    margin = (high - low) * 0.05 or abs(high) * 0.5 or 0.5
    return low - margin, high + margin


def iter_dashes(line: Line) -> Iterator[Line]:
    """The pieces of a dashed line; its points are a dot apart."""
    steps, losses = line
    for start in range(0, len(steps), _DASH_DOTS + _GAP_DOTS):
        yield steps[start : start + _DASH_DOTS], losses[start : start + _DASH_DOTS]
