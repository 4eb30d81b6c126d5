"""What a U-Net is told beside the noisy picture: its prompt, and where its pixels come from.

Shape suffixes: B batch, T tokens, D width of the text embeddings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

Size = tuple[int, int]
"""(width, height) in pixels."""


@dataclass(frozen=True)
class TextConditioning:
    """What the text encoders make of a batch of prompts."""

    states_BTD: Tensor
    """One vector a token: what the U-Net's cross-attention reads."""
    pooled_BD: Tensor | None = None
    """One vector a prompt (SDXL); None where the family has none."""

    def __len__(self) -> int:
        return len(self.states_BTD)

    def __getitem__(self, part: slice) -> Self:
        """The prompts of a slice; views, no copies."""
        pooled = None if self.pooled_BD is None else self.pooled_BD[part]
        return type(self)(self.states_BTD[part], pooled)

    def to(self, device: torch.device | str) -> Self:
        """The same on `device`."""
        pooled = None if self.pooled_BD is None else self.pooled_BD.to(device)
        return type(self)(self.states_BTD.to(device), pooled)

    @classmethod
    def cat(cls, parts: Sequence[Self]) -> Self:
        """The prompts of all parts, one after the other. All or none have a pooled vector."""
        pooled = [part.pooled_BD for part in parts if part.pooled_BD is not None]
        assert len(pooled) in (0, len(parts))
        states_BTD = torch.cat([part.states_BTD for part in parts])
        return cls(states_BTD, torch.cat(pooled) if pooled else None)

    def to_tensors(self) -> dict[str, Tensor]:
        """By name, as a cache keeps it."""
        pooled = {} if self.pooled_BD is None else {"pooled_BD": self.pooled_BD}
        return {"states_BTD": self.states_BTD, **pooled}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> Self:
        """What `to_tensors` was asked of. Raises KeyError when it is something else."""
        return cls(tensors["states_BTD"], tensors.get("pooled_BD"))


@dataclass(frozen=True)
class Framing:
    """Where a training picture was cut from, in pixels (Podell et al. 2023, arXiv:2307.01952, 2.2).

    SDXL learns from it that a picture is small, or cut; other families do not read it.
    """

    original: Size
    """Of the picture before it was scaled."""
    crop_left_top: Size
    """What was cut off the scaled picture's left and top."""
    target: Size
    """Of what the model sees."""

    @classmethod
    def whole(cls, size: Size) -> Self:
        """A picture that was neither scaled nor cut: what drawing asks for."""
        return cls(size, (0, 0), size)
