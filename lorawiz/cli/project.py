"""`lorawiz new`, `lorawiz add`, and what `lorawiz` alone says."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lorawiz.cli.output import is_interactive, print_json, progress, this_project
from lorawiz.errors import LorawizError, ProjectError, SpecError, visible_text

if TYPE_CHECKING:
    from lorawiz.dataset.adding import AddReport
    from lorawiz.dataset.finding_images import Found
    from lorawiz.paths import Project
    from lorawiz.spec.subsets import SubsetTable
    from lorawiz.tui.wizard.answers import Answers

JSON = typer.Option(False, "--json", help="Print JSON.")


def register(app: typer.Typer) -> None:
    app.command(
        epilog="lorawiz new face-lora lyq --trigger lyq --class-word woman --images ~/photos "
        "--base v1-5-pruned.safetensors"
    )(new)
    app.command(
        epilog="lorawiz add ~/photos IMG_0012.jpg 'more/**/*.png' photos.zip; "
        "lorawiz add --subset class --reg ~/drawn-by-the-base"
    )(add)


def new(
    template: str = typer.Argument(
        "", metavar="TEMPLATE", help="face-lora, style-lora, or a path."
    ),
    directory: str = typer.Argument("", metavar="[DIR]", help="Defaults to the template's name."),
    name: str = typer.Option("", help="The LoRA's name; defaults to the folder's."),
    trigger: str = typer.Option("", metavar="WORD", help="The word that calls the LoRA."),
    class_word: str = typer.Option(
        "", metavar="WORD", help="What it is one of: woman, dog, style."
    ),
    images: str = typer.Option("", metavar="DIR", help="Photos to bring in."),
    base: str = typer.Option(
        "", metavar="CHECKPOINT", help="A .safetensors file, a diffusers folder, or a hub id."
    ),
    assignments: list[str] = typer.Option(
        [], "--set", metavar="KEY=VALUE", help="Any other setting; can be repeated."
    ),
) -> None:
    """Start a project: a folder around one TOML file."""
    from lorawiz.tui.wizard.answers import Answers

    settings = dict(parse_assignment(text) for text in assignments)
    answers = Answers(template, directory, name, trigger, class_word, base, settings)
    # looked at before anything is made
    found = find_sources([Path(images).expanduser()]) if images else None
    if is_interactive() and not (template and trigger):
        project = _ask_for_project(answers)
        if found:
            add_sources(project.root, found, link=False)
        _go_on(project)
        return
    _refuse_incomplete(answers)
    project = answers.create()
    report = add_sources(project.root, found, link=False) if found else None
    shown = visible_text(answers.shown_folder)
    typer.echo(f"{shown}: a project from {Path(answers.template).stem}")
    typer.echo(f"  next: cd {shown} && lorawiz {'check' if report else 'add PHOTOS…'}")
    if report and not report.is_complete:
        raise typer.Exit(2)


def add(
    paths: list[str] = typer.Argument(
        ..., metavar="PATH…", help="Images, folders, zip files, or patterns such as '**/*.jpg'."
    ),
    link: bool = typer.Option(False, "--link", help="Link to the files in place of copying."),
    subset: str = typer.Option(
        "", "--subset", metavar="NAME", help="Into images/NAME/, a folder with settings of its own."
    ),
    is_reg: bool = typer.Option(
        False,
        "--reg",
        help="With --subset: class images, which show the class without the trigger.",
    ),
    as_json: bool = JSON,
) -> None:
    """Bring images in, byte for byte, with the captions and tags beside them."""
    project = this_project()
    if is_reg and not subset:
        raise ProjectError("--reg needs --subset NAME", "lorawiz add --subset class --reg PHOTOS…")
    found = find_sources([Path(path).expanduser() for path in paths])
    if subset:
        add_subset_table(project, build_subset(subset, is_reg))
    report = add_sources(project.root, found, link, subset)
    if as_json:
        print_json(
            {
                "added": [record.image_path for record in report.added],
                "mended": [record.image_path for record in report.mended],
                "broken": {record.image_path: record.reason for record in report.broken},
                "known": report.known,
                "skipped": {each.path: each.reason for each in report.skipped},
                "without_words": {each.path: each.reason for each in report.wordless},
                "renamed": dict(report.renamed),
            }
        )
    if not report.is_complete:
        raise typer.Exit(2)


def open_wizard(context: typer.Context, as_json: bool) -> None:
    """What `lorawiz` alone does: the wizard on a terminal, else where the project stands."""
    asks = is_interactive() and not as_json
    try:
        project = this_project()
    except ProjectError:
        if as_json:
            raise
        if not asks:
            typer.echo(context.get_help())
            return
        from lorawiz.tui.wizard.answers import Answers

        project = _ask_for_project(Answers(), offers_demo=True)
    if asks:
        _go_on(project)
    else:
        _print_survey(project, as_json)


def _print_survey(project: "Project", as_json: bool) -> None:
    """Where the project stands; exits with 2 where it cannot be read."""
    from lorawiz.preflight.survey import iter_overview, survey_project

    survey = survey_project(project)
    if as_json:
        print_json(survey.as_json())
    else:
        for line in iter_overview(survey):
            typer.echo(line)
    if survey.failure:
        raise typer.Exit(2)


def _ask_for_project(answers: "Answers", offers_demo: bool = False) -> "Project":
    """The project that is made of the form's answers; leaving the form makes none and exits."""
    from lorawiz.tui.app import run_new_project

    wanted = run_new_project(answers, offers_demo)
    if wanted == "demo":
        from lorawiz.cli.demo_job import run_demo

        run_demo("lorawiz-demo", plain=False)
        raise typer.Exit
    if wanted is None:
        typer.echo("no project was made: lorawiz new, or lorawiz demo", err=True)
        raise typer.Exit
    return wanted


