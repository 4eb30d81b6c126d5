"""The real program in tmux over a real sshd: what a cut connection leaves, and the whole job."""

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lorawiz.dataset.store import read_dataset
from lorawiz.paths import Project
from lorawiz.runs.folder import find_run, list_runs
from lorawiz.runs.view import load_view
from tests.support.projects import link_base, make_project, save_photo
from tests.support.ssh import SshServer, serve_ssh
from tests.support.terminal import Terminal

pytestmark = pytest.mark.slow

TINY = {
    "dataset.resolution": "64",
    "dataset.min_bucket_reso": "64",
    "dataset.max_bucket_reso": "128",
    "dataset.batch_size": "2",
    "train.mixed_precision": "no",
    "train.max_train_epochs": "30",
    "sample.prompts": "[]",
    "caption.model": "none",
    "tag.model": "none",
}
"""What `lorawiz new` is told, so that a CPU trains it in seconds."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    folder = tmp_path / "ssh"
    folder.mkdir()
    with serve_ssh(folder) as server:
        yield server


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path, "env PS1='local> ' LANG=C.UTF-8 bash --norc --noprofile -i")
    try:
        yield terminal
    finally:
        terminal.close()


def enter(terminal: Terminal, server: SshServer, folder: Path, *arguments: str) -> None:
    """Type what runs lorawiz in `folder` over a new connection."""
    names = ("LORAWIZ_HOME", "HF_HOME", "HF_HUB_OFFLINE", "OMP_NUM_THREADS")
    settings = [f"{name}={os.environ[name]}" for name in names]
    settings += [
        "LORAWIZ_LANG=en",
        "LANG=C.UTF-8",
        "LORAWIZ_IMAGES=half",
        f"PATH={os.environ['PATH']}",
    ]
    run = shlex.join(["env", *settings, sys.executable, "-m", "lorawiz", *arguments])
    terminal.type(server.command(f"cd {shlex.quote(str(folder))} && {run}"))
    terminal.press("Enter")


def wait_until(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def cut(terminal: Terminal, server: SshServer) -> None:
    """Cut the line; the terminal is back at its own prompt."""
    assert server.cut_connections() > 0
    # of the sentence that ssh says, a part can stand over the next line
    terminal.wait_for("local>")
    terminal.type("clear")
    terminal.press("Enter")


def test_an_edit_outlives_the_connection_and_leaves_no_lock(
    tmp_path: Path, server: SshServer, terminal: Terminal
) -> None:
    project = make_project(tmp_path / "project")
    enter(terminal, server, project.root, "review")
    terminal.wait_for("IMG_0000.jpg")
    terminal.press("Down")
    terminal.wait_for("IMG_0001.jpg")
    terminal.press("Space")
    terminal.wait_for("reject 1")
    cut(terminal, server)

    def list_kept() -> list[bool]:
        return [record.keep for record in read_dataset(project).records]

    assert list_kept() == [True, False, True, True]
    enter(terminal, server, project.root, "review")
    terminal.wait_for("reject 1")
    terminal.press("u")
    terminal.wait_for("reject 0")
    terminal.press("q")
    terminal.wait_for("local>")
    assert list_kept() == [True, True, True, True]


def test_a_run_outlives_the_connection_and_tells_what_was_missed(
    tmp_path: Path, tiny_base: Path, server: SshServer, terminal: Terminal
) -> None:
    project = make_project(tmp_path / "project", settings={"train.max_train_steps": "60"})
    link_base(project, tiny_base)
    enter(terminal, server, project.root, "run")
    terminal.wait_for("step")
    wait_until(lambda: bool(list_runs(project)) and load_view(find_run(project)).step >= 2)
    cut(terminal, server)
    step = load_view(find_run(project)).step
    wait_until(lambda: load_view(find_run(project)).step > step)
    enter(terminal, server, project.root, "attach")
    terminal.wait_for("since ")
    terminal.wait_for("✓ finished", timeout_s=120)
    terminal.press("q")
    terminal.wait_for("lyq.safetensors")
    assert (find_run(project).path / "lyq.safetensors").is_file()


def test_the_whole_job_from_new_to_a_lora_through_the_wizard(
    tmp_path: Path, tiny_base: Path, server: SshServer, terminal: Terminal
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    settings = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
    enter(terminal, server, work, "new", "face-lora", "lyq", *settings)
    answer_form(terminal)
    project = Project(work / "lyq")
    add_photos(terminal, save_photos(tmp_path / "photos"))
    assert len(read_dataset(project).trained) == 4
    choose_base(terminal, tiny_base)

    # the line is cut in the middle of it: the wizard lands where it was
    cut(terminal, server)
    enter(terminal, server, project.root)
    terminal.wait_for("Stable Diffusion 1.x")
    apply_rules(terminal)
    assert all(record.tags[0] == "lyq" for record in read_dataset(project).trained)

    check_and_start(terminal)
    wait_until(lambda: load_view(find_run(project)).step >= 1, 120)
    cut(terminal, server)

    enter(terminal, server, project.root, "attach")
    terminal.wait_for("✓ finished", timeout_s=180)
    terminal.press("q")
    terminal.wait_for("lyq.safetensors")
    assert load_view(find_run(project)).outcome == "finished"
    assert (find_run(project).path / "lyq.safetensors").is_file()


def save_photos(folder: Path) -> Path:
    for seed in range(4):
        save_photo(folder / f"IMG_{seed:04d}.jpg", seed=seed)
        (folder / f"IMG_{seed:04d}.txt").write_text("smile, red coat")
    return folder


def answer_form(terminal: Terminal) -> None:
    terminal.wait_for("A new project")
    terminal.press("Enter")
    terminal.wait_for("enter saves")
    terminal.type("lyq")
    terminal.press("Enter")
    terminal.wait_for("▸ class word")
    terminal.press("G", "Enter")


def add_photos(terminal: Terminal, photos: Path) -> None:
    terminal.wait_for("add photos")
    terminal.press("p")
    terminal.wait_for("a path or a pattern")
    terminal.type(str(photos))
    terminal.press("Enter")
    leave_job(terminal, "4 images")


def choose_base(terminal: Terminal, base: Path) -> None:
    terminal.press("n")
    terminal.wait_for("not chosen yet")
    terminal.press("i")
    terminal.wait_for("owner/name")
    terminal.type(str(base))
    terminal.wait_for("it is here")
    terminal.press("Enter")
    terminal.wait_for("Stable Diffusion 1.x")


def apply_rules(terminal: Terminal) -> None:
    terminal.press("n")
    terminal.wait_for("show what the rules would change")
    terminal.press("Enter")
    terminal.wait_for("4 images would change")
    terminal.press("a")
    terminal.wait_for("0 images would change")
    terminal.press("Escape")
    terminal.wait_for("all of them are applied")


def check_and_start(terminal: Terminal) -> None:
    terminal.press("n")
    terminal.wait_for("not checked yet")
    terminal.press("Enter")
    terminal.wait_for("start the run")
    terminal.press("R")
    terminal.wait_for("Run lyq-0001", timeout_s=120)


def leave_job(terminal: Terminal, behind: str) -> None:
    terminal.wait_for("✓ done")
    terminal.press("Enter")
    terminal.wait_for(behind)
