"""Children of the test's process that are killed, or fail, at one file operation of their own.

A child is forked, so that torch is imported once; its audit hook ends with it.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lorawiz.train import state

CRASHED = 99
FAILED = 3
_EVENTS = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir")


def run_child(action: Callable[[], int]) -> int:
    """The exit code of `action` in a child; minus the signal where one ended it."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = CRASHED
        try:
            code = action()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def strike(folder: Path, at: int, deed: Callable[[], None]) -> Callable[[], int]:
    """Do `deed` at the `at`-th file operation under `folder` from now on, in this process.

    Operations are opens, renames, removals, new folders, fsyncs and writes of a state. Returns
    what tells how many there have been.
    """
    count = 0

    def note(path: object) -> None:
        nonlocal count
        if str(folder) in str(path):
            count += 1
            if count == at:
                deed()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS and arguments:
            note(os.fspath(arguments[0]) if not isinstance(arguments[0], int) else "")

    fsync, iterate = os.fsync, state._Watched.__iter__

    def watched_fsync(fd: Any) -> None:
        note(f"{folder}/fsync")
        fsync(fd)

    def watched_parts(self: Any) -> Any:
        for part in iterate(self):
            note(f"{folder}/write")
            yield part

    os.fsync = watched_fsync
    state._Watched.__iter__ = watched_parts  # type: ignore[method-assign]
    sys.addaudithook(hook)
    return lambda: count


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def count_in_child(folder: Path, action: Callable[[], object]) -> int:
    """How many file operations under `folder` an action is made of."""
    reader, writer = os.pipe()

    def measure() -> int:
        tell = strike(folder, 0, lambda: None)
        action()
        os.write(writer, str(tell()).encode())
        return 0

    assert run_child(measure) == 0
    os.close(writer)
    with os.fdopen(reader) as told:
        return int(told.read())


def expect_red(check: Callable[[], object]) -> None:
    """A battery that does not see a planted fault is worth nothing."""
    try:
        check()
    except AssertionError:
        return
    pytest.fail("the planted fault was not seen")
