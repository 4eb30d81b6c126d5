"""Following a run: polls its journal, folds the view, keeps what is worth telling and asking."""

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from lorawiz.runs.control import Request, list_requests, request
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.journal import Event, JournalReader
from lorawiz.runs.view import ON, RunState, RunView
from lorawiz.tui.happenings import Happening, tell, tell_meanwhile, tell_request

Clock = Callable[[], datetime]
_KEPT_HAPPENINGS = 50


def utc_now() -> datetime:
    return datetime.now(UTC)


class RunFollower:
    """A run as one watcher follows it; `poll` takes in what the journal has got since."""

    def __init__(self, run: RunFolder, now: Clock = utc_now) -> None:
        self.run = run
        self.view = RunView(run.run_id)
        self.happenings: deque[Happening] = deque(maxlen=_KEPT_HAPPENINGS)
        self.asked: frozenset[Request] = frozenset()
        """What was asked of the trainer, here or elsewhere, and is not answered yet."""
        self.has_asked_to_stop = False
        """Whether the stop was asked for here, not in another terminal."""
        self._now = now
        self._reader = JournalReader(run.journal)
        self._last_word: str | None = None
        self.meanwhile = self._catch_up()
        """What happened while nobody watched; empty when nothing did."""

    def poll(self) -> bool:
        """Take in new events and requests; whether anything is new."""
        events = self._reader.poll()
        for event in events:
            self._take_in(event)
        pending = frozenset() if self.is_over() else list_requests(self.run)
        self.asked -= _list_answered(events) - pending
        new = pending - self.asked
        for what in sorted(new):
            self._note(what)
        return bool(events or new)

    def ask(self, what: Request) -> None:
        """Ask the trainer for something; it acts after its present step. Raises OSError."""
        request(self.run, what)
        self._note(what)
        self.has_asked_to_stop = self.has_asked_to_stop or what == "stop"

    @property
    def is_stop_asked(self) -> bool:
        return "stop" in self.asked

    @property
    def will_pause(self) -> bool:
        """Whether the run is paused, or will be when it has done what it was asked."""
        if self.state() == "paused":
            return "resume" not in self.asked
        return "pause" in self.asked

    def state(self) -> RunState:
        return self.view.state()

    def is_over(self) -> bool:
        """Whether nothing more will come, unless the run is resumed."""
        return self.state() not in ON

    def quiet_s(self) -> float:
        """Seconds since the journal's last word."""
        return self._seconds_since(self._last_word)

    def elapsed_s(self) -> float | None:
        """Seconds since this life of the run began, to its end or to now."""
        if self.view.elapsed_s is not None:
            return self.view.elapsed_s
        return self._seconds_since(self.view.started_at) if self.view.started_at else None

    def paused_s(self) -> float:
        """Seconds since the run was paused; 0 while it trains."""
        return self._seconds_since(self.view.paused_at) if self.view.paused_at else 0.0

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
        return tell_meanwhile(events, since, self._now()) if since or events else ""

    def _last_seen(self) -> datetime | None:
        try:
            return datetime.fromisoformat(self._seen.read_text())
        except (OSError, ValueError):
            return None

    def _take_in(self, event: Event) -> None:
        self.view.apply(event)
        self._last_word = event["time"]
        if event["event"] == "launch":
            self.asked, self.has_asked_to_stop = frozenset(), False
        happening = tell(event)
        if happening is not None:
            self.happenings.append(happening)

    def _note(self, what: Request) -> None:
        """Remember a request until it is answered; of pause and resume, the later one counts."""
        if what in ("pause", "resume"):
            self.asked -= {"pause", "resume"}
        self.asked |= {what}
        self.happenings.append(tell_request(what, bool(self.view.paused_at), self._now()))

    def _seconds_since(self, time: str | None) -> float:
        if time is None:
            return 0.0
        return max((self._now() - datetime.fromisoformat(time)).total_seconds(), 0.0)


def _list_answered(events: Iterable[Event]) -> frozenset[Request]:
    """The requests that events answer. A stop is answered by the end, behind which none counts."""
    answered: set[Request] = set()
    for event in events:
        match event["event"]:
            case "pause" | "resume":
                answered |= {"pause", "resume"}
            case "save" | "sample" as what:
                answered.add(what)
            case "warning" if "request" in event:
                answered.add(event["request"])
    return frozenset(answered)
