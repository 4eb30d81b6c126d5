"""A run in one line, and as JSON."""

from typing import Any

from lorawiz.errors import visible_text
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.launch import last_log_line
from lorawiz.runs.view import RunView, load_view
from lorawiz.wording import show_duration, show_speed


def describe_run(run: RunFolder) -> str:
    """`lyq-0007  running   412/1200  loss 0.0921  1.84 it/s  ETA 7:08`."""
    view = load_view(run)
    state = view.state()
    parts = [f"{view.run_id}  {state:<8}  {view.step}/{view.total_steps}", *_details(view, state)]
    if state == "killed":
        parts.append(f"last words: {last_log_line(run.log)}")
    return "  ".join(parts)


def run_as_json(run: RunFolder) -> dict[str, Any]:
    """What programs ask of a run."""
    view = load_view(run)
    last = view.steps[-1] if view.steps else None
    return {
        "run": view.run_id,
        "state": view.state(),
        "step": view.step,
        "total_steps": view.total_steps,
        "epoch": view.epoch,
        "num_epochs": view.num_epochs,
        "loss": last.loss if last else None,
        "lr": last.lr if last else None,
        "step_s": view.step_s,
        "eta_s": view.eta_s,
        "state_step": view.state_step,
        "result": view.result,
        "saves": [saved.path for saved in view.saves],
        "validation": view.validations[-1].loss if view.validations else None,
        "warnings": view.warnings,
        "message": view.message,
        "hint": view.hint,
    }


def _details(view: RunView, state: str) -> list[str]:
    if state == "running" and view.steps and view.step_s:
        log = view.steps[-1]
        return [
            f"loss {log.loss:.4f}", show_speed(view.step_s), f"ETA {show_duration(view.eta_s or 0)}"
        ]  # fmt: skip
    if state == "running":
        return [visible_text(view.phase)]
    if state == "paused":
        return ["lorawiz pause --off goes on"]
    if state == "finished":
        return [visible_text(view.result or "")]
    return [visible_text(view.message)] if view.message else []
