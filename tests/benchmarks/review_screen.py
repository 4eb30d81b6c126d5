"""The review screen on a pseudo-terminal over large datasets: what people wait for.

    python -m tests.benchmarks.review_screen WORKDIR [--images 10000] [--repeat 3]

Writes a dataset of that many images with measured figures and faces; their files are links to
three JPEGs, one of them of 12 megapixels. Runs the real `lorawiz review` on it in a terminal of
120 by 36 cells, with pictures of half-cells, and prints the best of the repeats of each figure,
those with a limit beside it, and as a ratio to what the machine needs for a plain Python start.
"""

import argparse
import os
import random
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

from lorawiz.dataset.evidence import Evidence, Journal, Model, merge_journals
from lorawiz.dataset.facts import PictureFacts, append_facts
from lorawiz.dataset.records import Dataset, ImageRecord, save_dataset
from lorawiz.dataset.words import add_tags
from lorawiz.paths import Project
from lorawiz.spec import load_spec
from lorawiz.tui.review.session import ReviewSession
from tests.tui.review_terminal import ReviewTerminal

SIZES = (640, 480), (1600, 1200), (4000, 3000)
"""Of the three JPEGs; every tenth image is one of the last."""
NUM_TAGS = 20
NUM_KEYS = 60
PICTURE_DELAY_S = 0.1
SCREEN = (120, 36)
_SPEC = 'schema = 1\n\n[project]\ntrigger = "lyq"\n'
_BLOCK = "▀"


@dataclass(frozen=True)
class Limits:
    """What the figures may be, in seconds and bytes; None where nothing is promised."""

    first_picture_s: float
    key_s: float | None = None
    edit_s: float | None = None
    memory_bytes: int | None = None


