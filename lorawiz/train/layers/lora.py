"""LoRA: a low-rank path beside the frozen layer (Hu et al. 2021, arXiv:2106.09685).

Shape suffixes: B batch, I inputs (rows and columns of a convolution included), O outputs, R rank.
"""

import math

import torch
from torch import Tensor, nn

from lorawiz.train.frozen import can_fuse, lora_matmul
from lorawiz.train.layers.base import AdapterLayer, Settings, compute_dtype
from lorawiz.train.quantized import Quantized, find_stored


class LoraLayer(AdapterLayer):
    """The frozen layer plus `scale · up(down(x))`.

    `down` starts as kaiming-uniform (a=√5), `up` as zeros. Of a convolution `down` has its rows,
    columns, stride and padding, and `up` is pointwise.
    """

    second = ("lora_up.weight",)

    def __init__(self, base: nn.Module, settings: Settings) -> None:
        super().__init__(base, settings)
        outputs, inputs = self.base.weight.flatten(1).shape
        self.down_RI = nn.Parameter(torch.empty(settings.dim, inputs))
        self.up_OR = nn.Parameter(torch.zeros(outputs, settings.dim))
        nn.init.kaiming_uniform_(self.down_RI, a=math.sqrt(5))

    @property
    def weights(self) -> dict[str, nn.Parameter]:
        return {"lora_down.weight": self.down_RI, "lora_up.weight": self.up_OR}

    def tensors(self) -> dict[str, Tensor]:
        """Matrices of convolutions get their rows and columns back."""
        tensors = super().tensors()
        if self.is_convolution:
            down = tensors["lora_down.weight"]
            tensors["lora_down.weight"] = down.view(len(down), *self.shape[1:])
            tensors["lora_up.weight"] = tensors["lora_up.weight"][:, :, None, None]
        return tensors

    def adapt(self, x: Tensor) -> Tensor:
        if self.is_wide:
            return self._convolve(x)
        if self.is_convolution:
            return self._project(x.movedim(1, -1)).movedim(-1, 1)
        return self._project(x)

    def _project(self, x: Tensor) -> Tensor:
        stored, bias_O = find_stored(self.base), self.base.bias
        weight_OI = self.base.weight.flatten(1) if stored is None else stored
        is_known = isinstance(weight_OI, Quantized) or can_fuse(x, weight_OI)
        if is_known and not self._is_dropping:
            return lora_matmul(x, weight_OI, bias_O, self.down_RI, self.up_OR, self.scale)
        low = nn.functional.linear(x, self.down_RI.to(compute_dtype(x)))
        low = self._drop(low, -1)
        high = nn.functional.linear(low, self.up_OR.to(low.dtype))
        if isinstance(weight_OI, Quantized):
            whole = self._apply_base(x)
        else:
            whole = nn.functional.linear(x, weight_OI, bias_O)
        result: Tensor = whole + high * self.scale
        return result

    def _apply_base(self, x: Tensor) -> Tensor:
        """The frozen layer's own product of x [..., I], a pointwise convolution's too."""
        if self.is_convolution:
            result: Tensor = self.base(x.movedim(-1, 1)).movedim(1, -1)
            return result
        plain: Tensor = self.base(x)
        return plain

    def _convolve(self, x: Tensor) -> Tensor:
        down = self.down_RI.view(-1, *self.shape[1:]).to(compute_dtype(x))
        low = self._drop(nn.functional.conv2d(x, down, **self.geometry), 1)
        high = nn.functional.conv2d(low, self.up_OR[:, :, None, None].to(low.dtype))
        result: Tensor = self.base(x) + high * self.scale
        return result

    @property
    def _is_dropping(self) -> bool:
        settings = self.settings
        return self.training and bool(settings.dropout or settings.rank_dropout)

    def _drop(self, low: Tensor, rank_dim: int) -> Tensor:
        """Zero values, and whole ranks of each image, as sd-scripts does (networks/lora.py)."""
        if not self._is_dropping:
            return low
        low = nn.functional.dropout(low, self.settings.dropout)
        share = self.settings.rank_dropout
        if share:
            shape = [len(low), *[1] * (low.ndim - 1)]
            shape[rank_dim] = low.shape[rank_dim]
            kept = torch.rand(shape, device=low.device) > share
            low = low * kept / (1 - share)
        return low

    @torch.no_grad()
    def limit_norm(self, most: float) -> Tensor:
        """Scale the layer down to a Frobenius norm of `most`. Returns whether it was larger, []."""
        # |U·D|² is the sum over (UᵀU)·(DDᵀ): nothing of the layer's size is made
        inner = (self.up_OR.t() @ self.up_OR) * (self.down_RI @ self.down_RI.t())
        norm = self.scale * inner.sum().clamp(min=0).sqrt()
        factor = (most / norm.clamp(min=most)).sqrt()
        self.up_OR.mul_(factor)
        self.down_RI.mul_(factor)
        return norm > most
