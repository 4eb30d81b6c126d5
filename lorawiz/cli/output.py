"""What commands print: results on stdout, progress and remarks on stderr."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lorawiz.wording import PROGRESS_VARIABLE, dump_progress

_TELL_EVERY_S = 0.1

if TYPE_CHECKING:
    from lorawiz.hub import HubFiles
    from lorawiz.paths import Project


def this_project() -> "Project":
    """The project of the current folder. Raises ProjectError."""
    from lorawiz.paths import find_project

    return find_project(Path.cwd())


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a file name that is not UTF-8: its bytes as escapes
        text = json.dumps(value, indent=2)
    typer.echo(text)


def is_interactive() -> bool:
    """Whether somebody can be asked: a terminal on both sides."""
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Gives a function (done, total) that draws a bar on a terminal and nothing elsewhere.

    With LORAWIZ_PROGRESS=json it writes records for a program that watches: see `wording`.
    """
    if os.environ.get(PROGRESS_VARIABLE) == "json":
        yield _tell_progress(title)
        return
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _tell_progress(title: str) -> Callable[[int, int], None]:
    """Writes a record at most every tenth of a second, and the last one always."""
    told_at = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told_at
        now = time.monotonic()
        if now - told_at < _TELL_EVERY_S and done != total:
            return
        told_at = now
        try:
            sys.stderr.write(dump_progress(title, done, total))
            sys.stderr.flush()
        except BrokenPipeError:
            # who started this is gone: what was done is kept, the same command goes on
            raise KeyboardInterrupt from None

    return tell


def fetch_model(name: str, files: "HubFiles") -> Path:
    """Fetch a hub model, its size said first. Raises ModelError."""
    from lorawiz.hub import fetch_from_hub, hub_download_bytes
    from lorawiz.wording import show_bytes

    size = show_bytes(hub_download_bytes(name, files))
    typer.echo(f"fetching {name}: {size}; an interrupted download goes on where it was", err=True)
    return fetch_from_hub(name, files)
