"""`lorawiz cache`."""

import time
from dataclasses import asdict

import typer

from lorawiz.cli.output import print_json, progress, this_project
from lorawiz.wording import show_bytes, show_count, show_duration

DEFAULT_DAYS = 30.0


def register(app: typer.Typer) -> None:
    app.command(epilog="lorawiz cache --prune --unused-days 7")(cache)


def cache(
    prune: bool = typer.Option(
        False, "--prune", help="Delete what is torn and what no run has used for long."
    ),
    unused_days: float = typer.Option(
        DEFAULT_DAYS, "--unused-days", min=0.0, help="With --prune: how long; 0 deletes all."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Say what work/ keeps of images and prompts, and delete what is not used any more.

    Whatever is deleted is made again when a run needs it.
    """
    from lorawiz.runs.caches import KINDS, measure_caches, prune_caches
    from lorawiz.runs.locks import launch_lock, refuse_second_run

    project = this_project()
    if not prune:
        sizes = measure_caches(project)
        if as_json:
            print_json([asdict(size) for size in sizes])
            return
        for size in sizes:
            used = show_duration(max(time.time() - (size.used_at or 0.0), 0.0))
            count = show_count(size.num_entries, "file")
            typer.echo(
                f"{size.kind:<13} {show_bytes(size.num_bytes):>9}  {count:<13} "
                f"used {used} ago   {KINDS[size.kind]}"
            )
        if not sizes:
            typer.echo("the caches are empty", err=True)
        return
    with launch_lock(project):
        refuse_second_run(project)
        with progress("looking through the caches") as on_progress:
            gone = prune_caches(project, unused_days, on_progress)
    if as_json:
        print_json([asdict(size) for size in gone])
        return
    for size in gone:
        count = show_count(size.num_entries, "file")
        typer.echo(f"{size.kind:<13} {show_bytes(size.num_bytes):>9}  {count} deleted")
    if not gone:
        typer.echo(f"nothing is torn, or unused for {unused_days:g} days", err=True)
