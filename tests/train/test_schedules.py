"""The learning rate over a run, against transformers' and diffusers' schedules."""

from typing import Any

import pytest
import torch
from diffusers.optimization import get_piecewise_constant_schedule
from torch.optim.lr_scheduler import LRScheduler
from transformers import get_scheduler
from transformers.optimization import (
    get_cosine_schedule_with_warmup,
    get_polynomial_decay_schedule_with_warmup,
    get_wsd_schedule,
)

from lorawiz.errors import RunError
from lorawiz.spec.document import build_spec
from lorawiz.spec.lr_schedulers import LR_SCHEDULERS
from lorawiz.spec.training import TrainTable
from lorawiz.train.schedules import Course, build_factor

TOTAL = 40
RATE = 1e-4


def make_table(name: str, **settings: Any) -> TrainTable:
    return build_spec({"train": {"lr_scheduler": name, "learning_rate": RATE, **settings}}).train


def make_optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)


def list_theirs(scheduler: LRScheduler) -> list[float]:
    """Their rate at every step, as a share of the first."""
    factors = []
    for _ in range(TOTAL):
        factors.append(scheduler.optimizer.param_groups[0]["lr"] / RATE)
        scheduler.optimizer.step()
        scheduler.step()
    return factors


def list_ours(table: TrainTable) -> list[float]:
    factor = build_factor(table, TOTAL)
    return [factor(done) for done in range(TOTAL)]


def assert_equal(table: TrainTable, theirs: LRScheduler) -> None:
    assert list_ours(table) == pytest.approx(list_theirs(theirs), abs=1e-12, rel=0)


@pytest.mark.parametrize("warmup", [0, 7])
@pytest.mark.parametrize(
    ("name", "settings", "theirs"),
    [
        ("constant_with_warmup", {}, {}),
        ("linear", {}, {}),
        ("cosine", {}, {}),
        ("cosine_with_restarts", {"lr_scheduler_num_cycles": 3}, {"num_cycles": 3}),
        ("polynomial", {"lr_scheduler_power": 2.5}, {"power": 2.5}),
        ("polynomial", {}, {"power": 1.0}),
        ("inverse_sqrt", {}, {}),
        ("inverse_sqrt", {"lr_scheduler_timescale": 9}, {"timescale": 9}),
        (
            "cosine_with_min_lr",
            {"lr_scheduler_min_lr_ratio": 0.1},
            {"num_cycles": 0.5, "min_lr_rate": 0.1},
        ),
        ("cosine_with_min_lr", {"lr_scheduler_args": {"min_lr": 2e-5}}, {"min_lr": 2e-5}),
        (
            "warmup_stable_decay",
            {"lr_decay_steps": 12, "lr_scheduler_num_cycles": 3},
            {"num_decay_steps": 12, "num_cycles": 1.5},
        ),
    ],
)
def test_a_schedule_is_the_one_of_its_name_in_transformers(
    name: str, settings: dict[str, Any], theirs: dict[str, Any], warmup: int
) -> None:
    scheduler = get_scheduler(
        name, make_optimizer(), num_warmup_steps=warmup, num_training_steps=TOTAL,
        scheduler_specific_kwargs=theirs,
    )  # fmt: skip
    assert_equal(make_table(name, lr_warmup_steps=warmup, **settings), scheduler)


@pytest.mark.parametrize("decay_type", ["linear", "cosine", "1-sqrt"])
@pytest.mark.parametrize("warmup_type", ["linear", "cosine", "1-sqrt"])
def test_every_shape_of_warmup_and_decay_is_that_of_transformers(
    warmup_type: str, decay_type: str
) -> None:
    shapes = {"warmup_type": warmup_type, "decay_type": decay_type}
    table = make_table(
        "warmup_stable_decay", lr_warmup_steps=6, lr_decay_steps=0.25,
        lr_scheduler_min_lr_ratio=0.2, lr_scheduler_args=shapes,
    )  # fmt: skip
    scheduler = get_wsd_schedule(
        make_optimizer(), num_warmup_steps=6, num_decay_steps=10, num_training_steps=TOTAL,
        min_lr_ratio=0.2, **shapes,
    )  # fmt: skip
    assert_equal(table, scheduler)


def test_further_arguments_reach_the_schedule() -> None:
    cosine = make_table("cosine", lr_scheduler_args={"num_cycles": 1.5})
    assert_equal(
        cosine, get_cosine_schedule_with_warmup(make_optimizer(), 0, TOTAL, num_cycles=1.5)
    )
    polynomial = make_table("polynomial", lr_scheduler_args={"lr_end": 3e-5})
    assert_equal(
        polynomial,
        get_polynomial_decay_schedule_with_warmup(make_optimizer(), 0, TOTAL, lr_end=3e-5),
    )


