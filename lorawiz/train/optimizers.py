"""The optimizer that a spec names, made of its library's class, for the trained weights.

Which names there are, and what is known of each, is data: lorawiz/spec/optimizers.py.
"""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from lorawiz.errors import RunError, visible_text
from lorawiz.spec.optimizers import (
    find_optimizer,
    is_missing,
    optimizer_arguments,
    sets_own_rate,
)
from lorawiz.spec.tables import Spec
from lorawiz.spec.training import TrainTable
from lorawiz.train.arguments import MISUSE, list_arguments, misuse, refuse_unknown
from lorawiz.train.trained import LearningGroup, Part, Trained

_ARGS_KEY = "train.optimizer_args"
_NOT_TO_SET = ("self", "params", "lr", "named_parameters")


def build_optimizer(spec: Spec, network: Trained) -> torch.optim.Optimizer:
    """The optimizer over the network, with one parameter group for each learning rate.

    Raises RunError for a missing package, a class that is none, and arguments that do not suit.
    """
    return make_optimizer(spec.train, network.list_groups(), spec.textual_inversion.learning_rate)


def make_optimizer(
    train: TrainTable, learning: Sequence[LearningGroup], token_lr: float | None = None
) -> torch.optim.Optimizer:
    """The optimizer over groups of weights; see `build_optimizer`.

    `token_lr` is a new word's own learning rate.
    """
    entry = find_optimizer(train.optimizer_type)
    made = load_class(train.optimizer_type, entry.class_path, torch.optim.Optimizer)
    ours = (*_NOT_TO_SET, *entry.fixed)
    given = optimizer_arguments(train)
    refuse_unknown(_ARGS_KEY, train.optimizer_type, made, given, ours)
    try:
        optimizer: torch.optim.Optimizer = made(
            _list_groups(train, learning, token_lr),
            lr=None if sets_own_rate(train) else train.learning_rate,
            **{**entry.fixed, **given},
        )
    except MISUSE as error:
        known = list_arguments(made, ours)
        raise misuse(_ARGS_KEY, train.optimizer_type, error, known) from error
    if is_averaging(optimizer):
        optimizer.train()  # type: ignore[attr-defined]
    return optimizer


def load_class(name: str, path: str, kind: type) -> Any:
    """The subclass of `kind` at a dotted path. Raises RunError where there is none."""
    entry = find_optimizer(name)
    if is_missing(entry):
        raise RunError(
            f"{name} needs {entry.package}, which is not installed here",
            f"pip install 'lorawiz[{entry.extra}]'" if entry.extra else f"install what has {path}",
        )
    module, _, class_name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), class_name)
    except (ImportError, AttributeError) as error:
        raise RunError(
            f"{path}: cannot be imported: {visible_text(str(error))}",
            "name it as module.Class",
        ) from error
    if not (isinstance(found, type) and issubclass(found, kind)):
        raise RunError(
            f"{path} is no {kind.__name__}",
            f"name a class that derives from {kind.__module__}.{kind.__name__}",
        )
    return found


@contextmanager
def averaged_weights(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Inside, a schedule-free optimizer's weights are its average; others' are as they are.

    Afterwards the weights that it steps are back to the bit: its own way back rounds anew.
    """
    if not is_averaging(optimizer):
        yield
        return
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    stepped = [weight.detach().clone() for weight in weights]
    optimizer.eval()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        optimizer.train()  # type: ignore[attr-defined]
        for weight, kept in zip(weights, stepped, strict=True):
            weight.data.copy_(kept)


def is_averaging(optimizer: torch.optim.Optimizer) -> bool:
    """Whether it tells training from evaluation, as schedule-free ones do."""
    return all(callable(getattr(optimizer, name, None)) for name in ("train", "eval"))


def _list_groups(
    train: TrainTable, learning: Sequence[LearningGroup], token_lr: float | None
) -> list[dict[str, Any]]:
    if sets_own_rate(train):
        return [{"params": group.weights} for group in learning]
    rates = [_part_lr(train, group.part, token_lr) * group.lr_weight for group in learning]
    return [
        {"params": group.weights, "lr": rate, "base_lr": rate}
        for group, rate in zip(learning, rates, strict=True)
    ]


def _part_lr(train: TrainTable, part: Part, token_lr: float | None) -> float:
    if part == "textual_inversion":
        return token_lr or train.learning_rate
    return train.part_lr(part)
