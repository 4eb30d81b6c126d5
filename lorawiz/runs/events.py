"""The events of a journal: which keys each of them has, and what stands in them.

Numbers that JSON does not know stand as text: "nan", "inf", "-inf".
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

_LARGEST_COUNT = 1 << 53
_LARGEST_NUMBER = 1e30
_NOT_FINITE = frozenset({"nan", "inf", "-inf"})

Check = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LARGEST_COUNT


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and -_LARGEST_NUMBER < value < _LARGEST_NUMBER


def _is_duration(value: Any) -> bool:
    return _is_finite(value) and value >= 0


def _is_number(value: Any) -> bool:
    return _is_finite(value) or (isinstance(value, str) and value in _NOT_FINITE)


def _is_pid(value: Any) -> bool:
    return type(value) is int and 0 < value < 1 << 31


def _is_outcome(value: Any) -> bool:
    return isinstance(value, str) and value in ("finished", "stopped", "failed")


def _is_loss_by_image(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(pair, list) and len(pair) == 2 and _is_number(pair[0]) and _is_count(pair[1])
        for pair in value.values()
    )


_PROCESS: Mapping[str, Check] = {"pid": _is_pid, "created": _is_finite, "host": _is_text}

KEYS: Mapping[str, Mapping[str, Check]] = {
    "launch": _PROCESS,
    "start": {
        **_PROCESS, "step": _is_count, "total_steps": _is_count, "num_epochs": _is_count,
        "num_images": _is_count,
    },
    "device": {"name": _is_text},
    "phase": {"name": _is_text, "done": _is_count, "total": _is_count},
    "step": {
        "step": _is_count, "epoch": _is_count, "loss": _is_number, "lr": _is_number,
        "grad_norm": _is_number, "step_s": _is_duration,
    },
    "save": {"step": _is_count, "epoch": _is_count, "path": _is_text, "num_bytes": _is_count},
    "state": {"step": _is_count},
    "sample": {"step": _is_count, "index": _is_count, "prompt": _is_text, "path": _is_text},
    "validation": {"step": _is_count, "loss": _is_number},
    # images: {image_path: [mean loss of its views in this epoch, number of views]}
    "image_loss": {"epoch": _is_count, "images": _is_loss_by_image},
    "pause": {"step": _is_count},
    "resume": {"step": _is_count},
    "warning": {"message": _is_text},
    "end": {"outcome": _is_outcome},
}  # fmt: skip
"""The keys that an event always has; each has `time` and `event` too."""

OPTIONAL_KEYS: Mapping[str, Mapping[str, Check]] = {
    "step": {"memory_bytes": _is_count, "device_memory_bytes": _is_count},
    "validation": {"std": _is_number},
    # request: which request of control/ the warning answers
    "warning": {"request": _is_text},
    "end": {"message": _is_text, "hint": _is_text, "bug": _is_flag},
}
"""The keys that an event may have. Others change nothing."""

_NONE: Mapping[str, Check] = {}


def is_well_formed(event: Any) -> bool:
    """Whether it is an event that has all that a reader may ask of it.

    An event that is not known here needs a time alone.
    """
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return False
    if not _has_time(event):
        return False
    name = event["event"]
    for key, is_right in KEYS.get(name, _NONE).items():
        if key not in event or not is_right(event[key]):
            return False
    for key, is_right in OPTIONAL_KEYS.get(name, _NONE).items():
        if key in event and not is_right(event[key]):
            return False
    return True


def _has_time(event: Mapping[str, Any]) -> bool:
    try:
        return datetime.fromisoformat(event["time"]).tzinfo is not None
    except (KeyError, ValueError, TypeError):
        return False
