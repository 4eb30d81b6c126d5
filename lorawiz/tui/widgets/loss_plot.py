"""A plot with two thin axes and few round ticks, after textual-plot."""

import math
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Grid
from textual.strip import Strip
from textual_hires_canvas import Canvas
from textual_plot import PlotWidget
from textual_plot.axis_formatter import AxisFormatter
from textual_plot.plot_widget import Legend

_ROUND = (1, 2, 5, 10)
_TICKS = {(0, 0, 2, 0): "┬", (0, 0, 0, 2): "┤"}
"""What a tick looks like on the lower and the left axis, by the plot's name for it."""


class WholeCanvas(Canvas):
    """Leaves out empty segments: without a style, they break Textual's NO_COLOR filter."""

    def render_line(self, y: int) -> Strip:
        return Strip(segment for segment in super().render_line(y) if segment.text)


class AxisCanvas(WholeCanvas):
    """Draws the left and the lower axis where the plot asks for a whole box."""

    def draw_rectangle_box(
        self, x0: int, y0: int, x1: int, y1: int, thickness: int = 1, style: str = "white"
    ) -> None:
        self.draw_line(x0, y0, x0, y1, char="│", style=style)
        self.draw_line(x0, y1, x1, y1, char="─", style=style)
        self.set_pixel(x0, y1, char="└", style=style)


class SparseAxis(AxisFormatter):
    """Ticks at multiples of 1, 2 or 5, no more than there is room for."""

    max_ticks = 4

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        least = (max_ - min_) / max(self.max_ticks, 1)
        power = 10.0 ** math.floor(math.log10(least))
        interval = next(power * factor for factor in _ROUND if power * factor >= least * 0.999)
        first, last = math.ceil(min_ / interval), math.floor(max_ / interval)
        return [number * interval for number in range(first, last + 1)]

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        if len(ticks) < 2:
            return [f"{tick:.6g}" for tick in ticks]
        num_decimals = max(-math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9), 0)
        return [f"{tick:.{num_decimals}f}" for tick in ticks]


class LossPlot(PlotWidget, can_focus=False):
    """Takes no keys and no mouse."""

    DEFAULT_CSS = """
    LossPlot {
        & > .plot--axis { color: $frame; }
        & > .plot--tick { color: $text-muted; text-style: none; }
    }
    """

    def __init__(self) -> None:
        super().__init__(allow_pan_and_zoom=False)
        self._x_axis, self._y_axis = SparseAxis(), SparseAxis()

    def compose(self) -> ComposeResult:
        """What PlotWidget composes, with other canvases."""
        with Grid():
            yield WholeCanvas(1, 1, id="margin-top")
            yield WholeCanvas(1, 1, id="margin-left")
            yield AxisCanvas(1, 1, id="plot")
            yield WholeCanvas(1, 1, id="margin-bottom")
        yield Legend(id="legend")

    def set_up(self) -> None:
        """Margins and axes; call it when the plot is mounted."""
        self.margin_top, self.margin_bottom, self.margin_left = 0, 1, 7
        self.set_x_formatter(self._x_axis)
        self.set_y_formatter(self._y_axis)

    def begin(self, axis_end: int, limits: tuple[float, float] | None) -> None:
        """Empty the plot and lay out its axes; without limits there is nothing to draw."""
        self.clear()
        self._x_axis.max_ticks = self.num_columns // 10
        self._y_axis.max_ticks = max(self.size.height // 3, 2)
        self.set_xlimits(0, axis_end)
        self.set_yticks([] if limits is None else None)
        if limits is not None:
            self.set_ylimits(*limits)

    @property
    def num_columns(self) -> int:
        """How many cells there are between the axis and the right end."""
        return max(self.size.width - self.margin_left, 8)

    def combine_quad_with_pixel(
        self, quad: tuple[int, int, int, int], canvas: Canvas, x: int, y: int
    ) -> str:
        """A tick's character; the upper and the right side have no axis and no ticks."""
        drawn = canvas.get_pixel(x, y)[0]
        return drawn if drawn == "└" else _TICKS.get(quad, drawn)
