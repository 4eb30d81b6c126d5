"""Numbers as people read them: durations, sizes, speeds, clock times."""

import math
from datetime import datetime

_SIZE_UNITS = ("B", "kB", "MB", "GB", "TB")


def format_duration(seconds: float) -> str:
    """Hours, minutes, seconds: `0:41`, `7:08`, `1:02:10`."""
    minutes, second = divmod(max(round(seconds), 0), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def format_size(num_bytes: int) -> str:
    """Decimal units with one digit, as shops and `ls --si` count: `37.9 MB`."""
    size = float(num_bytes)
    for unit in _SIZE_UNITS[:-1]:
        if size < 999.95:
            return f"{num_bytes} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {_SIZE_UNITS[-1]}"


def format_memory(used_bytes: int, total_bytes: int) -> str:
    """Memory in GiB as GPU tools count it: `9.4 / 24 GB`, or `9.4 GB` of an unknown whole."""
    used = f"{used_bytes / 2**30:.1f}"
    return f"{used} / {round(total_bytes / 2**30)} GB" if total_bytes else f"{used} GB"


def format_speed(step_s: float) -> str:
    """Whichever is above one: `1.84 it/s` or `2.31 s/it`."""
    if step_s > 1:
        return f"{step_s:.2f} s/it"
    return f"{1 / step_s:.2f} it/s" if step_s > 0 else "– it/s"


def format_rate(value: float) -> str:
    """A learning rate: `1.0e-4`."""
    if not math.isfinite(value):
        return "nan"
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def format_loss(value: float) -> str:
    """Four digits behind the point, or `nan` and `inf`."""
    return f"{value:.4f}"


def format_clock(time: str) -> str:
    """An event's time as a wall clock here shows it: `21:14:02`."""
    return datetime.fromisoformat(time).astimezone().strftime("%H:%M:%S")


def count(number: int, noun: str) -> str:
    """A number with its noun: `1 save`, `3 saves`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
