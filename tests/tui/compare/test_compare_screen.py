"""The comparison on the screen, reached from the run panel."""

from pathlib import Path

import pytest

from lorawiz.tui.compare.screen import CompareScreen
from tests.tui.compare_support import FASTER, freeze, make_run
from tests.tui.conftest import CompareGolden
from tests.tui.fake_run import FakeClock, FakeRun
from tests.tui.panel import PanelPilot, play, press, screen_text, wait_until


@pytest.fixture
def two_runs(tmp_path: Path, clock: FakeClock) -> FakeRun:
    """The younger of two runs, which is on."""
    make_run(tmp_path, clock, 1, {}, 400).end("finished")
    return make_run(tmp_path, clock, 2, FASTER)


async def open_comparison(pilot: PanelPilot) -> None:
    await press(pilot, "c")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
    await wait_until(pilot, lambda: "≠ steps" in screen_text(pilot))


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_c_compares_with_the_only_other_run(
    two_runs: FakeRun, size: tuple[int, int], compare_golden: CompareGolden
) -> None:
    async def compare(pilot: PanelPilot) -> None:
        await open_comparison(pilot)
        compare_golden(f"compare-{size[0]}x{size[1]}", screen_text(pilot))

    play(two_runs, compare, size)


def test_the_tables_scroll_by_keys(two_runs: FakeRun) -> None:
    async def scroll(pilot: PanelPilot) -> None:
        await open_comparison(pilot)
        for key, shown, is_there in (
            ("G", "train.learning_rate", True), ("G", "≠ steps", False), ("g", "≠ steps", True),
            ("ctrl+d", "≠ steps", False), ("ctrl+u", "≠ steps", True), ("j", "training time", True),
            ("k", "training time", False), ("end", "train.learning_rate", True), ("home", "≠ state", True),
        ):  # fmt: skip
            await press(pilot, key)
            await pilot.pause()
            assert (shown in screen_text(pilot)) == is_there, key

    play(two_runs, scroll)


@pytest.mark.parametrize("key", ["escape", "q", "ctrl+c"])
def test_leaving_goes_back_to_the_panel(two_runs: FakeRun, key: str) -> None:
    async def leave(pilot: PanelPilot) -> None:
        await open_comparison(pilot)
        await press(pilot, key)
        assert "grad norm" in screen_text(pilot)

    play(two_runs, leave)


def test_what_the_runs_say_meanwhile_is_drawn(two_runs: FakeRun) -> None:
    async def watch(pilot: PanelPilot) -> None:
        await open_comparison(pilot)
        assert "300/300" in screen_text(pilot)
        two_runs.train(301, 310)
        await wait_until(pilot, lambda: "310/300" in screen_text(pilot))

    play(two_runs, watch)


def test_of_several_runs_one_is_picked_and_then_another(
    two_runs: FakeRun, clock: FakeClock
) -> None:
    make_run(two_runs.root, clock, 3, {}, 50)

    async def pick(pilot: PanelPilot) -> None:
        await press(pilot, "c")
        await wait_until(pilot, lambda: "compare lyq-0002 with" in screen_text(pilot))
        await press(pilot, "enter")
        await wait_until(pilot, lambda: "lyq-0002 beside lyq-0003" in screen_text(pilot))
        await press(pilot, "c")
        await wait_until(pilot, lambda: "compare lyq-0002 with" in screen_text(pilot))
        await press(pilot, "down", "enter")
        await wait_until(pilot, lambda: "lyq-0002 beside lyq-0001" in screen_text(pilot))
        await press(pilot, "c")
        await wait_until(pilot, lambda: "compare lyq-0002 with" in screen_text(pilot))
        await press(pilot, "escape", "escape")
        assert "grad norm" in screen_text(pilot)

    play(two_runs, pick)


def test_a_single_run_has_nothing_to_be_compared_with(run: FakeRun) -> None:
    run.train_to_3()

    async def compare(pilot: PanelPilot) -> None:
        await press(pilot, "c")
        await wait_until(pilot, lambda: "there is no other run" in screen_text(pilot))

    play(run, compare)


def test_a_spec_that_cannot_be_read_is_said_and_shown_safely(two_runs: FakeRun) -> None:
    two_runs.folder.spec.write_text('schema = 1\n[train]\n"\\u001b[2J" = 1\n')

    async def compare(pilot: PanelPilot) -> None:
        await open_comparison(pilot)
        await press(pilot, "G")
        await pilot.pause()
        assert "⚠ spec.toml" in screen_text(pilot)
        assert "\x1b" not in screen_text(pilot)

    play(two_runs, compare)


def test_runs_of_the_same_settings_say_so(tmp_path: Path, clock: FakeClock) -> None:
    make_run(tmp_path, clock, 1, {}).end("finished")
    run = make_run(tmp_path, clock, 2, {}, 100)
    freeze(run, {}, 1)

    async def compare(pilot: PanelPilot) -> None:
        await open_comparison(pilot)
        await press(pilot, "G")
        await pilot.pause()
        assert "the same settings and images" in screen_text(pilot)

    play(run, compare)


def test_no_size_is_too_small_for_a_comparison(two_runs: FakeRun) -> None:
    async def resize(pilot: PanelPilot) -> None:
        await open_comparison(pilot)
        for size in ((1, 1), (10, 4), (40, 12), (200, 60)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        await wait_until(pilot, lambda: "≠ steps" in screen_text(pilot))

    play(two_runs, resize)
