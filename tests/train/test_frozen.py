"""The CPU's shortcuts give what plain torch gives."""

import pytest
import torch
from torch import nn

from lorawiz.train.frozen import MATMUL_MAX_PIXELS, FrozenConv2d, freeze_convolutions


@pytest.mark.parametrize("size", [(4, 4), (6, 10), (40, 40)])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (1, 1, 0), (1, 2, 0), (3, 1, 0)]
)
def test_values_and_gradients_are_those_of_a_convolution(
    size: tuple[int, int], batch: int, kernel: int, stride: int, padding: int
) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(5, 7, kernel, stride, padding).requires_grad_(False)
    fast = nn.Conv2d(5, 7, kernel, stride, padding).requires_grad_(False)
    fast.load_state_dict(plain.state_dict())
    assert freeze_convolutions(fast) == 1
    x = torch.randn(batch, 5, *size)
    inputs = [x.clone().requires_grad_(True) for _ in range(2)]
    outputs = [plain(inputs[0]), fast(inputs[1])]
    assert torch.allclose(outputs[0], outputs[1], atol=1e-5)
    weights = torch.randn_like(outputs[0])
    for output in outputs:
        (output * weights).sum().backward()
    assert inputs[0].grad is not None
    assert inputs[1].grad is not None
    assert torch.allclose(inputs[0].grad, inputs[1].grad, atol=1e-4)


def test_both_ways_are_taken() -> None:
    side = int(MATMUL_MAX_PIXELS**0.5)
    convolution = nn.Conv2d(3, 4, 3, padding=1, bias=False).requires_grad_(False)
    freeze_convolutions(convolution)

    def node(size: int) -> str:
        output = convolution(torch.randn(1, 3, size, size, requires_grad=True))
        return type(output.grad_fn).__name__

    assert "ConvAsMatmul" in node(side)
    assert "FrozenConv" in node(side + 1)


def test_only_plain_frozen_convolutions_are_taken() -> None:
    model = nn.Sequential(
        nn.Conv2d(4, 4, 3).requires_grad_(False),
        nn.Conv2d(4, 4, 3),
        nn.Conv2d(4, 4, 3, groups=2).requires_grad_(False),
        nn.Conv2d(4, 4, 3, dilation=2).requires_grad_(False),
        nn.Conv2d(4, 4, 3, padding_mode="reflect").requires_grad_(False),
        nn.Conv2d(4, 4, 3, padding="same").requires_grad_(False),
    )
    assert freeze_convolutions(model) == 1
    assert [type(m) is FrozenConv2d for m in model] == [True, *[False] * 5]


def test_half_precision_takes_the_plain_way() -> None:
    convolution = nn.Conv2d(4, 4, 3).requires_grad_(False)
    freeze_convolutions(convolution)
    x = torch.randn(1, 4, 5, 5)
    with torch.autocast("cpu", torch.bfloat16):
        assert convolution(x).dtype == torch.bfloat16
    assert convolution.to(torch.bfloat16)(x.bfloat16()).dtype == torch.bfloat16
