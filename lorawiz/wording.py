"""How numbers look to the user, on every screen and line the same; and to a watching program."""

import json
from typing import NamedTuple

PROGRESS_VARIABLE = "LORAWIZ_PROGRESS"
"""Set to `json`, a command tells its progress on stderr as JSON text sequences (RFC 7464), and
is interrupted when its standard input ends: whoever watches it holds the other end."""
_RECORD = "\x1e"


class ProgressRecord(NamedTuple):
    """How far a command is with what."""

    title: str
    done: int
    total: int
    unit: str = ""
    """`bytes`, or empty for pieces such as images."""


def dump_progress(record: ProgressRecord) -> str:
    """One record: ␞, an object, a line feed."""
    return f"{_RECORD}{json.dumps(record._asdict())}\n"


def read_progress(line: str) -> ProgressRecord | None:
    """The record of a line, or None for a line of words."""
    if not line.startswith(_RECORD):
        return None
    try:
        values = json.loads(line[len(_RECORD) :])
        done, total = int(values["done"]), int(values["total"])
        return ProgressRecord(str(values["title"]), done, total, str(values.get("unit", "")))
    except (ValueError, KeyError, TypeError):
        return None


def show_bytes(count: float) -> str:
    """`37.9 MB`, in powers of 1000 as file managers count."""
    if count < 1000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 999.95:
            return f"{count:.1f} {unit}"
    count /= 1000
    return f"{count:.1f} TB"


def show_duration(seconds: float) -> str:
    """`0:41`, `7:08`, `1:02:10`."""
    whole = max(round(seconds), 0)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def show_speed(step_s: float) -> str:
    """`1.83 it/s`, or `4.9 s/it` where a step takes longer than a second."""
    if step_s <= 0:
        return "– it/s"
    return f"{1 / step_s:.2f} it/s" if step_s <= 1 else f"{step_s:.2f} s/it"


def show_count(count: int, word: str) -> str:
    """`1 image`, `42 images`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
