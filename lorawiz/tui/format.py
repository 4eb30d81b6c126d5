"""What only the panel shows: memory, learning rates, losses, clock times."""

import math
from datetime import datetime

from lorawiz.runs.logs import ValidationLog


def format_memory(used_bytes: int, total_bytes: int) -> str:
    """Memory in GiB as GPU tools count it: `9.4 / 24 GB`, or `9.4 GB` of an unknown whole."""
    used = f"{used_bytes / 2**30:.1f}"
    return f"{used} / {round(total_bytes / 2**30)} GB" if total_bytes else f"{used} GB"


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


def format_validation(log: ValidationLog) -> str:
    """A validation loss, with its spread where it is known: `0.1040 ±0.0060`."""
    return format_loss(log.loss) + ("" if log.std is None else f" ±{log.std:.4f}")


def format_clock(time: str) -> str:
    """An event's time as a wall clock here shows it: `21:14:02`."""
    return datetime.fromisoformat(time).astimezone().strftime("%H:%M:%S")
