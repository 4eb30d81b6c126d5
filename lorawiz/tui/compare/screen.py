"""The comparison on the screen: the curves above or beside, figures and settings to scroll."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from lorawiz.errors import visible_text
from lorawiz.tui.compare.chart import CompareChart
from lorawiz.tui.compare.comparison import Comparison, Row, is_on
from lorawiz.tui.compare.picking import ComparingScreen
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.screens.base import BaseScreen
from lorawiz.tui.theme import STYLES
from lorawiz.tui.widgets.key_lines import KeyLines

_POLL_S = 1.0
_WIDTHS = [(0, "-normal"), (110, "-wide")]
_LABEL_FRACTION = 0.4
_GAP = "  "
_DIFFERS = "≠ "


class CompareScreen(ComparingScreen[None]):
    """Follows both runs while one of them is on."""

    HORIZONTAL_BREAKPOINTS = _WIDTHS
    DEFAULT_CSS = """
    CompareScreen {
        layers: base;
        #title { height: 1; padding: 0 1; text-style: bold; }
        #body { height: 1fr; layout: vertical; }
        CompareChart { height: 1fr; width: 1fr; }
        #tables {
            height: 1fr; width: 1fr; padding: 0 1; border-top: solid $frame;
            scrollbar-size: 1 1;
        }
        #tables:focus { border-top: solid $frame; }
        &.-wide {
            #body { layout: horizontal; }
            #tables { width: 62; border-top: none; border-left: solid $frame; }
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_tables(1)", "scroll", key_display="↑↓", tooltip="scroll down"),
        Binding("up,k", "scroll_tables(-1)", show=False, tooltip="scroll up"),
        Binding("ctrl+d,pagedown", "scroll_tables(10)", show=False, tooltip="ten lines down"),
        Binding("ctrl+u,pageup", "scroll_tables(-10)", show=False, tooltip="ten lines up"),
        Binding("g,home", "scroll_to(0)", show=False, tooltip="to the first line"),
        Binding("G,end", "scroll_to(1)", show=False, tooltip="to the last line"),
        Binding("c", "compare", "another run", tooltip="compare with another run"),
        Binding("escape", "back", "back", tooltip="back to the run"),
        Binding("q,ctrl+q,ctrl+c", "back", show=False, tooltip="back to the run"),
    ]

    def __init__(self, comparison: Comparison) -> None:
        super().__init__()
        self._comparison = comparison
        self._chart = CompareChart(comparison)
        self._table = Static(id="table", markup=False)
        self._tables = VerticalScroll(self._table, id="tables", can_focus=False)

    def compose(self) -> ComposeResult:
        this, that = self._comparison.this.run, self._comparison.that.run
        title = tr("{this} beside {that}", this=this.run_id, that=that.run_id)
        yield Static(visible_text(title), id="title", markup=False)
        with Container(id="body"):
            yield self._chart
            yield self._tables
        yield KeyLines(1)

    def on_mount(self) -> None:
        self.set_interval(_POLL_S, self._poll)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_tables)

    def _poll(self) -> None:
        if is_on(self._comparison) and self._comparison.poll():
            self._chart.draw()
            self._show_tables()

    def _show_tables(self) -> None:
        width = self._tables.scrollable_content_region.width
        comparison = self._comparison
        ids = Row("", comparison.this.run.run_id, comparison.that.run.run_id)
        figures = [ids, *comparison.build_figures()]
        lay_out = _TableLayout([*figures, *comparison.settings], width)
        lines = [*map(lay_out.build_line, figures), Content(), self._build_remark()]
        lines += map(lay_out.build_line, comparison.settings)
        self._table.update(Content("\n").join(lines))

    def _build_remark(self) -> Content:
        """What stands over the settings."""
        comparison = self._comparison
        if comparison.complaint:
            return Content.styled(f"⚠ {visible_text(comparison.complaint)}", STYLES["warning"])
        said = tr("the same settings and images")
        if comparison.settings:
            said = tr_count(
                len(comparison.settings),
                "{num} setting or input differs",
                "{num} settings or inputs differ",
            )
        return Content.styled(said, STYLES["note"])

    def show_comparison(self, screen: BaseScreen[None]) -> None:
        """One comparison takes the place of the other."""
        self.app.switch_screen(screen)

    async def action_compare(self) -> None:
        await self.pick_and_compare(self._comparison.this.run)

    def action_scroll_tables(self, lines: int) -> None:
        self._tables.scroll_relative(y=lines, animate=False)

    def action_scroll_to(self, end: int) -> None:
        self._tables.scroll_to(y=end * self._tables.max_scroll_y, animate=False)

    def action_back(self) -> None:
        self.leave()


class _TableLayout:
    """Three columns, as wide as `rows` need and `width` allows; what differs has a mark."""

    def __init__(self, rows: Iterable[Row], width: int) -> None:
        longest = max((Content(row.label).cell_length for row in rows), default=0) + len(_DIFFERS)
        self._label_cells = min(longest, max(int(width * _LABEL_FRACTION), 12))
        self._value_cells = max((width - self._label_cells - 2 * len(_GAP)) // 2, 4)

    def build_line(self, row: Row) -> Content:
        mark = _DIFFERS if row.label and row.differs else " " * len(_DIFFERS)
        return Content(_GAP).join(
            [
                _fit(mark + row.label, self._label_cells).stylize(STYLES["note"]),
                _fit(visible_text(row.this), self._value_cells),
                _fit(visible_text(row.that), self._value_cells),
            ]
        )


def _fit(text: str, cells: int) -> Content:
    return Content(text).truncate(cells, ellipsis=True, pad=True)
