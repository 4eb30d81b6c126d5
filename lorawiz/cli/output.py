"""What commands print: results on stdout, progress and remarks on stderr."""

import _thread
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lorawiz.wording import PROGRESS_VARIABLE, ProgressRecord, dump_progress

_TELL_EVERY_S = 0.1
_POLL_S = 0.5

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


def is_watched() -> bool:
    """Whether a program started this and reads its progress: see `wording`."""
    return os.environ.get(PROGRESS_VARIABLE) == "json"


def end_with_watcher() -> None:
    """Interrupt this process when the program that started it is gone; returns at once."""

    def wait() -> None:
        # not sys.stdin: its lock would be held while the interpreter ends
        while os.read(0, 1024):
            pass
        if os.name == "posix":
            # to the main thread, so that a call it waits in returns
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        else:
            _thread.interrupt_main()

    threading.Thread(target=wait, name="lorawiz-watcher", daemon=True).start()


@contextmanager
def progress(title: str, unit: str = "") -> Iterator[Callable[[int, int], None]]:
    """Gives a function (done, total) that draws a bar on a terminal and nothing elsewhere.

    Where a program watches, it writes records for that. `unit` is `bytes`, or empty for pieces.
    """
    if is_watched():
        yield _tell_progress(title, unit)
        return
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn() if unit == "bytes" else MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _tell_progress(title: str, unit: str) -> Callable[[int, int], None]:
    """Writes a record at most every tenth of a second, and the last one always."""
    told_at = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told_at
        now = time.monotonic()
        if now - told_at < _TELL_EVERY_S and done != total:
            return
        told_at = now
        # where the watcher is gone, this process is being interrupted: see end_with_watcher
        with suppress(BrokenPipeError):
            sys.stderr.write(dump_progress(ProgressRecord(title, done, total, unit)))
            sys.stderr.flush()

    return tell


def fetch_model(name: str, files: "HubFiles") -> Path:
    """Fetch a hub model, its size said first. Raises ModelError."""
    from lorawiz.hub import cached_bytes, fetch_from_hub, hub_download_bytes
    from lorawiz.wording import show_bytes

    total = hub_download_bytes(name, files)
    size = show_bytes(total)
    typer.echo(f"fetching {name}: {size}; an interrupted download goes on where it was", err=True)
    with progress(f"fetching {name}", "bytes") as on_progress:
        # the hub's client tells of files and its own parts of them: the disk tells of bytes
        with _polling(lambda: on_progress(min(cached_bytes(name), total), total)):
            folder = fetch_from_hub(name, files)
        on_progress(total, total)
    return folder


@contextmanager
def _polling(tell: Callable[[], None]) -> Iterator[None]:
    """Calls `tell` every half second, in a thread of its own."""
    is_over = threading.Event()

    def poll() -> None:
        while not is_over.wait(_POLL_S):
            tell()

    thread = threading.Thread(target=poll, name="lorawiz-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
