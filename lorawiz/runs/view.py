"""A run as its journal tells it: the one fold that status, lines and panel read."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Literal

from lorawiz.runs.folder import RunFolder
from lorawiz.runs.journal import Event, JournalReader
from lorawiz.runs.processes import ProcessId, is_alive

RunState = Literal["starting", "running", "finished", "stopped", "failed", "killed"]
_SPEED_WINDOW = 20
_SMOOTHING = 0.97


@dataclass(frozen=True)
class StepLog:
    """One optimizer step."""

    step: int
    epoch: int
    loss: float
    smooth_loss: float
    """Exponential average with bias correction, weight 0.97 for the past."""
    lr: float
    grad_norm: float
    step_s: float
    """Seconds since the last step's end, waits included."""


@dataclass(frozen=True)
class SavedFile:
    step: int
    epoch: int
    path: str
    """Relative to the project."""
    num_bytes: int
    time: str


@dataclass(frozen=True)
class SampleFile:
    step: int
    index: int
    """Which of the spec's prompts, from 0."""
    prompt: str
    path: str


@dataclass
class RunView:
    """Everything the journal says, folded; `apply` takes events in order."""

    run_id: str
    total_steps: int = 0
    num_epochs: int = 0
    num_images: int = 0
    device: str = ""
    phase: str = "launching"
    """What is being done before and between steps: caching latents, sampling …"""
    phase_done: int = 0
    phase_total: int = 0
    steps: list[StepLog] = field(default_factory=list)
    saves: list[SavedFile] = field(default_factory=list)
    samples: list[SampleFile] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    state_step: int | None = None
    """The step of the newest state that a resume can start from."""
    memory_bytes: int = 0
    device_memory_bytes: int = 0
    outcome: Literal["finished", "stopped", "failed"] | None = None
    message: str = ""
    hint: str = ""
    is_bug: bool = False
    started_at: str = ""
    ended_at: str = ""
    process: ProcessId | None = None
    is_trainer_up: bool = False
    """Whether the trainer itself has spoken since the last launch."""

    @property
    def step(self) -> int:
        return self.steps[-1].step if self.steps else 0

    @property
    def epoch(self) -> int:
        return self.steps[-1].epoch if self.steps else 0

    @property
    def result(self) -> str | None:
        """The finished LoRA's path, relative to the project."""
        return self.saves[-1].path if self.outcome == "finished" and self.saves else None

    @property
    def step_s(self) -> float | None:
        """Seconds a step, the median of the last ones."""
        recent = [log.step_s for log in self.steps[-_SPEED_WINDOW:]]
        return median(recent) if recent else None

    @property
    def eta_s(self) -> float | None:
        """Seconds to the last step, by the present speed."""
        if self.step_s is None:
            return None
        return self.step_s * max(self.total_steps - self.step, 0)

    @property
    def elapsed_s(self) -> float | None:
        """Seconds from the start to the end, once it has ended."""
        if not (self.started_at and self.ended_at):
            return None
        start, end = (datetime.fromisoformat(t) for t in (self.started_at, self.ended_at))
        return (end - start).total_seconds()

    def state(self) -> RunState:
        """What the run is doing now; asks the system whether its process lives."""
        if self.outcome is not None:
            return self.outcome
        if self.process is not None and not is_alive(self.process):
            return "killed"
        return "running" if self.steps or self.total_steps else "starting"

    def apply(self, event: Event) -> None:
        """Take in one event; unknown ones change nothing."""
        handler = _HANDLERS.get(event["event"])
        if handler is not None:
            handler(self, event)


def load_view(run: RunFolder) -> RunView:
    """The view of a run as its journal stands now."""
    return fold(run.run_id, JournalReader(run.journal).poll())


def fold(run_id: str, events: Iterable[Event]) -> RunView:
    view = RunView(run_id)
    for event in events:
        view.apply(event)
    return view


def _on_launch(view: RunView, event: Event) -> None:
    view.outcome, view.message, view.hint, view.is_bug = None, "", "", False
    view.phase, view.phase_done, view.phase_total = "launching", 0, 0
    view.ended_at, view.is_trainer_up = "", False
    view.started_at = event["time"]
    view.process = ProcessId.from_event(event)


def _on_start(view: RunView, event: Event) -> None:
    view.total_steps, view.num_epochs = event["total_steps"], event["num_epochs"]
    view.num_images = event["num_images"]
    view.process = ProcessId.from_event(event)
    view.is_trainer_up = True
    # what a killed run did behind its last state is done again
    view.steps = [log for log in view.steps if log.step <= event["step"]]


def _on_device(view: RunView, event: Event) -> None:
    view.device = event["name"]


def _on_phase(view: RunView, event: Event) -> None:
    view.phase, view.phase_done, view.phase_total = event["name"], event["done"], event["total"]


def _on_step(view: RunView, event: Event) -> None:
    loss = float(event["loss"])
    view.steps.append(
        StepLog(
            event["step"], event["epoch"], loss, _smooth(view.steps, loss),
            event["lr"], float(event["grad_norm"]), event["step_s"],
        )
    )  # fmt: skip
    view.phase = "training"
    view.memory_bytes = event.get("memory_bytes", 0)
    view.device_memory_bytes = event.get("device_memory_bytes", 0)


def _smooth(steps: list[StepLog], loss: float) -> float:
    """The average behind one more loss; a loss that is not finite leaves it as it was."""
    if not steps:
        return loss
    past = steps[-1].smooth_loss
    if not (math.isfinite(loss) and math.isfinite(past)):
        return loss if math.isfinite(loss) else past
    weight = min(_SMOOTHING, len(steps) / (len(steps) + 1))
    return weight * past + (1 - weight) * loss


def _on_save(view: RunView, event: Event) -> None:
    saved = SavedFile(
        event["step"], event["epoch"], event["path"], event["num_bytes"], event["time"]
    )
    view.saves = [*(old for old in view.saves if old.path != saved.path), saved]


def _on_state(view: RunView, event: Event) -> None:
    view.state_step = event["step"]


def _on_sample(view: RunView, event: Event) -> None:
    sample = SampleFile(event["step"], event["index"], event["prompt"], event["path"])
    view.samples = [*(old for old in view.samples if old.path != sample.path), sample]


def _on_warning(view: RunView, event: Event) -> None:
    view.warnings.append(event["message"])


def _on_end(view: RunView, event: Event) -> None:
    view.outcome = event["outcome"]
    view.message, view.hint = event.get("message", ""), event.get("hint", "")
    view.is_bug = event.get("bug", False)
    view.ended_at = event["time"]


_HANDLERS = {
    "launch": _on_launch, "start": _on_start, "device": _on_device, "phase": _on_phase, "step": _on_step,
    "save": _on_save, "state": _on_state, "sample": _on_sample, "warning": _on_warning,
    "end": _on_end,
}  # fmt: skip
