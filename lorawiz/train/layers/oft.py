"""OFT: the outputs are turned, block by block (Qiu et al. 2023, arXiv:2306.07280).

Named as LyCORIS' Diag-OFT names it. Shape suffixes: B batch, O outputs, N blocks, S side of a
block, H W rows and columns.
"""

import torch
from torch import Tensor, nn

from lorawiz.loras.layout import find_block_side
from lorawiz.train.autocasting import without_autocast
from lorawiz.train.layers.base import AdapterLayer, Settings


class OftLayer(AdapterLayer):
    """The frozen weight, its rows turned by an orthogonal matrix in each of N blocks.

    A turn is Cayley's `(I + Q)(I − Q)⁻¹` of the skew-symmetric `Q = blocks − blocksᵀ`. `dim` is
    the most rows a block may have; alpha has no meaning and is 0 in the file: no constraint.
    """

    def __init__(self, base: nn.Module, settings: Settings) -> None:
        super().__init__(base, settings)
        outputs = self.shape[0]
        side = find_block_side(outputs, settings.dim)
        self.blocks_NSS = nn.Parameter(torch.zeros(outputs // side, side, side))

    @property
    def weights(self) -> dict[str, nn.Parameter]:
        return {"oft_blocks": self.blocks_NSS}

    def tensors(self) -> dict[str, Tensor]:
        return {**super().tensors(), "alpha": torch.tensor(0.0)}

    def adapt(self, x: Tensor) -> Tensor:
        y = self.apply_weight(x, self.base.weight, None)
        turns_NSS = self._find_turns().to(y.dtype)
        num, side, _ = turns_NSS.shape
        if self.is_convolution:
            blocks = y.view(len(y), num, side, *y.shape[2:])
            turned = torch.einsum("nst,bnshw->bnthw", turns_NSS, blocks).flatten(1, 2)
        else:
            blocks = y.view(*y.shape[:-1], num, side)
            turned = torch.einsum("nst,...ns->...nt", turns_NSS, blocks).flatten(-2)
        if self.base.bias is None:
            return turned
        tail = (1, 1) if self.is_convolution else ()
        return turned + self.base.bias.view(-1, *tail)

    def _find_turns(self) -> Tensor:
        """turns_NSS, orthogonal, in fp32: half precision has no inverse."""
        blocks_NSS = self.blocks_NSS.float()
        skew_NSS = blocks_NSS - blocks_NSS.transpose(1, 2)
        with without_autocast(blocks_NSS):
            whole_SS = torch.eye(skew_NSS.shape[-1], device=skew_NSS.device)
            # both are functions of one matrix, so their order does not matter
            turns_NSS: Tensor = torch.linalg.solve(whole_SS - skew_NSS, whole_SS + skew_NSS)
        return turns_NSS
