"""Which number format autocast would compute in, on torch's meta device too.

torch has no autocast for the meta device, on which memory is forecast: `pretend_autocast` says
there what it would be, and `lorawiz.train.forecast` casts as it would.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

import torch
from torch import Tensor

_META_DTYPE: ContextVar[torch.dtype | None] = ContextVar("meta_dtype", default=None)


def find_autocast_dtype(x: Tensor) -> torch.dtype | None:
    """What autocast computes in where `x` lies; None where it is off."""
    device = x.device.type
    if device == "meta":
        return _META_DTYPE.get()
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None


def without_autocast(x: Tensor) -> AbstractContextManager[object]:
    """Inside, nothing is cast where `x` lies."""
    device = x.device.type
    return nullcontext() if device == "meta" else torch.autocast(device, enabled=False)


@contextmanager
def pretend_autocast(dtype: torch.dtype | None) -> Iterator[None]:
    """Inside, the meta device counts as one whose autocast computes in `dtype`."""
    token = _META_DTYPE.set(dtype)
    try:
        yield
    finally:
        _META_DTYPE.reset(token)
