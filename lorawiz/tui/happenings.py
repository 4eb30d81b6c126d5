"""Events of a journal as sentences: one by one, and summed up for somebody who was away."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from lorawiz.errors import visible_text
from lorawiz.runs.control import Request
from lorawiz.runs.journal import Event
from lorawiz.tui.language import tr, tr_count
from lorawiz.tui.theme import Tone
from lorawiz.wording import show_bytes

_A_DAY_AWAY_S = 72_000


@dataclass(frozen=True)
class Happening:
    """One event in a sentence, safe to show."""

    time: str
    text: str
    tone: Tone = "plain"


def tell_request(what: Request, is_paused: bool, time: datetime) -> Happening:
    """What was asked of the trainer just now, and when it will act."""
    match what:
        case "stop":
            text = tr("asked: saves and stops after this step")
        case "pause":
            text = tr("asked: pauses after this step")
        case "resume":
            text = tr("asked: goes on")
        case "save":
            text = tr("asked: saves now") if is_paused else tr("asked: saves after this step")
        case "sample":
            text = (
                tr("asked: draws samples now")
                if is_paused
                else tr("asked: draws samples after this step")
            )
    return Happening(time.isoformat(), text, "accent")


def tell_meanwhile(events: list[Event], since: datetime | None, now: datetime) -> str:
    """`since 21:02: 380 steps, 3 saves, 1 warning`; empty where nothing happened."""
    first = since or datetime.fromisoformat(events[0]["time"])
    missed = [event["event"] for event in _list_after(events, first)]
    counts = [
        tr_count(missed.count(kind), one, many) for kind, one, many in _COUNTED if kind in missed
    ]
    if not counts:
        return ""
    day = "%a " if (now - first).total_seconds() > _A_DAY_AWAY_S else ""
    time = first.astimezone().strftime(day + "%H:%M")
    return tr("since {time}: {counts}", time=time, counts=", ".join(counts))


_COUNTED = (
    ("step", "{num} step", "{num} steps"),
    ("save", "{num} save", "{num} saves"),
    ("sample", "{num} sample", "{num} samples"),
    ("warning", "{num} warning", "{num} warnings"),
)
_TEXTS = (
    "{num} step", "{num} steps", "{num} save", "{num} saves", "{num} sample", "{num} samples",
    "{num} warning", "{num} warnings",
)  # fmt: skip


def _list_after(events: list[Event], time: datetime) -> list[Event]:
    """The events after `time`: from the end backwards, since a journal may be long."""
    start = len(events)
    while start and datetime.fromisoformat(events[start - 1]["time"]) > time:
        start -= 1
    return events[start:]


def tell(event: Event) -> Happening | None:
    """The event in a sentence; None for what happens all the time."""
    teller = _TELLERS.get(event["event"])
    if teller is None:
        return None
    text, tone = teller(event)
    return Happening(event["time"], text, tone)


Told = tuple[str, Tone]


def _tell_launch(event: Event) -> Told:
    return tr("launched"), "plain"


def _tell_start(event: Event) -> Told:
    counts = {
        "images": tr_count(event["num_images"], "{num} image", "{num} images"),
        "steps": tr_count(event["total_steps"], "{num} step", "{num} steps"),
    }
    if event["step"]:
        text = tr("resumed behind step {step}: {images}, {steps}", step=event["step"], **counts)
        return text, "plain"
    return tr("started: {images}, {steps}", **counts), "plain"


def _tell_device(event: Event) -> Told:
    return tr("training on {name}", name=visible_text(event["name"])), "plain"


def _tell_save(event: Event) -> Told:
    name = visible_text(PurePath(event["path"]).name)
    return tr("saved {name} ({size})", name=name, size=show_bytes(event["num_bytes"])), "plain"


def _tell_sample(event: Event) -> Told:
    prompt = visible_text(event["prompt"])
    return tr("sample at step {step}: {prompt}", step=event["step"], prompt=prompt), "plain"


def _tell_validation(event: Event) -> Told:
    loss = f"{float(event['loss']):.4f}"
    return tr("validation at step {step}: {loss}", step=event["step"], loss=loss), "plain"


def _tell_pause(event: Event) -> Told:
    return tr("paused behind step {step}", step=event["step"]), "accent"


def _tell_resume(event: Event) -> Told:
    return tr("goes on behind step {step}", step=event["step"]), "accent"


def _tell_end(event: Event) -> Told:
    match event["outcome"]:
        case "failed":
            return tr("failed"), "error"
        case "stopped":
            return tr("stopped"), "accent"
    return tr("finished"), "accent"


_TELLERS: dict[str, Callable[[Event], Told]] = {
    "launch": _tell_launch, "start": _tell_start, "device": _tell_device, "save": _tell_save,
    "sample": _tell_sample, "validation": _tell_validation, "pause": _tell_pause,
    "resume": _tell_resume, "end": _tell_end,
}  # fmt: skip
