"""The loss as points to draw: thinned to what a chart can show, with limits that fit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lorawiz.runs.logs import StepLog, ValidationLog

Floats = NDArray[np.float64]
_DOTS_PER_COLUMN = 4


@dataclass(frozen=True)
class Curve:
    """Points of a loss chart; only finite ones."""

    dot_steps: Floats
    dots: Floats
    """The raw loss."""
    line_steps: Floats
    line: Floats
    """The smoothed loss."""
    low: float
    high: float
    checked_steps: Floats
    checked: Floats
    """The validation loss."""


def build_curve(
    steps: Sequence[StepLog], num_columns: int, validations: Sequence[ValidationLog] = ()
) -> Curve | None:
    """At most four raw points and one smoothed point a column; None without a finite loss."""
    step = np.array([log.step for log in steps], np.float64)
    loss = np.array([log.loss for log in steps], np.float64)
    smooth = np.array([log.smooth_loss for log in steps], np.float64)
    is_raw, is_smooth = np.isfinite(loss), np.isfinite(smooth)
    if not is_raw.any():
        return None
    dots = _thin(loss[is_raw], num_columns)
    line = _thin_evenly(int(is_smooth.sum()), num_columns)
    known = [log for log in validations if math.isfinite(log.loss)]
    checked = np.array([log.loss for log in known], np.float64)
    checked_steps = np.array([log.step for log in known], np.float64)
    if len(known) > num_columns:
        kept = _thin_evenly(len(known), num_columns)
        checked_steps, checked = checked_steps[kept], checked[kept]
    low, high = _limits(loss[is_raw], np.concatenate([smooth[is_smooth], checked]))
    return Curve(
        step[is_raw][dots], loss[is_raw][dots], step[is_smooth][line], smooth[is_smooth][line],
        low, high, checked_steps, checked,
    )  # fmt: skip


def build_line(steps: Sequence[StepLog], axis_end: float, num_dots: int) -> tuple[Floats, Floats]:
    """Steps and smoothed loss at so many places an axis; empty without a finite loss."""
    known = [log for log in steps if math.isfinite(log.smooth_loss)]
    if not known:
        return np.empty(0), np.empty(0)
    step = np.array([log.step for log in known], np.float64)
    num = max(int((step[-1] - step[0]) / axis_end * num_dots), 1) + 1
    places = np.linspace(step[0], step[-1], num)
    return places, np.interp(places, step, np.array([log.smooth_loss for log in known]))


def fit_axis(step: int, total_steps: int) -> int:
    """Where the step axis ends: a half, a quarter … of the run, so that it seldom moves."""
    end = max(total_steps, step, 1)
    while end // 2 >= max(step, 8):
        end = (end + 1) // 2
    return end


def _thin(values: Floats, num_columns: int) -> NDArray[np.intp]:
    """Indexes of lowest, highest, first and middle value of each column."""
    if len(values) <= num_columns * _DOTS_PER_COLUMN:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), num_columns + 1).astype(int)
    kept = {
        index
        for start, end in pairwise(edges)
        for index in (
            int(start),
            int(start + end) // 2,
            int(start + values[start:end].argmin()),
            int(start + values[start:end].argmax()),
        )
    }
    return np.array(sorted(kept), np.intp)


def _thin_evenly(num_values: int, num_columns: int) -> NDArray[np.intp]:
    """Evenly spread indexes; the newest is always one."""
    if num_values <= num_columns:
        return np.arange(num_values)
    return np.linspace(0, num_values - 1, num_columns).round().astype(np.intp)


def _limits(loss: Floats, smooth: Floats) -> tuple[float, float]:
    """Room for the line and most dots; an outlier must not flatten the rest."""
    low, high = np.quantile(loss, [0.05, 0.95])
    low = min(low, *smooth[:1], smooth.min(initial=low))
    high = max(high, *smooth[:1], smooth.max(initial=high))
    margin = (high - low) * 0.05 or abs(high) * 0.5 or 0.5
    return float(low - margin), float(high + margin)
