"""LoHa: two low-rank matrices multiplied number by number (Hyeon-Woo et al. 2021, arXiv:2108.06098).

Named as LyCORIS names them. Shape suffixes: I inputs, O outputs, R rank.
"""

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lorawiz.train.layers.base import AdapterLayer, Settings

_FIRST_STD, _OTHER_STD = 0.1, 1.0


class LohaLayer(AdapterLayer):
    """The frozen weight plus `scale · (a₁ b₁) ∘ (a₂ b₂)`, whose rank is up to the square of `dim`."""

    second = ("hada_w2_a",)

    def __init__(self, base: nn.Module, settings: Settings) -> None:
        super().__init__(base, settings)
        outputs, inputs = self.base.weight.flatten(1).shape
        self.a1_OR, self.a2_OR = (
            nn.Parameter(torch.zeros(outputs, settings.dim)) for _ in range(2)
        )
        self.b1_RI, self.b2_RI = (nn.Parameter(torch.zeros(settings.dim, inputs)) for _ in range(2))
        nn.init.normal_(self.b1_RI, std=_OTHER_STD)
        nn.init.normal_(self.a1_OR, std=_FIRST_STD)
        nn.init.normal_(self.b2_RI, std=_OTHER_STD)

    @property
    def weights(self) -> dict[str, nn.Parameter]:
        return {
            "hada_w1_a": self.a1_OR, "hada_w1_b": self.b1_RI,
            "hada_w2_a": self.a2_OR, "hada_w2_b": self.b2_RI,
        }  # fmt: skip

    def adapt(self, x: Tensor) -> Tensor:
        # a weight as large as the frozen one: made anew in the backward pass, never kept
        result: Tensor = checkpoint(self._run, x, use_reentrant=False, preserve_rng_state=False)
        return result

    def _run(self, x: Tensor) -> Tensor:
        change_OI = (self.a1_OR @ self.b1_RI) * (self.a2_OR @ self.b2_RI) * self.scale
        weight = self.base.weight + change_OI.view(self.shape).to(self.base.weight.dtype)
        return self.apply_weight(x, weight, self.base.bias)