def _go_on(project: "Project") -> None:
    """The wizard; then how to come back, for whoever is still in another folder."""
    from lorawiz.tui.app import run_wizard

    run_wizard(project)
    if project.root != Path.cwd():
        typer.echo(f"to come back: cd {visible_text(str(project.root))} && lorawiz")


def _refuse_incomplete(answers: "Answers") -> None:
    """Raises what the form would say. Nothing is asked here."""
    if not answers.template:
        from lorawiz.spec.templates import list_templates

        names = ", ".join(template.name for template in list_templates())
        raise LorawizError("which template?", f"lorawiz new TEMPLATE; templates are {names}")
    for mistake in answers.find_mistakes().values():
        message, _, hint = mistake.partition("\n")
        raise ProjectError(message, hint.strip() or "lorawiz new --help")


def parse_assignment(text: str) -> tuple[str, str]:
    """KEY=VALUE as (key, value). Raises SpecError."""
    key, mark, value = text.partition("=")
    if not mark or not key:
        raise SpecError(f"--set {visible_text(text)}: not KEY=VALUE", "--set train.seed=7")
    return key.strip(), value.strip()


def find_sources(paths: list[Path]) -> "Found":
    """The images in `paths` with their sidecars; nothing is written yet."""
    from lorawiz.dataset.finding_images import find_images
    from lorawiz.interop.sidecars import read_sidecars

    found = find_images(paths)
    return replace(found, sources=list(read_sidecars(found.sources)))


def build_subset(name: str, is_reg: bool) -> "SubsetTable":
    """The table of images/NAME/. Raises ProjectError for what is no name of a folder."""
    from pydantic import ValidationError

    from lorawiz.spec.subsets import SubsetTable

    try:
        return SubsetTable(image_dir=f"images/{name}", is_reg=is_reg)
    except ValidationError as error:
        raise ProjectError(
            f"--subset {visible_text(name)}: not the name of a folder", "lorawiz add --subset class"
        ) from error


def add_subset_table(project: "Project", table: "SubsetTable") -> None:
    """Put the table into lorawiz.toml unless it is there. Raises SpecError."""
    from lorawiz.spec.subset_edits import add_subset

    if add_subset(project.spec, table):
        typer.echo(f"lorawiz.toml: [[dataset.subsets]] {table.image_dir}", err=True)


def add_sources(root: Path, found: "Found", link: bool, subset: str = "") -> "AddReport":
    """Bring the images in and say on stderr what became of them."""
    from lorawiz.dataset.adding import add_images
    from lorawiz.dataset.decoding import DecoderPool
    from lorawiz.paths import Project

    try:
        with DecoderPool() as decoders, progress("adding") as on_progress:
            report = add_images(
                Project(root), found.sources, link, on_progress, decoders.look_at, subset
            )
    except (KeyboardInterrupt, OSError):
        typer.echo("stopped: what was added so far stays; the same command goes on", err=True)
        raise
    report.skipped[:0] = found.skipped
    for line in _describe_addition(report):
        typer.echo(line, err=True)
    return report


def _describe_addition(report: "AddReport") -> Iterator[str]:
    words = sum(1 for record in report.added if record.caption or record.tags)
    counts = {
        "with captions or tags": words,
        "already there": len(report.known),
        "mended": len(report.mended),
        "broken": len(report.broken),
        "skipped": len(report.skipped),
    }
    parts = [f"{count} {what}" for what, count in counts.items() if count]
    yield ", ".join([f"{len(report.added)} added", *parts])
    yield from _list_some((r.image_path, r.reason) for r in report.broken)
    yield from _list_some((each.path, f"skipped, {each.reason}") for each in report.skipped)
    yield from _list_some(
        (each.path, f"added without words, {each.reason}") for each in report.wordless
    )
    yield from _list_some(
        ((old, f"is {new} here: its name was taken") for old, new in report.renamed), 3
    )


def _list_some(told: Iterable[tuple[str, str]], most: int = 20) -> Iterator[str]:
    """A line each for the first of them, and how many more there are."""
    rest = 0
    for number, (path, what) in enumerate(told):
        if number < most:
            yield f"  {visible_text(path)}: {visible_text(what)}"
        else:
            rest += 1
    if rest:
        yield f"  … and {rest} more like the last"
