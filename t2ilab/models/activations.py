"""The ten activations of the course, each with its derivative: f(x) and f'(x), by their formulas.

Le 2018, figure 2.2, and the theoretical background, figure 1. Where a slope jumps (at 0, or where
Maxout changes its line) f' is that of the right-hand side, but for ReLU and leaky ReLU, where it is
that of PyTorch: the left one (figure 2.2 has the right one). The step is that of eq. 2.1: 0 at 0.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

ISRU_ALPHA, ELU_ALPHA = 1.0, 1.0
MAXOUT = ((1.0, 0.0), (-0.5, -0.5))  # slope and offset of the two lines


class Activation(NamedTuple):
    """A function of each number by itself, and its derivative."""

    f: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]


def sigmoid(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    return 1 / (1 + (-x).exp())


def isru(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """The inverse square root unit: x / sqrt(1 + alpha x²)."""
    return x / (1 + ISRU_ALPHA * x**2).sqrt()


def elu(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    return torch.where(x >= 0, x, ELU_ALPHA * (x.clamp(max=0).exp() - 1))


def maxout(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """max(w_1 x + b_1, w_2 x + b_2); in a network both lines are learned."""
    (w1, b1), (w2, b2) = MAXOUT
    return torch.maximum(w1 * x + b1, w2 * x + b2)


def maxout_slope(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    (w1, b1), (w2, b2) = MAXOUT
    return torch.where(w1 * x + b1 >= w2 * x + b2, w1, w2).to(x)


ACTIVATIONS: dict[str, Activation] = {
    "step": Activation(lambda x: (x > 0).to(x), torch.zeros_like),
    "sigmoid": Activation(sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    "tanh": Activation(torch.tanh, lambda x: 1 - torch.tanh(x) ** 2),
    "arctan": Activation(torch.atan, lambda x: 1 / (x**2 + 1)),
    "softsign": Activation(lambda x: x / (1 + x.abs()), lambda x: 1 / (1 + x.abs()) ** 2),
    "ISRU": Activation(isru, lambda x: (1 / (1 + ISRU_ALPHA * x**2).sqrt()) ** 3),
    "ReLU": Activation(lambda x: x.clamp(min=0), lambda x: (x > 0).to(x)),
    "leaky ReLU": Activation(
        lambda x: torch.where(x > 0, x, 0.01 * x), lambda x: torch.where(x > 0, 1.0, 0.01).to(x)
    ),
    "ELU": Activation(
        elu, lambda x: torch.where(x >= 0, 1.0, ELU_ALPHA * x.clamp(max=0).exp()).to(x)
    ),
    "Maxout": Activation(maxout, maxout_slope),
}
