"""journal.jsonl: append-only, the only source of truth about a run.

Each line is one JSON object with `time` and `event`; events.py tells the events and their keys. A
reader acts on whole lines only and ignores events it does not know.
"""

import json
import math
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lorawiz.runs.events import is_well_formed

Event = dict[str, Any]
_DURABLE = frozenset({"launch", "start", "save", "state", "end"})


class JournalWriter:
    """Appends events. One write per line, so that several writers never mix within one."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._end_torn_line(path)

    def write(self, event: str, **values: Any) -> None:
        """Append one event; those that others build on are on the disk when this returns."""
        line = {"time": _now(), "event": event, **_finite(values)}
        os.write(self._descriptor, (json.dumps(line, ensure_ascii=False) + "\n").encode("utf-8"))
        if event in _DURABLE:
            os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)

    def _end_torn_line(self, path: Path) -> None:
        """A kill inside a write can leave half a line; what follows must not be glued to it."""
        with path.open("rb") as file:
            if (
                file.seek(0, os.SEEK_END)
                and file.seek(-1, os.SEEK_END) >= 0
                and file.read(1) != b"\n"
            ):
                os.write(self._descriptor, b"\n")


class SilentJournal(JournalWriter):
    """Takes events and writes none: of several processes one keeps the journal."""

    def __init__(self) -> None:
        """It has no file."""

    def write(self, event: str, **values: Any) -> None:
        """Pass over it."""

    def close(self) -> None:
        """Nothing is open."""


class JournalReader:
    """Reads a journal that grows: each `poll` returns the whole lines that are new."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._num_lines = 0
        self._has_warned = False

    def poll(self) -> list[Event]:
        """New events, in order, each well-formed.

        A line that is not JSON (torn by a kill) is passed over. So is one that is JSON and no
        event of ours; the first of them becomes a `warning`.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return list(self._parse_lines(whole))

    def _parse_lines(self, data: bytes) -> Iterator[Event]:
        for number, line in enumerate(data.split(b"\n")[:-1], self._num_lines + 1):
            self._num_lines = number
            try:
                event = json.loads(line.decode())  # faster than bytes
            except (ValueError, RecursionError):
                continue
            if is_well_formed(event):
                yield event
            elif not self._has_warned:
                self._has_warned = True
                yield _warn_of_line(self._path, number)


def read_events(path: Path) -> list[Event]:
    """All events of a journal, oldest first."""
    return JournalReader(path).poll()


def _warn_of_line(path: Path, number: int) -> Event:
    message = f"{path.name}:{number}: a line that lorawiz did not write; such lines are passed over"
    return {"time": _now(), "event": "warning", "message": message}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: a number that is not finite is written as text."""
    return {
        key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in values.items()
    }
