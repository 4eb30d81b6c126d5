"""One check of a project as the screen keeps it: findings, plan, or why it could not be made."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lorawiz.errors import LorawizError
from lorawiz.paths import Project, model_folders
from lorawiz.preflight.check import check_project
from lorawiz.preflight.finding import Finding
from lorawiz.preflight.last_check import keep_check
from lorawiz.preflight.report_lines import PlanRow, describe_inputs, iter_plan_rows
from lorawiz.spec import load_spec
from lorawiz.tui.settings.state import SpecState, load_state

Signature = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class CheckResult:
    """What a check found. Where `failure` is set, it could not be made, and all else is empty."""

    signature: Signature
    """Of the files when it began."""
    settings: SpecState
    """The settings when it began: what fixes are decided on."""
    findings: Sequence[Finding] = ()
    """Worst first."""
    plan: Sequence[PlanRow] = ()
    inputs: str = ""
    not_checked: Sequence[str] = ()
    num_images: int = 0
    failure: LorawizError | OSError | None = None


class AbandonedError(Exception):
    """Nobody wants to know the result any more."""


@dataclass
class Progress:
    """How far a check is; written by its thread."""

    done: int = 0
    total: int = 0
    is_abandoned: bool = field(default=False)

    def note(self, done: int, total: int) -> None:
        """Told before each rule. Raises AbandonedError where the check is to end."""
        self.done, self.total = done, total
        if self.is_abandoned:
            raise AbandonedError


_mutex = threading.Lock()
"""Two checks at once would measure the same pictures twice."""


def make_check(project: Project, progress: Progress) -> CheckResult:
    """Check the project as before a run: what this machine lacks is an error here.

    Raises AbandonedError.
    """
    with _mutex:
        progress.note(0, 0)
        signature, settings = sign_files(project), load_state(project)
        try:
            report = check_project(project, load_spec(project.spec), True, progress.note)
        except (LorawizError, OSError) as error:
            return CheckResult(signature, settings, failure=error)
        except RuntimeError:
            if progress.is_abandoned:  # the program ends, and no thread is started any more
                raise AbandonedError from None
            raise
        keep_check(project, report)
        return CheckResult(
            signature,
            settings,
            report.findings,
            list(iter_plan_rows(report)),
            describe_inputs(report),
            report.not_checked,
            len(report.records),
        )


def sign_files(project: Project) -> Signature:
    """What changes when files do that a check looks at; folders by their entries alone."""
    watched = [
        project.spec,
        project.dataset,
        project.private / "edits.jsonl",
        project.images,
        project.masks,
        project.runs,
        project.evidence,
        *_list(project.evidence),
        *model_folders(project),
    ]
    return tuple(_sign(path) for path in watched)


def _list(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _sign(path: Path) -> tuple[str, int, int]:
    try:
        stat = path.stat()
    except OSError:
        return str(path), 0, -1
    return str(path), stat.st_mtime_ns, stat.st_size
