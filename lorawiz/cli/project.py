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

JSON = typer.Option(False, "--json", help="Print JSON.")


def register(app: typer.Typer) -> None:
    app.command(
        epilog="lorawiz new face-lora lyq --trigger lyq --class-word woman --images ~/photos "
        "--base v1-5-pruned.safetensors"
    )(new)
    app.command(epilog="lorawiz add ~/photos IMG_0012.jpg 'more/**/*.png' photos.zip")(add)


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
    from lorawiz.scaffold import create_project
    from lorawiz.spec.templates import load_template

    asked = is_interactive()
    chosen = load_template(template or _ask_template(asked))
    folder = Path(directory or chosen.name)
    if (folder / "lorawiz.toml").exists():
        raise ProjectError(
            f"{visible_text(str(folder))} is a project already", "name another folder"
        )
    usual_class = str(chosen.values.get("project", {}).get("class_word", ""))
    answers = {
        "project.name": name or _ask(asked, "name of the LoRA", _clean_name(folder)),
        "project.trigger": trigger or _ask(asked, "trigger word (rare and short)", ""),
        "project.class_word": class_word or _ask(asked, "what it is one of", usual_class),
    }
    images = images or _ask(asked, "folder of photos (empty: add them later)", "")
    base = base or _ask(asked, "base checkpoint (file, folder or hub id; empty: later)", "")
    found = find_sources([Path(images).expanduser()]) if images else None
    settings = dict(parse_assignment(text) for text in assignments)
    project = create_project(folder, chosen, answers, base, settings)
    report = add_sources(project.root, found, link=False) if found else None
    shown = visible_text(str(folder))
    typer.echo(f"{shown}: a project from {chosen.name}")
    typer.echo(f"  next: cd {shown} && lorawiz {'check' if report else 'add PHOTOS…'}")
    if report and not report.is_complete:
        raise typer.Exit(2)


def add(
    paths: list[str] = typer.Argument(
        ..., metavar="PATH…", help="Images, folders, zip files, or patterns such as '**/*.jpg'."
    ),
    link: bool = typer.Option(False, "--link", help="Link to the files in place of copying."),
    as_json: bool = JSON,
) -> None:
    """Bring images in, byte for byte, with the captions and tags beside them."""
    project = this_project()
    found = find_sources([Path(path).expanduser() for path in paths])
    report = add_sources(project.root, found, link)
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


def print_overview(context: typer.Context) -> None:
    """What `lorawiz` alone says: the state of this project and the next command, or the help."""
    try:
        project = this_project()
    except ProjectError:
        typer.echo(context.get_help())
        return
    from lorawiz.cli.overview import describe_project

    for line in describe_project(project):
        typer.echo(line)


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


def add_sources(root: Path, found: "Found", link: bool) -> "AddReport":
    """Bring the images in and say on stderr what became of them."""
    from lorawiz.dataset.adding import add_images
    from lorawiz.dataset.decoding import DecoderPool
    from lorawiz.paths import Project

    try:
        with DecoderPool() as decoders, progress("adding") as on_progress:
            report = add_images(Project(root), found.sources, link, on_progress, decoders.look_at)
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


def _ask_template(asked: bool) -> str:
    from lorawiz.spec.templates import list_templates

    templates = list_templates()
    names = ", ".join(template.name for template in templates)
    if not asked:
        raise LorawizError("which template?", f"lorawiz new TEMPLATE; templates are {names}")
    for template in templates:
        typer.echo(f"  {template.name:<16} {template.description}", err=True)
    answer: str = typer.prompt("template", default=templates[0].name, err=True)
    return answer


def _ask(asked: bool, question: str, default: str) -> str:
    """The answer on a terminal, the default elsewhere."""
    if not asked:
        return default
    answer: str = typer.prompt(question, default=default, show_default=bool(default), err=True)
    return answer.strip()


def _clean_name(folder: Path) -> str:
    """A folder's name as a LoRA's name."""
    import re

    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.absolute().name).strip("-.")[:64] or "lora"
