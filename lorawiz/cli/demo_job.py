"""The demo: each step is the command a user would type, run through the same code."""

import json
import shutil
from pathlib import Path

import typer

from lorawiz.cli import training
from lorawiz.cli.class_images import bring_class_images
from lorawiz.cli.pictures import show_progress
from lorawiz.cli.project import add_sources, find_sources
from lorawiz.cli.runs import watch
from lorawiz.demo import BASE, BASE_NAME, CLASS_WORD, KNOWN_SUBJECTS, PORTRAITS, TRIGGER
from lorawiz.errors import MissingExtraError, ProjectError, visible_text
from lorawiz.generate.grid import save_grid
from lorawiz.paths import Project
from lorawiz.preflight.machine import missing_packages
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.view import RunView, load_view
from lorawiz.scaffold import create_project, set_base
from lorawiz.spec.templates import load_template

SETTINGS = {
    "dataset.resolution": "64",
    "dataset.min_bucket_reso": "64",
    "dataset.max_bucket_reso": "128",
    "dataset.batch_size": "8",
    "dataset.num_repeats": "13",
    "network.kind": "locon",
    "network.dim": "16",
    "network.alpha": "16",
    "network.conv_dim": "16",
    "network.conv_alpha": "16",
    "train.max_train_epochs": "30",
    "train.learning_rate": "2e-3",
    "train.text_encoder_lr": "2e-3",
    "train.optimizer_args": "{ betas = [0.9, 0.99] }",
    "train.min_snr_gamma": "5",
    "train.mixed_precision": "no",
    "train.save_every_n_epochs": "15",
    "sample.prompts": json.dumps(
        [f"a photo of {TRIGGER} {CLASS_WORD}", f"a photo of a {CLASS_WORD}", "a photo of a cat"]
    ),
    "sample.every_n_epochs": "5",
    "sample.steps": "20",
    "sample.guidance": "3.0",
    "sample.seed": "9",
}
"""What differs from face-lora: a size and a length that a CPU does in about a minute."""
NUM_CLASS_IMAGES = 4 * len(KNOWN_SUBJECTS)


def run_demo(directory: str, plain: bool) -> None:
    """Make a project in `directory`, train it, and say what came out."""
    if missing_packages():
        raise MissingExtraError("training", "train")
    folder = Path(directory)
    if (folder / "lorawiz.toml").exists():
        raise ProjectError(
            f"{visible_text(directory)} is a project already",
            "name another folder: lorawiz demo DIR",
        )
    shown = visible_text(directory)
    _tell(f"lorawiz new face-lora {shown} --trigger {TRIGGER} --class-word {CLASS_WORD}")
    project = make_demo_project(folder)
    _tell("lorawiz add PHOTOS", "three crops of one NASA portrait, with captions and tags")
    add_sources(project.root, find_sources(list(PORTRAITS)), link=False)
    _tell(
        "a base model", "tiny, 64 pixels; it knows a dozen photographs, this person is not in any"
    )
    add_demo_base(project)
    _tell(
        f"lorawiz class-images --count {NUM_CLASS_IMAGES} --prompt '{KNOWN_SUBJECTS[0]}' …",
        "what must stay as it is",
    )
    bring_class_images(project, KNOWN_SUBJECTS, NUM_CLASS_IMAGES)
    _tell("lorawiz run", "trains through accelerate, in the background")
    run = training.start(training.check(project, {}))
    watch(run, plain=plain, as_json=False)
    _finish(project, run, shown)


def make_demo_project(folder: Path) -> Project:
    """The demo's project as `lorawiz new` and `lorawiz set` make it."""
    answers = {
        "project.name": "demo-face",
        "project.trigger": TRIGGER,
        "project.class_word": CLASS_WORD,
    }
    return create_project(folder, load_template("face-lora"), answers, settings=SETTINGS)


def add_demo_base(project: Project) -> None:
    """Copy the bundled base into the project's models and make it the project's own."""
    shutil.copytree(BASE, project.models / BASE_NAME)
    set_base(project, BASE_NAME)


def make_before_after(project: Project, view: RunView) -> Path | None:
    """A grid of the first and the last samples; None when the run drew none."""
    steps = sorted({sample.step for sample in view.samples})
    if len(steps) < 2:
        return None
    chosen = {(s.step, s.index): s for s in view.samples if s.step in (steps[0], steps[-1])}
    indexes = sorted({index for _, index in chosen})
    path = project.runs / view.run_id / "before-after.png"
    save_grid(
        path,
        [[project.root / chosen[step, i].path for step in (steps[0], steps[-1])] for i in indexes],
        [chosen[steps[-1], i].prompt for i in indexes],
        ["before", f"after {steps[-1]} steps"],
    )
    return path


def _finish(project: Project, run: RunFolder, shown: str) -> None:
    view = load_view(run)
    if view.outcome != "finished" or view.result is None:
        typer.echo(f"  next: cd {shown} && lorawiz attach")
        return
    grid = make_before_after(project, view)
    typer.echo("")
    typer.echo(f"the LoRA    {shown}/{view.result}")
    if grid is not None:
        typer.echo(f"a grid      {shown}/{grid.relative_to(project.root)}")
    show_progress(project, view)
    typer.echo(f"  next: cd {shown} && lorawiz check, or your own: lorawiz new face-lora")


def _tell(command: str, note: str = "") -> None:
    typer.echo(f"▸ {command}" + (f"      {note}" if note else ""), err=True)
