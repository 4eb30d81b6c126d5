"""Where a project stands, step by step: what is done, what is due, and the next command.

Reads what is known already and measures nothing. The wizard, `lorawiz` without a terminal and
`lorawiz --json` all tell this.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from lorawiz.annotate.registry import CAPTIONERS, TAGGERS, find_model
from lorawiz.dataset.evidence import load_faces
from lorawiz.dataset.facts import load_facts
from lorawiz.dataset.problems import find_image_problems
from lorawiz.dataset.records import Dataset
from lorawiz.dataset.settling import settle_dataset
from lorawiz.dataset.store import read_dataset
from lorawiz.errors import LorawizError, ModelError, visible_text
from lorawiz.families import FAMILIES
from lorawiz.families.checkpoints import find_checkpoint, inspect_checkpoint
from lorawiz.hub import is_hub_id, is_offline
from lorawiz.paths import Project, write_atomically
from lorawiz.preflight.check import Report
from lorawiz.runs.folder import list_runs
from lorawiz.runs.view import ON, load_view
from lorawiz.spec import Spec, load_spec
from lorawiz.wording import show_bytes, show_count

StepName = Literal[
    "project", "images", "base", "crop", "captions", "tags", "clean", "review", "settings",
    "check", "run",
]  # fmt: skip
STEPS: tuple[StepName, ...] = get_args(StepName)
State = Literal["done", "due", "optional"]
"""`optional` is not done and need not be."""
_MOST_TOLD = 6


@dataclass(frozen=True)
class Step:
    """One step of the job, in words that are safe to show."""

    name: StepName
    state: State
    lines: Sequence[str] = ()
    findings: Sequence[str] = ()
    command: str = ""
    """What does it without the wizard."""


@dataclass(frozen=True)
class Survey:
    """All steps, in order; `failure` is what keeps the project from being read."""

    name: str
    family: str
    template: str
    steps: Sequence[Step]
    failure: str = ""

    @property
    def due(self) -> Step | None:
        """The first step that is due."""
        return next((step for step in self.steps if step.state == "due"), None)

    def find(self, name: str) -> Step | None:
        return next((step for step in self.steps if step.name == name), None)

    def as_json(self) -> dict[str, Any]:
        due = self.due
        return {**asdict(self), "due": due.name if due is not None else None}


def survey_project(project: Project) -> Survey:
    """Look at everything. What cannot be read becomes the survey's `failure`."""
    try:
        spec = load_spec(project.spec)
        dataset = read_dataset(project)
    except (LorawizError, OSError) as error:
        steps = [Step(name, "due" if name == "settings" else "optional") for name in STEPS]
        return Survey(visible_text(project.root.name), "", "", steps, visible_lines(error))
    steps = [
        _look_at_project(spec),
        _look_at_images(project, spec, dataset),
        _look_at_base(project, spec),
        _look_at_crops(project, spec, dataset),
        _look_at_captions(project, spec, dataset),
        _look_at_tags(project, spec, dataset),
        _look_at_rules(project, spec, dataset),
        _look_at_review(project, spec, dataset),
        _look_at_settings(spec),
        _look_at_check(project),
        _look_at_runs(project),
    ]
    title = FAMILIES[spec.base.family].name
    return Survey(spec.project.name, title, visible_text(spec.project.template), steps)


def visible_lines(error: Exception) -> str:
    """An error's words, each line made visible."""
    return "\n".join(visible_text(line) for line in str(error).splitlines())


def keep_check(project: Project, report: Report) -> None:
    """Remember what a check said, for as long as spec and dataset stay as they are."""
    told = {"inputs": _sign_inputs(project), "errors": len(report.errors)}
    told["warnings"] = len(report.warnings)
    with suppress(OSError):  # a project on a read-only disk can be checked too
        write_atomically(project.work / "check.json", json.dumps(told))


def _sign_inputs(project: Project) -> list[list[int] | None]:
    signs: list[list[int] | None] = []
    for path in (project.spec, project.dataset, project.private / "edits.jsonl"):
        try:
            stat = path.stat()
            signs.append([stat.st_mtime_ns, stat.st_size])
        except FileNotFoundError:
            signs.append(None)
    return signs


def _look_at_project(spec: Spec) -> Step:
    about = spec.project
    lines = [
        f"name     {about.name}",
        f"trigger  {visible_text(about.trigger) or '–'}",
        f"class    {visible_text(about.class_word) or '–'}",
    ]
    state: State = "done" if about.trigger or about.class_word else "due"
    return Step("project", state, lines, command="lorawiz set project.trigger WORD")


