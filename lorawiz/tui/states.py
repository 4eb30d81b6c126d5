"""What is said about each state of a run: its headline and the notice below it."""

from dataclasses import dataclass

from lorawiz.errors import visible_text
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.view import RunState, RunView
from lorawiz.tui.follow import RunFollower
from lorawiz.tui.language import tr
from lorawiz.tui.theme import Tone
from lorawiz.wording import show_bytes, show_duration

_QUIET_S = 30.0
_MESSAGE_LINES = 3


@dataclass(frozen=True)
class Headline:
    """The state in a word or two, with its mark."""

    text: str
    tone: Tone


@dataclass(frozen=True)
class Notice:
    """What somebody who looks must be told; empty lines mean nothing to tell."""

    lines: tuple[str, ...] = ()
    hint: str = ""
    tone: Tone = "note"


def build_headline(follower: RunFollower) -> Headline:
    """What the header says at its right end."""
    state = follower.state()
    if state == "running" and not follower.view.steps:
        state = "starting"
    if follower.is_stop_asked and state in _STOPPING:
        return Headline(tr(_STOPPING[state]), "warning")
    if state == "paused":
        return Headline(tr("‖ paused") if follower.will_pause else tr("‖ going on…"), "warning")
    if follower.will_pause and state == "running":
        return Headline(tr("● pausing after this step…"), "warning")
    if follower.will_pause and state == "starting":
        return Headline(tr("○ pause asked for…"), "warning")
    if state == "starting":
        return Headline(f"○ {visible_text(follower.view.phase)}", "accent")
    text, tone = _HEADLINES[state]
    return Headline(tr(text), tone)


_STOPPING: dict[RunState, str] = {
    "running": "● stopping after this step…",
    "starting": "○ stop asked for…",
    "paused": "‖ stopping…",
}
_HEADLINES: dict[RunState, tuple[str, Tone]] = {
    "running": ("● running", "accent"),
    "finished": ("✓ finished", "accent"),
    "stopped": ("■ stopped", "note"),
    "failed": ("✗ failed", "error"),
    "killed": ("✗ killed", "error"),
}
_TEXTS = (
    "● stopping after this step…", "○ stop asked for…", "‖ stopping…",
    "● running", "✓ finished", "■ stopped", "✗ failed", "✗ killed",
)  # fmt: skip


def build_notice(follower: RunFollower) -> Notice:  # noqa: PLR0911 - one line a state
    """How the run ended and what to do next, or that its trainer holds or has gone quiet."""
    view, run = follower.view, follower.run
    match follower.state():
        case "finished":
            return Notice((_tell_result(view),), tone="accent")
        case "stopped":
            return _tell_stop(view)
        case "failed":
            return _tell_failure(view, run)
        case "killed":
            return _tell_kill(view, run)
        case "paused":
            return _tell_pause(follower)
    patience_s = max(_QUIET_S, 10 * (view.step_s or 0.0))
    if follower.quiet_s() > patience_s:
        time = show_duration(follower.quiet_s())
        return Notice((tr("no word from the trainer for {time}", time=time),))
    return Notice()


def _tell_pause(follower: RunFollower) -> Notice:
    time, step = show_duration(follower.paused_s()), follower.view.step
    line = tr("paused for {time} behind step {step}: p goes on", time=time, step=step)
    return Notice((line,), tone="warning")


def _tell_result(view: RunView) -> str:
    file = tr("no file was saved")
    if view.result is not None:
        file = f"{visible_text(view.result)} ({show_bytes(view.saves[-1].num_bytes)})"
    if view.elapsed_s is None:
        return file
    return tr("in {time}: {file}", time=show_duration(view.elapsed_s), file=file)


def _tell_stop(view: RunView) -> Notice:
    where = tr("after step {step} of {total}", step=view.step, total=view.total_steps)
    lines = _visible_lines(view.message)
    return Notice((f"{lines[0]}, {where}" if lines else where, *lines[1:]), _visible_hint(view))


def _tell_failure(view: RunView, run: RunFolder) -> Notice:
    lines = _visible_lines(view.message) or (tr("the trainer gave no reason"),)
    if view.hint:
        return Notice(lines, _visible_hint(view), "error")
    log = f"{visible_text(run.path.name)}/{run.log.name}"
    where = tr("the traceback is in {log}: press l", log=log)
    if view.is_bug:
        where = tr("a fault of lorawiz; {where}", where=where)
    return Notice(lines, where, "error")


def _tell_kill(view: RunView, run: RunFolder) -> Notice:
    line = tr("the trainer is gone without a last word: killed, out of memory, or a reboot")
    if view.state_step is not None:
        run_id, step = visible_text(run.run_id), view.state_step
        hint = tr("lorawiz run --resume {run} goes on behind step {step}", run=run_id, step=step)
    else:
        hint = tr("no state was saved yet; {log} may say more: press l", log=run.log.name)
    return Notice((line,), hint, "error")


def _visible_lines(message: str) -> tuple[str, ...]:
    return tuple(visible_text(line) for line in message.splitlines()[:_MESSAGE_LINES])


def _visible_hint(view: RunView) -> str:
    return visible_text(" ".join(view.hint.split()))


def tell_over(state: RunState) -> str:
    """Why nothing can be asked of a run that is over."""
    match state:
        case "finished":
            return tr("the run has finished: nothing can be asked of it")
        case "stopped":
            return tr("the run was stopped: lorawiz run --resume goes on with it")
        case "failed":
            return tr("the run has failed: nothing can be asked of it")
    return tr("the run's trainer is gone: nothing can be asked of it")
