"""journal.jsonl: append-only, the only source of truth about a run.

Each line is one JSON object with `time` and `event`. The events and their keys are the
constructors below; a reader acts on whole lines only and ignores events it does not know.
"""

import json
import math
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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


class JournalReader:
    """Reads a journal that grows: each `poll` returns the whole lines that are new."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def poll(self) -> list[Event]:
        """New events, in order. A line that is not JSON (torn by a kill) is passed over."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return list(_parse_lines(whole))


def read_events(path: Path) -> list[Event]:
    """All events of a journal, oldest first."""
    return JournalReader(path).poll()


def _parse_lines(data: bytes) -> Iterator[Event]:
    for line in data.split(b"\n"):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            yield event


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: a number that is not finite is written as text."""
    return {
        key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in values.items()
    }
