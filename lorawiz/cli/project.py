"""`lorawiz new`, `lorawiz add`, and what `lorawiz` alone says."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lorawiz.cli.output import is_interactive, print_json, progress, this_project
from lorawiz.errors import LorawizError, ProjectError, SpecError, visible_text

if TYPE_CHECKING:
    from lorawiz.dataset.adding import AddReport, Source

JSON = typer.Option(False, "--json", help="Print JSON.")


def register(app: typer.Typer) -> None:
    app.command(
        epilog="lorawiz new face-lora lyq --trigger lyq --class-word woman --images ~/photos "
        "--base v1-5-pruned.safetensors"
    )(new)
    app.command(epilog="lorawiz add ~/photos IMG_0012.jpg")(add)


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
    sources = find_sources([Path(images).expanduser()]) if images else []
    settings = dict(parse_assignment(text) for text in assignments)
    project = create_project(folder, chosen, answers, base, settings)
    if sources:
        add_sources(project.root, sources, link=False)
    shown = visible_text(str(folder))
    typer.echo(f"{shown}: a project from {chosen.name}")
    typer.echo(f"  next: cd {shown} && lorawiz {'check' if sources else 'add PHOTOS…'}")


def add(
    paths: list[str] = typer.Argument(..., metavar="PATH…", help="Images, or folders of them."),
    link: bool = typer.Option(False, "--link", help="Link to the files in place of copying."),
    as_json: bool = JSON,
) -> None:
    """Bring images in, byte for byte, with the captions and tags beside them."""
    project = this_project()
    sources = find_sources([Path(path).expanduser() for path in paths])
    report = add_sources(project.root, sources, link)
    if as_json:
        print_json(
            {
                "added": [record.image_path for record in report.added],
                "broken": {record.image_path: record.reason for record in report.broken},
                "known": [str(path) for path in report.known],
            }
        )


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


def find_sources(paths: list[Path]) -> "list[Source]":
    """The images in `paths` with their sidecars; all of it is read before anything is written."""
    from lorawiz.dataset.adding import find_images
    from lorawiz.interop.sidecars import read_sidecars

    return [read_sidecars(path) for path in find_images(paths)]


def add_sources(root: Path, sources: "list[Source]", link: bool) -> "AddReport":
    """Bring the images in and say how many on stderr."""
    from lorawiz.dataset.adding import add_images
    from lorawiz.paths import Project

    with progress("adding") as on_progress:
        report = add_images(Project(root), sources, link, on_progress)
    words = sum(1 for record in report.added if record.caption or record.tags)
    parts = [f"{len(report.added)} added"]
    parts += [f"{words} with captions or tags"] if words else []
    parts += [f"{len(report.known)} already there"] if report.known else []
    parts += [f"{len(report.broken)} broken"] if report.broken else []
    typer.echo(", ".join(parts), err=True)
    for record in report.broken:
        typer.echo(f"  {visible_text(record.image_path)}: {visible_text(record.reason)}", err=True)
    return report


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
