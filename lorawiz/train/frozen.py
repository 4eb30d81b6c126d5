"""Frozen layers and their LoRA: gradients for the input and the LoRA alone, so less is kept.

torch keeps a convolution's input for the gradient of its weight even where the weight is frozen;
here it does not. On a CPU in fp32 there is more to gain: oneDNN copies a convolution's whole
weight into a layout of its own at every call, forward and backward. Where the picture is small
and the weight large (the inner half of a U-Net), one matrix product over unfolded columns costs
less than that copy; the same weight serves forward and backward, so no second copy is kept.

Shape suffixes: B batch, I inputs, O outputs, N rows (pixels or tokens), R rank.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.grad import conv2d_input

from lorawiz.train.autocasting import find_autocast_dtype, without_autocast
from lorawiz.train.quantized import Quantized

MATMUL_MAX_PIXELS = 256
"""Up to this many output pixels, batch included, the matrix product wins (measured on AVX2)."""
ROWS_MAX_PIXELS = 128
"""Up to this many the backward product reads the weight's rows in order, which is faster; the
transposed copy of the columns that it costs then is small (measured on AVX-512)."""


class FrozenConv2d(nn.Conv2d):
    """An `nn.Conv2d` whose weight gets no gradient: [B, I, H, W] to [B, O, H', W']."""

    def forward(self, x: Tensor) -> Tensor:
        if self.weight.requires_grad or not can_fuse(x, self.weight):
            return super().forward(x)
        if not is_plain_cpu(x):
            return self._keeping_no_input(x)
        if self.kernel_size == (1, 1) and self.stride == (1, 1) and self.padding == (0, 0):
            return self._pointwise(x)
        height, width = self._output_size(x)
        if x.shape[0] * height * width > MATMUL_MAX_PIXELS:
            return self._keeping_no_input(x)
        result: Tensor = _ConvAsMatmul.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, (height, width), self.stride, self.padding
        )
        return result

    def _keeping_no_input(self, x: Tensor) -> Tensor:
        y: Tensor = _FrozenConv.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, self.stride, self.padding
        )
        return y

    def _pointwise(self, x: Tensor) -> Tensor:
        y = torch.matmul(self.weight.flatten(1), x.flatten(2))
        if self.bias is not None:
            y = y.add_(self.bias[:, None])
        return y.view(*y.shape[:2], *x.shape[2:])

    def _output_size(self, x: Tensor) -> tuple[int, int]:
        height, width = (
            (x.shape[2 + d] + 2 * int(self.padding[d]) - self.kernel_size[d]) // self.stride[d] + 1
            for d in range(2)
        )
        return height, width


def freeze_convolutions(model: nn.Module) -> int:
    """Turn every frozen plain `nn.Conv2d` of `model` into a FrozenConv2d. Returns their number."""
    found = [m for m in model.modules() if type(m) is nn.Conv2d and _is_plain_and_frozen(m)]
    for convolution in found:
        # only the class changes: weights, names, hooks and `.to()` stay nn.Conv2d's
        convolution.__class__ = FrozenConv2d
    return len(found)


def is_plain_cpu(x: Tensor) -> bool:
    """Whether the CPU's fp32 shortcuts apply to `x`."""
    return x.device.type == "cpu" and x.dtype == torch.float32 and find_autocast_dtype(x) is None


def can_fuse(x: Tensor, weight: Tensor) -> bool:
    """Whether the layers of this module are for `x`: known devices, weights that are numbers."""
    is_float = weight.dtype in (torch.float32, torch.float16, torch.bfloat16)
    return is_float and x.device.type in ("cpu", "cuda", "meta")


def lora_matmul(
    x: Tensor,
    weight_OI: Tensor | Quantized,
    bias_O: Tensor | None,
    down_RI: Tensor,
    up_OR: Tensor,
    scale: float,
) -> Tensor:
    """x·Wᵀ + b + scale·(x·Dᵀ)·Uᵀ for x [..., I], with gradients for x, D and U alone.

    As one node of the graph it keeps x once and adds in place, in the accuracy of the matrix
    product. Under autocast it computes in autocast's dtype; D and U get gradients in their own.
    """
    dtype = find_autocast_dtype(x) or x.dtype
    rows_NI = x.reshape(-1, x.shape[-1])
    with without_autocast(x):
        y_NO: Tensor = _LoraMatmul.apply(  # type: ignore[no-untyped-call]
            rows_NI.to(dtype), weight_OI, bias_O, down_RI, up_OR, scale
        )
    return y_NO.view(*x.shape[:-1], -1)


