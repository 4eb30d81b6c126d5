"""A base's tensors where they are kept: in a model in memory, or in a file until they are asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a base."""

    shape: tuple[int, ...]
    read: Callable[[], Tensor]
    """Of another shape and dtype, maybe: the numbers count."""
    own_dtype: torch.dtype | None = None
    """The dtype that it is saved in; None where the number format is for the user to choose."""


Weights = Mapping[str, Mapping[str, StoredTensor]]
"""By part (the folders of a diffusers folder), then by the tensor's name."""
