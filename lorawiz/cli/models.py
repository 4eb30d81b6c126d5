"""`lorawiz models`: base models on this machine."""

import typer

from lorawiz.cli.output import fetch_model, this_project
from lorawiz.errors import ModelError, visible_text


def register(app: typer.Typer) -> None:
    models = typer.Typer(help="Base models: fetch one from the hub.", no_args_is_help=True)
    models.callback()(_models)
    models.command(epilog="lorawiz models fetch")(fetch)
    app.add_typer(models, name="models")


def _models() -> None:
    """Base models: fetch the one that the project names."""


def fetch() -> None:
    """Fetch the base that base.checkpoint names from the hub, and note its hash."""
    from lorawiz.families.checkpoints import HUB_FILES
    from lorawiz.hub import is_hub_id
    from lorawiz.scaffold import set_base
    from lorawiz.spec import load_spec

    project = this_project()
    name = load_spec(project.spec).base.checkpoint
    if not is_hub_id(name):
        raise ModelError(
            f"base.checkpoint is {visible_text(name) or 'not set'}: that is no hub id",
            "lorawiz set base.checkpoint OWNER/NAME",
        )
    fetch_model(name, HUB_FILES)
    _, sha256 = set_base(project, name)
    typer.echo(f"{name} is here; base.sha256 = {sha256}")
