"""When to end early: a request in control/, or SIGTERM from the machine."""

import signal
import sys
from types import FrameType

from lorawiz.runs.control import take_request
from lorawiz.runs.folder import RunFolder


class StopRequested(Exception):  # noqa: N818 - not an error
    """The run was asked to stop before its first step; the text says by whom."""


class StopWatch:
    """Remembers that the run should end after its present step."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._reason = ""

    def install(self) -> None:
        """SIGTERM and SIGINT ask for a stop; a hang-up means nothing here."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        if sys.platform != "win32":
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    @property
    def reason(self) -> str:
        """Why to stop, or an empty string. Looks into control/."""
        if not self._reason and take_request(self._run, "stop"):
            self._reason = "asked to stop"
        return self._reason

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._reason = f"the system sent {signal.Signals(number).name}"
