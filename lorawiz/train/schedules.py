"""The learning rate's factor as a pure function of the step: a resume needs nothing else.

Each schedule is transformers' (or diffusers') of its name; REX is Chen et al. 2021
(arXiv:2107.04197). Its own arguments, from `lr_scheduler_args`, are the keywords of its builder.
`done` counts the steps before the present one: 0 at the first.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lorawiz.errors import RunError
from lorawiz.spec.training import TrainTable
from lorawiz.train.arguments import list_arguments, misuse, refuse_unknown

Factor = Callable[[int], float]
"""Maps `done` to what the learning rate is multiplied by."""

_ARGS_KEY = "train.lr_scheduler_args"
_RAMPS: dict[str, Callable[[float], float]] = {
    "linear": lambda progress: progress,
    "cosine": lambda progress: 0.5 * (1.0 - math.cos(math.pi * progress)),
    "1-sqrt": lambda progress: 1.0 - math.sqrt(1.0 - progress),
}


@dataclass(frozen=True)
class Course:
    """The run that a schedule goes over, in optimizer steps."""

    table: TrainTable
    total_steps: int

    @property
    def warmup_steps(self) -> int:
        return _as_steps(self.table.lr_warmup_steps, self.total_steps)

    @property
    def decay_steps(self) -> int:
        return _as_steps(self.table.lr_decay_steps, self.total_steps)

    def progress(self, done: int) -> float:
        """0 behind the warm-up, 1 behind the last step."""
        return (done - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps)

    def with_warmup(self, factor: Factor) -> Factor:
        """Along a line from 0 during the warm-up, then `factor`."""
        warmup = self.warmup_steps
        return lambda done: done / warmup if done < warmup else factor(done)


def build_factor(table: TrainTable, total_steps: int) -> Factor:
    """The schedule that `table` names. Raises RunError for arguments that it cannot take."""
    name, given = table.lr_scheduler, table.lr_scheduler_args
    build = _BUILDERS[name]
    refuse_unknown(_ARGS_KEY, name, build, given, ("course",))
    known = list_arguments(build, ("course",))
    try:
        _check_kinds(build, given)
        return build(Course(table, total_steps), **given)
    except (TypeError, ValueError) as error:
        raise misuse(_ARGS_KEY, name, error, known) from error


def _as_steps(setting: float, total_steps: int) -> int:
    """A setting in steps; below 1 it is a share of all."""
    return int(setting * total_steps) if setting < 1 else int(setting)


def _check_kinds(build: Callable[..., Factor], given: dict[str, Any]) -> None:
    parameters = inspect.signature(build).parameters
    for name, value in given.items():
        is_text = parameters[name].annotation is str
        fits = isinstance(value, str if is_text else int | float) and not isinstance(value, bool)
        if not fits:
            raise ValueError(f"{name} = {value!r}: expected {'text' if is_text else 'a number'}")


def _constant(course: Course) -> Factor:
    return course.with_warmup(lambda done: 1.0)


def _linear(course: Course) -> Factor:
    return course.with_warmup(lambda done: max(0.0, 1.0 - course.progress(done)))


def _cosine(course: Course, *, num_cycles: float = 0.5) -> Factor:
    return course.with_warmup(lambda done: max(0.0, _wave(num_cycles * course.progress(done))))


def _cosine_with_restarts(course: Course) -> Factor:
    num_cycles = course.table.lr_scheduler_num_cycles

    def factor(done: int) -> float:
        progress = course.progress(done)
        return 0.0 if progress >= 1.0 else max(0.0, _wave((num_cycles * progress) % 1.0 / 2))

    return course.with_warmup(factor)


def _polynomial(course: Course, *, lr_end: float = 1e-7) -> Factor:
    rate, power = course.table.learning_rate, course.table.lr_scheduler_power
    if not 0 <= lr_end < rate:
        raise ValueError(f"lr_end = {lr_end:g} is not below learning_rate = {rate:g}")

    def factor(done: int) -> float:
        left = max(0.0, 1.0 - course.progress(done))
        return ((rate - lr_end) * math.pow(left, power) + lr_end) / rate

    return course.with_warmup(factor)


def _inverse_sqrt(course: Course) -> Factor:
    warmup = course.warmup_steps
    timescale = course.table.lr_scheduler_timescale or warmup or 10_000
    return course.with_warmup(lambda done: 1.0 / math.sqrt((done + timescale - warmup) / timescale))


def _cosine_with_min_lr(course: Course, *, min_lr: float = -1.0) -> Factor:
    table = course.table
    ratio = table.lr_scheduler_min_lr_ratio
    if min_lr >= 0:
        if ratio is not None:
            raise ValueError("min_lr and lr_scheduler_min_lr_ratio are two words for one thing")
        ratio = min_lr / table.learning_rate
    if ratio is None:
        raise ValueError("lr_scheduler_min_lr_ratio is not set")
    waves, least = table.lr_scheduler_num_cycles / 2, ratio
    return course.with_warmup(
        lambda done: max(0.0, _wave(waves * course.progress(done)) * (1.0 - least) + least)
    )


def _warmup_stable_decay(
    course: Course, *, warmup_type: str = "linear", decay_type: str = "cosine"
) -> Factor:
    """Starts from, and ends at, lr_scheduler_min_lr_ratio."""
    for name, kind in (("warmup_type", warmup_type), ("decay_type", decay_type)):
        if kind not in _RAMPS:
            raise ValueError(f"{name} = {kind!r}: expected {', '.join(_RAMPS)}")
    warmup, decay = course.warmup_steps, course.decay_steps
    if decay == 0:
        raise ValueError("lr_decay_steps is not set: there is no decay")
    least = course.table.lr_scheduler_min_lr_ratio or 0.0
    waves = course.table.lr_scheduler_num_cycles / 2
    first_decayed = max(warmup, course.total_steps - decay)

    def shape(done: int) -> float:
        if done < warmup:
            return _RAMPS[warmup_type](done / warmup)
        progress = (done - (course.total_steps - decay)) / decay
        if decay_type == "cosine":
            return _wave(waves * progress)
        return 1.0 - progress if decay_type == "linear" else 1.0 - math.sqrt(progress)

    def factor(done: int) -> float:
        if warmup <= done < first_decayed:
            return 1.0
        if done >= course.total_steps:
            return least
        return max(0.0, shape(done) * (1.0 - least) + least)

    return factor


def _piecewise_constant(course: Course, *, step_rules: str) -> Factor:
    """`1:500,0.1:800,0.01`: 1 before step 500, 0.1 before step 800, then 0.01."""
    *bounded, last = step_rules.split(",")
    try:
        rules = sorted(
            (int(until), float(value)) for value, until in (b.split(":") for b in bounded)
        )
        rest = float(last)
    except ValueError as error:
        raise ValueError(f'step_rules = "{step_rules}" is not like 1:500,0.1:800,0.01') from error
    return lambda done: next((value for until, value in rules if done < until), rest)


def _rex(course: Course, *, d: float = 0.5) -> Factor:
    """(1 - z) / ((1 - d) + d · (1 - z)) at the share z of the run; the paper has d = 1/2."""
    if not 0 <= d < 1:
        raise ValueError(f"d = {d:g}: expected 0 or more and less than 1")
    least = course.table.lr_scheduler_min_lr_ratio or 0.0

    def factor(done: int) -> float:
        left = max(0.0, 1.0 - course.progress(done))
        return left / ((1.0 - d) + d * left) * (1.0 - least) + least

    return course.with_warmup(factor)


def _adafactor(course: Course) -> Factor:
    """Adafactor sets its rate itself: this stands here for optimizers that do not."""
    raise RunError(
        "train.lr_scheduler = adafactor needs optimizer_type = AdaFactor with relative_step",
        "lorawiz set train.lr_scheduler constant",
    )


def _wave(turns: float) -> float:
    """1 at whole turns, 0 at half ones."""
    return 0.5 * (1.0 + math.cos(math.pi * 2.0 * turns))


_BUILDERS: dict[str, Callable[..., Factor]] = {
    "constant": _constant,
    "constant_with_warmup": _constant,
    "linear": _linear,
    "cosine": _cosine,
    "cosine_with_restarts": _cosine_with_restarts,
    "polynomial": _polynomial,
    "inverse_sqrt": _inverse_sqrt,
    "cosine_with_min_lr": _cosine_with_min_lr,
    "warmup_stable_decay": _warmup_stable_decay,
    "piecewise_constant": _piecewise_constant,
    "rex": _rex,
    "adafactor": _adafactor,
}
