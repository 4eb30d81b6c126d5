"""`lorawiz run`, `attach`, `status`, `logs`, `pause` and `stop`."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from lorawiz.cli.output import print_json, this_project
from lorawiz.cli.project import parse_assignment
from lorawiz.errors import RunError, visible_text

if TYPE_CHECKING:
    from lorawiz.runs.folder import RunFolder
    from lorawiz.runs.view import RunState, RunView

RUN = typer.Argument("", metavar="[RUN]", help="A run's id; the newest where it is left out.")
JSON = typer.Option(False, "--json", help="Print JSON.")
STOP_TIMEOUT_S = 600.0


def register(app: typer.Typer) -> None:
    app.command(epilog="lorawiz run --detach; lorawiz run --resume")(run)
    app.command(epilog="lorawiz attach lyq-0007")(attach)
    app.command(epilog="lorawiz status --json")(status)
    app.command(epilog="lorawiz logs lyq-0007 --raw")(logs)
    app.command(epilog="lorawiz pause; lorawiz pause --off lyq-0007")(pause)
    app.command(epilog="lorawiz stop")(stop)


def run(
    run_id: str = typer.Argument("", metavar="[RUN]", help="With --resume: which run."),
    detach: bool = typer.Option(False, "--detach", help="Start it and come back at once."),
    resume: bool = typer.Option(False, "--resume", help="Go on with a stopped or killed run."),
    num_processes: int = typer.Option(
        0,
        "--num-processes",
        metavar="N",
        help="With --resume: share the same steps among so many GPUs of this machine.",
    ),
    join: str = typer.Option(
        "", "--join", metavar="RUN", help="Train along with the machine that started this run."
    ),
    machine_rank: int = typer.Option(
        0, "--machine-rank", metavar="K", help="With --join: which machine this is, from 1."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Check, print the plan, start nothing."),
    assignments: list[str] = typer.Option(
        [], "--set", metavar="KEY=VALUE", help="A setting for this run alone; can be repeated."
    ),
    plain: bool = typer.Option(False, "--plain", help="Lines in place of the panel."),
    as_json: bool = typer.Option(False, "--json", help="The journal's events, a line each."),
) -> None:
    """Check the project, then train in the background; the panel can be left and joined again."""
    from lorawiz.cli import training

    own_settings = bool(assignments or dry_run)
    if join or machine_rank:
        _refuse_with_join(join, machine_rank, own_settings or bool(run_id or num_processes))
    _refuse_with_resume(resume, own_settings, run_id, num_processes)
    project = this_project()
    if join:
        training.join(project, join, machine_rank, resume)
        return
    if resume:
        started = training.resume(project, run_id or None, num_processes or None)
    else:
        overrides = dict(parse_assignment(text) for text in assignments)
        checked = training.check(project, overrides)
        if dry_run:
            training.print_plan(checked, as_json)
            return
        started = training.start(checked)
    if detach:
        typer.echo(f"{started.run_id}  detached  lorawiz attach shows it, lorawiz stop ends it")
        return
    watch(started, plain=plain, as_json=as_json)


def _refuse_with_join(join: str, machine_rank: int, has_more: bool) -> None:
    if not join or not machine_rank:
        raise RunError(
            "--join and --machine-rank go together", "lorawiz run --join RUN --machine-rank 1"
        )
    if has_more:
        raise RunError("--join trains what the first machine trains", "leave out the rest")


def _refuse_with_resume(resume: bool, own_settings: bool, run_id: str, num_processes: int) -> None:
    if resume and own_settings:
        raise RunError("--resume goes on with the run's own frozen settings", "leave out --set")
    if run_id and not resume:
        raise RunError(
            f"{visible_text(run_id)}: a run's id goes with --resume", "lorawiz run --resume"
        )
    if num_processes and not resume:
        raise RunError("--num-processes goes with --resume", "lorawiz set launch.num_processes N")
    if num_processes < 0:
        raise RunError(f"--num-processes {num_processes}: it is 1 or more")


def attach(
    run_id: str = RUN,
    plain: bool = typer.Option(False, "--plain", help="Lines in place of the panel."),
    as_json: bool = typer.Option(False, "--json", help="The journal's events, a line each."),
) -> None:
    """Join a run's live panel; leaving it leaves the run going."""
    from lorawiz.runs.folder import find_run

    watch(find_run(this_project(), run_id or None), plain=plain, as_json=as_json)


