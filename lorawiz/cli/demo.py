"""`lorawiz demo`."""

import typer


def register(app: typer.Typer) -> None:
    app.command(epilog="lorawiz demo /tmp/try")(demo)


def demo(
    directory: str = typer.Argument(
        "lorawiz-demo", metavar="[DIR]", help="Where the project is made."
    ),
    plain: bool = typer.Option(False, "--plain", help="Lines in place of the panel."),
) -> None:
    """The whole job on bundled photos and a tiny base model, on a CPU, in about two minutes."""
    from lorawiz.cli.demo_job import run_demo

    run_demo(directory, plain)
