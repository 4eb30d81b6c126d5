"""How far the present work is: a phase with its count, or the steps of the whole run."""

from textual.content import Content
from textual.widget import Widget

from lorawiz.errors import visible_text
from lorawiz.runs.view import RunView
from lorawiz.tui.language import tr

_LABEL_CELLS = 22


class RunProgress(Widget):
    """One line: what is being done, a bar, the share done."""

    DEFAULT_CSS = "RunProgress { height: 1; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._label = ""
        self._done = 0
        self._total = 0

    def show(self, view: RunView, is_over: bool) -> None:
        shown = _measure(view, is_over)
        if shown != (self._label, self._done, self._total):
            self._label, self._done, self._total = shown
            self.refresh()

    def render(self) -> Content:
        width = self.size.width
        label_cells = min(_LABEL_CELLS, width // 3) if self._label else 0
        label = Content(self._label).truncate(label_cells, ellipsis=True, pad=True)
        if not self._total:
            return label.stylize("$text-muted")
        done = min(max(self._done, 0), self._total)
        share = f"{100 * done // self._total:>4} %"
        bar_cells = width - label_cells - len(share)
        if bar_cells < 4:
            return Content.assemble(label, share)
        filled = bar_cells * done // self._total
        return Content.assemble(
            label.stylize("$text-muted"),
            ("━" * filled, "$accent"),
            ("━" * (bar_cells - filled), "$frame"),
            share,
        )


def _measure(view: RunView, is_over: bool) -> tuple[str, int, int]:
    """Label, done and total."""
    if is_over or view.phase == "training":
        return ("" if is_over else tr("training")), view.step, view.total_steps
    if view.paused_at and view.phase == "paused":
        return tr("paused"), view.step, view.total_steps
    label = visible_text(view.phase)
    if view.phase_total <= 1:
        return label, 0, 0
    label += f" {view.phase_done:>{len(str(view.phase_total))}}/{view.phase_total}"
    return label, view.phase_done, view.phase_total
