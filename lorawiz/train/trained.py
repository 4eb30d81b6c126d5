"""What trains in a run, whatever it is: a LoRA, new words, the model itself, or several at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

Part = Literal["unet", "text_encoder", "textual_inversion"]
PARTS: tuple[Part, ...] = ("unet", "text_encoder", "textual_inversion")
"""In the order of their parameter groups."""


@dataclass(frozen=True)
class LearningGroup:
    """Weights that share a learning rate: that of their part, times `lr_weight`."""

    part: Part
    lr_weight: float
    weights: list[nn.Parameter]


class Trained(Protocol):
    """Weights that the optimizer moves, under names that a state keeps them by."""

    def iter_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every trained weight by name, in a fixed order. Names are the same in every run."""

    def list_groups(self) -> list[LearningGroup]:
        """The trained weights by learning rate; parts in the order of `PARTS`."""

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `iter_weights` gave. Names and shapes must be the same."""

    def set_training(self, training: bool) -> None:
        """Dropout on or off, where there is any."""

    def limit_norms(self) -> int | None:
        """Behind a step: scale down what has grown too large. How many; None: nothing is limited."""

    def fits(self, dtype: torch.dtype) -> bool:
        """Whether every weight is finite when it is rounded to `dtype`."""


class TrainedTogether:
    """Several things that train at once. See `Trained`."""

    def __init__(self, members: Sequence[Trained]) -> None:
        self._members = members

    def iter_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        for member in self._members:
            yield from member.iter_weights()

    def list_groups(self) -> list[LearningGroup]:
        groups = [group for member in self._members for group in member.list_groups()]
        return sorted(groups, key=lambda group: PARTS.index(group.part))

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        for member in self._members:
            member.load_weights(tensors)

    def set_training(self, training: bool) -> None:
        for member in self._members:
            member.set_training(training)

    def limit_norms(self) -> int | None:
        found = [member.limit_norms() for member in self._members]
        limited = [count for count in found if count is not None]
        return sum(limited) if limited else None

    def fits(self, dtype: torch.dtype) -> bool:
        return all(member.fits(dtype) for member in self._members)


def fits(trained: Trained, dtype: torch.dtype) -> bool:
    """Whether every weight is finite when it is rounded to `dtype`: what most answer."""
    return all(
        bool(torch.isfinite(weight.detach().to(dtype)).all())
        for _, weight in trained.iter_weights()
    )
