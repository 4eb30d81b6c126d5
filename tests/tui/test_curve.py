"""Thinning the loss for a chart."""

import math

import numpy as np

from lorawiz.runs.logs import StepLog
from lorawiz.tui.curve import build_curve, fit_axis


def build_steps(losses: list[float]) -> list[StepLog]:
    return [StepLog(i, 1, loss, loss, 1e-4, 0.3, 0.5) for i, loss in enumerate(losses, 1)]


def test_without_a_finite_loss_there_is_no_curve() -> None:
    assert build_curve([], 100) is None
    assert build_curve(build_steps([math.nan, math.inf]), 100) is None


def test_one_point_gets_room_around_it() -> None:
    curve = build_curve(build_steps([0.2]), 100)
    assert curve is not None
    assert curve.dots.tolist() == [0.2]
    assert curve.low < 0.2 < curve.high


def test_a_loss_of_zero_gets_room_too() -> None:
    curve = build_curve(build_steps([0.0, 0.0]), 100)
    assert curve is not None
    assert curve.low < 0.0 < curve.high


def test_a_long_run_is_thinned_but_keeps_its_peaks_and_its_newest_step() -> None:
    losses = [0.1] * 50_000
    losses[31_234] = 9.0
    curve = build_curve(build_steps(losses), 100)
    assert curve is not None
    assert len(curve.dots) <= 400
    assert curve.dots.max() == 9.0
    assert len(curve.line) == 100
    assert curve.line_steps[-1] == 50_000


def test_an_outlier_does_not_flatten_the_rest() -> None:
    losses = [0.1, 0.12] * 100
    losses[40] = 50.0
    steps = build_steps(losses)
    smooth = [StepLog(s.step, 1, s.loss, 0.11, 1e-4, 0.3, 0.5) for s in steps]
    curve = build_curve(smooth, 100)
    assert curve is not None
    assert curve.high < 0.2


def test_nan_is_left_out_of_dots_and_line() -> None:
    curve = build_curve(build_steps([0.3, math.nan, 0.2]), 100)
    assert curve is not None
    assert np.isfinite(curve.dots).all()
    assert curve.line_steps.tolist() == [1, 3]


def test_the_step_axis_halves_until_the_run_fills_half_of_it() -> None:
    assert [fit_axis(step, 1200) for step in (0, 1, 10, 75, 76, 599, 600, 601, 1200)] == [
        10, 10, 19, 75, 150, 600, 600, 1200, 1200,
    ]  # fmt: skip
    assert fit_axis(1300, 1200) == 1300
    assert fit_axis(0, 0) == 1
