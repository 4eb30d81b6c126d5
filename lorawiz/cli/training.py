"""The steps of `lorawiz run`: check, freeze, launch."""

from collections.abc import Mapping
from pathlib import Path

import typer

from lorawiz.cli.output import fetch_model, print_json
from lorawiz.cli.report import iter_report_lines
from lorawiz.errors import RunError
from lorawiz.families.checkpoints import HUB_FILES, find_checkpoint
from lorawiz.loras.reading import find_lora
from lorawiz.paths import Project
from lorawiz.preflight.check import Report, check_project
from lorawiz.preflight.last_check import keep_check
from lorawiz.preflight.report_lines import finding_lines, summary_line
from lorawiz.runs.folder import RunFolder, find_run, list_runs
from lorawiz.runs.freeze import Models, freeze_run
from lorawiz.runs.launch import Launch, last_log_line, launch, wait_for_trainer
from lorawiz.runs.locks import launch_lock, refuse_second_run
from lorawiz.runs.manifest import find_changes, find_frozen_changes, read_manifest
from lorawiz.runs.states import find_newest_state
from lorawiz.runs.view import load_view
from lorawiz.spec import Spec, load_spec


def check(project: Project, overrides: Mapping[str, str]) -> Report:
    """The report for a run with `overrides` put on the spec; a hub base is fetched first."""
    spec = load_spec(project.spec, overrides)
    refuse_second_run(project)
    report = check_project(project, spec, for_run=True)
    if report.inspection.base_is_on_hub and not report.errors:
        fetch_model(spec.base.checkpoint, HUB_FILES)
        report = check_project(project, spec, for_run=True)
    keep_check(project, report)
    return report


def print_plan(report: Report, as_json: bool) -> None:
    """What `run --dry-run` says; exits with 2 where the run would not start."""
    if as_json:
        print_json(report.as_json())
    else:
        for line in iter_report_lines(report):
            typer.echo(line)
    if report.errors:
        raise typer.Exit(2)


def start(report: Report) -> RunFolder:
    """Freeze the inputs and launch. Raises RunError when the check found errors."""
    if report.errors:
        for finding in report.errors:
            for line in finding_lines(finding):
                typer.echo(line, err=True)
        raise typer.Exit(2)
    inspection = report.inspection
    project, spec = inspection.project, inspection.spec
    with launch_lock(project):
        refuse_second_run(project)
        models = find_models(project, spec)
        run = freeze_run(project, spec, list(report.records), models)
        shows = "" if summary_line(report) == "ok" else " (lorawiz check shows them)"
        typer.echo(f"{run.run_id}  check   {summary_line(report)}{shows}")
        _tell_machines(run, spec)
        wait_for_trainer(run, launch(Launch(run, spec)))
    return run


def resume(project: Project, run_id: str | None, num_processes: int | None = None) -> RunFolder:
    """Go on with a run from its newest whole state, in `num_processes` where they are given.

    Raises RunError.
    """
    refuse_second_run(project)
    run = _find_resumable(project, run_id)
    spec = load_spec(run.spec)
    with launch_lock(project):
        refuse_second_run(project)
        manifest = read_manifest(run.manifest)
        changes = find_frozen_changes(manifest, run)
        changes += find_changes(manifest, project, find_models(project, spec))
        if changes:
            raise RunError(
                f"{run.run_id} was made from other inputs: {'; '.join(changes[:5])}",
                "put them back as they were, or start anew: lorawiz run",
            )
        state, damaged = find_newest_state(run.state)
        if state is None:
            raise RunError(
                f"{run.run_id} has no state to resume from"
                + (f": {'; '.join(damaged)}" if damaged else ""),
                "lorawiz run starts anew",
            )
        if load_spec(project.spec) != spec:
            typer.echo(
                "lorawiz.toml has changed since; the run goes on with its own frozen spec", err=True
            )
        how = Launch(run, spec, resume=True, num_processes=num_processes)
        if num_processes is None:
            _tell_machines(run, spec)
        wait_for_trainer(run, launch(how))
    return run


def join(project: Project, run_id: str | None, machine_rank: int, resume: bool) -> RunFolder:
    """Train along with the first machine, as one of those behind it; ends when the run does.

    Raises RunError.
    """
    run = find_run(project, run_id)
    spec = load_spec(run.spec)
    num = spec.launch.num_machines
    if num == 1:
        raise RunError(
            f"{run.run_id} trains on one machine", "lorawiz set launch.num_machines N, then run"
        )
    if not 0 < machine_rank < num:
        raise RunError(
            f"--machine-rank {machine_rank}: {run.run_id} has {num} machines",
            f"the first runs lorawiz run; each other is one of 1 to {num - 1}",
        )
    how = Launch(run, spec, resume, machine_rank)
    typer.echo(f"{run.run_id}  joined  as machine {machine_rank} of {num}; lorawiz attach shows it")
    if launch(how).wait() and load_view(run).outcome is None:
        said = last_log_line(how.log)
        raise RunError(f"the part of machine {machine_rank} ended: {said}", f"see {how.log.name}")
    return run


def _tell_machines(run: RunFolder, spec: Spec) -> None:
    for machine_rank in range(1, spec.launch.num_machines):
        typer.echo(
            f"{run.run_id}  waits   for: lorawiz run --join {run.run_id} "
            f"--machine-rank {machine_rank}"
        )


def find_models(project: Project, spec: Spec) -> Models:
    """The models a spec names, by role. Raises ModelError."""
    models: dict[str, tuple[str, Path]] = {
        "base": (spec.base.checkpoint, find_checkpoint(spec.base.checkpoint, project))
    }
    if spec.base.vae:
        models["vae"] = (spec.base.vae, find_checkpoint(spec.base.vae, project))
    if spec.network.weights:
        models["weights"] = (spec.network.weights, find_lora(spec.network.weights, project))
    return models


def _find_resumable(project: Project, run_id: str | None) -> RunFolder:
    """The run that is named, or the newest that has not finished."""
    if run_id is not None:
        run = find_run(project, run_id)
        if load_view(run).outcome == "finished":
            raise RunError(f"{run.run_id} has finished: {load_view(run).result}", "lorawiz run")
        return run
    for run in reversed(list_runs(project)):
        if load_view(run).outcome != "finished":
            return run
    raise RunError("no run to resume: there is none that has not finished", "lorawiz run")
