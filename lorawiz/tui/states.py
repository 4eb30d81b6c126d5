"""What is said about each state of a run: its headline and the notice below it."""

from dataclasses import dataclass

from lorawiz.errors import visible_text
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.view import RunState, RunView
from lorawiz.tui.follow import RunFollower
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
    if follower.is_stop_asked and state == "running":
        return Headline("● stopping after this step…", "warning")
    if follower.is_stop_asked and state == "starting":
        return Headline("○ stop asked for…", "warning")
    if state == "starting" or (state == "running" and not follower.view.steps):
        return Headline(f"○ {visible_text(follower.view.phase)}", "accent")
    return _HEADLINES[state]


_HEADLINES: dict[RunState, Headline] = {
    "running": Headline("● running", "accent"),
    "finished": Headline("✓ finished", "accent"),
    "stopped": Headline("■ stopped", "note"),
    "failed": Headline("✗ failed", "error"),
    "killed": Headline("✗ killed", "error"),
}


def build_notice(follower: RunFollower) -> Notice:
    """How the run ended and what to do next, or that its trainer has gone quiet."""
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
    patience_s = max(_QUIET_S, 10 * (view.step_s or 0.0))
    if follower.quiet_s() > patience_s:
        return Notice((f"no word from the trainer for {show_duration(follower.quiet_s())}",))
    return Notice()


def _tell_result(view: RunView) -> str:
    took = f"in {show_duration(view.elapsed_s)}: " if view.elapsed_s is not None else ""
    if view.result is None:
        return f"{took}no file was saved"
    return f"{took}{visible_text(view.result)} ({show_bytes(view.saves[-1].num_bytes)})"


def _tell_stop(view: RunView) -> Notice:
    where = f"after step {view.step} of {view.total_steps}"
    lines = _visible_lines(view.message)
    return Notice((f"{lines[0]}, {where}" if lines else where, *lines[1:]), _visible_hint(view))


def _tell_failure(view: RunView, run: RunFolder) -> Notice:
    lines = _visible_lines(view.message) or ("the trainer gave no reason",)
    if view.hint:
        return Notice(lines, _visible_hint(view), "error")
    where = f"the traceback is in {visible_text(run.path.name)}/{run.log.name}: press l"
    return Notice(lines, f"a fault of lorawiz; {where}" if view.is_bug else where, "error")


def _tell_kill(view: RunView, run: RunFolder) -> Notice:
    line = "the trainer is gone without a last word: killed, out of memory, or a reboot"
    if view.state_step is not None:
        hint = (
            f"lorawiz run --resume {visible_text(run.run_id)} goes on behind step {view.state_step}"
        )
    else:
        hint = f"no state was saved yet; {run.log.name} may say more: press l"
    return Notice((line,), hint, "error")


def _visible_lines(message: str) -> tuple[str, ...]:
    return tuple(visible_text(line) for line in message.splitlines()[:_MESSAGE_LINES])


def _visible_hint(view: RunView) -> str:
    return visible_text(" ".join(view.hint.split()))
