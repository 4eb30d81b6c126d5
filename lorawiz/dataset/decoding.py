"""The first look at a file that nobody knows yet: decoded once, and by `add` in a child process.

A decoder that crashes, hangs or eats memory then costs one file, not the command.
"""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lorawiz.dataset.facts import PictureFacts, measure_picture
from lorawiz.dataset.images import BrokenImageError, decode_image
from lorawiz.errors import DatasetError, visible_text

LIMIT_S = 60.0
"""A file may take so long; the largest that is allowed takes a few seconds."""
MEMORY_LIMIT_BYTES = 6 << 30
"""Of address space: several times the largest picture that is allowed."""
CHILD = (sys.executable, "-m", "lorawiz.dataset.decoding")


@dataclass(frozen=True, slots=True)
class Look:
    """What a decode of a whole file showed; sizes are upright pixels."""

    width: int
    height: int
    facts: PictureFacts


LookAt = Callable[[Path], Look]


def look_at(path: Path) -> Look:
    """Decode `path` in this process. Raises BrokenImageError."""
    found, picture = decode_image(path)
    return Look(found.width, found.height, measure_picture(picture))


class DecoderPool:
    """Child processes that decode, one for each thread that asks at the same time."""

    def __init__(self, program: Sequence[str] = CHILD, limit_s: float = LIMIT_S) -> None:
        self._program = program
        self._limit_s = limit_s
        self._idle: queue.LifoQueue[subprocess.Popen[bytes]] = queue.LifoQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while not self._idle.empty():
            _end(self._idle.get())

    def look_at(self, path: Path) -> Look:
        """Decode `path` in a child. Raises BrokenImageError, for a decoder that crashes too."""
        child = self._take()
        is_late = threading.Event()

        def stop() -> None:
            is_late.set()
            child.kill()

        timer = threading.Timer(self._limit_s, stop)
        timer.start()
        try:
            answer = _ask(child, path)
        except BaseException:
            _end(child)
            raise
        finally:
            timer.cancel()
        if answer is None:
            _end(child)
            reason = f"took more than {self._limit_s:g} s" if is_late.is_set() else "crashed"
            raise BrokenImageError(f"{visible_text(path.name)}: its decoder {reason}")
        self._idle.put(child)
        if "broken" in answer:
            raise BrokenImageError(answer["broken"], answer["hint"])
        facts = PictureFacts(**answer["facts"])
        return Look(answer["width"], answer["height"], facts)

    def _take(self) -> subprocess.Popen[bytes]:
        with suppress(queue.Empty):
            return self._idle.get_nowait()
        return subprocess.Popen(
            self._program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the command, which ends its children itself
            # numpy's threads would reserve memory that the limit counts
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )


def _ask(child: subprocess.Popen[bytes], path: Path) -> dict[str, Any] | None:
    """The child's answer; None where it died over it."""
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.write(json.dumps(str(path.absolute())).encode() + b"\n")
        child.stdin.flush()
        raw = child.stdout.readline()
    except BrokenPipeError:
        return None
    answer: dict[str, Any] | None = json.loads(raw) if raw.endswith(b"\n") else None
    return answer


def _end(child: subprocess.Popen[bytes]) -> None:
    """Let go of a child, and wait until it has ended."""
    assert child.stdin is not None and child.stdout is not None
    with suppress(BrokenPipeError):
        child.stdin.close()
    child.stdout.close()
    try:
        child.wait(timeout=1.0)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _limit_memory() -> None:
    if sys.platform == "win32":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = MEMORY_LIMIT_BYTES if most == resource.RLIM_INFINITY else min(MEMORY_LIMIT_BYTES, most)
    # not every system limits address space
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))


def main() -> None:
    """Answer each path on stdin, a JSON line each, with a JSON line on stdout."""
    _limit_memory()
    # what a native library prints must not get between the answers
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        path = Path(json.loads(line))
        try:
            look = look_at(path)
            answer = {"width": look.width, "height": look.height, "facts": asdict(look.facts)}
        except DatasetError as error:
            answer = {"broken": error.message, "hint": error.hint}
        answers.write(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, BrokenPipeError):
        main()
