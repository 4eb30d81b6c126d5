"""DoRA: the size of a weight is trained apart from its direction (Liu et al. 2024, arXiv:2402.09353).

Shape suffixes: I inputs, O outputs, R rank, K rows × columns of a convolution.
"""

import torch
from torch import Tensor, nn

from lorawiz.train.layers.base import Settings
from lorawiz.train.layers.lora import LoraLayer


class DoraLayer(LoraLayer):
    """A LoRA whose merged weight has columns of a trained length: `m · (W + ΔW) / |W + ΔW|`.

    A column is what one input is multiplied by, as in the paper and as ComfyUI and the web UIs
    read `dora_scale`. The length that is divided by gets no gradient (the paper's section 4.3).
    """

    def __init__(self, base: nn.Module, settings: Settings) -> None:
        super().__init__(base, settings)
        weight_OIK = self._frozen()
        self.register_buffer("squares_I", weight_OIK.square().sum(dim=(0, 2)), persistent=False)
        self.lengths_I = nn.Parameter(self._squares().sqrt())

    @property
    def weights(self) -> dict[str, nn.Parameter]:
        return {**super().weights, "dora_scale": self.lengths_I}

    def tensors(self) -> dict[str, Tensor]:
        tensors = super().tensors()
        tail = (1,) * (len(self.shape) - 2)
        tensors["dora_scale"] = tensors["dora_scale"].view(1, -1, *tail)
        return tensors

    def adapt(self, x: Tensor) -> Tensor:
        # columns are scaled by scaling the inputs; the bias stays as it is
        factor_I = (self.lengths_I / self._find_lengths()).to(x.dtype)
        shape = (1, -1, 1, 1) if self.is_convolution else (-1,)
        return super().adapt(x * factor_I.view(shape))

    @torch.no_grad()
    def _find_lengths(self) -> Tensor:
        """lengths_I of the columns of W + ΔW, without making ΔW."""
        down_RIK = self.down_RI.view(len(self.down_RI), self.shape[1], -1)
        across_RIK = torch.einsum("oik,or->rik", self._frozen(), self.up_OR)
        within_RIK = torch.einsum("rs,sik->rik", self.up_OR.t() @ self.up_OR, down_RIK)
        change_RIK = down_RIK * (2 * self.scale * across_RIK + self.scale**2 * within_RIK)
        return (self._squares() + change_RIK.sum(dim=(0, 2))).clamp(min=1e-12).sqrt()

    def _frozen(self) -> Tensor:
        """weight_OIK in fp32."""
        return self.base.weight.detach().float().reshape(*self.shape[:2], -1)

    def _squares(self) -> Tensor:
        squares_I = self.squares_I
        assert isinstance(squares_I, Tensor)
        return squares_I
