"""`lorawiz crop`, `cutout`, `caption` and `tag`: models over the images."""

from typing import TYPE_CHECKING, Any

import typer

from lorawiz.cli.output import fetch_model, print_json, progress, this_project
from lorawiz.errors import LorawizError, visible_text

if TYPE_CHECKING:
    from lorawiz.annotate.registry import ModelKind
    from lorawiz.paths import Project
    from lorawiz.prepare.outcome import Outcome
    from lorawiz.spec import Spec

JSON = typer.Option(False, "--json", help="Print JSON.")
REDO = typer.Option(False, "--redo", help="Look at all images again, not only at new ones.")
DRY_RUN = typer.Option(False, "--dry-run", help="Say what would change, and change nothing.")
PREVIEW = typer.Option(
    "", "--preview", metavar="PNG", help="Draw a sheet of what training would see."
)


def register(app: typer.Typer) -> None:
    app.command(epilog="lorawiz crop --dry-run --preview crops.png")(crop)
    app.command(epilog="lorawiz cutout && lorawiz set cutout.background white")(cutout)
    app.command(epilog="lorawiz set caption.model blip-large && lorawiz caption")(caption)
    app.command(epilog="lorawiz set tag.model wd-swinv2-tagger-v3 && lorawiz tag")(tag)


def crop(
    redo: bool = REDO, dry_run: bool = DRY_RUN, preview: str = PREVIEW, as_json: bool = JSON
) -> None:
    """Find faces and set crop boxes around them; boxes set by hand stay.

    Under accelerate launch -m lorawiz crop, several processes share the work.
    """
    from lorawiz.prepare.outcome import run_crop

    project, spec = _open()
    with progress("looking for faces") as on_progress:
        outcome = run_crop(project, spec, redo, dry_run, on_progress)
    _report(outcome, as_json)
    _draw(project, spec, outcome, preview)


def cutout(redo: bool = REDO, preview: str = PREVIEW, as_json: bool = JSON) -> None:
    """Mask the subject of each image; cutout.background says what training puts behind it.

    Under accelerate launch -m lorawiz cutout, several processes share the work.
    """
    from lorawiz.prepare.outcome import run_cutout

    project, spec = _open()
    with progress("masking") as on_progress:
        outcome = run_cutout(project, spec, redo, on_progress)
    _report(outcome, as_json)
    _draw(project, spec, outcome, preview)


def caption(redo: bool = REDO, as_json: bool = JSON) -> None:
    """Describe the images that have no caption yet; those brought or written by hand stay.

    Under accelerate launch -m lorawiz caption, several processes share the work.
    """
    from lorawiz.annotate.registry import CAPTIONERS
    from lorawiz.prepare.outcome import run_caption

    project, spec = _open()
    _need_model(CAPTIONERS, spec.caption.model, project, "Salesforce/blip-image-captioning-large")
    with progress("captioning") as on_progress:
        outcome = run_caption(project, spec, redo, on_progress)
    _report(outcome, as_json)


def tag(redo: bool = REDO, as_json: bool = JSON) -> None:
    """Tag the images that have no tags yet, and clean; what was brought or changed by hand stays.

    Under accelerate launch -m lorawiz tag, several processes share the work.
    """
    from lorawiz.annotate.registry import TAGGERS
    from lorawiz.prepare.outcome import run_tag

    project, spec = _open()
    _need_model(TAGGERS, spec.tag.model, project, "SmilingWolf/wd-swinv2-tagger-v3")
    with progress("tagging") as on_progress:
        outcome = run_tag(project, spec, redo, on_progress)
    _report(outcome, as_json)


def _open() -> "tuple[Project, Spec]":
    from lorawiz.spec import load_spec

    project = this_project()
    return project, load_spec(project.spec)


def _need_model(kind: "ModelKind[Any]", name: str, project: "Project", usual: str) -> None:
    """Make sure that the model is on this machine; a hub model is fetched where that can be."""
    from lorawiz.annotate.registry import find_model
    from lorawiz.errors import ModelError
    from lorawiz.hub import is_hub_id, is_offline

    if name in ("", "none"):
        raise LorawizError(
            f"{kind.setting} is {name or 'none'!r}: there is no model to ask",
            f"lorawiz set {kind.setting} {usual}",
        )
    try:
        find_model(kind, name, project)
    except ModelError:
        if not is_hub_id(name) or is_offline():
            raise
        fetch_model(name, kind.files)


def _report(outcome: "Outcome", as_json: bool) -> None:
    """What was done, on stderr, or JSON on stdout; exits with 2 when an image failed."""
    if as_json:
        print_json(outcome.as_json())
    for line in outcome.lines():
        typer.echo(line, err=True)
    for failure in outcome.report.failures:
        shown = visible_text(failure.image_path)
        typer.echo(f"  {shown}: {visible_text(failure.reason)}", err=True)
    if outcome.report.failures:
        raise typer.Exit(2)


def _draw(project: "Project", spec: "Spec", outcome: "Outcome", preview: str) -> None:
    if not preview:
        return
    from lorawiz.prepare.preview import draw_preview

    path = draw_preview(project, spec, outcome.records, preview)
    typer.echo(f"  {visible_text(str(path))}", err=True)
