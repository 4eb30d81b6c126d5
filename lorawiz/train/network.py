"""The LoRA: a low-rank path beside each frozen layer (Hu et al. 2021, arXiv:2106.09685).

Shape suffixes: R rank, I inputs, O outputs.
"""

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from lorawiz.families.adapter import LoraTarget
from lorawiz.loras.file import RawTensor
from lorawiz.spec.tables import NetworkTable
from lorawiz.train.frozen import is_plain_cpu, lora_matmul
from lorawiz.train.raw_tensors import to_raw
from lorawiz.train.trained import Part, fits


class LoraLayer(nn.Module):
    """A frozen Linear or 1×1 convolution plus `scale · up(down(x))`.

    `down` starts as kaiming-uniform (a=√5), `up` as zeros, so that training starts at the base
    model. Both are fp32 whatever the base's dtype.
    """

    def __init__(self, base: nn.Module, dim: int, alpha: float, dropout: float) -> None:
        super().__init__()
        assert isinstance(base, nn.Linear | nn.Conv2d)
        self.base: nn.Linear | nn.Conv2d = base
        self.scale = alpha / dim
        self.dropout = dropout
        outputs, inputs = base.weight.shape[:2]
        self.down_RI = nn.Parameter(torch.empty(dim, inputs))
        self.up_OR = nn.Parameter(torch.zeros(outputs, dim))
        nn.init.kaiming_uniform_(self.down_RI, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """x is [..., I] for a Linear, [B, I, H, W] for a convolution; I becomes O."""
        if isinstance(self.base, nn.Conv2d):
            return self._project(x.movedim(1, -1)).movedim(-1, 1)
        return self._project(x)

    def _project(self, x: Tensor) -> Tensor:
        weight_OI, bias_O = self.base.weight.flatten(1), self.base.bias
        has_dropout = self.dropout > 0 and self.training
        if is_plain_cpu(x) and not has_dropout:
            return lora_matmul(x, weight_OI, bias_O, self.down_RI, self.up_OR, self.scale)
        dropped = nn.functional.dropout(x, self.dropout) if has_dropout else x
        low = nn.functional.linear(dropped, self.down_RI.to(_compute_dtype(x)))
        high = nn.functional.linear(low, self.up_OR.to(low.dtype))
        result: Tensor = nn.functional.linear(x, weight_OI, bias_O) + high * self.scale
        return result


def _compute_dtype(x: Tensor) -> torch.dtype:
    """What the low-rank path computes in: autocast casts by itself, elsewhere as its input is."""
    return torch.float32 if torch.is_autocast_enabled(x.device.type) else x.dtype


class LoraNetwork:
    """All layers of one LoRA, by kohya's key."""

    def __init__(self, table: NetworkTable) -> None:
        self._table = table
        self.layers: dict[str, LoraLayer] = {}
        self._parts: dict[str, Part] = {}

    def inject(self, part: Part, targets: Iterable[LoraTarget], device: torch.device) -> None:
        """Put a LoraLayer in place of every target. Draws from torch's global generator."""
        for target in list(targets):
            layer = LoraLayer(
                target.module, self._table.dim, self._table.alpha, self._table.dropout
            )
            layer.down_RI.data = layer.down_RI.data.to(device)
            layer.up_OR.data = layer.up_OR.data.to(device)
            setattr(target.parent, target.attribute, layer)
            self.layers[target.key] = layer
            self._parts[target.key] = part

    def iter_weights(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every trained matrix by name, in a fixed order."""
        for key, layer in self.layers.items():
            yield f"{key}.lora_down.weight", layer.down_RI
            yield f"{key}.lora_up.weight", layer.up_OR

    def part_weights(self, part: Part) -> list[nn.Parameter]:
        """The trained matrices of one part."""
        return [
            weight
            for name, weight in self.iter_weights()
            if self._parts[name.partition(".")[0]] == part
        ]

    def load_weights(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `iter_weights` gave. Names and shapes must be the same."""
        for name, weight in self.iter_weights():
            weight.data.copy_(tensors[name].reshape(weight.shape))

    def set_training(self, training: bool) -> None:
        """Dropout on or off."""
        for layer in self.layers.values():
            layer.training = training

    def fits(self, dtype: torch.dtype) -> bool:
        """Whether every weight is finite when it is rounded to `dtype`."""
        return fits(self, dtype)

    def export(self, dtype: torch.dtype) -> dict[str, RawTensor]:
        """The file's tensors: kohya's keys and shapes, and `.alpha` for each layer.

        Matrices of 1×1 convolutions get their two last dimensions of 1 back.
        """
        tensors: dict[str, RawTensor] = {}
        for key, layer in self.layers.items():
            tail = (1, 1) if isinstance(layer.base, nn.Conv2d) else ()
            for name, weight in (("lora_down", layer.down_RI), ("lora_up", layer.up_OR)):
                tensors[f"{key}.{name}.weight"] = to_raw(
                    weight.reshape(*weight.shape, *tail), dtype
                )
            tensors[f"{key}.alpha"] = to_raw(torch.tensor(self._table.alpha), dtype)
        return tensors
