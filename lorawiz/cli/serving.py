"""`lorawiz serve`: the wizard as a web page."""

import asyncio

import typer

from lorawiz.cli.output import print_json, this_project
from lorawiz.errors import MissingExtraError


def register(app: typer.Typer) -> None:
    app.command(epilog="lorawiz serve --port 8000; ssh -L 8000:127.0.0.1:8000 BOX")(serve)


def serve(
    port: int = typer.Option(8000, min=0, max=65535, help="0 takes a free one."),
    host: str = typer.Option("127.0.0.1", help="Where to listen; loopback unless you know better."),
    as_json: bool = typer.Option(False, "--json", help="Print the address as JSON."),
) -> None:
    """Serve the wizard as a web page, for people without SSH; Ctrl-C ends it.

    The printed address holds a token: whoever has it can do all that you can do here.
    """
    project = this_project()
    try:
        from lorawiz.serve.guard import is_loopback, make_token
        from lorawiz.serve.server import ProjectServer
    except ModuleNotFoundError as error:
        raise MissingExtraError("lorawiz serve", "serve") from error
    if not is_loopback(host):
        typer.echo(
            f"{host} is reached from other machines, and what is typed there travels unencrypted:\n"
            "  safer: lorawiz serve on loopback, and ssh -L 8000:127.0.0.1:8000 to get there",
            err=True,
        )

    def tell(address: str) -> None:
        if as_json:
            print_json({"address": address})
        else:
            typer.echo(address)
        typer.echo("open it in a browser; Ctrl-C ends the server", err=True)

    asyncio.run(ProjectServer(project, host, port, make_token()).run(tell))
