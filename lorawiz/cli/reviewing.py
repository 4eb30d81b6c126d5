"""`lorawiz review`: look at the images one by one, and mend what is wrong."""

import gc

import typer

from lorawiz.cli.output import is_interactive, this_project
from lorawiz.errors import LorawizError


def register(app: typer.Typer) -> None:
    app.command(epilog="lorawiz review --filter 'finding:* -keep:no'")(review)


def review(
    filter_text: str = typer.Option(
        "", "--filter", metavar="TEXT", help="Show only what matches: tag:smile -face:0 tokens:>75."
    ),
) -> None:
    """Look at every image with its crop, mask, findings, words and prompt, and edit them."""
    project = this_project()
    if not is_interactive():
        raise LorawizError(
            "lorawiz review needs a terminal on both sides",
            "without one: lorawiz check lists the findings, and dataset.jsonl holds the words",
        )
    # what is made until the first frame stays for the whole visit: not searched for garbage
    gc.disable()
    from lorawiz.tui.app import run_review

    run_review(project, filter_text)
