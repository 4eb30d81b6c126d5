"""`lorawiz verify`."""

from typing import TYPE_CHECKING

import typer

from lorawiz.cli.output import print_json, this_project
from lorawiz.cli.runs import RUN
from lorawiz.errors import LorawizError, RunError
from lorawiz.wording import show_count

if TYPE_CHECKING:
    from lorawiz.runs.folder import RunFolder
    from lorawiz.runs.verifying import Verdict


def register(app: typer.Typer) -> None:
    app.command(epilog="lorawiz verify lyq-0007 --retrain")(verify)


def verify(
    run_id: str = RUN,
    retrain: bool = typer.Option(
        False, "--retrain", help="Train it again beside, and compare every tensor."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Say whether a run can be repeated: its inputs, its files and, with --retrain, its result.

    The same machine, inputs and seed give the same tensors. The run itself is never touched.
    """
    from lorawiz.runs.folder import find_run
    from lorawiz.runs.verifying import verify_files
    from lorawiz.runs.view import load_view

    run = find_run(this_project(), run_id or None)
    if retrain and load_view(run).outcome != "finished":
        raise RunError(
            f"{run.run_id} has not finished: there is no result to compare with",
            f"lorawiz run --resume {run.run_id}",
        )
    verdicts = {"inputs": _verify_inputs(run), "files": verify_files(run)}
    if retrain:
        verdicts["result"] = _retrain(run, verdicts["inputs"])
    problems = [problem for verdict in verdicts.values() for problem in verdict.problems]
    if as_json:
        print_json({"run": run.run_id, "ok": not problems, **_as_json(verdicts)})
    else:
        _print(run, verdicts)
    if problems:
        raise typer.Exit(2)


def _verify_inputs(run: "RunFolder") -> "Verdict":
    from lorawiz.cli.training import find_models
    from lorawiz.runs.verifying import Verdict, verify_inputs
    from lorawiz.spec import load_spec

    try:
        return verify_inputs(run, find_models(run.project, load_spec(run.spec)))
    except LorawizError as error:
        return Verdict((error.message,))


def _retrain(run: "RunFolder", inputs: "Verdict") -> "Verdict":
    """Train a copy in work/verify/ and compare. The copy goes when all is the same."""
    import shutil

    from lorawiz.cli.following import print_lines
    from lorawiz.runs.launch import Launch, launch, wait_for_trainer
    from lorawiz.runs.locks import launch_lock, refuse_second_run
    from lorawiz.runs.verifying import Verdict, compare_results, make_copy
    from lorawiz.runs.view import load_view
    from lorawiz.spec import load_spec

    if inputs.problems:
        return Verdict(("not trained again: the inputs are others",))
    with launch_lock(run.project):
        refuse_second_run(run.project)
        copy = make_copy(run)
        typer.echo(f"{run.run_id}  again   trains in {copy.path}", err=True)
        wait_for_trainer(copy, launch(Launch(copy, load_spec(copy.spec))))
    print_lines(copy, follow=True, to_stderr=True)
    view = load_view(copy)
    if view.outcome != "finished":
        return Verdict((f"the repetition {view.state()}: {view.message}",))
    verdict = compare_results(run, copy)
    if not verdict.problems:
        shutil.rmtree(copy.path, ignore_errors=True)
    return verdict


_FINE = {
    "inputs": "images, words and models are those that it was made from",
    "files": "{}, each as it was saved",
    "result": "trained again: the same tensors in {}",
}


def _print(run: "RunFolder", verdicts: "dict[str, Verdict]") -> None:
    for name, verdict in verdicts.items():
        fine = _FINE[name].format(show_count(verdict.num_files, "file"))
        for line in verdict.problems or (fine,):
            typer.echo(f"{run.run_id}  {name:<7} {'✗ ' if verdict.problems else ''}{line}")
        for note in verdict.notes:
            typer.echo(f"{run.run_id}  {name:<7} · {note}")


def _as_json(verdicts: "dict[str, Verdict]") -> dict[str, object]:
    return {
        name: {"problems": each.problems, "notes": each.notes, "num_files": each.num_files}
        for name, each in verdicts.items()
    }
