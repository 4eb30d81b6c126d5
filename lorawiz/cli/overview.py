"""What `lorawiz` alone prints inside a project: where it stands, and the next command."""

from collections.abc import Iterator, Sequence

from lorawiz.dataset.records import ImageRecord
from lorawiz.dataset.store import read_dataset
from lorawiz.errors import visible_text
from lorawiz.paths import Project
from lorawiz.runs.folder import list_runs
from lorawiz.runs.view import load_view
from lorawiz.spec import Spec, load_spec
from lorawiz.wording import show_count


def describe_project(project: Project) -> Iterator[str]:
    """Lines about the project, the last one the command that is due."""
    spec = load_spec(project.spec)
    records = read_dataset(project).trained
    runs = list_runs(project)
    yield f"{spec.project.name} · {spec.base.family} · {visible_text(str(project.root))}"
    yield f"  trigger  {visible_text(spec.project.trigger) or '–'}"
    yield f"  images   {show_count(len(records), 'image')}"
    captioned = sum(1 for record in records if record.caption)
    tagged = sum(1 for record in records if record.tags)
    yield f"  words    {captioned} with a caption, {tagged} with tags"
    yield f"  base     {visible_text(spec.base.checkpoint) or '–'}"
    state = ""
    if runs:
        view = load_view(runs[-1])
        state = view.state()
        yield f"  runs     {len(runs)}, {view.run_id} {state} at step {view.step}/{view.total_steps}"
    yield f"  next     {_next_command(spec, records, state)}"


def _next_command(spec: Spec, records: Sequence[ImageRecord], state: str) -> str:
    if not records:
        return "lorawiz add PHOTOS…"
    if spec.caption.model != "none" and not any(record.caption for record in records):
        return "lorawiz caption"
    if spec.tag.model != "none" and not any(record.tags for record in records):
        return "lorawiz tag"
    if not spec.base.checkpoint:
        return "lorawiz set base.checkpoint FILE.safetensors"
    return _AFTER.get(state, "lorawiz check, then lorawiz run")


_AFTER = {
    "running": "lorawiz attach",
    "starting": "lorawiz attach",
    "paused": "lorawiz pause --off",
    "stopped": "lorawiz run --resume",
    "killed": "lorawiz run --resume",
    "failed": "lorawiz run --resume",
}
"""The next command by the state of the newest run."""
