"""Playing the tags screen in a test: a dataset of tagged images, keys, its text, its files."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from lorawiz.dataset.records import Dataset, ImageRecord, save_dataset
from lorawiz.dataset.store import read_dataset
from lorawiz.paths import Project
from lorawiz.spec import load_spec
from lorawiz.tui.app import LorawizApp
from lorawiz.tui.review.session import ReviewSession
from lorawiz.tui.tags.screen import TagsScreen

TagsPilot = Pilot[Any]
Scenario = Callable[[TagsPilot], Awaitable[None]]

SPEC = """\
schema = 1

[project]
name = "lyq"
trigger = "lyq"  # rare and short
class_word = "woman"

[[clean]]
rule = "underscores"

# how long
[train]
max_train_epochs = 2
"""
NUM_IMAGES = 12


def tags_of(index: int) -> tuple[str, ...]:
    """The tags of the image at `index`: a trigger, two looks, and what varies."""
    tags = ["lyq", "brown hair", "brown eyes"]
    tags += ["smile"] * (index % 2 == 0) + ["grin"] * (index % 4 == 1)
    tags += ["red coat"] * (index < 3) + ["outdoors"] * (index % 3 == 0)
    return tuple(tags + ["1girl"] * (index == 7))


def make_record(index: int, tags: Sequence[str], caption: str = "") -> ImageRecord:
    return ImageRecord(
        f"images/IMG_{index:04}.jpg", f"{index:064x}", 640, 480, caption, tuple(tags)
    )


def make_tagged(
    folder: Path,
    tags: Sequence[Sequence[str]] | None = None,
    spec: str = SPEC,
    captions: Mapping[int, str] | None = None,
) -> Project:
    """A project with tagged images of which no file exists."""
    folder.mkdir(parents=True, exist_ok=True)
    project = Project(folder.absolute())
    project.spec.write_text(spec, "utf-8")
    all_tags = [tags_of(index) for index in range(NUM_IMAGES)] if tags is None else tags
    said = {0: "a woman with brown hair", 1: "a woman with black hair, a grin"}
    said |= dict(captions or {})
    records = [make_record(n, each, said.get(n, "a woman")) for n, each in enumerate(all_tags)]
    save_dataset(project.dataset, Dataset(tuple(records)))
    return project


def change_record(project: Project, index: int, **changes: Any) -> None:
    """Change a line of dataset.jsonl as an editor does."""
    records = list(read_dataset(project).records)
    records[index] = replace(records[index], **changes)
    save_dataset(project.dataset, Dataset(tuple(records)))


def play(
    project: Project,
    scenario: Scenario,
    size: tuple[int, int] = (80, 24),
    session: ReviewSession | None = None,
) -> Any:
    """Open the screen over `project`, run `scenario`; returns what the screen left with."""
    session = session or ReviewSession(project, load_spec(project.spec))
    app = LorawizApp(lambda _widget: TagsScreen(session))

    async def play_scenario() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await settle(pilot)
            await scenario(pilot)

    asyncio.run(play_scenario())
    return app.return_value


def press_keys(project: Project, *keys: str, size: tuple[int, int] = (80, 24)) -> str:
    """Press keys one after the other; the screen's text at the end."""
    texts: list[str] = []

    async def press_all(pilot: TagsPilot) -> None:
        await press(pilot, *keys)
        texts.append(screen_text(pilot))

    play(project, press_all, size)
    return texts[0]


async def press(pilot: TagsPilot, *keys: str) -> None:
    """Press keys; the work that each began is done when this returns. `:word` types a word."""
    for key in keys:
        letters = [_key_of(letter) for letter in key[1:]] if key[0] == ":" else [key]
        for each in letters:
            await pilot.press(each)
        await settle(pilot)


async def settle(pilot: TagsPilot) -> None:
    """Until nothing is read or counted in the background."""
    await pilot.pause()
    await wait_until(pilot, lambda: not any(worker.is_running for worker in pilot.app.workers))
    await pilot.pause()


async def wait_until(pilot: TagsPilot, is_so: Callable[[], bool], timeout_s: float = 8.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, screen_text(pilot)
        await pilot.pause(0.02)


def screen_text(pilot: TagsPilot) -> str:
    """What stands on the screen, line by line, without colours."""
    # the compositor is Textual's own; what it gives out publicly is an SVG
    strips = pilot.app.screen._compositor.render_strips()
    return "".join(strip.text.rstrip() + "\n" for strip in strips)


def read_tags(project: Project) -> list[tuple[str, ...]]:
    """The tags on the disk, edits included, image by image."""
    return [record.tags for record in read_dataset(project).records]


def read_rules(project: Project) -> list[dict[str, Any]]:
    """The [[clean]] tables on the disk."""
    rules = load_spec(project.spec).clean
    return [
        {"rule": rule.rule} | json.loads(rule.model_dump_json(exclude_unset=True)) for rule in rules
    ]


def _key_of(letter: str) -> str:
    return {" ": "space", ",": "comma", "*": "asterisk"}.get(letter, letter)
