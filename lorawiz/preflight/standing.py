"""How one step of the job stands: a function a step, over what has been read already."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from lorawiz.annotate.registry import CAPTIONERS, TAGGERS, ModelKind, find_model
from lorawiz.dataset.evidence import FaceBox
from lorawiz.dataset.problems import ImageProblem
from lorawiz.dataset.records import Hand, ImageRecord
from lorawiz.errors import LorawizError, ModelError, visible_text
from lorawiz.families import FAMILIES
from lorawiz.families.checkpoints import find_checkpoint, inspect_checkpoint
from lorawiz.hub import is_hub_id, is_offline
from lorawiz.paths import Project
from lorawiz.preflight.last_check import LastCheck
from lorawiz.runs.view import ON, RunView
from lorawiz.spec import Spec
from lorawiz.wording import show_bytes

StepName = Literal[
    "project", "images", "base", "crop", "captions", "tags", "review", "clean", "settings",
    "check", "run",
]  # fmt: skip
STEPS: tuple[StepName, ...] = get_args(StepName)
State = Literal["done", "due", "optional", "unknown"]
"""`optional` is not done and need not be; of what is `unknown` the files cannot be read."""
_MOST_RUNS = 6
_MOST_SIZES = 3
_NO_MODEL = ("", "none")


@dataclass(frozen=True)
class Phrase:
    """A text with gaps and what stands in them, so that a screen can say it in its language."""

    text: str
    values: Mapping[str, object] = field(default_factory=dict)
    """Safe to show."""

    def __str__(self) -> str:
        return self.text.format(**self.values)


@dataclass(frozen=True)
class Found:
    """Something to look at: of which image or file, and what."""

    name: str
    text: str


@dataclass(frozen=True)
class Step:
    """One step of the job, in words that are safe to show."""

    name: StepName
    state: State
    lines: Sequence[Phrase] = ()
    findings: Sequence[Found] = ()
    command: str = ""
    """What does it without the wizard."""
    is_remote: bool = False
    """Whether what it names is not on this machine, and can be fetched from the hub."""


@dataclass(frozen=True)
class Pictures:
    """What is known of the images without looking at a single one."""

    records: Sequence[ImageRecord] = ()
    num_measured: int = 0
    """Of those that are trained, whose sharpness and looks are known."""
    problems: Sequence[ImageProblem] = ()
    faces: Mapping[str, Sequence[FaceBox]] | None = None
    """None when nobody has looked for any."""

    @property
    def trained(self) -> list[ImageRecord]:
        return [record for record in self.records if record.is_trained]


def say(text: str, **values: object) -> Phrase:
    """A phrase of a literal: the screens' catalogues are checked against these."""
    return Phrase(text, values)


def count(num: int, one: str, many: str, **values: object) -> Phrase:
    """One of two phrases; both contain `{num}`."""
    return Phrase(one if num == 1 else many, {"num": num, **values})


def stand_project(spec: Spec) -> Step:
    about = spec.project
    lines = [
        say("name: {name}", name=about.name),
        say("trigger: {word}", word=visible_text(about.trigger) or "–"),
        say("class word: {word}", word=visible_text(about.class_word) or "–"),
    ]
    state: State = "done" if about.trigger or about.class_word else "due"
    return Step("project", state, lines, command="lorawiz set project.trigger WORD")


def stand_images(pictures: Pictures) -> Step:
    trained = pictures.trained
    lines = [count(len(trained), "{num} image", "{num} images")]
    rejected = sum(not record.keep for record in pictures.records)
    if rejected:
        lines.append(count(rejected, "{num} is rejected", "{num} are rejected"))
    lines += _list_sizes(trained)
    if pictures.faces is not None:
        lines += _count_faces(trained, pictures.faces)
    unseen = len(trained) - pictures.num_measured
    if unseen > 0:
        text = "{num} not measured yet: the check does that"
        lines.append(count(unseen, text, text))
    broken = [record for record in pictures.records if record.keep and record.status == "broken"]
    findings = [Found(_name(r.image_path), f"broken: {visible_text(r.reason)}") for r in broken]
    findings += [Found(_name(each.image_path), each.message) for each in pictures.problems]
    return Step("images", "done" if trained else "due", lines, findings, "lorawiz add PHOTOS…")


def _list_sizes(records: Sequence[ImageRecord]) -> list[Phrase]:
    sizes = Counter((record.width, record.height) for record in records)
    if not sizes:
        return []
    shown = [f"{w}×{h} ({num})" for (w, h), num in sizes.most_common(_MOST_SIZES)]
    rest = len(sizes) - len(shown)
    if rest:
        one, many = "{sizes} and {num} other size", "{sizes} and {num} other sizes"
        return [count(rest, one, many, sizes=", ".join(shown))]
    return [say("{sizes}", sizes=", ".join(shown))]


