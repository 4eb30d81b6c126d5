"""Full fine-tuning: the base's own weights train, without a LoRA beside them.

They are kept in fp32 whatever they are computed in, so that small updates are not rounded away.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from lorawiz.train.trained import PARTS, LearningGroup, Part, fits


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

    def list_groups(self) -> list[LearningGroup]:
        return [
            LearningGroup(part, 1.0, list(self._models[part].parameters()))
            for part in PARTS
            if part in self._models
        ]

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        for name, weight in self.iter_weights():
            weight.data.copy_(tensors[name])

    def fits(self, dtype: torch.dtype) -> bool:
        return fits(self, dtype)

    def set_training(self, training: bool) -> None:
        """The models have no dropout of their own."""

    def limit_norms(self) -> int | None:
        """Norms of whole models are not limited."""
        return None
