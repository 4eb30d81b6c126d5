"""The first line: which run, how far, how fast, and its state at the right end."""

from textual.content import Content
from textual.widget import Widget

from lorawiz.errors import visible_text
from lorawiz.runs.view import RunView
from lorawiz.tui.language import tr
from lorawiz.tui.states import Headline
from lorawiz.tui.theme import STYLES
from lorawiz.wording import show_duration, show_speed

_GAP = "  "
_ROOMY_CELLS = 60
_WANTED = {"step": 0, "eta": 1, "speed": 2, "epoch": 3}
"""Which piece gives way last."""


class RunHeader(Widget):
    """One line; what matters least gives way first where it is narrow."""

    DEFAULT_CSS = "RunHeader { height: 1; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._title = Content()
        self._pieces: dict[str, str] = {}
        self._state = Content()

    def show(self, view: RunView, headline: Headline, is_over: bool) -> None:
        title = Content.styled(visible_text(view.run_id), "bold")
        state = Content.styled(headline.text, STYLES[headline.tone])
        pieces = _build_pieces(view, is_over)
        if (title, pieces, state) != (self._title, self._pieces, self._state):
            self._title, self._pieces, self._state = title, pieces, state
            self.refresh()

    def render(self) -> Content:
        width = self.size.width
        title = self._title.truncate(max(width // 3, 8), ellipsis=True)
        if width >= _ROOMY_CELLS:
            title = Content.assemble((tr("Run"), STYLES["note"]), " ", title)
        pieces = dict(self._pieces)
        while True:
            left = Content(_GAP).join([title, *pieces.values()])
            room = width - left.cell_length - self._state.cell_length
            if room >= len(_GAP) or not pieces:
                return Content.assemble(left, " " * max(room, 1), self._state)
            del pieces[max(pieces, key=_WANTED.__getitem__)]


def _build_pieces(view: RunView, is_over: bool) -> dict[str, str]:
    """In the order shown. Numbers keep their width, so that nothing moves as they grow."""
    if not view.total_steps:
        return {}
    total, epochs = str(view.total_steps), str(view.num_epochs)
    pieces = {
        "step": f"{tr('step')} {view.step:>{len(total)}}/{total}",
        "epoch": f"{tr('epoch')} {view.epoch:>{len(epochs)}}/{epochs}",
    }
    if not is_over and view.step_s is not None and view.eta_s is not None:
        pieces["speed"] = f"{show_speed(view.step_s):>9}"
        pieces["eta"] = f"{tr('ETA')} {show_duration(view.eta_s):>5}"
    return pieces