LIMITS = {10_000: Limits(1.0, 0.05, 1.0), 100_000: Limits(3.0, None, None, 400_000_000)}
LARGE_PICTURE_S = 0.15
"""From the end of the pause behind a key to a picture of 12 megapixels on the screen."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    workdir = arguments.workdir.absolute()
    os.environ["LORAWIZ_HOME"] = str(workdir / "home")
    project = make_project(workdir / f"review-{arguments.images}", arguments.images)
    limits = LIMITS.get(arguments.images, Limits(3.0))
    reference_s = min(time_python() for _ in range(arguments.repeat))
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{arguments.images:,} images, load {load}, plain Python starts in {reference_s:.3f} s")
    visits = [visit(project) for _ in range(arguments.repeat)]
    best = Visit(*(min(each) for each in zip(*map(Visit.figures, visits), strict=True)))
    for line in describe(best, limits, reference_s):
        print(line, flush=True)
    edits = [time_edits(project) for _ in range(arguments.repeat)]
    for number, what in enumerate(("edit all", "undo it")):
        taken_s = min(each[number] for each in edits)
        print(_line(what, taken_s, limits.edit_s, reference_s), flush=True)


def make_project(folder: Path, num_images: int) -> Project:
    """Images of the three sizes in turn, with facts, a face each and 20 of 2,000 tags."""
    project = Project(folder)
    if (folder / "done").exists():
        return project
    shutil.rmtree(folder, ignore_errors=True)
    project.images.mkdir(parents=True)
    project.spec.write_text(_SPEC)
    photos = [draw_photo(folder / f"{size[0]}.jpg", size) for size in SIZES]
    dice = random.Random(0)
    words = [f"tag {number}" for number in range(2000)]
    records: list[ImageRecord] = []
    for index in range(num_images):
        kind = 2 if index % 10 == 9 else index % 2
        name = f"images/IMG_{index:06}.jpg"
        (folder / name).symlink_to(photos[kind])
        tags = ("lyq", "brown hair", *dice.sample(words, NUM_TAGS - 2))
        width, height = SIZES[kind]
        crop = (width // 4, 0, width * 3 // 4, height)
        caption = "a woman with brown hair, smiling at the camera"
        records.append(ImageRecord(name, f"{index:064x}", width, height, caption, tags, crop=crop))
    save_dataset(project.dataset, Dataset(tuple(records)))
    facts = [(each.sha256, _draw_facts(dice)) for each in records]
    append_facts(project, facts)
    _save_faces(project, records)
    (folder / "done").touch()
    return project


def _draw_facts(dice: random.Random) -> PictureFacts:
    look = dice.getrandbits(128)
    return PictureFacts(dice.uniform(10, 900), 0.5, 0.0, 0.0, f"{dice.getrandbits(256):064x}", look)


def _save_faces(project: Project, records: list[ImageRecord]) -> None:
    model = Model("faces", load_spec(project.spec).crop.detector, "0" * 64)
    journal = Journal(project, model)
    face = {"faces": [{"box": [0.3, 0.2, 0.6, 0.7], "score": 0.93}]}
    journal.append([Evidence(each.image_path, each.sha256, "", face) for each in records])
    journal.close()
    merge_journals(project, model)


def draw_photo(path: Path, size: tuple[int, int]) -> Path:
    """A JPEG that is as hard to decode as a photo: shapes and noise."""
    width, height = size
    dice = np.random.default_rng(width)
    coarse = Image.fromarray(dice.integers(0, 256, (12, 16, 3), np.uint8))
    smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.int16)
    noise = dice.integers(-12, 13, (height, width, 1), np.int16)
    pixels = np.clip(smooth + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path, quality=92)
    return path


def time_python() -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - begin


@dataclass(frozen=True)
class Visit:
    """One visit of the review screen."""

    first_frame_s: float
    first_picture_s: float
    key_median_s: float
    key_p95_s: float
    large_picture_s: float
    """From a key to the 12 megapixels on the screen, the pause of the key left out."""
    memory_bytes: float
    """The most that it held, everything read."""

    def figures(self) -> tuple[float, ...]:
        return (
            self.first_frame_s, self.first_picture_s, self.key_median_s, self.key_p95_s,
            self.large_picture_s, self.memory_bytes,
        )  # fmt: skip


def visit(project: Project) -> Visit:
    begin = time.perf_counter()
    with ReviewTerminal(project.root, SCREEN) as terminal:
        terminal.read_until(lambda text: "IMG_000000" in text)
        first_frame_s = time.perf_counter() - begin
        terminal.read_until(lambda text: text.count(_BLOCK) > 100)
        first_picture_s = time.perf_counter() - begin
        terminal.read_until(lambda text: "⚠" in text, 120.0)
        terminal.drain(1.0)
        keys_s = sorted(time_key(terminal) for _ in range(NUM_KEYS))
        large_s = median(time_large_picture(terminal, number) for number in (2, 3, 4))
        memory_bytes = read_peak_bytes(terminal.process.pid)
        assert terminal.end() == 0
    p95_s = keys_s[round(0.95 * (len(keys_s) - 1))]
    return Visit(first_frame_s, first_picture_s, median(keys_s), p95_s, large_s, memory_bytes)


def time_key(terminal: ReviewTerminal) -> float:
    """From a key to the first byte of its frame, as keys come while one is held."""
    terminal.drain(0.03)
    begin = time.perf_counter()
    terminal.press("j")
    while not terminal.read(1.0):
        pass
    return time.perf_counter() - begin


def time_large_picture(terminal: ReviewTerminal, number: int) -> float:
    """Jump to a 12 megapixel image that is no neighbour of anything looked at before."""
    wanted = f"IMG_{200 * number + 9:06}"
    terminal.press("g")
    terminal.drain(1.0)
    terminal.press("f")
    terminal.drain(0.2, 1.0)
    terminal.press(wanted)
    terminal.drain(0.4, 2.0)
    begin = time.perf_counter()
    terminal.press("\r")
    last = begin
    while terminal.read(0.6):
        last = time.perf_counter()
    assert wanted in terminal.text
    return last - begin - PICTURE_DELAY_S


def read_peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def time_edits(project: Project) -> tuple[float, float]:
    """A tag put into every image, and taken back."""
    session = ReviewSession(project, load_spec(project.spec))
    session.load_knowledge()
    edit_s = _time(
        lambda: session.edit(
            "add a tag",
            session.records,
            lambda record, known: add_tags(record, ["new"], machine=known),
        )
    )
    return edit_s, _time(session.undo)


def _time(job: Callable[[], object]) -> float:
    begin = time.perf_counter()
    job()
    return time.perf_counter() - begin


def describe(best: Visit, limits: Limits, reference_s: float) -> list[str]:
    return [
        _line("first frame", best.first_frame_s, None, reference_s),
        _line("first picture", best.first_picture_s, limits.first_picture_s, reference_s),
        _line("key to frame, median", best.key_median_s, None, reference_s),
        _line("key to frame, p95", best.key_p95_s, limits.key_s, reference_s),
        _line(
            "12 megapixels, behind the pause", best.large_picture_s, LARGE_PICTURE_S, reference_s
        ),
        _memory_line(best.memory_bytes, limits.memory_bytes),
    ]


def _line(what: str, taken_s: float, limit_s: float | None, reference_s: float) -> str:
    mark = "" if limit_s is None or taken_s <= limit_s else f"  MORE THAN {limit_s * 1e3:.0f} ms"
    return f"{what:<34} {taken_s * 1e3:8.0f} ms {taken_s / reference_s:8.1f} ×{mark}"


def _memory_line(used_bytes: float, limit_bytes: int | None) -> str:
    mark = "" if limit_bytes is None or used_bytes <= limit_bytes else "  MORE THAN ALLOWED"
    return f"{'memory':<34} {used_bytes / 1e6:8.0f} MB{mark}"


if __name__ == "__main__":
    main()
