"""Setting the learning rates before each step, and reading what they came to."""

import warnings
from typing import Any, Protocol

import torch
from torch.optim.lr_scheduler import LRScheduler

from lorawiz.spec.lr_schedulers import LR_SCHEDULERS
from lorawiz.spec.optimizers import sets_own_rate
from lorawiz.spec.training import TrainTable
from lorawiz.train.arguments import MISUSE, list_arguments, misuse, refuse_unknown
from lorawiz.train.optimizers import load_class
from lorawiz.train.schedules import Factor, build_factor

_ARGS_KEY = "train.lr_scheduler_args"


class Rates(Protocol):
    """The learning rates of a run."""

    def set_rates(self, step: int) -> None:
        """Give every group its rate for `step`, counted from 1."""

    def state_dict(self) -> dict[str, Any]:
        """What a resume needs; empty where the step says all."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put that back."""


def build_rates(train: TrainTable, optimizer: torch.optim.Optimizer, total_steps: int) -> Rates:
    """What `train` sets the rates of `optimizer` by. Raises RunError for wrong arguments."""
    if sets_own_rate(train):
        return OwnRates()
    if train.lr_scheduler in LR_SCHEDULERS:
        return FactorRates(optimizer, build_factor(train, total_steps))
    return TorchRates(optimizer, _build_scheduler(train, optimizer))


def effective_rate(optimizer: torch.optim.Optimizer) -> float:
    """The first group's rate in the step just made, with what the optimizer found itself.

    That is lr · d for Prodigy and D-Adaptation, and Adafactor's relative step.
    """
    group = optimizer.param_groups[0]
    if group.get("relative_step"):
        state = optimizer.state.get(group["params"][0])
        return float(optimizer._get_lr(group, state)) if state else 0.0  # type: ignore[attr-defined]
    return float(group.get("scheduled_lr", group["lr"])) * float(group.get("d", 1.0))


class _Stateless:
    """Rates that the step alone decides."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to put back."""


class OwnRates(_Stateless):
    """The optimizer sets its rate itself."""

    def set_rates(self, step: int) -> None:
        """Nothing to set."""


class FactorRates(_Stateless):
    """Every group's own rate times a function of the step."""

    def __init__(self, optimizer: torch.optim.Optimizer, factor: Factor) -> None:
        self._optimizer = optimizer
        self._factor = factor

    def set_rates(self, step: int) -> None:
        factor = self._factor(step - 1)
        for group in self._optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor


class TorchRates:
    """A scheduler of torch's kind, moved on between two steps."""

    def __init__(self, optimizer: torch.optim.Optimizer, scheduler: LRScheduler) -> None:
        self._scheduler = scheduler
        self._num_moves = 0

    def set_rates(self, step: int) -> None:
        with warnings.catch_warnings():
            # a resumed run moves the schedule on before it makes its first step
            warnings.filterwarnings("ignore", message=r"Detected call of `lr_scheduler\.step")
            while self._num_moves < step - 1:
                self._scheduler.step()
                self._num_moves += 1

    def state_dict(self) -> dict[str, Any]:
        return {"num_moves": self._num_moves, "scheduler": self._scheduler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._num_moves = state["num_moves"]
        self._scheduler.load_state_dict(state["scheduler"])


def _build_scheduler(train: TrainTable, optimizer: torch.optim.Optimizer) -> LRScheduler:
    made = load_class(train.lr_scheduler, train.lr_scheduler, LRScheduler)
    ours = ("self", "optimizer", "last_epoch")
    given = train.lr_scheduler_args
    refuse_unknown(_ARGS_KEY, train.lr_scheduler, made, given, ours)
    try:
        scheduler: LRScheduler = made(optimizer, **given)
    except MISUSE as error:
        known = list_arguments(made, ours)
        raise misuse(_ARGS_KEY, train.lr_scheduler, error, known) from error
    return scheduler
