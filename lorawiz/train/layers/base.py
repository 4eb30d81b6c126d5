"""What every kind of trained layer shares: the frozen one it wraps, and its names in the file.

Shape suffixes: B batch, I inputs, O outputs, R rank, K rows × columns of a convolution.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lorawiz.loras.layout import Placed
from lorawiz.spec.network import NetworkTable
from lorawiz.train.autocasting import find_autocast_dtype
from lorawiz.train.quantized import find_stored

Base = nn.Linear | nn.Conv2d


@dataclass(frozen=True)
class Settings:
    """What a layer is made by."""

    dim: int
    alpha: float
    dropout: float = 0.0
    rank_dropout: float = 0.0
    module_dropout: float = 0.0
    factor: int = 8
    """Of lokr."""

    @classmethod
    def of(cls, table: NetworkTable, placed: Placed) -> "Settings":
        """Those of one place in a network."""
        return cls(
            dim=placed.dim, alpha=placed.alpha, dropout=table.dropout,
            rank_dropout=table.rank_dropout, module_dropout=table.module_dropout,
            factor=table.lokr_factor,
        )  # fmt: skip


class AdapterLayer(nn.Module):
    """A frozen Linear or convolution, and what is trained beside it. It starts as the frozen one.

    Trained weights are fp32 whatever the base's dtype.
    """

    second: tuple[str, ...] = ()
    """Names of the weights that start at zero: LoRA+ gives them another learning rate."""

    def __init__(self, base: nn.Module, settings: Settings) -> None:
        super().__init__()
        assert isinstance(base, Base)
        self.base: Base = base
        self.settings = settings
        self.scale = settings.alpha / settings.dim

    @property
    def weights(self) -> dict[str, nn.Parameter]:
        """What is trained, by its name in the file."""
        raise NotImplementedError

    def adapt(self, x: Tensor) -> Tensor:
        """The layer's output with what is trained: [..., I] to [..., O], or [B, I, H, W]."""
        raise NotImplementedError

    def tensors(self) -> dict[str, Tensor]:
        """What the file holds of the layer, by name, in the file's shapes."""
        alpha = torch.tensor(self.settings.alpha)
        return {**{name: weight.detach() for name, weight in self.weights.items()}, "alpha": alpha}

    def forward(self, x: Tensor) -> Tensor:
        """x is [..., I] for a Linear, [B, I, H, W] for a convolution; I becomes O."""
        share = self.settings.module_dropout
        if share and self.training and float(torch.rand(())) < share:
            result: Tensor = self.base(x)
            return result
        return self.adapt(x)

    @property
    def is_convolution(self) -> bool:
        return isinstance(self.base, nn.Conv2d)

    @property
    def is_wide(self) -> bool:
        """Whether it is a convolution over more than one pixel, or with a stride."""
        base = self.base
        return isinstance(base, nn.Conv2d) and (
            base.kernel_size != (1, 1) or base.stride != (1, 1) or base.padding != (0, 0)
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the frozen weight: [O, I], or [O, I, rows, columns]."""
        stored = find_stored(self.base)
        return tuple(self.base.weight.shape if stored is None else stored.shape)

    def apply_weight(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The frozen layer's product with another weight, of any shape that holds its numbers."""
        if isinstance(self.base, nn.Linear):
            return nn.functional.linear(x, weight, bias)
        return nn.functional.conv2d(x, weight, bias, **self.geometry)

    @property
    def geometry(self) -> dict[str, Any]:
        """Stride and padding of a convolution."""
        assert isinstance(self.base, nn.Conv2d)
        return {"stride": self.base.stride, "padding": self.base.padding}


def compute_dtype(x: Tensor) -> torch.dtype:
    """What trained weights compute in: autocast casts by itself, elsewhere as the input is."""
    return x.dtype if find_autocast_dtype(x) is None else torch.float32
