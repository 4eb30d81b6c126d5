"""Several processes share caption, tag, crop and cutout: the real `accelerate launch`."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lorawiz.dataset.records import load_dataset
from lorawiz.paths import Project
from tests.cli.runner import lorawiz
from tests.support.captioners import build_blip
from tests.support.projects import make_project
from tests.support.taggers import build_wd14

pytestmark = pytest.mark.slow

SETTINGS = {
    "tag.model": "tiny",
    "caption.model": "blip",
    "caption.batch_size": "2",
    "caption.max_length": "12",
}
COMMANDS = ("crop", "cutout", "caption", "tag")


def prepared(folder: Path, num_images: int = 7) -> Project:
    project = make_project(folder, num_images, SETTINGS, tags=(), caption="")
    build_wd14(project.models / "tiny", side=64)
    build_blip(project.models / "blip")
    return project


def launch(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu",
            "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no",
            "--dynamo_backend", "no", "-m", "lorawiz", *arguments,
        ],
        cwd=project.root, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip


def without_times(path: Path) -> list[object]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "time"} for line in lines]


def test_two_processes_come_to_what_one_comes_to(tmp_path: Path) -> None:
    alone, shared = prepared(tmp_path / "alone"), prepared(tmp_path / "shared")
    for command in COMMANDS:
        one = lorawiz(command, cwd=alone.root)
        assert one.code == 0, one.err
        two = launch(shared, command)
        assert two.returncode == 0, two.stderr
        assert "(part 1 of 2)" in two.stderr
        assert "(part 2 of 2)" in two.stderr
    assert shared.dataset.read_bytes() == alone.dataset.read_bytes()
    files = sorted(path.relative_to(alone.root) for path in alone.evidence.rglob("*.jsonl"))
    assert len(files) == 3
    for file in files:
        assert without_times(shared.root / file) == without_times(alone.root / file)
    masks = sorted(path.name for path in alone.masks.iterdir())
    assert masks == sorted(path.name for path in shared.masks.iterdir())
    assert all((shared.masks / m).read_bytes() == (alone.masks / m).read_bytes() for m in masks)
    assert not list((shared.private / "evidence").rglob("*.jsonl"))


def test_a_killed_captioner_goes_on_where_it_was(tmp_path: Path) -> None:
    whole, killed = prepared(tmp_path / "whole", 12), prepared(tmp_path / "killed", 12)
    assert lorawiz("caption", cwd=whole.root).code == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "lorawiz", "caption"], cwd=killed.root, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    journals = killed.private / "evidence" / "captions"
    while time.monotonic() < deadline:
        if any(path.stat().st_size for path in journals.rglob("*.jsonl")):
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = lorawiz("caption", "--json", cwd=killed.root)
    assert again.code == 0, again.err
    told = json.loads(again.out)
    assert told["known"] > 0
    assert told["known"] + told["done"] == 12
    captions = [record.caption for record in load_dataset(killed.dataset).records]
    assert captions == [record.caption for record in load_dataset(whole.dataset).records]
    assert len(set(captions)) > 6


def test_captions_are_the_same_whatever_the_batch(tmp_path: Path) -> None:
    project = prepared(tmp_path, 9)
    seen = []
    for batch_size in ("1", "3", "8"):
        lorawiz("set", "caption.batch_size", batch_size, cwd=project.root)
        answer = lorawiz("caption", "--redo", cwd=project.root)
        assert answer.code == 0, answer.err
        seen.append([record.caption for record in load_dataset(project.dataset).records])
    assert seen[0] == seen[1] == seen[2]
