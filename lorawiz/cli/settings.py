"""`lorawiz set`, `get` and `unset`: the spec by dotted key."""

import json
from typing import Any

import typer

from lorawiz.cli.output import print_json, progress, this_project


def register(app: typer.Typer) -> None:
    app.command("set", epilog="lorawiz set train.learning_rate 1e-4")(set_key)
    app.command("get", epilog="lorawiz get train")(get_key)
    app.command("unset", epilog="lorawiz unset train.unet_lr")(unset_key)


def set_key(
    key: str = typer.Argument(..., metavar="KEY", help="A dotted key, such as train.seed."),
    value: str = typer.Argument(..., metavar="VALUE", help="As TOML, or plain text."),
) -> None:
    """Change one setting; comments and order of the file stay."""
    from lorawiz.scaffold import set_base
    from lorawiz.spec.document import set_value

    project = this_project()
    if key == "base.checkpoint" and value:
        with progress("hashing", "bytes") as tell:
            name, sha256 = set_base(project, value, tell)
        typer.echo(f"base.checkpoint = {_show(name)}")
        if sha256:
            typer.echo(f"base.sha256 = {_show(sha256)}")
        return
    old, new = set_value(project.spec, key, value)
    typer.echo(f"{key} = {_show(new)}" + (f"      (was {_show(old)})" if old != new else ""))


def get_key(
    key: str = typer.Argument(
        "", metavar="[KEY]", help="A key or a table; all where it is left out."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Print a setting as it holds now, its default where the file says nothing."""
    from lorawiz.spec.document import find_field, flatten, load_spec

    flat = flatten(load_spec(this_project().spec))
    chosen = {k: v for k, v in flat.items() if not key or k == key or k.startswith(f"{key}.")}
    if not chosen:
        find_field(key)  # raises, with the nearest key
    if as_json:
        print_json(chosen.get(key, chosen))
    elif key in chosen:
        value = chosen[key]
        typer.echo(value if isinstance(value, str) else _show(value))
    else:
        for dotted, value in chosen.items():
            typer.echo(f"{dotted} = {_show(value)}")


def unset_key(
    key: str = typer.Argument(..., metavar="KEY", help="A dotted key, such as train.unet_lr."),
) -> None:
    """Take one setting out of the file, so that its default holds."""
    from lorawiz.spec.document import unset_value

    _, new = unset_value(this_project().spec, key)
    typer.echo(f"{key} = {_show(new)}      (the default)")


def _show(value: Any) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)