def status(run_id: str = RUN, as_json: bool = JSON) -> None:
    """Say how the runs of this project stand."""
    from lorawiz.cli.status import describe_run, run_as_json
    from lorawiz.runs.folder import find_run, list_runs

    project = this_project()
    chosen = [find_run(project, run_id)] if run_id else list_runs(project)
    if as_json:
        print_json([run_as_json(run) for run in chosen])
    elif not chosen:
        typer.echo("no runs yet: lorawiz run", err=True)
    for run in [] if as_json else chosen:
        typer.echo(describe_run(run))


def logs(
    run_id: str = RUN,
    raw: bool = typer.Option(False, "--raw", help="The trainer's own output (train.log)."),
    follow: bool = typer.Option(False, "--follow", "-f", help="Go on until the run ends."),
) -> None:
    """Print what a run has said."""
    from lorawiz.cli.following import print_lines
    from lorawiz.runs.folder import find_run

    found = find_run(this_project(), run_id or None)
    if raw:
        text = found.log.read_text("utf-8", "replace") if found.log.exists() else ""
        for line in text.splitlines():
            typer.echo(visible_text(line))
        return
    print_lines(found, follow=follow)


def pause(
    run_id: str = RUN,
    off: bool = typer.Option(False, "--off", "--resume", help="Go on with a paused run."),
    wait: bool = typer.Option(True, help="Come back when the trainer has obeyed."),
) -> None:
    """Hold a run after its present step, everything kept; with --off it goes on."""
    from lorawiz.runs.control import request
    from lorawiz.runs.folder import find_run

    found = find_run(this_project(), run_id or None)
    _state_if_on(found)
    request(found, "resume" if off else "pause")
    if not wait:
        typer.echo(f"{found.run_id}  asked to {'go on' if off else 'pause'}")
        return
    view = _wait(found, lambda view: (view.state() == "paused") != off)
    if view.state() == "paused":
        typer.echo(f"{found.run_id}  paused  behind step {view.step}; lorawiz pause --off goes on")
    else:
        typer.echo(f"{found.run_id}  {view.state():<7} {visible_text(view.message)}".rstrip())


def stop(
    run_id: str = RUN,
    wait: bool = typer.Option(True, help="Come back when the run has ended."),
) -> None:
    """End a run after its present step, with everything saved to resume from."""
    from lorawiz.runs.control import request
    from lorawiz.runs.folder import find_run

    found = find_run(this_project(), run_id or None)
    _state_if_on(found)
    request(found, "stop")
    if not wait:
        typer.echo(f"{found.run_id}  asked to stop")
        return
    view = _wait(found, lambda view: False)
    typer.echo(f"{found.run_id}  {view.state():<7} {visible_text(view.message)}")
    if view.hint:
        typer.echo(f"  {visible_text(view.hint)}")


def _state_if_on(run: "RunFolder") -> "RunState":
    """The state of a run whose trainer lives. Raises RunError for another."""
    from lorawiz.runs.view import ON, load_view

    state = load_view(run).state()
    if state not in ON:
        raise RunError(f"{run.run_id} is not on: {state}", "lorawiz status")
    return state


def _wait(run: "RunFolder", is_obeyed: "Callable[[RunView], bool]") -> "RunView":
    """The view of the run once it has obeyed or ended. Raises RunError when that takes long."""
    from lorawiz.runs.journal import JournalReader
    from lorawiz.runs.view import ON, RunView

    reader, view = JournalReader(run.journal), RunView(run.run_id)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while True:
        for event in reader.poll():
            view.apply(event)
        if view.state() not in ON or is_obeyed(view):
            return view
        if time.monotonic() > deadline:
            raise RunError(f"{run.run_id} has not obeyed yet", "lorawiz status")
        time.sleep(0.1)


def watch(run: "RunFolder", plain: bool, as_json: bool) -> None:
    """Show a run until it ends or the user leaves; exit with what became of it."""
    from lorawiz.cli.following import print_events, print_lines
    from lorawiz.runs.view import load_view

    if as_json:
        print_events(run)
    elif plain or not (sys.stdin.isatty() and sys.stdout.isatty()):
        print_lines(run, follow=True)
    else:
        from lorawiz.tui.app import run_panel

        if run_panel(run) == "detached":
            typer.echo(f"{run.run_id}  goes on  lorawiz attach shows it, lorawiz stop ends it")
            return
        print_lines(run, follow=False, last_only=True)
    view = load_view(run)
    if view.outcome == "failed" or view.state() == "killed":
        raise typer.Exit(1 if view.is_bug else 2)
