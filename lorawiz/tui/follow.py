"""Following a run: polls its journal, folds the view, keeps what is worth telling."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath

from lorawiz.errors import visible_text
from lorawiz.runs.control import request
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.journal import Event, JournalReader
from lorawiz.runs.view import RunState, RunView
from lorawiz.tui.theme import Tone
from lorawiz.wording import show_bytes, show_count

Clock = Callable[[], datetime]
_KEPT_HAPPENINGS = 50


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Happening:
    """One event in a sentence, safe to show."""

    time: str
    text: str
    tone: Tone = "plain"


class RunFollower:
    """A run as one watcher follows it; `poll` takes in what the journal has got since."""

    def __init__(self, run: RunFolder, now: Clock = utc_now) -> None:
        self.run = run
        self.view = RunView(run.run_id)
        self.happenings: deque[Happening] = deque(maxlen=_KEPT_HAPPENINGS)
        self.is_stop_asked = False
        self.has_asked_to_stop = False
        """Whether the stop was asked for here, not in another terminal."""
        self._now = now
        self._reader = JournalReader(run.journal)
        self._last_word: str | None = None
        self.meanwhile = self._catch_up()
        """What happened while nobody watched; empty when nothing did."""

    def poll(self) -> bool:
        """Take in new events; whether anything is new."""
        events = self._reader.poll()
        for event in events:
            self._take_in(event)
        asked = self.view.outcome is None and (self.run.control / "stop").exists()
        is_new = bool(events) or (asked and not self.is_stop_asked)
        self.is_stop_asked = self.is_stop_asked or asked
        return is_new

    def ask_to_stop(self) -> None:
        """Have the trainer save and end after its present step."""
        request(self.run, "stop")
        self.is_stop_asked = self.has_asked_to_stop = True

    def state(self) -> RunState:
        return self.view.state()

    def is_over(self) -> bool:
        """Whether nothing more will come, unless the run is resumed."""
        return self.state() not in ("starting", "running")

    def quiet_s(self) -> float:
        """Seconds since the journal's last word."""
        return self._seconds_since(self._last_word)

    def elapsed_s(self) -> float | None:
        """Seconds since this life of the run began, to its end or to now."""
        if self.view.elapsed_s is not None:
            return self.view.elapsed_s
        return self._seconds_since(self.view.started_at) if self.view.started_at else None

    def seconds_since_save(self) -> float | None:
        return self._seconds_since(self.view.saves[-1].time) if self.view.saves else None

    def mark_seen(self) -> None:
        """Note that somebody watches now: the next watcher is told what happened since."""
        with suppress(OSError):  # a project on a read-only disk can be watched too
            self._seen.parent.mkdir(parents=True, exist_ok=True)
            self._seen.write_text(self._now().isoformat())

    @property
    def _seen(self) -> Path:
        return self.run.project.private / "seen" / self.run.run_id

    def _catch_up(self) -> str:
        events = self._reader.poll()
        for event in events:
            self._take_in(event)
        since = self._last_seen()
        return _tell_meanwhile(events, since, self._now()) if since or events else ""

    def _last_seen(self) -> datetime | None:
        try:
            return datetime.fromisoformat(self._seen.read_text())
        except (OSError, ValueError):
            return None

    def _take_in(self, event: Event) -> None:
        self.view.apply(event)
        self._last_word = event["time"]
        if event["event"] == "launch":
            self.is_stop_asked = self.has_asked_to_stop = False
        happening = _tell(event)
        if happening is not None:
            self.happenings.append(happening)

    def _seconds_since(self, time: str | None) -> float:
        if time is None:
            return 0.0
        return max((self._now() - datetime.fromisoformat(time)).total_seconds(), 0.0)


def _tell_meanwhile(events: list[Event], since: datetime | None, now: datetime) -> str:
    """`since 21:02: 380 steps, 3 saves, 1 warning`."""
    times = [datetime.fromisoformat(event["time"]) for event in events]
    since = since or times[0]
    missed = [event["event"] for event, time in zip(events, times, strict=True) if time > since]
    counts = [
        show_count(missed.count(kind), kind)
        for kind in ("step", "save", "sample", "warning")
        if kind in missed
    ]
    if not counts:
        return ""
    day = "%a " if (now - since).total_seconds() > 72_000 else ""
    return f"since {since.astimezone().strftime(day + '%H:%M')}: {', '.join(counts)}"


def _tell(event: Event) -> Happening | None:
    teller = _TELLERS.get(event["event"])
    return teller(event) if teller is not None else None


def _tell_launch(event: Event) -> Happening:
    return Happening(event["time"], "launched")


def _tell_start(event: Event) -> Happening:
    step = event["step"]
    how = f"resumed behind step {step}" if step else "started"
    images, steps = (
        show_count(event["num_images"], "image"),
        show_count(event["total_steps"], "step"),
    )
    return Happening(event["time"], f"{how}: {images}, {steps}")


def _tell_device(event: Event) -> Happening:
    return Happening(event["time"], f"training on {visible_text(event['name'])}")


def _tell_save(event: Event) -> Happening:
    name = visible_text(PurePath(event["path"]).name)
    return Happening(event["time"], f"saved {name} ({show_bytes(event['num_bytes'])})")


def _tell_sample(event: Event) -> Happening:
    prompt = visible_text(event["prompt"])
    return Happening(event["time"], f"sample at step {event['step']}: {prompt}")


def _tell_end(event: Event) -> Happening:
    tone: Tone = "error" if event["outcome"] == "failed" else "accent"
    return Happening(event["time"], visible_text(event["outcome"]), tone)


_TELLERS: dict[str, Callable[[Event], Happening]] = {
    "launch": _tell_launch, "start": _tell_start, "device": _tell_device,
    "save": _tell_save, "sample": _tell_sample, "end": _tell_end,
}  # fmt: skip
