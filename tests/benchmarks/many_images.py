"""The cost of a large dataset: time and peak memory of the commands over tiny images.

    python -m tests.benchmarks.many_images WORKDIR [--images 100000] [--only add,check]

Draws PNGs of 8 to 32 px with tags beside them (kept in WORKDIR/photos), then runs the real
commands of COMMANDS in order on a fresh project, each in a process of its own.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from lorawiz.dataset.store import append_edit, read_dataset
from lorawiz.dataset.words import set_caption
from lorawiz.paths import Project

MAX_BYTES = 10**9
"""What a command may hold of 100,000 images."""


@dataclass(frozen=True)
class Command:
    """A command whose cost is measured."""

    name: str
    arguments: tuple[str, ...]
    """`{photos}` and `{project}` are filled in."""
    prepare: Callable[[Path], None] | None = None
    """Done to the project before, without being measured."""


@dataclass(frozen=True)
class Cost:
    wall_s: float
    user_s: float
    peak_bytes: int
    code: int


def add_rules(project: Path) -> None:
    """Two rules that change every image, and two that look at all of them."""
    rules = ("remove", 'tags = ["tag 7"]'), ("drop_rare", "min_count = 2"), ("sort", ""), (
        "prepend", 'tags = ["{trigger}", "photo"]',
    )  # fmt: skip
    spec = project / "lorawiz.toml"
    tables = [f'\n[[clean]]\nrule = "{rule}"\n{rest}\n' for rule, rest in rules]
    spec.write_text(spec.read_text() + "".join(tables))


COMMANDS = (
    Command("add", ("add", "--link", "{photos}")),
    Command("add again", ("add", "--link", "{photos}")),
    Command("check", ("check",)),
    Command("check again", ("check",)),
    Command("check as JSON", ("check", "--json")),
    Command("clean --dry-run", ("clean", "--dry-run"), add_rules),
    Command("clean", ("clean",)),
    Command("clean again", ("clean",)),
    Command("clean --report", ("clean", "--report")),
    Command("undo", ("undo",)),
)
NUM_EDITS = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--only", default="", help="first words of commands, by commas")
    arguments = parser.parse_args()
    workdir = arguments.workdir.absolute()
    os.environ["LORAWIZ_HOME"] = str(workdir / "home")
    photos = draw_photos(workdir / f"photos-{arguments.images}", arguments.images)
    project = make_empty_project(workdir / "project", keep=bool(arguments.only))
    wanted = arguments.only.split(",") if arguments.only else None
    print(f"{arguments.images:,} images")
    for command in COMMANDS:
        if wanted is None or command.name.split()[0] in wanted:
            if command.prepare is not None:
                command.prepare(project)
            print(describe(command.name, measure(command, photos, project)), flush=True)
    if wanted is None or "edit" in wanted:
        print(time_edits(Project(project)), flush=True)


def time_edits(project: Project) -> str:
    """How long one edit of one image takes until it is on the disk."""
    records = read_dataset(project).records
    times_s = []
    for index in range(NUM_EDITS):
        record = records[index * len(records) // NUM_EDITS]
        begin = time.perf_counter()
        append_edit(project, "caption", [(record, set_caption(record, f"an edit, {index}"))])
        times_s.append(time.perf_counter() - begin)
    begin = time.perf_counter()
    read_dataset(project)
    fold_s = time.perf_counter() - begin
    return (
        f"one edit, durable: median {median(times_s) * 1e3:.1f} ms, slowest "
        f"{max(times_s) * 1e3:.1f} ms of {NUM_EDITS}; folding them {fold_s:.1f} s"
    )


def draw_photos(folder: Path, count: int) -> Path:
    """Distinct PNGs, a thousand a folder, as a photo collection has them; drawn once."""
    done = folder / "done"
    if done.exists():
        return folder
    dice = np.random.default_rng(0)
    for index in range(count):
        path = folder / f"{index // 1000:03d}" / f"{index:06d}.png"
        if index % 1000 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        height, width = dice.integers(8, 33, 2)
        pixels = dice.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(path, compress_level=1)
        tags = ", ".join(f"tag {number}" for number in dice.integers(0, 2000, 12))
        path.with_suffix(".txt").write_text(f"lyq, {tags}\n")
    done.touch()
    return folder


def make_empty_project(folder: Path, keep: bool) -> Path:
    if not (keep and folder.exists()):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(
            [sys.executable, "-m", "lorawiz", "new", "face-lora", str(folder), "--trigger", "lyq"],
            check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    return folder


def measure(command: Command, photos: Path, project: Path) -> Cost:
    """Run a command to its end. Peak memory is of its largest process."""
    filled = [each.format(photos=photos, project=project) for each in command.arguments]
    begin = time.perf_counter()
    with (project.parent / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "lorawiz", *filled],
            cwd=project, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - begin
    # kilobytes on Linux, bytes on macOS
    peak_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, peak_bytes, process.returncode)


def describe(name: str, cost: Cost) -> str:
    mark = "" if cost.peak_bytes <= MAX_BYTES else "  MORE THAN ALLOWED"
    return (
        f"{name:<16} {cost.wall_s:8.1f} s   {cost.user_s:8.1f} s of CPU   "
        f"{cost.peak_bytes / 1e6:8.0f} MB   exit {cost.code}{mark}"
    )


if __name__ == "__main__":
    main()
