"""Where somebody was in the wizard: one word in .lorawiz/, so that any terminal lands there."""

from contextlib import suppress

from lorawiz.paths import Project, write_atomically
from lorawiz.preflight.survey import STEPS, StepName, Survey


def find_place(project: Project, survey: Survey) -> StepName:
    """The step where one was, else the first that is due."""
    with suppress(OSError, UnicodeDecodeError):
        kept = (project.private / "wizard-step").read_text("utf-8").strip()
        for name in STEPS:
            if name == kept:
                return name
    return survey.due.name if survey.due is not None else "run"


def keep_place(project: Project, name: StepName) -> None:
    """Land here next time."""
    with suppress(OSError):  # a project on a read-only disk can be looked at too
        write_atomically(project.private / "wizard-step", name + "\n")