def _look_at_images(project: Project, spec: Spec, dataset: Dataset) -> Step:
    records = dataset.records
    broken = [r for r in records if r.keep and r.status == "broken"]
    findings = [f"{_name(r.image_path)}  broken: {visible_text(r.reason)}" for r in broken]
    findings += _find_problems(project, spec, dataset)
    lines = [show_count(len(dataset.trained), "image")]
    rejected = sum(not record.keep for record in records)
    if rejected:
        lines[0] += f", {rejected} rejected"
    sizes = Counter((r.width, r.height) for r in dataset.trained)
    for (width, height), num in sizes.most_common(3):
        lines.append(f"{width}×{height}  {num}")
    if len(sizes) > 3:
        lines.append(f"and {show_count(len(sizes) - 3, 'other size')}")
    state: State = "done" if dataset.trained else "due"
    return Step("images", state, lines, findings, "lorawiz add PHOTOS…")


def _find_problems(project: Project, spec: Spec, dataset: Dataset) -> list[str]:
    trained = dataset.trained
    faces = load_faces(project, spec.crop.detector)
    problems = find_image_problems(
        trained, load_facts(project, trained), faces, spec.crop.min_score
    )
    return [f"{_name(each.image_path)}  {each.message}" for each in problems]


def _look_at_base(project: Project, spec: Spec) -> Step:
    name = spec.base.checkpoint
    command = "lorawiz set base.checkpoint FILE.safetensors"
    if not name:
        return Step("base", "due", ["not chosen yet"], command=command)
    lines = [visible_text(name), FAMILIES[spec.base.family].title]
    try:
        found = inspect_checkpoint(find_checkpoint(name, project))
    except ModelError as error:
        if is_hub_id(name) and not is_offline():
            return Step("base", "done", [*lines, "fetched when the run starts"], command=command)
        return Step("base", "due", lines, [visible_lines(error)], command)
    return Step("base", "done", [*lines, show_bytes(found.num_bytes)], command=command)


def _look_at_crops(project: Project, spec: Spec, dataset: Dataset) -> Step:
    trained = dataset.trained
    cropped = sum(record.crop is not None for record in trained)
    masked = sum(bool(record.mask) for record in trained)
    faces = load_faces(project, spec.crop.detector)
    lines = [f"{cropped} of {show_count(len(trained), 'image')} with a crop box"]
    if masked or spec.cutout.background != "keep":
        lines.append(f"{masked} with a mask; background {spec.cutout.background}")
    state: State = "done" if cropped or masked else "optional"
    if faces is None:
        lines.append("nobody has looked for faces yet")
        return Step("crop", state, lines, command="lorawiz crop")
    known = [faces[record.image_path] for record in trained if record.image_path in faces]
    one, none = sum(len(each) == 1 for each in known), sum(not each for each in known)
    several = len(known) - one - none
    lines.append(f"faces: {one} with one, {several} with several, {none} with none")
    return Step("crop", "done" if trained else state, lines, command="lorawiz crop")


def _look_at_captions(project: Project, spec: Spec, dataset: Dataset) -> Step:
    have = sum(bool(record.caption.strip()) for record in dataset.trained)
    try:
        if spec.caption.model not in ("", "none"):
            find_model(CAPTIONERS, spec.caption.model, project)
        findings: list[str] = []
    except LorawizError as error:
        findings = _say_missing(spec.caption.model, error)
    return _words_step("captions", spec.caption.model, have, dataset, findings, "lorawiz caption")


def _look_at_tags(project: Project, spec: Spec, dataset: Dataset) -> Step:
    have = sum(bool(record.tags) for record in dataset.trained)
    try:
        if spec.tag.model not in ("", "none"):
            find_model(TAGGERS, spec.tag.model, project)
        findings: list[str] = []
    except LorawizError as error:
        findings = _say_missing(spec.tag.model, error)
    return _words_step("tags", spec.tag.model, have, dataset, findings, "lorawiz tag")


def _say_missing(model: str, error: LorawizError) -> list[str]:
    """Why a model cannot be asked; nothing where it will be fetched."""
    return [] if is_hub_id(model) and not is_offline() else [visible_lines(error)]


