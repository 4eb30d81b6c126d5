"""The entry of `accelerate launch -m lorawiz.train RUN_DIR [--resume]`."""

import errno
import os
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

from lorawiz.errors import LorawizError, RunError
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.journal import JournalWriter, SilentJournal
from lorawiz.runs.locks import run_lock
from lorawiz.runs.processes import this_process
from lorawiz.runs.states import VerifiedState, find_newest_state
from lorawiz.runs.view import load_view
from lorawiz.train.job import Job, load_job
from lorawiz.train.stopping import StopRequested, StopWatch

_END_S = 10.0
"""How long one process waits for another's last word."""


def main(arguments: list[str]) -> int:
    """Train the run in the folder `arguments[0]`. Returns the process's exit code."""
    run = RunFolder(Path(arguments[0]).absolute())
    resume = "--resume" in arguments[1:]
    rank = int(os.environ.get("RANK", "0"))
    return _lead(run, resume) if rank == 0 else _assist(run, resume, rank)


def _lead(run: RunFolder, resume: bool) -> int:
    """The life of the process that keeps the journal."""
    journal = JournalWriter(run.journal)
    stop = StopWatch(run)
    stop.install()
    try:
        with run_lock(run.project, run.run_id):
            reason = _train(run, journal, stop, resume)
    except StopRequested as request:
        message, hint = f"{request} before the first step; the caches are kept", "lorawiz run"
        journal.write("end", outcome="stopped", message=message, hint=hint)
        return 0
    except Exception as error:  # noqa: BLE001 - the edge: nobody above could tell the user
        if _is_peer_lost(error) and _is_end_told(run):
            return 1
        return _report(error, journal)
    if reason:
        hint = f"lorawiz run --resume {run.run_id}"
        journal.write("end", outcome="stopped", message=f"{reason}; the state is saved", hint=hint)
    else:
        journal.write("end", outcome="finished")
    return 0


def _assist(run: RunFolder, resume: bool, rank: int) -> int:
    """The life of every other process of a run: it trains along, and is heard where it fails."""
    stop = StopWatch(run)
    stop.install()  # the main process decides what a signal means, for all
    try:
        _train(run, SilentJournal(), stop, resume)
    except Exception as error:  # noqa: BLE001 - the edge
        # what they all ran into, the main process tells
        if _is_peer_lost(error) or _is_end_told(run):
            return 1
        return _report(error, JournalWriter(run.journal), f"process {rank}: ")
    return 0


def _is_peer_lost(error: Exception) -> bool:
    return type(error).__name__ == "PeerLost"


def _is_end_told(run: RunFolder) -> bool:
    """Whether the journal says why the run ended, now or in a moment."""
    deadline = time.monotonic() + _END_S
    while time.monotonic() < deadline:
        if load_view(run).outcome is not None:
            return True
        time.sleep(0.1)
    return False


def _train(run: RunFolder, journal: JournalWriter, stop: StopWatch, resume: bool) -> str:
    job = load_job(run)
    state = _find_state(run, journal) if resume else None
    _write_start(job, journal, state)
    journal.write("phase", name="loading torch", done=0, total=1)
    # torch comes only now: a lock that is taken is said in the first second
    from lorawiz.train.loop import run_loop
    from lorawiz.train.trainer import Trainer

    trainer = Trainer(job, journal, stop)
    trainer.prepare(state)
    reason = run_loop(trainer)
    trainer.world.leave()
    return reason


def _find_state(run: RunFolder, journal: JournalWriter) -> VerifiedState:
    state, damaged = find_newest_state(run.state)
    for sentence in damaged:
        journal.write("warning", message=sentence)
    if state is None:
        raise RunError(f"{run.run_id} has no whole state to resume from", "lorawiz run starts anew")
    return state


def _write_start(job: Job, journal: JournalWriter, state: VerifiedState | None) -> None:
    count = job.count
    journal.write(
        "start",
        **this_process().as_event(),
        step=state.step if state else 0,
        total_steps=count.total_steps,
        num_epochs=count.num_epochs,
        num_images=count.num_images,
    )


def _report(error: Exception, journal: JournalWriter, who: str = "") -> int:
    """Tell the journal what went wrong, in the user's words where it is theirs to mend."""
    known = error if isinstance(error, LorawizError) else _translate(error)
    traceback.print_exc()
    message, hint = f"{type(error).__name__}: {error}", "the traceback is in train.log"
    if known is not None:
        message, hint = known.message, known.hint
    with suppress(OSError):  # a disk so full that not even this line fits: train.log has tried
        journal.write("end", outcome="failed", bug=known is None, message=who + message, hint=hint)
    return 1 if known is None else 2


def _translate(error: Exception) -> LorawizError | None:
    """What the machine ran out of, as a sentence; None for a bug."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return RunError(
            f"{error.filename or 'the run folder'}: {error.strerror}",
            "free some space (work/ can be deleted), then: lorawiz run --resume",
        )
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return RunError(f"{error.filename}: {error.strerror}", "make the project folder writable")
    if _is_peer_lost(error):
        return RunError(
            "a process of the run died", "lorawiz logs --raw, then lorawiz run --resume"
        )
    if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError):
        return RunError(
            f"out of memory: {str(error).splitlines()[0] if str(error) else 'no memory left'}",
            "lorawiz set train.gradient_checkpointing true, then a smaller dataset.batch_size "
            "or dataset.resolution",
        )
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
