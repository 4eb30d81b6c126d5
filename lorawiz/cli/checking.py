"""`lorawiz check` and `lorawiz doctor`."""

import typer

from lorawiz.cli.output import print_json, this_project


def register(app: typer.Typer) -> None:
    app.command(epilog="lorawiz check --memory")(check)
    app.command(epilog="lorawiz doctor --json")(doctor)


def check(
    as_json: bool = typer.Option(False, "--json", help="Print the report as JSON."),
    memory: bool = typer.Option(
        False, "--memory", help="Say what each phase needs of memory, and which settings save some."
    ),
    probe: bool = typer.Option(
        False, "--probe", help="The same, measured: real steps at the largest bucket."
    ),
    strict: bool = typer.Option(False, "--strict", help="Exit with 2 on warnings too."),
) -> None:
    """Say what would fail, be ignored or be pointless, and what the run will cost."""
    from lorawiz.cli.memory_report import MemoryReport, build_memory_report
    from lorawiz.cli.report import iter_report_lines
    from lorawiz.preflight.check import check_project
    from lorawiz.preflight.last_check import keep_check
    from lorawiz.spec import load_spec

    project = this_project()
    report = check_project(project, load_spec(project.spec), with_forecast=True)
    keep_check(project, report)
    told: MemoryReport | None = None
    if memory or probe:
        told = build_memory_report(report.inspection, is_measured=probe)
    if as_json:
        print_json({**report.as_json(), **({"memory": told.as_json()} if told else {})})
    else:
        for line in iter_report_lines(report):
            typer.echo(line)
        for line in told.lines() if told else ():
            typer.echo(line)
    if report.errors or (strict and report.warnings):
        raise typer.Exit(2)


def doctor(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """Say what this machine has: torch, GPU, memory, disk, terminal, packages."""
    from lorawiz.preflight.doctor import examine_machine

    answers = examine_machine()
    if as_json:
        print_json([answer.as_json() for answer in answers])
        return
    width = max(len(answer.name) for answer in answers)
    for answer in answers:
        mark = {"ok": " ", "warning": "⚠", "error": "✗"}[answer.state]
        typer.echo(f"{mark} {answer.name:<{width}}  {answer.text}")
        if answer.fix:
            typer.echo(f"  {'':<{width}}  {answer.fix}")
