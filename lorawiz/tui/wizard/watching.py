"""Whether a project is another than it was: signs of the files that the steps are read from."""

from contextlib import suppress

from lorawiz.hub import list_folder
from lorawiz.paths import Project, model_folders
from lorawiz.preflight.last_check import Sign, check_file, sign_path
from lorawiz.runs.folder import list_runs


def sign_project(project: Project) -> tuple[Sign, ...]:
    """Another value where spec, dataset, edits, evidence, models, check or runs have changed."""
    kinds = list_folder(project.evidence)
    paths = [
        project.spec,
        project.dataset,
        project.private / "edits.jsonl",
        project.work / "facts.jsonl",
        check_file(project),
        *(path for kind in kinds for path in list_folder(kind)),
        *model_folders(project),
        project.runs,
    ]
    with suppress(OSError):  # a run whose folder is being made or deleted
        paths += [run.journal for run in list_runs(project)]
    return tuple(sign_path(path) for path in paths)
