"""How the review screen looks, what foreign text does to it, and what goes over a slow line."""

from dataclasses import replace
from pathlib import Path

import pytest

from lorawiz.dataset.records import Dataset, save_dataset
from lorawiz.dataset.store import read_dataset
from lorawiz.paths import Project
from tests.tui.conftest import CompareGolden
from tests.tui.panel import screen_text
from tests.tui.review_support import (
    ReviewPilot,
    make_plain,
    make_reviewed,
    play,
    press,
    press_keys,
)
from tests.tui.review_terminal import ReviewTerminal

SIZES = [(80, 24), (120, 36), (40, 24)]
LINE_BYTES_PER_S = 9600
NUM_HELD = 40
KEY_PAUSE_S = 0.03


@pytest.fixture
def reviewed(tmp_path: Path) -> Project:
    return make_reviewed(tmp_path / "lyq")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("open", ()), ("blurred", ("j", "j")), ("crop", ("b", "right")), ("selected", ("v", "j", "v")),
        ("compare", ("j", "j", "j", "equals_sign")), ("filter", ("slash", ":tag:smile", "enter")),
    ],
)  # fmt: skip
def test_the_review_looks_as_it_should(
    reviewed: Project,
    compare_golden: CompareGolden,
    size: tuple[int, int],
    name: str,
    keys: tuple[str, ...],
) -> None:
    compare_golden(f"review-{name}-{size[0]}x{size[1]}", press_keys(reviewed, *keys, size=size))


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_foreign_text_stays_text(tmp_path: Path, size: tuple[int, int]) -> None:
    project = make_plain(tmp_path / "lyq", 3)
    records = list(read_dataset(project).records)
    hostile = "[red]\x1b[2J\u202e日本🙂"
    records[0] = replace(records[0], caption=hostile, tags=(hostile, "smile"))
    records[1] = replace(records[1], status="broken", reason=hostile)
    save_dataset(project.dataset, Dataset(tuple(records)))
    texts: list[str] = []

    async def look(pilot: ReviewPilot) -> None:
        for keys in (["g"], ["c"], ["escape", "x"], ["escape", "j"]):
            await press(pilot, *keys)
            texts.append(screen_text(pilot))

    play(project, look, size)
    for text in texts:
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "[red]␛[2J" in texts[0]
    assert "日本🙂" in texts[0]


def test_while_a_key_is_held_on_a_slow_line_one_picture_is_drawn(tmp_path: Path) -> None:
    project = make_reviewed(tmp_path / "lyq", 2 * NUM_HELD)
    with ReviewTerminal(project.root, bytes_per_s=LINE_BYTES_PER_S) as terminal:
        terminal.read_until(lambda text: f"1/{2 * NUM_HELD}" in text)
        terminal.drain(1.0, 60.0)
        before = terminal.num_bytes
        terminal.press("j")
        terminal.drain(1.0, 60.0)
        of_one_key = terminal.num_bytes - before

        for _ in range(NUM_HELD):  # as fast as keyboards repeat
            terminal.press("j")
            terminal.drain(KEY_PAUSE_S, KEY_PAUSE_S)
        terminal.read_until(lambda text: f"{NUM_HELD + 2}/{2 * NUM_HELD}" in text, 60.0)
        terminal.drain(1.0, 60.0)
        of_held_key = terminal.num_bytes - before - of_one_key
        assert terminal.end() == 0
    # forty moves of the cursor and one picture; a busy machine may draw a few between the keys
    assert of_held_key < NUM_HELD // 4 * of_one_key