def _count_faces(
    records: Sequence[ImageRecord], faces: Mapping[str, Sequence[FaceBox]]
) -> list[Phrase]:
    known = [(record, faces[record.image_path]) for record in records if record.image_path in faces]
    if not known:
        return []
    one, none = sum(len(each) == 1 for _, each in known), sum(not each for _, each in known)
    several = len(known) - one - none
    sides_px = [(each[0][2] - each[0][0]) * record.width for record, each in known if each]
    if not sides_px:
        return [say("faces: none in {num} images", num=none)]
    text = "faces: {one} with one, {several} with several, {none} with none; smallest {side_px} px"
    return [say(text, one=one, several=several, none=none, side_px=round(min(sides_px)))]


def stand_base(project: Project, spec: Spec) -> Step:
    name = spec.base.checkpoint
    command = "lorawiz set base.checkpoint FILE.safetensors"
    if not name:
        return Step("base", "due", [say("not chosen yet")], command=command)
    lines = [say("{model}", model=visible_text(name))]
    try:
        found = inspect_checkpoint(find_checkpoint(name, project))
    except LorawizError as error:
        if _is_to_be_fetched(name, error):
            lines.append(say("not on this machine yet: fetched now or when the run starts"))
            return Step("base", "done", lines, command=command, is_remote=True)
        return Step("base", "due", lines, [_found(error)], command)
    title = FAMILIES[found.family].title
    lines.append(say("{family}, {size}", family=title, size=show_bytes(found.num_bytes)))
    return Step("base", "done", lines, command=command)


def _is_to_be_fetched(name: str, error: LorawizError) -> bool:
    return isinstance(error, ModelError) and is_hub_id(name) and not is_offline()


def stand_crop(spec: Spec, pictures: Pictures) -> Step:
    trained = pictures.trained
    cropped = sum(record.crop is not None for record in trained)
    masked = sum(bool(record.mask) for record in trained)
    lines = [say("{num} of {total} with a crop box", num=cropped, total=len(trained))]
    if masked or spec.cutout.background != "keep":
        text = "{num} of {total} with a mask; background: {background}"
        background = spec.cutout.background
        lines.append(say(text, num=masked, total=len(trained), background=background))
    if pictures.faces is None:
        lines.append(say("nobody has looked for faces yet"))
    else:
        lines += _count_faces(trained, pictures.faces)
    is_done = bool(cropped or masked or (trained and pictures.faces is not None))
    return Step("crop", "done" if is_done else "optional", lines, command="lorawiz crop")


def stand_captions(project: Project, spec: Spec, pictures: Pictures) -> Step:
    trained = pictures.trained
    have = sum(bool(record.caption.strip()) for record in trained)
    lines = [say("{num} of {total} with a caption", num=have, total=len(trained))]
    step = Step("captions", "due", lines, command="lorawiz caption")
    return _with_model(step, project, CAPTIONERS, spec.caption.model, have, len(trained))


def stand_tags(project: Project, spec: Spec, pictures: Pictures) -> Step:
    trained = pictures.trained
    have = sum(bool(record.tags) for record in trained)
    lines = [say("{num} of {total} with tags", num=have, total=len(trained))]
    step = Step("tags", "due", lines, command="lorawiz tag")
    return _with_model(step, project, TAGGERS, spec.tag.model, have, len(trained))


def _with_model(
    step: Step, project: Project, kind: ModelKind[Any], model: str, have: int, total: int
) -> Step:
    """The step's state, by what is missing and whether there is a model to ask."""
    has_all: State = "done" if total else "optional"
    num_missing = total - have
    if model in _NO_MODEL:
        lines = [*step.lines, say("no model: words come with the images, or by hand")]
        state = "optional" if num_missing else has_all
        return Step(step.name, state, lines, command=step.command)
    lines = [*step.lines, say("model: {model}", model=visible_text(model))]
    if not num_missing:
        return Step(step.name, has_all, lines, command=step.command)
    try:
        find_model(kind, model, project)
    except LorawizError as error:
        if _is_to_be_fetched(model, error):
            lines.append(say("not on this machine yet: fetched when it is asked"))
            return Step(step.name, "due", lines, command=step.command, is_remote=True)
        return Step(step.name, "due", lines, [_found(error)], step.command)
    return Step(step.name, "due", lines, command=step.command)


def stand_review(pictures: Pictures) -> Step:
    rejected = sum(not record.keep for record in pictures.records)
    by_hand = sum(record.hand != Hand() for record in pictures.records)
    num_open = len(pictures.problems)
    lines = [
        say("{kept} kept, {rejected} rejected", kept=len(pictures.trained), rejected=rejected),
        count(by_hand, "{num} image with edits by hand", "{num} images with edits by hand"),
    ]
    if num_open:
        lines.append(count(num_open, "{num} finding to look at", "{num} findings to look at"))
    state: State = "done" if by_hand or rejected else "optional"
    return Step("review", state, lines, command="lorawiz review")


