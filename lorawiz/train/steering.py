"""Obeying what is asked of a run: between two steps, and as long as it is paused.

Nothing of it touches the training: a save copies, samples draw from a generator of their own,
and a pause is a sleep. So a run that was paused, saved and sampled ends with the same bits.
"""

import time
from collections.abc import Callable
from typing import Protocol

import torch

from lorawiz.runs.control import Request, list_requests, take_request
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.journal import JournalWriter
from lorawiz.train.stopping import StopWatch

_POLL_S = 0.2


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """What was asked for cannot be done here; the text says why."""


class Point(Protocol):
    """A place between two steps, and what can be done there."""

    @property
    def step(self) -> int:
        """The last step that is done; 0 before the first."""

    @property
    def is_ready(self) -> bool:
        """Whether `save` and `sample` are obeyed here also without a pause; else they wait."""

    @property
    def is_last(self) -> bool:
        """Whether no step follows."""

    def keep_state(self) -> None:
        """Write the state to resume from. Raises OSError."""

    def save(self) -> None:
        """Save a LoRA file and a state. Raises Refused, OSError."""

    def sample(self) -> None:
        """Draw the samples. Raises Refused, OSError."""


class BeforeTraining:
    """While caches are filled and models loaded: a pause holds, other requests wait."""

    step = 0
    is_ready = False
    is_last = False

    def keep_state(self) -> None:
        """There is nothing yet that the caches do not keep."""

    def save(self) -> None:
        raise Refused("nothing is trained yet")

    def sample(self) -> None:
        raise Refused("the models are not loaded yet")


class Steering:
    """Answers the requests in control/, each with an event in the journal."""

    def __init__(self, run: RunFolder, journal: JournalWriter, stop: StopWatch) -> None:
        self._run = run
        self._journal = journal
        self._stop = stop

    def obey(self, point: Point) -> str:
        """Do what is asked for, and stay while the run is paused.

        Returns why to stop, or an empty string to go on.
        """
        is_paused = False
        while not self._stop.reason:
            asked = list_requests(self._run)
            if is_paused or point.is_ready:
                self._serve("save", asked, point.save)
                if self._serve("sample", asked, point.sample) and is_paused:
                    self._journal.write("phase", name="paused", done=0, total=1)
            is_paused = self._hold(asked, point, is_paused)
            if not is_paused:
                return ""
            time.sleep(_POLL_S)
        self._finish(point)
        return self._stop.reason

    def _hold(self, asked: frozenset[Request], point: Point, is_paused: bool) -> bool:
        """Whether the run is paused after what was asked."""
        if "pause" in asked and take_request(self._run, "pause"):
            if point.is_last:
                self._refuse("pause", "no step is left")
                return False
            self._try("save", point.keep_state)
            self._journal.write("pause", step=point.step)
            is_paused = True
        if "resume" in asked and take_request(self._run, "resume"):
            self._journal.write("resume", step=point.step)
            is_paused = False
        return is_paused

    def _finish(self, point: Point) -> None:
        """A stop comes first, but what was asked before it is not forgotten."""
        asked = list_requests(self._run)
        self._serve("save", asked, point.save)
        for what in ("sample", "pause"):
            if what in asked and take_request(self._run, what):
                self._refuse(what, "the run stops")

    def _serve(self, what: Request, asked: frozenset[Request], action: Callable[[], None]) -> bool:
        """Whether it was asked for: then it is done, or answered with the reason."""
        if what not in asked or not take_request(self._run, what):
            return False
        self._try(what, action)
        return True

    def _try(self, what: Request, action: Callable[[], None]) -> None:
        """Do it; what goes wrong must not end the training that nobody asked to end."""
        try:
            action()
        except Refused as reason:
            self._refuse(what, str(reason))
        except OSError as error:
            self._refuse(what, f"{error.filename or self._run.path}: {error.strerror}")
        except (MemoryError, torch.OutOfMemoryError):
            self._refuse(what, "there is not enough memory for it")

    def _refuse(self, what: Request, reason: str) -> None:
        self._journal.write("warning", message=f"{_FAILURES[what]}: {reason}", request=what)


_FAILURES: dict[Request, str] = {
    "save": "not saved",
    "sample": "no samples drawn",
    "pause": "not paused",
}
