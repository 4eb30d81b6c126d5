"""A run as its journal tells it: the one fold that status, lines and panel read."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Literal, TypeVar

from lorawiz.runs.folder import RunFolder
from lorawiz.runs.journal import Event, JournalReader
from lorawiz.runs.logs import ImageLoss, SampleFile, SavedFile, StepLog, ValidationLog
from lorawiz.runs.processes import ProcessId, is_alive

RunState = Literal["starting", "running", "paused", "finished", "stopped", "failed", "killed"]
ON: frozenset[RunState] = frozenset({"starting", "running", "paused"})
"""The states of a run whose trainer lives."""
_SPEED_WINDOW = 20
_SMOOTHING = 0.97
_KEPT_EPOCHS = 5
"""Losses by image are means over so many epochs: one epoch is mostly luck with the timesteps."""


File = TypeVar("File", SavedFile, SampleFile)


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
    validations: list[ValidationLog] = field(default_factory=list)
    image_losses: dict[int, dict[str, tuple[float, int]]] = field(default_factory=dict)
    """By epoch, the newest few: image_path → (mean loss, number of views)."""
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
    paused_at: str = ""
    """Since when the trainer holds; empty while it trains."""
    num_not_finite: int = 0
    """Steps whose loss was NaN or infinite."""
    known_paths: set[str] = field(default_factory=set)
    """Of saves and samples."""

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

    @property
    def training_s(self) -> float:
        """Seconds that the steps took, over all lives of the run; pauses are not in it."""
        return sum(log.step_s for log in self.steps)

    def rank_image_losses(self) -> list[ImageLoss]:
        """Every image with a loss, the hardest first; empty where the trainer tells none."""
        sums: dict[str, tuple[float, int]] = {}
        for images in self.image_losses.values():
            for path, (loss, count) in images.items():
                total, views = sums.get(path, (0.0, 0))
                sums[path] = total + loss * count, views + count
        means = {path: total / views for path, (total, views) in sums.items()}
        mean = sum(means.values()) / len(means) if means else 0.0
        ranked = [
            ImageLoss(path, loss, sums[path][1], loss / mean if mean else 1.0)
            for path, loss in means.items()
        ]
        return sorted(ranked, key=lambda image: (-image.loss, image.image_path))

    def state(self) -> RunState:
        """What the run is doing now; asks the system whether its process lives."""
        if self.outcome is not None:
            return self.outcome
        if self.process is not None and not is_alive(self.process):
            return "killed"
        if self.paused_at:
            return "paused"
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
    view.ended_at, view.is_trainer_up, view.paused_at = "", False, ""
    view.started_at = event["time"]
    view.process = ProcessId.from_event(event)


def _on_start(view: RunView, event: Event) -> None:
    view.total_steps, view.num_epochs = event["total_steps"], event["num_epochs"]
    view.num_images = event["num_images"]
    view.process = ProcessId.from_event(event)
    view.is_trainer_up = True
    # what a killed run did behind its last state is done again
    view.steps = [log for log in view.steps if log.step <= event["step"]]
    view.validations = [log for log in view.validations if log.step <= event["step"]]
    view.image_losses = {e: known for e, known in view.image_losses.items() if e <= view.epoch}
    view.num_not_finite = sum(not math.isfinite(log.loss) for log in view.steps)


def _on_device(view: RunView, event: Event) -> None:
    view.device = event["name"]


def _on_phase(view: RunView, event: Event) -> None:
    view.phase, view.phase_done, view.phase_total = event["name"], event["done"], event["total"]


def _on_step(view: RunView, event: Event) -> None:
    loss = float(event["loss"])
    view.steps.append(
        StepLog(
            event["step"], event["epoch"], loss, _smooth(view.steps, loss),
            float(event["lr"]), float(event["grad_norm"]), event["step_s"],
        )
    )  # fmt: skip
    view.phase, view.paused_at = "training", ""
    view.num_not_finite += not math.isfinite(loss)
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
    _put(view, view.saves, saved)


def _on_state(view: RunView, event: Event) -> None:
    view.state_step = event["step"]


def _on_sample(view: RunView, event: Event) -> None:
    sample = SampleFile(event["step"], event["index"], event["prompt"], event["path"])
    _put(view, view.samples, sample)


def _put(view: RunView, files: list[File], new: File) -> None:
    """Append a file; what stood before under its path is gone."""
    if new.path in view.known_paths:
        files[:] = [old for old in files if old.path != new.path]
    view.known_paths.add(new.path)
    files.append(new)


def _on_validation(view: RunView, event: Event) -> None:
    std = float(event["std"]) if "std" in event else None
    view.validations.append(ValidationLog(event["step"], float(event["loss"]), std))


def _on_image_loss(view: RunView, event: Event) -> None:
    told = {
        path: (float(loss), count)
        for path, (loss, count) in event["images"].items()
        if count and math.isfinite(float(loss))
    }
    epochs = {**view.image_losses, event["epoch"]: told}
    view.image_losses = {epoch: epochs[epoch] for epoch in sorted(epochs)[-_KEPT_EPOCHS:]}


def _on_pause(view: RunView, event: Event) -> None:
    view.paused_at = view.paused_at or event["time"]
    view.phase, view.phase_done, view.phase_total = "paused", 0, 0


def _on_resume(view: RunView, event: Event) -> None:
    if view.paused_at:
        view.paused_at, view.phase = "", "training" if view.steps else view.phase


def _on_warning(view: RunView, event: Event) -> None:
    view.warnings.append(event["message"])


def _on_end(view: RunView, event: Event) -> None:
    view.outcome = event["outcome"]
    view.message, view.hint = event.get("message", ""), event.get("hint", "")
    view.is_bug = event.get("bug", False)
    view.ended_at, view.paused_at = event["time"], ""


_HANDLERS = {
    "launch": _on_launch, "start": _on_start, "device": _on_device, "phase": _on_phase, "step": _on_step,
    "save": _on_save, "state": _on_state, "sample": _on_sample, "validation": _on_validation,
    "image_loss": _on_image_loss, "pause": _on_pause, "resume": _on_resume, "warning": _on_warning,
    "end": _on_end,
}  # fmt: skip
