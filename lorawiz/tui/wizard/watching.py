"""Whether a project is another than it was: signs of the files that the steps are read from."""

from contextlib import suppress
from pathlib import Path

from lorawiz.paths import Project
from lorawiz.runs.folder import list_runs

Sign = tuple[str, int, int]


def sign_project(project: Project) -> tuple[Sign, ...]:
    """Another value where spec, dataset, edits, evidence, models, check or runs have changed."""
    paths = [
        project.spec,
        project.dataset,
        project.private / "edits.jsonl",
        project.evidence,
        *(child for child in _list(project.evidence) if child.is_dir()),
        project.models,
        project.work / "check.json",
        project.runs,
    ]
    with suppress(OSError):
        paths += [run.journal for run in list_runs(project)[-3:]]
    return tuple(sign for path in paths if (sign := _sign(path)) is not None)


def _list(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _sign(path: Path) -> Sign | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return str(path), stat.st_mtime_ns, stat.st_size
