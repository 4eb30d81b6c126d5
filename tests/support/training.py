"""Runs of the tiny base inside the test's own process."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lorawiz.cli.training import find_models
from lorawiz.dataset.records import load_dataset
from lorawiz.paths import Project
from lorawiz.runs.control import request
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.freeze import freeze_run
from lorawiz.runs.journal import JournalWriter, read_events
from lorawiz.spec import load_spec
from tests.support.projects import link_base, make_project

SHORT = {
    "train.max_train_steps": "6",
    "train.save_every_n_steps": "2",
    "prompt.shuffle_caption": "true",
    "prompt.keep_tokens": "2",
    "dataset.batch_size": "2",
    "network.dropout": "0.1",
}
"""Six steps with everything random switched on."""


def make_run(
    folder: Path, base: Path, settings: Mapping[str, str] | None = None, num_images: int = 4
) -> RunFolder:
    """A frozen run that has not been started."""
    project = make_project(folder, num_images, settings)
    link_base(project, base)
    return freeze(project)


def freeze(project: Project) -> RunFolder:
    spec = load_spec(project.spec)
    records = load_dataset(project.dataset).trained
    return freeze_run(project, spec, records, find_models(project, spec))


def train(run: RunFolder, *flags: str) -> int:
    """Train in this process; returns the exit code."""
    from accelerate.state import AcceleratorState

    from lorawiz.train.__main__ import main

    # accelerate keeps the precision of a process's first run; here each run is its own
    AcceleratorState._reset_state(reset_partial_state=True)
    return main([str(run.path), *flags])


def stop_after(run: RunFolder, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the run to stop once `step` is in its journal."""

    def react(event: str, values: Mapping[str, Any]) -> None:
        if event == "step" and values["step"] == step:
            request(run, "stop")

    watch_journal(react, monkeypatch)


def watch_journal(
    react: Callable[[str, Mapping[str, Any]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Call `react` behind every event that is written."""
    write = JournalWriter.write

    def write_and_react(self: JournalWriter, event: str, **values: Any) -> None:
        write(self, event, **values)
        react(event, values)

    monkeypatch.setattr(JournalWriter, "write", write_and_react)


def losses(run: RunFolder) -> list[float]:
    """The loss of every step, the last time it was done."""
    steps = {e["step"]: e["loss"] for e in read_events(run.journal) if e["event"] == "step"}
    return [steps[step] for step in sorted(steps)]


def model_hash(path: Path) -> str:
    """`sshs_model_hash`: equal means that every tensor is equal to the bit."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        found: str = file.metadata()["sshs_model_hash"]
    return found
