"""Steps of a frozen network that keep their input alone, and make the rest again when asked.

torch keeps what each operation read; between two frozen layers nothing but the way back to the
input is needed. Same formulas, same order, so the same numbers; on any device.

Shape suffixes: B batch, C channels, H W rows and columns, N rows, I width.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lorawiz.train.autocasting import find_autocast_dtype

_native = torch.ops.aten


def norm_silu(x_BCHW: Tensor, norm: nn.GroupNorm) -> Tensor:
    """silu(norm(x)), with a gradient for x alone. Keeps x; torch keeps x and both results.

    Under autocast on CUDA it computes in fp32 as torch does there, and returns what the next
    layer would cast to. Raises nothing: what it cannot do goes the plain way.
    """
    if not _is_frozen(norm) or _is_foreign(x_BCHW):
        plain_BCHW: Tensor = nn.functional.silu(norm(x_BCHW))
        return plain_BCHW
    autocast_dtype = find_autocast_dtype(x_BCHW)
    dtypes = (
        (x_BCHW.dtype, x_BCHW.dtype) if autocast_dtype is None else (torch.float32, autocast_dtype)
    )
    y_BCHW: Tensor = _NormSilu.apply(  # type: ignore[no-untyped-call]
        x_BCHW, norm.weight, norm.bias, norm.num_groups, norm.eps, dtypes
    )
    return y_BCHW


def geglu(halves: Tensor) -> Tensor:
    """a·gelu(b) for halves [..., a b] (Shazeer 2020, arXiv:2002.05202). Keeps its input alone."""
    product: Tensor = _Geglu.apply(halves)  # type: ignore[no-untyped-call]
    return product


class _NormSilu(torch.autograd.Function):
    """See `norm_silu`. `dtypes` are those of the computation and of the result."""

    @staticmethod
    def forward(
        ctx: Any,
        x_BCHW: Tensor,
        weight_C: Tensor,
        bias_C: Tensor,
        num_groups: int,
        eps: float,
        dtypes: tuple[torch.dtype, torch.dtype],
    ) -> Tensor:
        ctx.num_groups, ctx.eps, ctx.dtypes = num_groups, eps, dtypes
        y_BCHW, mean, rstd = _normalise(ctx, x_BCHW, weight_C, bias_C)
        ctx.save_for_backward(x_BCHW, weight_C, bias_C, mean, rstd)
        result: Tensor = _native.silu_(y_BCHW).to(dtypes[1])
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BCHW: Tensor) -> tuple[Tensor | None, ...]:
        x_BCHW, weight_C, bias_C, mean, rstd = ctx.saved_tensors
        y_BCHW, _, _ = _normalise(ctx, x_BCHW, weight_C, bias_C)
        grad_y = _native.silu_backward(grad_BCHW.to(ctx.dtypes[0]), y_BCHW)
        del y_BCHW
        b, c, h, w = x_BCHW.shape
        grad_x, _, _ = _native.native_group_norm_backward(
            grad_y.contiguous(), x_BCHW.to(ctx.dtypes[0]).contiguous(), mean, rstd,
            weight_C.to(ctx.dtypes[0]), b, c, h * w, ctx.num_groups, [True, False, False],
        )  # fmt: skip
        return grad_x.to(x_BCHW.dtype), None, None, None, None, None


def _normalise(
    ctx: Any, x_BCHW: Tensor, weight_C: Tensor, bias_C: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The normalised picture, and the mean and the reciprocal deviation of each group."""
    dtype = ctx.dtypes[0]
    b, c, h, w = x_BCHW.shape
    found: tuple[Tensor, Tensor, Tensor] = _native.native_group_norm(
        x_BCHW.to(dtype).contiguous(), weight_C.to(dtype), bias_C.to(dtype),
        b, c, h * w, ctx.num_groups, ctx.eps,
    )  # fmt: skip
    return found


class _Geglu(torch.autograd.Function):
    """See `geglu`."""

    @staticmethod
    def forward(ctx: Any, halves: Tensor) -> Tensor:
        ctx.save_for_backward(halves)
        straight, gate = halves.chunk(2, dim=-1)
        return nn.functional.gelu(gate).mul_(straight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (halves,) = ctx.saved_tensors
        straight, gate = halves.chunk(2, dim=-1)
        grads = torch.empty_like(halves)
        grad_straight, grad_gate = grads.chunk(2, dim=-1)
        torch.mul(grad, nn.functional.gelu(gate), out=grad_straight)
        _native.gelu_backward(grad * straight, gate, grad_input=grad_gate)
        return grads


def _is_frozen(norm: nn.GroupNorm) -> bool:
    # affine=False has no weight; a trained weight needs a gradient that is not made here
    return norm.weight is not None and not norm.weight.requires_grad and not norm.bias.requires_grad


def _is_foreign(x: Tensor) -> bool:
    """Whether torch would choose other number formats than are chosen here."""
    return x.ndim != 4 or (x.device.type == "cpu" and find_autocast_dtype(x) is not None)
