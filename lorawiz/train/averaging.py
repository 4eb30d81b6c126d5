"""The moving average of what trains (EMA): smoother than the last step, and what is then saved.

Polyak and Juditsky 1992; the decay's ramp is that of diffusers' EMAModel and of TensorFlow's
ExponentialMovingAverage: min(decay, (1 + t) / (10 + t)) behind step t.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from lorawiz.errors import RunError
from lorawiz.train.trained import Trained


class MovingAverage:
    """average ← average + (1 - decay) · (weight - average) behind each step, in fp32."""

    def __init__(self, network: Trained, decay: float) -> None:
        self.decay = decay
        self._weights = dict(network.iter_weights())
        self._averages = {
            name: weight.detach().float().clone() for name, weight in self._weights.items()
        }

    def decay_behind(self, step: int) -> float:
        """The share that is left of the average behind `step`, counted from 1."""
        return min(self.decay, (1 + step) / (10 + step))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights as they are behind `step`."""
        weights = [weight.detach().float() for weight in self._weights.values()]
        torch._foreach_lerp_(list(self._averages.values()), weights, 1.0 - self.decay_behind(step))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the weights are their average; behind it they are what they were, to the bit."""
        kept = {name: weight.data for name, weight in self._weights.items()}
        for name, weight in self._weights.items():
            weight.data = self._averages[name].to(weight.dtype)
        try:
            yield
        finally:
            for name, weight in self._weights.items():
                weight.data = kept[name]

    def tensors(self) -> dict[str, Tensor]:
        """The averages by the weights' names."""
        return self._averages

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave. Raises RunError where it is of another network."""
        if tensors.keys() != self._averages.keys():
            raise RunError("the averages of the state belong to another network")
        for name, average in self._averages.items():
            average.copy_(tensors[name])
