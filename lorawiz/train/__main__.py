"""The entry of `accelerate launch -m lorawiz.train RUN_DIR [--resume]`."""

import errno
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from lorawiz.errors import LorawizError, RunError
from lorawiz.runs.folder import RunFolder
from lorawiz.runs.journal import JournalWriter
from lorawiz.runs.locks import run_lock
from lorawiz.runs.processes import this_process
from lorawiz.runs.states import VerifiedState, find_newest_state
from lorawiz.train.job import Job, load_job
from lorawiz.train.stopping import StopRequested, StopWatch


def main(arguments: list[str]) -> int:
    """Train the run in the folder `arguments[0]`. Returns the process's exit code."""
    run = RunFolder(Path(arguments[0]).absolute())
    journal = JournalWriter(run.journal)
    stop = StopWatch(run)
    stop.install()
    try:
        with run_lock(run.project, run.run_id):
            reason = _train(run, journal, stop, resume="--resume" in arguments[1:])
    except StopRequested as request:
        message, hint = f"{request} before the first step; the caches are kept", "lorawiz run"
        journal.write("end", outcome="stopped", message=message, hint=hint)
        return 0
    except Exception as error:  # noqa: BLE001 - the edge: nobody above could tell the user
        return _report(error, journal)
    if reason:
        hint = f"lorawiz run --resume {run.run_id}"
        journal.write("end", outcome="stopped", message=f"{reason}; the state is saved", hint=hint)
    else:
        journal.write("end", outcome="finished")
    return 0


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
    return run_loop(trainer)


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


def _report(error: Exception, journal: JournalWriter) -> int:
    """Tell the journal what went wrong, in the user's words where it is theirs to mend."""
    known = error if isinstance(error, LorawizError) else _translate(error)
    traceback.print_exc()
    message, hint = f"{type(error).__name__}: {error}", "the traceback is in train.log"
    if known is not None:
        message, hint = known.message, known.hint
    with suppress(OSError):  # a disk so full that not even this line fits: train.log has tried
        journal.write("end", outcome="failed", bug=known is None, message=message, hint=hint)
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
    if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError):
        return RunError(
            f"out of memory: {str(error).splitlines()[0] if str(error) else 'no memory left'}",
            "lorawiz set train.gradient_checkpointing true, then a smaller dataset.batch_size "
            "or dataset.resolution",
        )
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
