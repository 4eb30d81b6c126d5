"""What is compared of two runs, without a screen."""

from pathlib import Path

import numpy as np
import pytest

from lorawiz.runs.logs import StepLog, ValidationLog
from lorawiz.tui.compare.chart import find_limits, iter_dashes
from lorawiz.tui.compare.comparison import (
    Row,
    find_best,
    find_best_validation,
    find_differences,
    load_comparison,
)
from lorawiz.tui.compare.picking import list_others
from lorawiz.tui.curve import build_line
from tests.tui.compare_support import FASTER, make_run
from tests.tui.fake_run import FakeClock


def build_steps(losses: list[float]) -> list[StepLog]:
    return [StepLog(i, 1, loss, loss, 1e-4, 0.3, 0.5) for i, loss in enumerate(losses, 1)]


def test_only_settings_and_inputs_that_differ_are_listed(tmp_path: Path, clock: FakeClock) -> None:
    this, that = make_run(tmp_path, clock, 1, {}), make_run(tmp_path, clock, 2, FASTER)
    assert find_differences(this.folder, that.folder) == [
        Row("network.dim", "16", "8"),
        Row("network.alpha", "8.0", "4.0"),
        Row("train.learning_rate", "0.0001", "0.0002"),
        Row("images", "41 (11111111)", "42 (22222222)"),
    ]
    assert find_differences(this.folder, this.folder) == []


@pytest.mark.parametrize("broken", ["spec", "manifest", "manifest not whole"])
def test_what_cannot_be_read_is_a_complaint_and_the_curves_stay(
    tmp_path: Path, clock: FakeClock, broken: str
) -> None:
    this, that = make_run(tmp_path, clock, 1, {}), make_run(tmp_path, clock, 2, {})
    if broken == "spec":
        that.folder.spec.write_text("schema = 1\n[train]\nlearning_rte = 1\n")
    else:
        that.folder.manifest.write_text("{" if broken == "manifest" else '{"images": 7}')
    comparison = load_comparison(this.folder, that.folder)
    assert comparison.settings == ()
    assert comparison.complaint
    assert comparison.that.view.step == 300


def test_figures_stand_side_by_side(tmp_path: Path, clock: FakeClock) -> None:
    this, that = make_run(tmp_path, clock, 1, {}), make_run(tmp_path, clock, 2, {}, num_steps=20)
    this.write("validation", step=100, loss=0.2)
    this.write("validation", step=200, loss=0.3, std=0.01)
    this.end("finished")
    rows = {row.label: row for row in load_comparison(this.folder, that.folder).build_figures()}
    assert rows["state"] == Row("state", "✓ finished", "● running")
    assert rows["steps"] == Row("steps", "300/300", "20/20")
    assert rows["validation"] == Row("validation", "0.3000 ±0.0100", "–")
    assert rows["best validation"].this == "0.2000 at 100"
    # too few steps to call one of them the best
    assert rows["best loss"].that == "–"
    assert rows["training time"] == Row("training time", "2:43", "0:11")
    assert not rows["speed"].differs


def test_the_best_loss_is_not_one_of_the_first_few_lucky_ones() -> None:
    lucky = [0.001] * 50 + [0.2, float("nan"), 0.1, 0.3]
    best = find_best(build_steps(lucky))
    assert best is not None
    assert best.step == 53
    assert find_best(build_steps(lucky[:50])) is None
    logs = [ValidationLog(1, float("nan"), None), ValidationLog(2, 0.5, None)]
    assert find_best_validation(logs) == logs[1]
    assert find_best_validation(logs[:1]) is None


def test_a_journal_that_grows_is_followed(tmp_path: Path, clock: FakeClock) -> None:
    this, that = make_run(tmp_path, clock, 1, {}), make_run(tmp_path, clock, 2, {})
    comparison = load_comparison(this.folder, that.folder)
    assert not comparison.poll()
    that.train(301, 302)
    assert comparison.poll()
    assert comparison.that.view.step == 302


def test_other_runs_are_listed_newest_first(tmp_path: Path, clock: FakeClock) -> None:
    runs = [make_run(tmp_path, clock, number, {}, 1) for number in (1, 2, 3)]
    assert [run.run_id for run in list_others(runs[1].folder)] == ["lyq-0003", "lyq-0001"]


def test_a_line_has_a_point_a_dot_and_leaves_out_what_is_not_finite() -> None:
    steps, losses = build_line(build_steps([1.0, float("nan"), 3.0, 4.0]), 8, 16)
    assert (steps[0], steps[-1]) == (1.0, 4.0)
    assert len(steps) == 7
    assert losses[2] == pytest.approx(2.0)
    assert build_line(build_steps([float("nan")]), 8, 16)[0].size == 0
    assert len(build_line(build_steps([0.5]), 8, 16)[0]) == 2


def test_a_dashed_line_has_gaps_and_loses_no_end() -> None:
    line = np.arange(25.0), np.ones(25)
    pieces = list(iter_dashes(line))
    assert [(piece[0][0], piece[0][-1]) for piece in pieces] == [(0, 6), (10, 16), (20, 24)]


def test_limits_fit_both_lines_and_an_outlier_does_not_flatten_them() -> None:
    low = np.arange(300.0), np.full(300, 0.1)
    high = np.arange(300.0), np.append([9.0], np.full(299, 0.2))
    limits = find_limits([low, high])
    assert limits is not None
    assert limits[0] < 0.1
    assert 0.2 < limits[1] < 1
    empty = np.empty(0), np.empty(0)
    assert find_limits([empty, empty]) is None
    assert find_limits([low, empty]) is not None