def stand_clean(spec: Spec, pictures: Pictures, changes: int | LorawizError) -> Step:
    """`changes`: how many images the rules would change now, or why that cannot be said."""
    lines = [count(len(spec.clean), "{num} rule", "{num} rules")]
    if isinstance(changes, LorawizError):
        return Step("clean", "due", lines, [_found(changes)], "lorawiz clean")
    if changes:
        one, many = "{num} image would change", "{num} images would change"
        lines.append(count(changes, one, many))
        return Step("clean", "due", lines, command="lorawiz clean")
    if spec.clean and pictures.trained:
        lines.append(say("all of them are applied"))
        return Step("clean", "done", lines, command="lorawiz clean")
    return Step("clean", "optional", lines, command="lorawiz clean")


def stand_settings(spec: Spec) -> Step:
    train = spec.train
    width, height = spec.dataset.size
    lines = [
        _tell_kind(spec),
        _tell_length(spec, f"{width}×{height}"),
        say(
            "{optimizer}, learning rate {rate}, {scheduler}",
            optimizer=train.optimizer_type, rate=f"{train.learning_rate:g}",
            scheduler=train.lr_scheduler,
        ),
    ]  # fmt: skip
    if spec.trains_token:
        table = spec.textual_inversion
        one, many = "new word {word}, {num} vector", "new word {word}, {num} vectors"
        word = visible_text(table.token_string)
        lines.insert(1, count(table.num_vectors_per_token, one, many, word=word))
    return Step("settings", "done", lines, command="lorawiz get")


def _tell_kind(spec: Spec) -> Phrase:
    network = spec.network
    if network.kind == "none":
        return say("textual inversion alone")
    if spec.trains_full:
        both = spec.trains_unet and spec.trains_text_encoder
        if both:
            return say("full fine-tuning of U-Net and text encoder")
        if spec.trains_unet:
            return say("full fine-tuning of the U-Net")
        return say("full fine-tuning of the text encoder")
    return say(
        "{kind}, dim {dim}, alpha {alpha}",
        kind=network.kind, dim=network.dim, alpha=f"{network.alpha:g}",
    )  # fmt: skip


def _tell_length(spec: Spec, size: str) -> Phrase:
    batch = spec.dataset.batch_size
    if spec.train.max_train_epochs is not None:
        one, many = (
            "{size} px, batch {batch}, {num} epoch",
            "{size} px, batch {batch}, {num} epochs",
        )
        return count(spec.train.max_train_epochs, one, many, size=size, batch=batch)
    one, many = "{size} px, batch {batch}, {num} step", "{size} px, batch {batch}, {num} steps"
    return count(spec.train.max_train_steps, one, many, size=size, batch=batch)


def stand_check(last: LastCheck | None) -> Step:
    if last is None:
        return Step("check", "due", [say("not checked yet")], command="lorawiz check")
    lines = [
        count(last.num_errors, "{num} error", "{num} errors"),
        count(last.num_warnings, "{num} warning", "{num} warnings"),
    ]
    if not last.is_fresh:
        lines.append(say("changed since it was checked"))
    is_good = last.is_fresh and not last.num_errors
    return Step("check", "done" if is_good else "due", lines, command="lorawiz check")


def stand_run(views: Sequence[RunView]) -> Step:
    """`views` of all runs, newest first."""
    if not views:
        return Step("run", "due", [say("no runs yet")], command="lorawiz run")
    lines = [
        say(
            "{run}  {state}  {step}/{total}", run=visible_text(view.run_id), state=view.state(),
            step=view.step, total=view.total_steps,
        )
        for view in views[:_MOST_RUNS]
    ]  # fmt: skip
    if len(views) > _MOST_RUNS:
        rest = len(views) - _MOST_RUNS
        lines.append(count(rest, "and {num} older run", "and {num} older runs"))
    state = views[0].state()
    command = "lorawiz run" if state == "finished" else "lorawiz run --resume"
    if state in ON:
        command = "lorawiz pause --off" if state == "paused" else "lorawiz attach"
    return Step("run", "done" if state == "finished" else "due", lines, command=command)


def _found(error: LorawizError) -> Found:
    return Found("", visible_lines(error))


def visible_lines(error: Exception) -> str:
    """An error's words, each line made visible."""
    return "\n".join(visible_text(line) for line in str(error).splitlines())


def _name(image_path: str) -> str:
    return visible_text(image_path.rpartition("/")[2])
