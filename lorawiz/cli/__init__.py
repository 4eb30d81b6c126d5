"""The `lorawiz` command. What is imported here is paid for by `lorawiz --help`: no more than
typer; each command imports what it needs when it is called."""

from lorawiz.cli.main import main

__all__ = ["main"]