@pytest.mark.parametrize("rules", ["1:5,0.1:11,0.02:30,0.005", "0.5:11,1:3,0.1", "0.25"])
def test_piecewise_constant_is_that_of_diffusers(rules: str) -> None:
    table = make_table("piecewise_constant", lr_scheduler_args={"step_rules": rules})
    assert_equal(table, get_piecewise_constant_schedule(make_optimizer(), rules))


def test_rex_is_the_papers_formula() -> None:
    """eta(t) = eta(0) (1 - t/T) / (1/2 + 1/2 (1 - t/T)), Chen et al. 2021, equation 2."""
    expected = [(1 - t / TOTAL) / (0.5 + 0.5 * (1 - t / TOTAL)) for t in range(TOTAL)]
    assert list_ours(make_table("rex")) == pytest.approx(expected, abs=1e-12)
    steeper = list_ours(make_table("rex", lr_scheduler_args={"d": 0.9}))
    assert steeper[TOTAL // 2] == pytest.approx(0.5 / (0.1 + 0.9 * 0.5))
    raised = list_ours(make_table("rex", lr_scheduler_min_lr_ratio=0.5, lr_warmup_steps=4))
    assert raised[:5] == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0])
    assert min(raised[4:]) > 0.5


def test_constant_is_constant_and_warms_up_where_that_is_set() -> None:
    assert list_ours(make_table("constant")) == [1.0] * TOTAL
    warmed = make_table("constant", lr_warmup_steps=5)
    assert list_ours(warmed) == list_ours(make_table("constant_with_warmup", lr_warmup_steps=5))


@pytest.mark.parametrize("name", LR_SCHEDULERS)
def test_a_warmup_as_long_as_the_run_divides_by_nothing(name: str) -> None:
    if name in ("adafactor", "piecewise_constant"):
        return
    table = make_table(name, lr_warmup_steps=TOTAL, lr_decay_steps=1, lr_scheduler_min_lr_ratio=0.1)
    factor = build_factor(table, TOTAL)
    assert all(0 <= factor(done) <= 1 for done in range(TOTAL + 2))


@pytest.mark.parametrize(
    ("setting", "steps"), [(0.0, 0), (0.05, 10), (0.999, 199), (1.0, 1), (30.0, 30)]
)
def test_a_warmup_below_one_is_a_share_of_all_steps(setting: float, steps: int) -> None:
    table = TrainTable(lr_warmup_steps=setting, lr_decay_steps=setting)
    assert Course(table, 200).warmup_steps == Course(table, 200).decay_steps == steps


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("cosine", {"lr_scheduler_args": {"cycles": 2}}, "has no argument cycles"),
        ("cosine", {"lr_scheduler_args": {"num_cycles": "two"}}, "expected a number"),
        ("cosine", {"lr_scheduler_args": {"num_cycles": True}}, "expected a number"),
        ("constant", {"lr_scheduler_args": {"num_cycles": 2}}, "has no argument num_cycles"),
        ("linear", {"lr_scheduler_args": {"course": 1}}, "has no argument course"),
        ("polynomial", {"lr_scheduler_args": {"lr_end": 0.1}}, "not below learning_rate"),
        ("cosine_with_min_lr", {}, "lr_scheduler_min_lr_ratio is not set"),
        (
            "cosine_with_min_lr",
            {"lr_scheduler_args": {"min_lr": 1e-6}, "lr_scheduler_min_lr_ratio": 0.1},
            "two words for one thing",
        ),
        ("warmup_stable_decay", {}, "lr_decay_steps is not set"),
        (
            "warmup_stable_decay",
            {"lr_decay_steps": 4, "lr_scheduler_args": {"decay_type": "sine"}},
            "expected linear, cosine, 1-sqrt",
        ),
        ("piecewise_constant", {}, "step_rules"),
        ("piecewise_constant", {"lr_scheduler_args": {"step_rules": "1:x"}}, "not like 1:500"),
        ("rex", {"lr_scheduler_args": {"d": 1}}, "less than 1"),
        ("adafactor", {}, "needs optimizer_type = AdaFactor"),
    ],
)
def test_what_a_schedule_cannot_take_is_a_sentence(
    name: str, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(RunError) as caught:
        build_factor(make_table(name, **settings), TOTAL)
    assert said in caught.value.message
    assert caught.value.hint
