"""The trainer's own words: the end of train.log, at full height."""

from pathlib import Path

from textual.widgets import Log

from lorawiz.tui.log_tail import LogTail

_KEPT_LINES = 2000


class LogView(Log):
    """Reads the log only while it is shown; a scroll upwards holds the place."""

    DEFAULT_CSS = "LogView { height: 1fr; padding: 0 1; scrollbar-size: 1 1; }"

    def __init__(self, path: Path) -> None:
        super().__init__(max_lines=_KEPT_LINES, auto_scroll=True)
        self._tail = LogTail(path)

    def poll(self) -> None:
        """Take in what the log has got since."""
        lines = self._tail.poll()
        if lines:
            self.write_lines(lines)
