"""The small window that asks for a path: tab completes it, as a shell does."""

from collections.abc import Callable
from pathlib import Path

from textual.content import Content

from lorawiz.tui.background import run_in_background
from lorawiz.tui.folders import complete_path
from lorawiz.tui.language import tr
from lorawiz.tui.screens.asking import Remark, TextScreen

_MOST_NAMES = 10


class PathScreen(TextScreen):
    """Answers with what was typed, be it a path, a pattern or a name."""

    def __init__(self, title: str, folder: Path, remark: Callable[[str], Remark]) -> None:
        """Relative paths begin at `folder`."""
        super().__init__(title, remark=remark)
        self._keys = tr("enter takes it · tab completes · esc leaves")
        self._folder = folder

    def action_complete(self) -> None:
        """As far as only one path can be meant; then the names that fit."""
        self.run_worker(self._complete(), exclusive=True)

    async def _complete(self) -> None:
        typed = self._input.value
        # a folder can be large, or on a slow disk
        completed, names = await run_in_background(lambda: complete_path(typed, self._folder))
        if self._input.value != typed:
            return
        self._input.value = completed
        self._input.cursor_position = len(completed)
        shown = [Content(name) for name in names[:_MOST_NAMES]]
        if len(names) > _MOST_NAMES:
            shown.append(Content(tr("and {num} more", num=len(names) - _MOST_NAMES)))
        # behind the change of the text, which clears the lines
        self.call_after_refresh(self.put_lines, shown)
