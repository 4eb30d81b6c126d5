"""The cost of the tags screen over a large dataset: opening, bulk edits, rules, undo.

    python -m tests.benchmarks.tag_edits WORKDIR [--images 10000]

Writes a dataset of that many images with 20 tags each, of which no file exists, and prints a
line a figure; those that have a limit say whether they keep it.
"""

import argparse
import asyncio
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from lorawiz.dataset.records import Dataset, ImageRecord, save_dataset
from lorawiz.paths import Project
from lorawiz.spec import load_spec
from lorawiz.tui.app import LorawizApp
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.tags.actions import TagAction
from lorawiz.tui.tags.model import TagsModel
from lorawiz.tui.tags.screen import TagsScreen

MAX_S = 1.0
"""Of 10,000 images: to the first frame with all counts, and for an edit of every one of them."""
NUM_TAGS = 20
_SPEC = """\
schema = 1

[project]
trigger = "lyq"

[[clean]]
rule = "dedupe"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--images", type=int, default=10_000)
    arguments = parser.parse_args()
    project = make_project(arguments.workdir.absolute() / "tags", arguments.images)
    print(f"{arguments.images:,} images with {NUM_TAGS} tags each")
    for line in measure(project):
        print(line, flush=True)


def make_project(folder: Path, num_images: int) -> Project:
    """Every image has the trigger, a look and a smile; the rest is drawn from 2,000 tags."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    project = Project(folder)
    project.spec.write_text(_SPEC)
    dice = random.Random(0)
    words = [f"tag {number}" for number in range(2000)]
    records = []
    for index in range(num_images):
        tags = ("lyq", "brown hair", "smile", *dice.sample(words, NUM_TAGS - 3))
        path, caption = f"images/{index:06}.jpg", "a woman with brown hair and a smile"
        records.append(ImageRecord(path, f"{index:064x}", 640, 480, caption, tags))
    save_dataset(project.dataset, Dataset(tuple(records)))
    return project


def measure(project: Project) -> list[str]:
    """A line for each thing that people wait for."""
    lines = [_line("opens, to the first frame", asyncio.run(_time_opening(project)), MAX_S)]
    model = TagsModel(ReviewSession(project, load_spec(project.spec)))
    model.recount()
    lines.append(_line("marks and vocabulary, in the background", _time(model.learn)))
    renames = ("smile", "grin"), ("grin", "laugh")
    for old, new in renames:
        model.prepare(TagAction("rename", (old,), new))
        lines.append(_line(f"rename {old} in all", _time(model.confirm), MAX_S))
    action = model.build_absorb(["brown hair"])
    lines.append(_line("plan a rule", _time(lambda: model.prepare_rule(action))))
    lines.append(_line("write it and replay", _time(model.confirm)))
    lines.append(_line("undo it", _time(model.undo)))
    lines.append(_line("redo it", _time(model.redo)))
    return lines


async def _time_opening(project: Project) -> float:
    begin = time.perf_counter()
    session = ReviewSession(project, load_spec(project.spec))
    app = LorawizApp(lambda _widget: TagsScreen(session))
    async with app.run_test(size=(120, 36)):
        while "brown&#160;hair" not in app.export_screenshot():
            await asyncio.sleep(0.01)
        taken_s = time.perf_counter() - begin
        await app.workers.wait_for_complete()
    return taken_s


def _time(job: Callable[[], object]) -> float:
    begin = time.perf_counter()
    job()
    return time.perf_counter() - begin


def _line(what: str, taken_s: float, max_s: float | None = None) -> str:
    mark = "" if max_s is None or taken_s <= max_s else f"  MORE THAN {max_s:.0f} s"
    return f"{what:<42} {taken_s:6.2f} s{mark}"


if __name__ == "__main__":
    main()
