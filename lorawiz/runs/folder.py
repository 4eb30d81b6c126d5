"""The folder of one run: runs/<id>/, and which runs a project has."""

import re
from dataclasses import dataclass
from pathlib import Path

from lorawiz.errors import RunError, visible_text
from lorawiz.paths import Project, find_project


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def project(self) -> Project:
        return find_project(self.path)

    @property
    def spec(self) -> Path:
        """The resolved spec, frozen when the run was made."""
        return self.path / "spec.toml"

    @property
    def dataset(self) -> Path:
        """The frozen dataset.jsonl: later edits count for the next run."""
        return self.path / "dataset.jsonl"

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.json"

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def log(self) -> Path:
        return self.path / "train.log"

    @property
    def control(self) -> Path:
        return self.path / "control"

    @property
    def state(self) -> Path:
        return self.path / "state"

    @property
    def samples(self) -> Path:
        return self.path / "samples"


def create_run(project: Project, name: str) -> RunFolder:
    """A new run folder: NAME-0001 and on. The caller holds the launch lock."""
    project.runs.mkdir(exist_ok=True)
    numbers = [
        int(match[1])
        for path in project.runs.iterdir()
        if (match := re.fullmatch(re.escape(name) + r"-(\d{4,})", path.name))
    ]
    folder = RunFolder(project.runs / f"{name}-{max(numbers, default=0) + 1:04d}")
    for path in (folder.path, folder.control, folder.state, folder.samples):
        path.mkdir()
    return folder


def list_runs(project: Project) -> list[RunFolder]:
    """All runs of a project that have begun, oldest first."""
    if not project.runs.is_dir():
        return []
    begun = [path for path in project.runs.iterdir() if (path / "journal.jsonl").is_file()]
    return [
        RunFolder(path)
        for path in sorted(begun, key=lambda p: (p / "manifest.json").stat().st_mtime)
    ]


def find_run(project: Project, run_id: str | None = None) -> RunFolder:
    """The run `run_id`, or the newest. Raises RunError."""
    runs = list_runs(project)
    if run_id is None:
        if not runs:
            raise RunError("this project has no runs yet", "lorawiz run")
        return runs[-1]
    for run in runs:
        if run.run_id == run_id or run.path == Path(run_id).absolute():
            return run
    known = ", ".join(run.run_id for run in runs[-5:])
    raise RunError(
        f"{visible_text(run_id)}: no such run", f"there is {known}" if known else "lorawiz run"
    )