def _words_step(
    name: Literal["captions", "tags"],
    model: str,
    num_have: int,
    dataset: Dataset,
    findings: list[str],
    command: str,
) -> Step:
    num = len(dataset.trained)
    lines = [
        f"{num_have} of {show_count(num, 'image')} with {name}",
        f"model  {visible_text(model)}",
    ]
    if num_have == num and num:
        return Step(name, "done", lines, command=command)
    state: State = "optional" if model in ("", "none") or not num else "due"
    return Step(name, state, lines, findings if state == "due" else (), command)


def _look_at_rules(project: Project, spec: Spec, dataset: Dataset) -> Step:
    lines = [show_count(len(spec.clean), "rule")]
    try:
        settled = settle_dataset(project, spec, dataset)
    except LorawizError as error:
        return Step("clean", "due", lines, [visible_lines(error)], "lorawiz clean")
    if settled.changed:
        lines.append(f"would change {show_count(len(settled.changed), 'image')}")
        return Step("clean", "due", lines, command="lorawiz clean")
    state: State = "done" if spec.clean and dataset.trained else "optional"
    return Step("clean", state, lines, command="lorawiz clean")


def _look_at_review(project: Project, spec: Spec, dataset: Dataset) -> Step:
    by_hand = sum(record.hand != type(record.hand)() for record in dataset.records)
    rejected = sum(not record.keep for record in dataset.records)
    open_findings = _find_problems(project, spec, dataset)
    lines = [
        f"{len(dataset.trained)} kept, {rejected} rejected",
        f"{show_count(by_hand, 'image')} with edits by hand",
    ]
    if open_findings:
        lines.append(f"{show_count(len(open_findings), 'finding')} to look at")
    state: State = "done" if by_hand or rejected else "optional"
    return Step("review", state, lines, command="lorawiz review")


def _look_at_settings(spec: Spec) -> Step:
    train, network = spec.train, spec.network
    width, height = spec.dataset.size
    length = (
        show_count(train.max_train_epochs, "epoch")
        if train.max_train_epochs is not None
        else show_count(train.max_train_steps, "step")
    )
    lines = [
        f"{network.kind}, dim {network.dim}, alpha {network.alpha:g}",
        f"{width}×{height} px, batch {spec.dataset.batch_size}, {length}",
        f"{train.optimizer_type}, learning rate {train.learning_rate:g}, {train.lr_scheduler}",
    ]
    return Step("settings", "done", lines, command="lorawiz get")


def _look_at_check(project: Project) -> Step:
    try:
        told = json.loads((project.work / "check.json").read_text("utf-8"))
        is_fresh = told["inputs"] == _sign_inputs(project)
        num_errors, num_warnings = int(told["errors"]), int(told["warnings"])
    except (OSError, ValueError, KeyError, TypeError):
        return Step("check", "due", ["not checked yet"], command="lorawiz check")
    if not is_fresh:
        return Step("check", "due", ["changed since it was checked"], command="lorawiz check")
    findings = [show_count(num_errors, "error")] if num_errors else []
    lines = [show_count(num_warnings, "warning")] if num_warnings else ["nothing found"]
    return Step("check", "due" if num_errors else "done", lines, findings, "lorawiz check")


def _look_at_runs(project: Project) -> Step:
    runs = list_runs(project)
    if not runs:
        return Step("run", "due", ["no runs yet"], command="lorawiz run")
    lines, state = [], ""
    for run in runs[: -_MOST_TOLD - 1 : -1]:
        view = load_view(run)
        state = state or view.state()
        lines.append(f"{visible_text(view.run_id)}  {view.state()}  {view.step}/{view.total_steps}")
    commands = {
        "finished": "lorawiz run", "paused": "lorawiz pause --off",
        "stopped": "lorawiz run --resume", "killed": "lorawiz run --resume",
        "failed": "lorawiz run --resume",
    }  # fmt: skip
    command = "lorawiz attach" if state in ON and state != "paused" else commands[state]
    return Step("run", "done" if state == "finished" else "due", lines, command=command)


def iter_overview(survey: Survey) -> Iterator[str]:
    """The survey as plain lines, the last one the command that is due."""
    marks = {"done": "✓", "due": "○", "optional": "–"}
    yield " · ".join(part for part in (survey.name, survey.template, survey.family) if part)
    if survey.failure:
        yield survey.failure
        return
    for step in survey.steps:
        found = f"  {show_count(len(step.findings), 'finding')}" if step.findings else ""
        yield f"  {marks[step.state]} {step.name:<9}{', '.join(step.lines[:2])}{found}"
    due = survey.due
    yield f"  next       {due.command}" if due is not None else "  next       lorawiz run"


def _name(image_path: str) -> str:
    return visible_text(image_path.rpartition("/")[2])
