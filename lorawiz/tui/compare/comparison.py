"""What is compared of two runs: curves, figures, and the settings that differ."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lorawiz.errors import LorawizError
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.journal import JournalReader
from lorawiz.runs.logs import StepLog, ValidationLog
from lorawiz.runs.manifest import read_manifest
from lorawiz.runs.view import ON, RunState, RunView
from lorawiz.spec import load_spec
from lorawiz.spec.document import flatten
from lorawiz.tui.format import format_loss, format_rate, format_validation
from lorawiz.tui.language import tr
from lorawiz.wording import show_duration, show_speed

_NOT_YET = "–"
_SETTLED_STEPS = 50
"""Behind so many steps the smoothed loss is an average of enough to be called the best."""


@dataclass(frozen=True)
class Row:
    """One line of a table: a label, and what each run has there."""

    label: str
    this: str
    that: str

    @property
    def differs(self) -> bool:
        return self.this != self.that


class Followed:
    """One of the runs, its journal followed."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.view = RunView(run.run_id)
        self._reader = JournalReader(run.journal)
        self.poll()

    def poll(self) -> bool:
        """Take in what is new; whether anything was."""
        new = self._reader.poll()
        for event in new:
            self.view.apply(event)
        return bool(new)


@dataclass(frozen=True)
class Comparison:
    """Two runs of a project."""

    this: Followed
    that: Followed
    settings: tuple[Row, ...]
    """The settings that differ, and what else decides the result."""
    complaint: str = ""
    """Why the settings cannot be compared."""

    def poll(self) -> bool:
        """Take in what is new of either; whether anything was."""
        news = [side.poll() for side in (self.this, self.that)]
        return any(news)

    def build_figures(self) -> list[Row]:
        """The runs in numbers, side by side."""
        return [
            Row(label, build(self.this.view), build(self.that.view))
            for label, build in _list_figures()
        ]


def load_comparison(this: RunFolder, that: RunFolder) -> Comparison:
    """Read both runs; files that cannot be read leave a complaint in place of the settings."""
    complaint = ""
    settings: tuple[Row, ...] = ()
    try:
        settings = tuple(find_differences(this, that))
    except LorawizError as error:
        complaint = error.message
    return Comparison(Followed(this), Followed(that), settings, complaint)


def find_differences(this: RunFolder, that: RunFolder) -> list[Row]:
    """The settings of the frozen specs that differ, the images, models and versions likewise.

    Raises LorawizError for a spec or manifest that cannot be read.
    """
    settings = [
        {key: _show_value(value) for key, value in flatten(load_spec(run.spec)).items()}
        for run in (this, that)
    ]
    inputs = [_list_inputs(run) for run in (this, that)]
    return [
        Row(key, ours.get(key, _NOT_YET), theirs.get(key, _NOT_YET))
        for ours, theirs in (settings, inputs)
        for key in dict.fromkeys([*ours, *theirs])
        if ours.get(key) != theirs.get(key)
    ]


def find_best(steps: Sequence[StepLog]) -> StepLog | None:
    """The step with the lowest smoothed loss, once enough are averaged."""
    settled = [log for log in steps[_SETTLED_STEPS:] if math.isfinite(log.smooth_loss)]
    return min(settled, key=lambda log: log.smooth_loss, default=None)


def find_best_validation(logs: Sequence[ValidationLog]) -> ValidationLog | None:
    """The lowest validation loss."""
    finite = [log for log in logs if math.isfinite(log.loss)]
    return min(finite, key=lambda log: log.loss, default=None)


def _list_inputs(run: RunFolder) -> dict[str, str]:
    manifest = read_manifest(run.manifest)
    try:
        images: dict[str, str] = manifest["images"]
        digest = str(manifest["dataset_digest"])[:8]
        versions = {f"version of {name}": str(v) for name, v in manifest["versions"].items()}
        models = {f"{role} file": str(m["sha256"])[:8] for role, m in manifest["models"].items()}
        return {"images": f"{len(images)} ({digest})", **models, **versions}
    except (KeyError, TypeError, AttributeError) as error:
        raise LorawizError(f"{run.manifest.name} of {run.run_id} is not whole") from error


def _show_value(value: object) -> str:
    if value is None:
        return _NOT_YET
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _list_figures() -> list[tuple[str, Callable[[RunView], str]]]:
    return [
        (tr("state"), lambda view: _show_state(view.state())),
        (tr("steps"), lambda view: f"{view.step}/{view.total_steps}"),
        (tr("epochs"), lambda view: f"{view.epoch}/{view.num_epochs}"),
        (tr("images"), lambda view: str(view.num_images)),
        (tr("lr"), lambda view: format_rate(view.steps[-1].lr) if view.steps else _NOT_YET),
        (tr("last loss"), _show_last),
        (tr("best loss"), _show_best),
        (tr("validation"), _show_validation),
        (tr("best validation"), _show_best_validation),
        (tr("training time"), lambda view: show_duration(view.training_s)),
        (tr("speed"), lambda view: show_speed(view.step_s) if view.step_s else _NOT_YET),
    ]


def _show_state(state: RunState) -> str:
    match state:
        case "finished":
            return tr("✓ finished")
        case "stopped":
            return tr("■ stopped")
        case "failed":
            return tr("✗ failed")
        case "killed":
            return tr("✗ killed")
        case "paused":
            return tr("‖ paused")
    return tr("● running")


def _show_last(view: RunView) -> str:
    return format_loss(view.steps[-1].smooth_loss) if view.steps else _NOT_YET


def _show_best(view: RunView) -> str:
    best = find_best(view.steps)
    if best is None:
        return _NOT_YET
    return tr("{loss} at {step}", loss=format_loss(best.smooth_loss), step=best.step)


def _show_validation(view: RunView) -> str:
    return format_validation(view.validations[-1]) if view.validations else _NOT_YET


def _show_best_validation(view: RunView) -> str:
    best = find_best_validation(view.validations)
    if best is None:
        return _NOT_YET
    return tr("{loss} at {step}", loss=format_loss(best.loss), step=best.step)


def is_on(comparison: Comparison) -> bool:
    """Whether one of the runs may still change."""
    return any(side.view.state() in ON for side in (comparison.this, comparison.that))
