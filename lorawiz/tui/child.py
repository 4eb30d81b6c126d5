"""A command of lorawiz as a child process: its progress, its words, its end.

Models work there, never in the process of the screens. It has a session of its own, so that a
key that interrupts the screens does not reach it; it ends by itself when its pipe breaks.
"""

import asyncio
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lorawiz.errors import visible_text
from lorawiz.wording import PROGRESS_VARIABLE, read_progress

_MAX_LINE_BYTES = 1 << 20
_KEPT_LINES = 1000


@dataclass
class Progress:
    """How far the work is, and how fast it goes."""

    title: str = ""
    done: int = 0
    total: int = 0
    _first_done: int = 0
    _began_at: float = 0.0
    _told_at: float = 0.0

    def take(self, title: str, done: int, total: int, now: float) -> None:
        """Take in a record told at `now`, in seconds of any clock."""
        if title != self.title or done < self.done:
            self._first_done, self._began_at = done, now
        self.title, self.done, self.total, self._told_at = title, done, total, now

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
    """What it has said, safe to show."""
    exit_code: int | None = None
    is_cancelled: bool = False
    _process: asyncio.subprocess.Process | None = None

    @property
    def has_ended(self) -> bool:
        return self.exit_code is not None

    async def run(self, on_news: Callable[[], None]) -> int:
        """Start it and follow it to its end; `on_news` is called after each line. OSError."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lorawiz", "-C", str(self.root), *self.arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, start_new_session=True, limit=_MAX_LINE_BYTES,
            env={**os.environ, PROGRESS_VARIABLE: "json", "PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip
        assert self._process.stdout is not None
        async for raw in self._process.stdout:
            self._take_in(raw.decode("utf-8", "replace").rstrip("\n"))
            on_news()
        self.exit_code = await self._process.wait()
        on_news()
        return self.exit_code

    def cancel(self) -> None:
        """Ask it to end; asked again, it is ended at once. What it has done stays."""
        if self._process is None or self._process.returncode is not None:
            return
        number = signal.SIGTERM if self.is_cancelled or os.name == "nt" else signal.SIGINT
        self.is_cancelled = True
        self._process.send_signal(number)

    def _take_in(self, line: str) -> None:
        record = read_progress(line)
        if record is not None:
            self.progress.take(*record, time.monotonic())
        elif line.strip():
            self.lines.append(visible_text(line))
