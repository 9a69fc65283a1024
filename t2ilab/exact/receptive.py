"""How much of its input a number in a stack of convolutions sees: by formula, and by gradient."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from t2ilab.errors import UsageError


def receptive_field(kernels: Sequence[int], strides: Sequence[int]) -> int:
    """Pixels a side that one output number sees, of layers from the input to the output.

    From the last layer back to the input: r <- (r - 1) stride + kernel, from r = 1.

    Raises:
        UsageError: not one stride for each kernel, or one below 1.
    """
    if len(kernels) != len(strides) or min([1, *kernels, *strides]) < 1:
        raise UsageError(f"kernels {list(kernels)}, strides {list(strides)}: one of each, 1 or up.")
    r = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        r = (r - 1) * stride + kernel
    return r


def seen(
    network: Callable[[Tensor], Tensor], x: Float[Tensor, "1 c h w"], row: int, column: int
) -> Bool[Tensor, "h w"]:
    """Which pixels of x bear on the output number at (row, column): those with a slope.

    Args:
        network: [1, c, h, w] -> a map [1, rows, columns].
        x: numbers at random; at 0 a ReLU may hide what is connected.
    """
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(network(x)[0, row, column], x)
    return slope[0].abs().sum(0) > 0
