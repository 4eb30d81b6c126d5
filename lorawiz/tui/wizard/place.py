"""Where somebody was in the wizard: one word in .lorawiz/, so that any terminal lands there."""

from contextlib import suppress

from lorawiz.paths import Project
from lorawiz.preflight.standing import STEPS, StepName
from lorawiz.preflight.survey import Survey


def find_place(project: Project, survey: Survey) -> StepName:
    """The step where one was, else the first that is due."""
    with suppress(OSError, UnicodeDecodeError):
        kept = (project.private / "wizard-step").read_text("utf-8").strip()
        for name in STEPS:
            if name == kept:
                return name
    return survey.due.name if survey.due is not None else "run"


def keep_place(project: Project, name: StepName) -> None:
    """Land here next time. Written at every move, so it waits for no disk."""
    with suppress(OSError):  # a project on a read-only disk can be looked at too
        project.private.mkdir(exist_ok=True)
        (project.private / "wizard-step").write_text(name + "\n", "utf-8")
