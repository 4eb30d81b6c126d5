"""The screen of long work: a bar with rate and ETA, what was said, and a key to cancel.

The work is a command of lorawiz in a process of its own. What it has done is on the disk piece by
piece: cancelled, it goes on from there when it is started again.
"""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from lorawiz.errors import visible_text
from lorawiz.paths import Project
from lorawiz.tui.child import Child, Progress
from lorawiz.tui.language import tr
from lorawiz.tui.screens.base import BaseScreen
from lorawiz.tui.theme import STYLES, Tone
from lorawiz.tui.widgets.key_lines import KeyLines
from lorawiz.wording import show_bytes, show_duration

_MAX_BAR_CELLS = 60
_RUNNING = {"cancel"}
_OVER = {"back"}


class JobScreen(BaseScreen[bool]):
    """Runs a command of lorawiz; leaves with whether it ended well.

    Leaving it, by any way, ends the command: it goes on where it stopped when it is run again.
    """

    DEFAULT_CSS = """
    JobScreen {
        #title { height: 1; padding: 0 1; text-style: bold; }
        #lines { height: 1fr; padding: 0 1; margin-top: 1; scrollbar-size: 1 1; }
        #lines Static { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c,escape", "cancel", "cancel", tooltip="cancel: what is done stays"),
        Binding("q,ctrl+q,ctrl+c", "cancel", show=False, tooltip="cancel: what is done stays"),
        Binding("enter,escape", "back", "back", tooltip="back"),
        Binding("q,ctrl+q,ctrl+c", "back", show=False, tooltip="back"),
        Binding("down,j", "scroll(1)", show=False, tooltip="a line down"),
        Binding("up,k", "scroll(-1)", show=False, tooltip="a line up"),
        Binding("ctrl+d,pagedown", "scroll(10)", show=False, tooltip="ten lines down"),
        Binding("ctrl+u,pageup", "scroll(-10)", show=False, tooltip="ten lines up"),
        Binding("g,home", "scroll_to(False)", show=False, tooltip="the first line"),
        Binding("G,end", "scroll_to(True)", show=False, tooltip="the last line"),
    ]

    def __init__(
        self, project: Project, arguments: Sequence[str], title: str, stays: bool = True
    ) -> None:
        """Without `stays` it leaves by itself when the command ended well."""
        super().__init__()
        self._stays = stays
        self.child = Child(project.root, list(arguments))
        self._title = title
        self._bar = JobBar(self.child)
        self._said = Static(markup=False)
        self._log = VerticalScroll(self._said, id="lines", can_focus=False)
        self._num_shown = -1

    def compose(self) -> ComposeResult:
        yield Static(visible_text(self._title), id="title", markup=False)
        yield self._bar
        yield self._log
        yield KeyLines(1)

    def on_mount(self) -> None:
        self.run_worker(self._follow(), exit_on_error=True)

    def on_unmount(self) -> None:
        self.child.cancel()

    async def _follow(self) -> None:
        try:
            await self.child.run(self._show)
        except OSError as error:
            self.child.exit_code = 1
            self.child.say(str(error))
        if self.child.exit_code == 0 and not self._stays:
            self.leave(True)
            return
        self._show()
        self.refresh_bindings()

    def _show(self) -> None:
        if not self.is_attached:
            return
        self._bar.refresh()
        if self.child.num_lines == self._num_shown:
            return
        self._num_shown = self.child.num_lines
        # whoever has scrolled up reads there
        follows = self._log.scroll_offset.y >= self._log.max_scroll_y
        self._said.update(Content("\n".join(self.child.lines)))
        if follows:
            self._log.scroll_end(animate=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in _RUNNING:
            return not self.child.has_ended
        if action in _OVER:
            return self.child.has_ended
        return super().check_action(action, parameters)

    def action_cancel(self) -> None:
        self.child.cancel()
        self._bar.refresh()

    def action_back(self) -> None:
        self.leave(self.child.exit_code == 0)

    def action_scroll(self, lines: int) -> None:
        self._log.scroll_relative(y=lines, animate=False)

    def action_scroll_to(self, is_end: bool) -> None:
        (self._log.scroll_end if is_end else self._log.scroll_home)(animate=False)


class JobBar(Widget):
    """One line for the bar, one for the figures or for how it ended."""

    DEFAULT_CSS = "JobBar { height: 2; padding: 0 1; }"

    def __init__(self, child: Child) -> None:
        super().__init__()
        self._child = child

    def render(self) -> Content:
        progress = self._child.progress
        width = max(min(self.size.width, _MAX_BAR_CELLS), 1)
        filled = width * progress.done // progress.total if progress.total else 0
        bar = Content.assemble(("━" * filled, STYLES["accent"]), ("─" * (width - filled), "$frame"))
        return Content("\n").join([bar, self._describe()])

    def _describe(self) -> Content:
        tone, text = describe_end(self._child) or ("note", describe_progress(self._child))
        return Content.styled(text, STYLES[tone])


def describe_progress(child: Child) -> str:
    """`tagging  12/42  3.1/s  ETA 0:10`."""
    progress = child.progress
    if child.is_cancelled:
        return tr("stopping…")
    if not progress.title:
        return tr("starting…")
    done, total, rate = show_amounts(progress)
    pieces = [visible_text(progress.title), f"{done:>{len(total)}}/{total}"]
    if progress.per_s is not None and progress.eta_s is not None:
        pieces += [f"{rate}/s", f"ETA {show_duration(progress.eta_s)}"]
    return "  ".join(pieces)


def show_amounts(progress: Progress) -> tuple[str, str, str]:
    """What is done, what there is in all, and how much a second."""
    per_s = progress.per_s or 0.0
    if progress.unit == "bytes":
        return show_bytes(progress.done), show_bytes(progress.total), show_bytes(per_s)
    return str(progress.done), str(progress.total), f"{per_s:.1f}"


def describe_end(child: Child) -> tuple[Tone, str] | None:
    """How it ended; None while it works."""
    if child.exit_code is None:
        return None
    if child.exit_code == 0:
        return "accent", tr("✓ done")
    if child.is_cancelled:
        return "note", tr("■ cancelled: what is done stays, the same goes on from here")
    return "error", tr("✗ not all went well: the lines say why")
