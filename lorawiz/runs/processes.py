"""Processes and sessions: the one module that knows what differs between systems."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from lorawiz.errors import RunError


@dataclass(frozen=True)
class ProcessId:
    """A process that can be told from a later one of the same number."""

    pid: int
    created: float
    """Seconds since 1970, as the system reports it."""
    host: str

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "ProcessId":
        return cls(event["pid"], event["created"], event["host"])

    def as_event(self) -> dict[str, Any]:
        return asdict(self)


def this_process() -> ProcessId:
    return describe_process(os.getpid())


def describe_process(pid: int) -> ProcessId:
    """The identity of a living process of this machine."""
    return ProcessId(pid, psutil.Process(pid).create_time(), platform.node())


def is_alive(process: ProcessId) -> bool:
    """Whether the process still runs. One of another host is believed to."""
    if process.host != platform.node():
        return True
    try:
        found = psutil.Process(process.pid)
        # the start time is kept in clock ticks: equal means the same process
        return abs(found.create_time() - process.created) < 1.0 and (
            found.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.Error:
        return False


def start_detached(
    command: Sequence[str], log: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own: a closed terminal does not reach it.

    Its output is appended to `log`; it reads nothing. Raises RunError where the system has no
    sessions.
    """
    if sys.platform == "win32":
        raise RunError("training needs a POSIX system", "run it on the Linux box, or in WSL")
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
