"""The loss as points to draw: thinned to what a chart can show, with limits that fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lorawiz.runs.view import StepLog

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


def build_curve(steps: Sequence[StepLog], num_columns: int) -> Curve | None:
    """At most four raw points and one smoothed point a column; None without a finite loss."""
    step = np.array([log.step for log in steps], np.float64)
    loss = np.array([log.loss for log in steps], np.float64)
    smooth = np.array([log.smooth_loss for log in steps], np.float64)
    is_raw, is_smooth = np.isfinite(loss), np.isfinite(smooth)
    if not is_raw.any():
        return None
    dots = _thin(loss[is_raw], num_columns)
    line = _thin_evenly(int(is_smooth.sum()), num_columns)
    low, high = _limits(loss[is_raw], smooth[is_smooth])
    return Curve(
        step[is_raw][dots], loss[is_raw][dots], step[is_smooth][line], smooth[is_smooth][line],
        low, high,
    )  # fmt: skip


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
