"""Full fine-tuning: the base's own weights train, without a LoRA beside them.

They are kept in fp32 whatever they are computed in, so that small updates are not rounded away.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from lorawiz.train.trained import Part, fits


class FullWeights:
    """The weights of whole models. See `lorawiz.train.trained.Trained`."""

    def __init__(self) -> None:
        self._models: dict[Part, nn.Module] = {}

    def add(self, part: Part, model: nn.Module) -> None:
        """Let all weights of `model` train."""
        self._models[part] = model.requires_grad_(True)

    def iter_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        for part, model in self._models.items():
            for name, weight in model.named_parameters():
                yield f"{part}.{name}", weight

    def part_weights(self, part: Part) -> list[nn.Parameter]:
        return list(self._models[part].parameters()) if part in self._models else []

    def load_weights(self, tensors: dict[str, Tensor]) -> None:
        for name, weight in self.iter_weights():
            weight.data.copy_(tensors[name])

    def fits(self, dtype: torch.dtype) -> bool:
        return fits(self, dtype)

    def set_training(self, training: bool) -> None:
        """The models have no dropout of their own."""
