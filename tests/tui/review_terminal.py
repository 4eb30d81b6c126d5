"""The real `lorawiz review` on a pseudo-terminal: keys in, and every byte that comes out."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

_AT_ONCE_BYTES = 1 << 16
_END_TIMEOUT_S = 20.0
_CELL_PX = 10, 20
_WHAT_ARE_YOU, _A_VT220 = b"\x1b[c", b"\x1b[?62;22c"
"""What programs ask a terminal, and the answer of one that draws no pictures of its own."""


class ReviewTerminal:
    """A terminal of a size in cells with the review screen of a project on it.

    With `bytes_per_s` it reads no faster than that, as a slow line does.
    """

    def __init__(
        self,
        project: Path,
        size: tuple[int, int] = (80, 24),
        arguments: Sequence[str] = ("review",),
        images: str = "half",
        bytes_per_s: float | None = None,
    ) -> None:
        self.screen = pyte.Screen(*size)
        self.num_bytes = 0
        """How many have come so far."""
        self._stream = pyte.ByteStream(self.screen)
        self._bytes_per_s = bytes_per_s
        self._debt_s = time.monotonic()
        master, slave = pty.openpty()
        pixels = size[0] * _CELL_PX[0], size[1] * _CELL_PX[1]
        winsize = struct.pack("HHHH", size[1], size[0], *pixels)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, winsize)
        self._master = master
        environment = os.environ | {
            "TERM": "xterm-256color", "COLORTERM": "truecolor", "LORAWIZ_IMAGES": images,
            "LORAWIZ_LANG": "en", "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lorawiz", *arguments],
            cwd=project, stdin=slave, stdout=slave, stderr=slave, env=environment,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._master)

    def press(self, keys: str) -> None:
        """Send keys as a keyboard does."""
        os.write(self._master, keys.encode())

    def read(self, timeout_s: float) -> bytes:
        """What comes next, as soon as something does; empty when nothing does, or at the end."""
        ready, _, _ = select.select([self._master], [], [], timeout_s)
        if not ready:
            return b""
        limit = _AT_ONCE_BYTES
        if self._bytes_per_s is not None:
            # the line is as slow as it is, however late somebody looks
            time.sleep(max(self._debt_s - time.monotonic(), 0.0))
            limit = 64
        try:
            chunk = os.read(self._master, limit)
        except OSError:  # the other side is closed
            return b""
        if self._bytes_per_s is not None:
            self._debt_s = max(self._debt_s, time.monotonic()) + len(chunk) / self._bytes_per_s
        if _WHAT_ARE_YOU in chunk:
            os.write(self._master, _A_VT220)
        self.num_bytes += len(chunk)
        self._stream.feed(chunk)
        return chunk

    def read_until(self, is_so: Callable[[str], bool], timeout_s: float = 30.0) -> None:
        """Read until the text on the screen is so."""
        deadline = time.monotonic() + timeout_s
        while not is_so(self.text):
            assert time.monotonic() < deadline, self.text
            assert self.process.poll() is None or self.read(0.0), self.text
            self.read(0.05)

    def drain(self, quiet_s: float, limit_s: float = 20.0) -> None:
        """Read until nothing has come for so long, or for `limit_s` where something blinks."""
        deadline = time.monotonic() + limit_s
        while self.read(quiet_s) and time.monotonic() < deadline:
            pass

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def end(self) -> int:
        """Leave with q, and give the exit status."""
        self.press("q")
        deadline = time.monotonic() + _END_TIMEOUT_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text
            self.read(0.05)
        return self.process.wait()
