"""A new project folder: the spec from a template, what git ignores, the base by name and hash."""

from collections.abc import Mapping
from pathlib import Path

from lorawiz.errors import ProjectError, visible_text
from lorawiz.families.checkpoints import adopt_checkpoint
from lorawiz.paths import SPEC_FILE, Project, TellBytes, write_atomically
from lorawiz.spec.document import change_values, edit_text
from lorawiz.spec.schema import build_schema
from lorawiz.spec.templates import SCHEMA_PATH, Template, render_spec

_GITIGNORE = """\
# photos, models, caches and runs stay out of git; lorawiz.toml, dataset.jsonl, evidence/ and
# lorawiz.lock go in
/images/
/masks/
/models/
/work/
/runs/
/.lorawiz/
"""
_FILES = (SPEC_FILE, "dataset.jsonl", ".gitignore")


def create_project(
    folder: Path,
    template: Template,
    answers: Mapping[str, str],
    base: str = "",
    settings: Mapping[str, str] | None = None,
) -> Project:
    """Make `folder` a project; `settings` (dotted key → text) are put over the template's.

    Raises LorawizError, with nothing written, when it cannot be one.
    """
    project = Project(folder.absolute())
    _refuse_occupied(project)
    text = edit_text(render_spec(template, answers), settings or {})
    # the checkpoint is looked at before the first file is written
    name, sha256 = adopt_checkpoint(base, project) if base else ("", "")
    if name:
        pinned = {**answers, "base.checkpoint": name, "base.sha256": sha256}
        text = edit_text(render_spec(template, pinned), settings or {})
    for subfolder in (project.images, project.models):
        subfolder.mkdir(parents=True, exist_ok=True)
    write_atomically(project.root / ".gitignore", _GITIGNORE)
    write_atomically(project.root / SCHEMA_PATH, build_schema())
    write_atomically(project.dataset, "")
    write_atomically(project.spec, text)
    return project


def set_base(project: Project, checkpoint: str, tell: TellBytes | None = None) -> tuple[str, str]:
    """Write another base checkpoint into the spec, with its hash. Returns (name, SHA-256).

    `tell` hears how far the hashing is.
    """
    settings = choose_base(project, checkpoint, tell)
    # in one step: the old file's hash never stands beside the new name
    change_values(project.spec, settings)
    return settings["base.checkpoint"] or "", settings["base.sha256"] or ""


def choose_base(
    project: Project, checkpoint: str, tell: TellBytes | None = None
) -> dict[str, str | None]:
    """The settings that make `checkpoint` the base: its name in the project, and its hash.

    None takes a setting out. A file of gigabytes takes seconds. Raises ModelError.
    """
    name, sha256 = adopt_checkpoint(checkpoint, project, tell) if checkpoint else ("", "")
    return {"base.checkpoint": name or None, "base.sha256": sha256 or None}


def _refuse_occupied(project: Project) -> None:
    if project.root.exists() and not project.root.is_dir():
        raise ProjectError(f"{visible_text(str(project.root))}: is a file", "name another folder")
    for name in _FILES:
        if (project.root / name).exists():
            raise ProjectError(
                f"{visible_text(str(project.root / name))} is there already",
                "name another folder: lorawiz new TEMPLATE DIR",
            )
