"""`lorawiz class-images`."""

from typing import TYPE_CHECKING

import typer

from lorawiz.cli.output import print_json, progress, this_project
from lorawiz.cli.project import add_sources, add_subset_table, build_subset
from lorawiz.errors import MissingExtraError, ProjectError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lorawiz.dataset.adding import AddReport
    from lorawiz.paths import Project


def register(app: typer.Typer) -> None:
    app.command(
        "class-images", epilog='lorawiz class-images --count 100 --prompt "photo of a woman"'
    )(class_images)


def class_images(
    count: int = typer.Option(50, "--count", min=1, max=10_000, help="How many pictures."),
    prompts: list[str] = typer.Option(
        [], "--prompt", help="What to draw, in turn; a photo of a CLASS WORD where none is given."
    ),
    subset: str = typer.Option("class", "--subset", metavar="NAME", help="Into images/NAME/."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Let the base draw class images, which keep the class as it is while the LoRA learns.

    Size, sampler, steps and guidance are those of [sample]. Each picture's prompt is its caption.
    What is drawn already is not drawn again.
    """
    report = bring_class_images(this_project(), prompts, count, subset)
    if as_json:
        print_json({"added": [record.image_path for record in report.added]})


def bring_class_images(
    project: "Project", prompts: "Sequence[str]", count: int, subset: str = "class"
) -> "AddReport":
    """Draw, and add what was drawn. Raises LorawizError."""
    from lorawiz.dataset.finding_images import Found
    from lorawiz.dataset.sources import Source
    from lorawiz.preflight.machine import missing_packages
    from lorawiz.spec import load_spec

    table = build_subset(subset, is_reg=True)
    spec = load_spec(project.spec)
    prompts = prompts or [_default_prompt(spec.project.class_word)]
    if missing_packages():
        raise MissingExtraError("drawing", "train")
    from lorawiz.train.class_images import draw_class_images

    with progress("drawing") as on_progress:
        images = draw_class_images(project, spec, prompts, count, on_progress)
    add_subset_table(project, table)
    found = Found([Source(image.path, image.prompt) for image in images])
    return add_sources(project.root, found, link=False, subset=subset)


def _default_prompt(class_word: str) -> str:
    if not class_word:
        raise ProjectError(
            "there is no class word to draw", 'lorawiz class-images --prompt "photo of a woman"'
        )
    return f"a photo of a {class_word}"
