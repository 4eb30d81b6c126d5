"""Frozen weights in 8 or 4 bits: a fraction of the memory, made whole for each product.

fp8 is float8_e4m3fn with one scale for each output (Micikevicius et al. 2022, arXiv:2209.05433);
nf4 is QLoRA's (Dettmers et al. 2023, arXiv:2305.14314), by bitsandbytes. Nothing is trained of
them, and no whole weight is kept for the backward pass.

Shape suffixes: O outputs.
"""

import importlib
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lorawiz.train.autocasting import find_autocast_dtype

Bits = Literal["fp8", "nf4"]
_FP8 = torch.float8_e4m3fn
_FP8_MAX = torch.finfo(_FP8).max
_BLOCK = 64
"""Weights of nf4 that share a scale."""


class Quantized(nn.Module):
    """A layer whose weight is stored in few bits. Its buffers move with it."""

    def __init__(self, weight: Tensor, bits: Bits) -> None:
        super().__init__()
        self.shape = weight.shape
        self.bits = bits
        self._state: Any = None
        if bits == "fp8":
            self._store_fp8(weight)
        else:
            self._store_nf4(weight)

    def read(self, dtype: torch.dtype) -> Tensor:
        """The weight, in its own shape."""
        if self.bits == "fp8":
            rows = (1,) * (len(self.shape) - 1)
            return self.codes.to(dtype) * self.scales.to(dtype).view(-1, *rows)
        if self.codes.is_meta:
            return torch.empty(self.shape, dtype=dtype, device="meta")
        state = self._state.to(self.codes.device) or self._state
        whole: Tensor = load_bitsandbytes().dequantize_4bit(self.codes, state)
        return whole.to(dtype)

    codes: Tensor
    scales: Tensor

    def _store_fp8(self, weight: Tensor) -> None:
        scales_O = weight.flatten(1).abs().amax(1).float().clamp(min=1e-12) / _FP8_MAX
        rows = (1,) * (weight.ndim - 1)
        self.register_buffer("codes", (weight / scales_O.view(-1, *rows)).to(_FP8))
        self.register_buffer("scales", scales_O)

    def _store_nf4(self, weight: Tensor) -> None:
        if weight.is_meta:
            num_bytes = -(-weight.numel() // 2)
            codes = torch.empty(num_bytes, dtype=torch.uint8, device="meta")
            scales = torch.empty(-(-weight.numel() // _BLOCK), device="meta")
        else:
            quantize = load_bitsandbytes().quantize_4bit
            codes, self._state = quantize(weight.contiguous(), quant_type="nf4", blocksize=_BLOCK)
            scales = None  # in bitsandbytes' state
        self.register_buffer("codes", codes)
        self.register_buffer("scales", scales)


def load_bitsandbytes() -> Any:
    """bitsandbytes' functions. The spec's check says where it is missing."""
    return importlib.import_module("bitsandbytes.functional")


def quantize(model: nn.Module, bits: Bits) -> int:
    """Store the weights of all frozen Linears and convolutions of `model` in few bits.

    The first and the last convolution, whose every bit is seen, stay as they are. Returns the
    number of layers.
    """
    whole = {id(getattr(model, name, None)) for name in ("conv_in", "conv_out")}
    count = 0
    module: Any
    for module in list(model.modules()):
        is_known = isinstance(module, nn.Linear | nn.Conv2d) and id(module) not in whole
        if not is_known or any(p.requires_grad for p in module.parameters()):
            continue
        stored = Quantized(module.weight.detach(), bits)
        # only the class changes: names, hooks and `.to()` stay torch's
        module.__class__ = QuantizedLinear if isinstance(module, nn.Linear) else QuantizedConv2d
        del module.weight
        module.stored = stored
        count += 1
    return count


def find_stored(module: nn.Module) -> Quantized | None:
    """The stored weight of a quantized layer."""
    found = getattr(module, "stored", None)
    return found if isinstance(found, Quantized) else None


class QuantizedLinear(nn.Linear):
    """An `nn.Linear` whose weight is stored in few bits: [..., I] to [..., O]."""

    stored: Quantized

    def forward(self, x: Tensor) -> Tensor:
        dtype = find_autocast_dtype(x) or x.dtype
        result: Tensor = _FromStored.apply(  # type: ignore[no-untyped-call]
            x.to(dtype), self.stored, self.bias, None
        )
        return result


class QuantizedConv2d(nn.Conv2d):
    """An `nn.Conv2d` whose weight is stored in few bits."""

    stored: Quantized

    def forward(self, x: Tensor) -> Tensor:
        dtype = find_autocast_dtype(x) or x.dtype
        geometry = (self.stride, self.padding)
        result: Tensor = _FromStored.apply(  # type: ignore[no-untyped-call]
            x.to(dtype), self.stored, self.bias, geometry
        )
        return result


class _FromStored(torch.autograd.Function):
    """A product with a stored weight; a gradient for the input alone, nothing kept for it."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, stored: Quantized, bias: Tensor | None, geometry: Any
    ) -> Tensor:
        ctx.stored, ctx.geometry, ctx.shape = stored, geometry, x.shape
        weight = stored.read(x.dtype)
        bias = None if bias is None else bias.to(x.dtype)
        if geometry is None:
            return nn.functional.linear(x, weight, bias)
        return nn.functional.conv2d(x, weight, bias, *geometry)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weight = ctx.stored.read(grad.dtype)
        if ctx.geometry is None:
            return grad @ weight, None, None, None
        found: Tensor = torch.nn.grad.conv2d_input(  # type: ignore[attr-defined]
            ctx.shape, weight, grad, *ctx.geometry
        )
        return found, None, None, None
