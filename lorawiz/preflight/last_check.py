"""What the last check of a project said, for as long as what it looked at stays as it was."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lorawiz.errors import LorawizError
from lorawiz.paths import Project, write_atomically
from lorawiz.preflight.check import Report
from lorawiz.spec import load_spec

Sign = tuple[str, int, int]


@dataclass(frozen=True)
class LastCheck:
    """How many findings there were."""

    num_errors: int
    num_warnings: int
    is_fresh: bool
    """Whether spec, dataset, images and models are still those that were checked."""


def check_file(project: Project) -> Path:
    """Where it is kept: a cache that can be deleted."""
    return project.work / "check.json"


def keep_check(project: Project, report: Report) -> None:
    """Remember what a check of the spec as it stands said; one of other settings is not kept."""
    with suppress(OSError, LorawizError):  # a project on a read-only disk can be checked too
        if load_spec(project.spec) != report.inspection.spec:
            return
        told = {
            "inputs": _sign_inputs(project),
            "errors": len(report.errors),
            "warnings": len(report.warnings),
        }
        write_atomically(check_file(project), json.dumps(told) + "\n")


def load_last_check(project: Project) -> LastCheck | None:
    """What was kept; None where nobody has checked."""
    try:
        told = json.loads(check_file(project).read_text("utf-8"))
        is_fresh = told["inputs"] == _sign_inputs(project)
        return LastCheck(int(told["errors"]), int(told["warnings"]), is_fresh)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def sign_path(path: Path) -> Sign:
    """Another value when the file, or the list of names in the folder, has changed."""
    try:
        stat = path.stat()
    except OSError:
        return str(path), 0, -1
    return str(path), stat.st_mtime_ns, stat.st_size


def _sign_inputs(project: Project) -> list[list[object]]:
    paths = (
        project.spec,
        project.dataset,
        project.private / "edits.jsonl",
        project.images,
        project.models,
    )
    # by name alone: a project that was moved is the same
    return [[path.name, *sign_path(path)[1:]] for path in paths]
