"""What trains in a run, whatever it is: a LoRA, new words, the model itself, or several at once."""

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

Part = Literal["unet", "text_encoder", "textual_inversion"]
PARTS: tuple[Part, ...] = ("unet", "text_encoder", "textual_inversion")
"""In the order of their parameter groups."""


class Trained(Protocol):
    """Weights that the optimizer moves, under names that a state keeps them by."""

    def iter_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every trained weight by name, in a fixed order. Names are the same in every run."""

    def part_weights(self, part: Part) -> list[nn.Parameter]:
        """The trained weights of one part, which share a learning rate."""

    def load_weights(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `iter_weights` gave. Names and shapes must be the same."""

    def set_training(self, training: bool) -> None:
        """Dropout on or off, where there is any."""

    def fits(self, dtype: torch.dtype) -> bool:
        """Whether every weight is finite when it is rounded to `dtype`."""


class TrainedTogether:
    """Several things that train at once. See `Trained`."""

    def __init__(self, members: Sequence[Trained]) -> None:
        self._members = members

    def iter_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        for member in self._members:
            yield from member.iter_weights()

    def part_weights(self, part: Part) -> list[nn.Parameter]:
        return [weight for member in self._members for weight in member.part_weights(part)]

    def load_weights(self, tensors: dict[str, Tensor]) -> None:
        for member in self._members:
            member.load_weights(tensors)

    def set_training(self, training: bool) -> None:
        for member in self._members:
            member.set_training(training)

    def fits(self, dtype: torch.dtype) -> bool:
        return all(member.fits(dtype) for member in self._members)


def fits(trained: Trained, dtype: torch.dtype) -> bool:
    """Whether every weight is finite when it is rounded to `dtype`: what most answer."""
    return all(
        bool(torch.isfinite(weight.detach().to(dtype)).all())
        for _, weight in trained.iter_weights()
    )
