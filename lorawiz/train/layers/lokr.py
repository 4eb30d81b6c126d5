"""LoKr: a Kronecker product of a small and a low-rank matrix (Yeh et al. 2023, arXiv:2309.14859).

Named and split as LyCORIS does. Shape suffixes: B batch, I inputs, O outputs, L and M the small
matrix's outputs and inputs, P and N the large one's (O = L·P, I = M·N), H W rows and columns.
"""

import math

import torch
from torch import Tensor, nn

from lorawiz.loras.layout import lokr_shapes
from lorawiz.train.layers.base import AdapterLayer, Settings, compute_dtype


class LokrLayer(AdapterLayer):
    """The frozen layer plus `scale · (w1 ⊗ w2) x`; w2 is a product of two where that is smaller.

    The product is never made: w2 is applied to the parts of x, then w1 mixes them.
    """

    def __init__(self, base: nn.Module, settings: Settings) -> None:
        super().__init__(base, settings)
        shapes = lokr_shapes(self.shape, settings.dim, settings.factor)
        self._own = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(shape)) for name, shape in shapes.items()}
        )
        for name in ("lokr_w1", "lokr_w2_a"):
            if name in shapes:
                nn.init.kaiming_uniform_(self._own[name], a=math.sqrt(5))
        # two whole matrices have no rank to be scaled by
        self.scale = self.scale if "lokr_w2_a" in shapes else 1.0
        self.second = ("lokr_w2_b",) if "lokr_w2_a" in shapes else ("lokr_w2",)

    @property
    def weights(self) -> dict[str, nn.Parameter]:
        return {name: self._own[name] for name in self._own}

    def tensors(self) -> dict[str, Tensor]:
        tensors = super().tensors()
        if "lokr_w2_a" not in tensors:
            # readers divide alpha by the rank of a product, and there is none
            tensors["alpha"] = torch.tensor(float(self.settings.dim))
        return tensors

    def adapt(self, x: Tensor) -> Tensor:
        dtype = compute_dtype(x)
        small_LM = self._own["lokr_w1"].to(dtype)
        parts = self._apply_large(x, small_LM.shape[1], dtype)
        if self.is_convolution:
            mixed = torch.einsum("lm,bmphw->blphw", small_LM, parts).flatten(1, 2)
        else:
            mixed = torch.einsum("lm,...mp->...lp", small_LM, parts).flatten(-2)
        result: Tensor = self.base(x) + mixed * self.scale
        return result

    def _apply_large(self, x: Tensor, num_parts: int, dtype: torch.dtype) -> Tensor:
        """w2 on each of the M parts of x: [..., M, P], or [B, M, P, H, W]."""
        matrices = [self._own[name].to(dtype) for name in self._own if name != "lokr_w1"]
        if not self.is_convolution:
            parts = x.reshape(*x.shape[:-1], num_parts, -1)
            for matrix in reversed(matrices):
                parts = nn.functional.linear(parts, matrix)
            return parts
        parts = x.reshape(len(x) * num_parts, -1, *x.shape[2:])
        first = matrices[-1].reshape(len(matrices[-1]), parts.shape[1], *self.shape[2:])
        parts = nn.functional.conv2d(parts, first, **self.geometry)
        for matrix in reversed(matrices[:-1]):
            parts = nn.functional.conv2d(parts, matrix[:, :, None, None])
        return parts.view(len(x), num_parts, *parts.shape[1:])
