"""A command of lorawiz as a child process: its progress, its words, its end.

Models work there, never in the process of the screens. It has a session of its own, so that a
key that interrupts the screens does not reach it. It reads a pipe that only this process holds:
when this process is gone, however that came about, the child ends as if it were interrupted.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lorawiz.errors import visible_text
from lorawiz.tui.background import run_in_background
from lorawiz.wording import PROGRESS_VARIABLE, ProgressRecord, read_progress

_MAX_LINE_BYTES = 1 << 16
_KEPT_LINES = 1000


@dataclass
class Progress:
    """How far the work is, and how fast it goes."""

    title: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    _first_done: int = 0
    _began_at: float = 0.0
    _told_at: float = 0.0

    def take(self, record: ProgressRecord, now: float) -> None:
        """Take in a record told at `now`, in seconds of any clock."""
        if record.title != self.title or record.done < self.done:
            self._first_done, self._began_at = record.done, now
        self.title, self.done, self.total, self.unit = record
        self._told_at = now

    @property
    def per_s(self) -> float | None:
        """Pieces a second since this work began; None while that cannot be told."""
        passed_s = self._told_at - self._began_at
        num = self.done - self._first_done
        return num / passed_s if num > 0 and passed_s > 0 else None

    @property
    def eta_s(self) -> float | None:
        """Seconds to the end at the present speed."""
        per_s = self.per_s
        return (self.total - self.done) / per_s if per_s else None


@dataclass
class Child:
    """One command, from its start to its end."""

    root: Path
    arguments: Sequence[str]
    """Behind `lorawiz`."""
    progress: Progress = field(default_factory=Progress)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT_LINES))
    """What it has said last, safe to show."""
    num_lines: int = 0
    """How many it has said in all."""
    exit_code: int | None = None
    is_cancelled: bool = False
    _process: subprocess.Popen[bytes] | None = None

    @property
    def has_ended(self) -> bool:
        return self.exit_code is not None

    async def run(self, on_news: Callable[[], None]) -> int:
        """Start it and follow it to its end; `on_news` is called after each line. OSError."""
        if self.is_cancelled:  # before it began
            self.exit_code = 130
            return self.exit_code
        process = self._process = subprocess.Popen(
            [sys.executable, "-m", "lorawiz", "-C", str(self.root), *self.arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, PROGRESS_VARIABLE: "json", "PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip
        loop = asyncio.get_running_loop()

        def take(line: bytes) -> None:
            self._take_in(line.decode("utf-8", "replace").rstrip("\n"))
            on_news()

        # not asyncio's own processes: a loop that ends kills those, and this one ends by itself
        self.exit_code = await run_in_background(
            lambda: _follow(process, lambda line: loop.call_soon_threadsafe(take, line))
        )
        on_news()
        return self.exit_code

    def cancel(self) -> None:
        """Ask it to end; asked again, it is ended at once. What it has done stays."""
        is_again, self.is_cancelled = self.is_cancelled, True
        if self._process is None or self._process.poll() is not None:
            return
        number = signal.SIGTERM if is_again or os.name == "nt" else signal.SIGINT
        self._process.send_signal(number)

    def _take_in(self, line: str) -> None:
        record = read_progress(line)
        if record is not None:
            self.progress.take(record, time.monotonic())
        elif line.strip():
            self.say(line)

    def say(self, line: str) -> None:
        """Add a line to what it has said."""
        self.lines.append(visible_text(line))
        self.num_lines += 1


def _follow(process: "subprocess.Popen[bytes]", hand_over: Callable[[bytes], object]) -> int:
    """Hand over each line until the process ends. Returns its exit code."""
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout as lines:
        while line := lines.readline(_MAX_LINE_BYTES):
            try:
                hand_over(line)
            except RuntimeError:  # the loop has ended, and with it whoever wanted to know
                break
    return process.wait()
