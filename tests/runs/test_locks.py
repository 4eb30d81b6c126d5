"""One run at a time, and no lock that outlives its owner."""

import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from lorawiz.errors import RunError
from lorawiz.paths import Project
from lorawiz.runs.locks import find_active_run, launch_lock, refuse_second_run, run_lock


def hold_lock(root: Path, ready: "multiprocessing.synchronize.Event") -> None:
    with run_lock(Project(root), "lyq-0001"):
        ready.set()
        signal.pause()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_second_run_is_refused_while_the_first_lives(project: Project) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    owner = context.Process(target=hold_lock, args=(project.root, ready))
    owner.start()
    assert ready.wait(30)
    try:
        assert find_active_run(project) == "lyq-0001"
        with pytest.raises(RunError, match=f"lyq-0001 is on .*process {owner.pid} on"):
            refuse_second_run(project)
        with pytest.raises(RunError, match="lyq-0001 is on"), run_lock(project, "lyq-0002"):
            pytest.fail("two owners of one lock")
    finally:
        assert owner.pid is not None
        os.kill(owner.pid, signal.SIGKILL)
        owner.join()
    # killed without a word: the lock is free and nobody has to delete a file
    assert find_active_run(project) is None
    with run_lock(project, "lyq-0002"):
        assert find_active_run(project) == "lyq-0002"
    # this process lives on, but the run is over
    assert find_active_run(project) is None


def test_two_launches_at_once_are_refused(project: Project) -> None:
    with launch_lock(project), pytest.raises(RunError, match="is starting"), launch_lock(project):
        pytest.fail("two launches at once")


def test_a_note_of_a_process_that_is_gone_means_nothing(project: Project) -> None:
    project.private.mkdir()
    note = {"run": "lyq-0001", "pid": os.getpid(), "created": 1.0, "host": os.uname().nodename}
    (project.private / "run.json").write_text(json.dumps(note))
    assert find_active_run(project) is None
    (project.private / "run.json").write_text("{torn")
    assert find_active_run(project) is None
