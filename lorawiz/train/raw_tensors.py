"""Tensors as the bytes that a file holds."""

from collections.abc import Callable

import torch
from torch import Tensor

from lorawiz.loras.file import RawTensor
from lorawiz.loras.streaming import StreamedTensor

_RAW_DTYPES = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16"}


def to_raw(tensor: Tensor, dtype: torch.dtype) -> RawTensor:
    """A copy of `tensor` on the host, rounded to `dtype`."""
    host = tensor.detach().to("cpu", dtype).contiguous()
    data = host.reshape(-1).view(torch.uint8).numpy().tobytes()
    return RawTensor(_RAW_DTYPES[dtype], tuple(host.shape), data)


def to_streamed(
    read: Callable[[], Tensor], shape: tuple[int, ...], dtype: torch.dtype
) -> StreamedTensor:
    """What `read` gives, rounded to `dtype` on the host when it is written."""

    def read_bytes() -> memoryview:
        host = read().detach().to("cpu", dtype).contiguous()
        return host.reshape(-1).view(torch.uint8).numpy().data

    return StreamedTensor(str(dtype).removeprefix("torch."), shape, read_bytes)
