"""Printing a run's journal as it grows."""

import json
import time
from collections.abc import Iterator

import typer

from lorawiz.runs.folder import RunFolder
from lorawiz.runs.journal import Event, JournalReader
from lorawiz.runs.launch import last_log_line
from lorawiz.runs.lines import LinePrinter
from lorawiz.runs.view import ON, RunView

_POLL_S = 0.2


def print_lines(
    run: RunFolder, follow: bool, last_only: bool = False, to_stderr: bool = False
) -> None:
    """The run as plain lines; with `follow` until it ends. Ctrl-C leaves it going."""
    printer = LinePrinter(run.run_id)
    last = ""
    try:
        for event in _iter_events(run, printer.view, follow):
            for line in printer.lines_of(event):
                last = line
                if not last_only:
                    typer.echo(line, err=to_stderr)
    except KeyboardInterrupt:
        typer.echo(
            f"{run.run_id}  goes on  lorawiz attach shows it, lorawiz stop ends it", err=True
        )
        raise
    if last_only and last:
        typer.echo(last)
    if printer.view.outcome is None and printer.view.state() == "killed":
        typer.echo(
            f"{run.run_id}  killed  at step {printer.view.step}; last words: {last_log_line(run.log)}"
        )
        if printer.view.state_step is not None:
            typer.echo(
                f"  lorawiz run --resume {run.run_id} goes on behind step {printer.view.state_step}"
            )


def print_events(run: RunFolder) -> None:
    """The journal's events as JSON lines, until the run ends."""
    view = RunView(run.run_id)
    for event in _iter_events(run, view, follow=True):
        view.apply(event)
        typer.echo(json.dumps(event, ensure_ascii=False))


def _iter_events(run: RunFolder, view: RunView, follow: bool) -> Iterator[Event]:
    """Events old and new; ends with the run. The caller applies them to `view`."""
    reader = JournalReader(run.journal)
    while True:
        was_over = view.state() not in ON
        events = reader.poll()
        yield from events
        if not follow or (was_over and not events):
            return
        time.sleep(_POLL_S)
