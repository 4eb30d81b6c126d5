"""Several processes that train together, through the real `accelerate launch`, on CPUs."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
from safetensors import safe_open
from safetensors.torch import load_file

from lorawiz.dataset.batches import iter_steps
from lorawiz.dataset.records import load_dataset
from lorawiz.paths import Project
from lorawiz.runs.control import request
from lorawiz.runs.folder import RunFolder, find_run
from lorawiz.runs.journal import read_events
from lorawiz.runs.launch import Launch, launch
from lorawiz.runs.states import list_states
from lorawiz.runs.view import load_view
from lorawiz.spec import load_spec
from tests.cli.runner import Answer, lorawiz
from tests.e2e.test_training import wait_until
from tests.support.projects import link_base, make_project
from tests.support.training import freeze, losses

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="names Linux's loopback device"),
]

SETTINGS = {
    "dataset.batch_size": "1",
    "dataset.num_repeats": "3",
    "train.max_train_steps": "8",
    "train.save_every_n_steps": "4",
    "train.on_nan": '"skip"',
    "prompt.shuffle_caption": "true",
    "prompt.keep_tokens": "2",
    "network.dropout": "0.1",
}
"""15 batches an epoch: with two in a step, one process has none in the last."""
ALONE = {**SETTINGS, "train.gradient_accumulation_steps": "2"}
TOGETHER = {**SETTINGS, "launch.num_processes": "2"}


def build(folder: Path, base: Path, settings: Mapping[str, str]) -> Project:
    project = make_project(folder, 5, settings)
    link_base(project, base)
    return project


def run_in(project: Project, *flags: str) -> RunFolder:
    said = lorawiz("run", *flags, cwd=project.root)
    assert said.code == 0, said.out + said.err
    return find_run(project)


def find_trainers(run: RunFolder) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(run.path) in (process.info["cmdline"] or [])
    ]


def assert_equal_but_for_rounding(one: RunFolder, other: RunFolder) -> None:
    assert losses(one) == pytest.approx(losses(other), abs=1e-5)
    ours, theirs = (load_file(run.path / "lyq.safetensors") for run in (one, other))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert tensor.float().allclose(theirs[name].float(), atol=2e-5, rtol=1e-3), name


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> RunFolder:
    return run_in(build(tmp_path_factory.mktemp("alone"), tiny_base, ALONE))


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> RunFolder:
    return run_in(build(tmp_path_factory.mktemp("together"), tiny_base, TOGETHER))


def test_two_processes_make_what_one_makes(alone: RunFolder, together: RunFolder) -> None:
    assert_equal_but_for_rounding(alone, together)
    events = read_events(together.journal)
    assert next(e["name"] for e in events if e["event"] == "device").startswith("2 × cpu")
    assert sum(e["event"] == "start" for e in events) == 1
    images = [
        [e["images"] for e in read_events(run.journal) if e["event"] == "image_loss"]
        for run in (alone, together)
    ]
    assert [list(epoch) for epoch in images[0]] == [list(epoch) for epoch in images[1]]
    for ours, theirs in zip(images[0], images[1], strict=True):
        for path, (mean, num) in ours.items():
            assert theirs[path] == [pytest.approx(mean, abs=1e-5), num]


def test_the_file_tells_the_batch_of_all(together: RunFolder) -> None:
    with safe_open(together.path / "lyq.safetensors", "np") as file:
        told = file.metadata()
    assert (told["ss_batch_size_per_device"], told["ss_total_batch_size"]) == ("1", "2")


def test_a_run_that_was_stopped_goes_on_in_two_and_in_one(
    tmp_path: Path, tiny_base: Path, together: RunFolder, alone: RunFolder
) -> None:
    for name, flags in (("two", []), ("one", ["--num-processes", "1"])):
        project = build(tmp_path / name, tiny_base, TOGETHER)
        lorawiz("run", "--detach", cwd=project.root)
        run = find_run(project)
        wait_until(lambda run=run: load_view(run).step >= 2)  # type: ignore[misc]
        request(run, "stop")
        wait_until(lambda run=run: load_view(run).outcome == "stopped")  # type: ignore[misc]
        wait_until(lambda run=run: not find_trainers(run))  # type: ignore[misc]
        assert run_in(project, "--resume", *flags) == run
        if flags:
            assert_equal_but_for_rounding(run, alone)
        else:
            ours, theirs = (load_file(r.path / "lyq.safetensors") for r in (run, together))
            assert all(bool((ours[name] == theirs[name]).all()) for name in theirs)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_killed_ends_the_run_with_a_sentence(
    tmp_path: Path, tiny_base: Path, rank: int
) -> None:
    settings = {**TOGETHER, "train.max_train_steps": "4000", "train.save_every_n_steps": "50"}
    project = build(tmp_path / "p", tiny_base, settings)
    lorawiz("run", "--detach", cwd=project.root)
    run = find_run(project)
    wait_until(lambda: load_view(run).step >= 55)
    [victim] = [p for p in find_trainers(run) if p.environ().get("RANK") == str(rank)]
    victim.send_signal(signal.SIGKILL)
    wait_until(lambda: not find_trainers(run), seconds=60)
    view = load_view(run)
    if rank:
        assert view.outcome == "failed"
        assert "a process of the run died" in view.message
    else:  # it is the one that could have said so
        assert view.state() == "killed"
    assert list_states(run.state)
    assert not [p for p in run.path.rglob("*.tmp")]


def test_an_error_of_one_process_is_told(tmp_path: Path, tiny_base: Path) -> None:
    """A photo that is another one by now is found by the process whose share it is in."""
    project = build(tmp_path / "p", tiny_base, TOGETHER)
    run = freeze(project)
    spec, records = load_spec(run.spec), load_dataset(run.dataset).trained
    seen = [item.record.image_path for plan in iter_steps(spec, records)
            for batch in plan.batches for item in batch]  # fmt: skip
    changed = list(dict.fromkeys(seen))[1]
    (project.root / changed).write_bytes(b"another")
    launch(Launch(run, spec)).wait(timeout=120)
    ends = [event for event in read_events(run.journal) if event["event"] == "end"]
    assert [end["outcome"] for end in ends] == ["failed"]
    assert ends[0]["message"] == f"process 1: {changed}: not the file that was added"


def test_two_machines_train_together(tmp_path: Path, tiny_base: Path, alone: RunFolder) -> None:
    port = find_free_port()
    several = {
        **TOGETHER,
        "launch.num_machines": "2",
        "launch.main_process_ip": '"127.0.0.1"',
        "launch.main_process_port": str(port),
    }
    project = build(tmp_path / "p", tiny_base, several)
    first = subprocess.Popen(
        [sys.executable, "-m", "lorawiz", "run"], cwd=project.root, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        env={**os.environ, "NO_COLOR": "1", "GLOO_SOCKET_IFNAME": "lo"},
    )  # fmt: skip
    wait_until((project.runs / "lyq-0001" / "journal.jsonl").exists)
    run = find_run(project)
    wait_until(lambda: any(e["event"] == "launch" for e in read_events(run.journal)))
    joined = join(project, run.run_id, "1")
    said, _ = first.communicate(timeout=120)
    assert first.returncode == 0, said
    assert "waits   for: lorawiz run --join lyq-0001 --machine-rank 1" in said
    assert joined.code == 0, joined.out + joined.err
    assert "joined  as machine 1 of 2" in joined.out
    assert_equal_but_for_rounding(run, alone)


def test_joining_what_cannot_be_joined_is_a_sentence(together: RunFolder) -> None:
    project = together.project
    assert "trains on one machine" in join(project, together.run_id, "1").err
    assert "go together" in lorawiz("run", "--join", together.run_id, cwd=project.root).err
    assert "go together" in lorawiz("run", "--machine-rank", "1", cwd=project.root).err
    said = lorawiz("run", "--num-processes", "2", cwd=project.root)
    assert "--num-processes goes with --resume" in said.err


def join(project: Project, run_id: str, machine_rank: str) -> Answer:
    flags = ("--join", run_id, "--machine-rank", machine_rank)
    return lorawiz("run", *flags, cwd=project.root, GLOO_SOCKET_IFNAME="lo")


def find_free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
