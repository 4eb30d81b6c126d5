"""One run at a time: a lock that dies with its owner, and a note that says who that is."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from lorawiz.errors import RunError
from lorawiz.paths import Project, write_atomically
from lorawiz.runs.processes import ProcessId, is_alive, this_process


@contextmanager
def launch_lock(project: Project) -> Iterator[None]:
    """Held by `lorawiz run` from its check until the trainer holds the run lock."""
    project.private.mkdir(exist_ok=True)
    try:
        with FileLock(project.private / "launch.lock", timeout=0.5):
            yield
    except Timeout as error:
        raise RunError(
            "another `lorawiz run` is starting in this project", "lorawiz attach"
        ) from error


@contextmanager
def run_lock(project: Project, run_id: str) -> Iterator[None]:
    """Held by the trainer for its life. Raises RunError when another run has it."""
    project.private.mkdir(exist_ok=True)
    try:
        with FileLock(project.private / "run.lock", timeout=2.0):
            note = {"run": run_id, **this_process().as_event()}
            path = project.private / "run.json"
            write_atomically(path, json.dumps(note) + "\n")
            try:
                yield
            finally:
                # a process takes a second to end; the next run need not wait for that
                path.unlink(missing_ok=True)
    except Timeout as error:
        active = find_active_run(project) or "another run"
        raise RunError(
            f"{active} is on in this project", "lorawiz attach, or lorawiz stop"
        ) from error


def find_active_run(project: Project) -> str | None:
    """The id of the run whose trainer lives, if there is one."""
    try:
        note = json.loads((project.private / "run.json").read_text("utf-8"))
        process = ProcessId.from_event(note)
        return str(note["run"]) if is_alive(process) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def refuse_second_run(project: Project) -> None:
    """Raises RunError that names the run that is on, its process and host."""
    run_id = find_active_run(project)
    if run_id is None:
        return
    note = json.loads((project.private / "run.json").read_text("utf-8"))
    raise RunError(
        f"{run_id} is on in this project (process {note['pid']} on {note['host']})",
        "lorawiz attach shows it, lorawiz stop ends it",
    )