class _FrozenConv(torch.autograd.Function):
    """torch's convolution, keeping the weight and the shape of the picture."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
    ) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.geometry = (x.shape, x.dtype, stride, padding)
        return nn.functional.conv2d(x, weight, bias, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        x_shape, x_dtype, stride, padding = ctx.geometry
        weight = weight.to(grad.dtype)
        grad_x: Tensor = conv2d_input(x_shape, weight, grad, stride, padding)  # type: ignore[no-untyped-call]
        return grad_x.to(x_dtype), None, None, None, None


class _ConvAsMatmul(torch.autograd.Function):
    """Convolution as one product with the unfolded picture; a gradient for the picture alone."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        out_size: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int],
    ) -> Tensor:
        columns = nn.functional.unfold(x, weight.shape[2:], padding=padding, stride=stride)
        columns = columns.transpose(0, 1).flatten(1)  # [I·kh·kw, B·pixels]
        matrix = weight.flatten(1)
        y = matrix @ columns if bias is None else torch.addmm(bias[:, None], matrix, columns)
        ctx.save_for_backward(weight)
        ctx.geometry = (x.shape, stride, padding)
        return y.view(-1, x.shape[0], *out_size).transpose(0, 1).contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        x_shape, stride, padding = ctx.geometry
        matrix = weight.flatten(1)
        if grad.numel() // grad.shape[1] <= ROWS_MAX_PIXELS:
            columns = (grad.flatten(2).transpose(1, 2) @ matrix).transpose(1, 2)
        else:
            columns = matrix.t() @ grad.transpose(0, 1).flatten(1)
            columns = columns.view(columns.shape[0], x_shape[0], -1).transpose(0, 1)
        grad_x = nn.functional.fold(
            columns, x_shape[2:], weight.shape[2:], padding=padding, stride=stride
        )
        return grad_x, None, None, None, None, None


class _LoraMatmul(torch.autograd.Function):
    """See `lora_matmul`."""

    @staticmethod
    def forward(
        ctx: Any,
        x_NI: Tensor,
        weight_OI: Tensor | Quantized,
        bias_O: Tensor | None,
        down_RI: Tensor,
        up_OR: Tensor,
        scale: float,
    ) -> Tensor:
        dtype = x_NI.dtype
        ctx.stored = stored = weight_OI if isinstance(weight_OI, Quantized) else None
        given, weight_OI = weight_OI, _read(weight_OI, dtype)
        low_NR = x_NI @ down_RI.to(dtype).t()
        bias = None if bias_O is None else bias_O.to(dtype)
        y_NO = nn.functional.linear(x_NI, weight_OI, bias)
        y_NO.addmm_(low_NR, up_OR.to(dtype).t(), alpha=scale)
        kept = None if stored is not None else given
        ctx.save_for_backward(x_NI, low_NR, kept, down_RI, up_OR)
        ctx.scale = scale
        return y_NO

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_NO: Tensor) -> tuple[Tensor | None, ...]:
        x_NI, low_NR, kept, down_RI, up_OR = ctx.saved_tensors
        dtype = x_NI.dtype
        grad_low_NR = grad_NO @ up_OR.to(dtype)
        grad_up_OR = grad_NO.t() @ low_NR
        if ctx.scale != 1.0:
            grad_low_NR.mul_(ctx.scale)
            grad_up_OR.mul_(ctx.scale)
        grad_x = None
        if ctx.needs_input_grad[0]:
            weight_OI = _read(kept if ctx.stored is None else ctx.stored, dtype)
            grad_x = (grad_NO @ weight_OI).addmm_(grad_low_NR, down_RI.to(dtype))
        grad_down_RI = grad_low_NR.t() @ x_NI
        return grad_x, None, None, grad_down_RI.to(down_RI.dtype), grad_up_OR.to(up_OR.dtype), None


def _read(weight: Tensor | Quantized, dtype: torch.dtype) -> Tensor:
    """weight_OI, of a stored one and of a pointwise convolution too."""
    whole = weight.read(dtype) if isinstance(weight, Quantized) else weight.to(dtype)
    return whole.flatten(1)


def _is_plain_and_frozen(convolution: nn.Conv2d) -> bool:
    is_trained = any(p.requires_grad for p in convolution.parameters())
    pads_with_zeros = not isinstance(convolution.padding, str) and (
        convolution.padding_mode == "zeros"
    )
    return (
        not is_trained
        and pads_with_zeros
        and convolution.groups == 1
        and convolution.dilation == (1, 1)
    )
