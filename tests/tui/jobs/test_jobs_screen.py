"""Commands as children of the screens: progress, cancelling, and how they end."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.screen import Screen

from lorawiz.dataset.store import read_dataset
from lorawiz.paths import Project
from lorawiz.spec import load_spec
from lorawiz.tui.child import Child, Progress
from lorawiz.tui.jobs import JobScreen, describe_end, describe_progress
from lorawiz.wording import PROGRESS_VARIABLE, ProgressRecord, dump_progress, read_progress
from tests.support.projects import make_project, save_photo
from tests.tui.panel import screen_text
from tests.tui.wizard_support import WizardPilot, is_on, play_screen, press, wait_for


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "lyq", num_images=0)


def script(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is started in place of lorawiz be a small program of Python's."""
    shim = folder / "python"
    program = folder / "program.py"
    program.write_text(text, "utf-8")
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{program}" "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(shim))


def run_child(child: Child, on_news: Callable[[], None] = lambda: None) -> int:
    return asyncio.run(child.run(on_news))


# progress


def test_a_progress_record_is_read_as_it_was_written() -> None:
    record = ProgressRecord("tagging", 3, 42, "bytes")
    assert read_progress(dump_progress(record)) == record
    assert read_progress("tagging 3 of 42") is None


@pytest.mark.parametrize("line", ["\x1e", "\x1e{", "\x1e[]", '\x1e{"title": 1}', "\x1e\x1b[2J"])
def test_a_record_that_is_none_is_a_line_of_words(line: str) -> None:
    assert read_progress(line) is None


@pytest.mark.parametrize(
    ("records", "per_s", "eta_s"),
    [
        ([("crop", 10)], None, None),  # ten were there before it began
        ([("crop", 10), ("crop", 30)], 2.0, 35.0),
        ([("crop", 10), ("crop", 30), ("tag", 0)], None, None),
        ([("crop", 40), ("crop", 0), ("crop", 10)], 1.0, 90.0),  # it began anew
    ],
)
def test_rate_and_time_left_are_those_of_the_present_work(
    records: list[tuple[str, int]], per_s: float | None, eta_s: float | None
) -> None:
    progress = Progress()
    for place, (title, done) in enumerate(records):
        progress.take(ProgressRecord(title, done, 100), now=place * 10.0)
    assert (progress.per_s, progress.eta_s) == (per_s, eta_s)


def test_bytes_are_told_in_units(tmp_path: Path) -> None:
    child = Child(tmp_path, [])
    child.progress.take(ProgressRecord("fetching", 0, 4_000_000_000, "bytes"), 0.0)
    child.progress.take(ProgressRecord("fetching", 1_000_000_000, 4_000_000_000, "bytes"), 100.0)
    assert describe_progress(child) == "fetching  1.0 GB/4.0 GB  10.0 MB/s  ETA 5:00"


# a child


def test_lines_and_records_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = dump_progress(ProgressRecord("tag", 1, 2))
    script(
        tmp_path,
        f"import os\nassert os.environ[{PROGRESS_VARIABLE!r}] == 'json'\n"
        f"print('one \\x1b[2J')\nprint({record!r}, end='')\nprint('日本')\n",
        monkeypatch,
    )
    child = Child(tmp_path, ["tag"])
    assert run_child(child) == 0
    assert list(child.lines) == ["one ␛[2J", "日本"]
    assert (child.progress.title, child.progress.done, child.progress.total) == ("tag", 1, 2)
    assert describe_end(child) == ("accent", "✓ done")


def test_only_the_last_lines_are_kept_and_all_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path, "for n in range(1500): print(n)\nraise SystemExit(3)", monkeypatch)
    child = Child(tmp_path, [])
    assert run_child(child) == 3
    assert len(child.lines) == 1000
    assert child.lines[-1] == "1499"
    assert child.num_lines == 1500
    ending = describe_end(child)
    assert ending is not None
    assert ending[0] == "error"


STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: print("not yet", flush=True))
print("here", flush=True)
while True: time.sleep(0.02)
"""


def test_asked_once_it_is_interrupted_asked_twice_it_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path, STUBBORN, monkeypatch)
    child = Child(tmp_path, [])

    def react() -> None:
        if child.lines and child.lines[-1] in ("here", "not yet"):
            child.cancel()
            child.lines.append("asked")

    assert run_child(child, react) == -signal.SIGTERM
    assert "not yet" in child.lines
    assert describe_end(child) == (
        "note", "■ cancelled: what is done stays, the same goes on from here"
    )  # fmt: skip


def test_cancelled_before_it_begins_it_never_does(tmp_path: Path) -> None:
    child = Child(tmp_path, ["add", "x"])
    child.cancel()
    assert run_child(child) == 130
    assert not child.lines


HOLDER = """
import asyncio, os, sys
from pathlib import Path
from lorawiz.spec import load_spec
from lorawiz.tui.child import Child
child = Child(Path(sys.argv[1]), ["-c"])
os.environ["X"] = "1"
sys.executable = sys.argv[2]
asyncio.run(child.run(lambda: print(child.lines[-1], flush=True) if child.lines else None))
"""
WAITING = """
import sys, os
print(os.getpid(), flush=True)
sys.stdin.read()
"""


def test_a_child_sees_that_its_screens_are_gone(tmp_path: Path) -> None:
    waiting = tmp_path / "waiting.py"
    waiting.write_text(WAITING)
    shim = tmp_path / "python"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{waiting}"\n')
    shim.chmod(0o755)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path), str(shim)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    with holder.stdout as told:
        child_id = int(told.readline())
        holder.kill()
        holder.wait()
    deadline = time.monotonic() + 20
    while _is_alive(child_id):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"


def test_the_hashing_of_a_base_is_told_in_bytes(project: Project, tiny_single_file: Path) -> None:
    child = Child(project.root, ["set", "--", "base.checkpoint", str(tiny_single_file)])
    assert run_child(child) == 0
    progress, num_bytes = child.progress, tiny_single_file.stat().st_size
    assert (progress.title, progress.unit) == ("hashing", "bytes")
    assert progress.done == progress.total == num_bytes
    assert len(load_spec(project.spec).base.sha256) == 64


# the screen


def test_a_job_shows_how_it_ended_and_leaves_with_that(project: Project, tmp_path: Path) -> None:
    save_photo(tmp_path / "in" / "a.jpg")

    async def watch(pilot: WizardPilot) -> None:
        assert "✓ done" in screen_text(pilot)
        assert "1 added" in screen_text(pilot)
        await press(pilot, "enter")

    job = JobScreen(project, ["add", str(tmp_path / "in")], "adding photos")
    assert play_screen(lambda: job, watch) is True
    assert len(read_dataset(project).records) == 1


def test_a_job_that_failed_stays_until_it_was_read(project: Project) -> None:
    async def watch(pilot: WizardPilot) -> None:
        assert "✗ not all went well" in screen_text(pilot)
        await press(pilot, "j", "k", "G", "g", "ctrl+d", "ctrl+u", "escape")

    job = JobScreen(project, ["add", "nowhere"], "adding photos", stays=False)
    assert play_screen(lambda: job, watch) is False


def test_a_job_that_ended_well_leaves_by_itself_where_that_is_wanted(
    project: Project, tmp_path: Path
) -> None:
    save_photo(tmp_path / "in" / "a.jpg")

    async def watch(pilot: WizardPilot) -> None:
        assert not is_on(pilot, JobScreen) or pilot.app._exit

    job = JobScreen(project, ["add", str(tmp_path / "in")], "adding photos", stays=False)
    assert play_screen(lambda: job, watch) is True


@pytest.mark.parametrize("key", ["c", "escape", "q", "ctrl+c", "ctrl+q"])
def test_a_key_cancels_and_says_that_what_is_done_stays(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    record = dump_progress(ProgressRecord("tagging", 12, 42))
    text = f"import time\nprint({record!r}, end='', flush=True)\nprint('on', flush=True)\n"
    script(tmp_path, text + "while True: time.sleep(0.02)", monkeypatch)

    async def cancel(pilot: WizardPilot) -> None:
        await wait_for(pilot, "on")
        assert "tagging  12/42" in screen_text(pilot)
        await pilot.press(key)
        await wait_for(pilot, "■ cancelled: what is done stays")
        await press(pilot, key if key != "c" else "enter")

    job = JobScreen(project, ["tag"], "lorawiz tag")

    async def begin(pilot: WizardPilot) -> None:
        pilot.app.push_screen(job)
        await cancel(pilot)

    play_screen(Screen, begin)
    assert job.child.exit_code not in (0, None)


def test_work_that_was_cancelled_goes_on_where_it_stopped(project: Project, tmp_path: Path) -> None:
    for seed in range(30):
        save_photo(tmp_path / "in" / f"P{seed:02}.jpg", seed=seed)
    first = Child(project.root, ["add", str(tmp_path / "in")])

    def stop_soon() -> None:
        if first.progress.done >= 3:
            first.cancel()

    run_child(first, stop_soon)
    run_child(Child(project.root, ["add", str(tmp_path / "in")]))
    names = [Path(record.image_path).name for record in read_dataset(project).records]
    assert sorted(names) == [f"P{seed:02}.jpg" for seed in range(30)]
