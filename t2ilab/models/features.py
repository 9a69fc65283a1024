"""What a small classifier may see of a point: functions from points [b, d] to features [b, k]."""

import itertools
from collections.abc import Callable
from math import pi

import torch
from torch import Tensor

from t2ilab.errors import UsageError

Features = Callable[[Tensor], Tensor]  # points [b, d] -> features [b, k]


def coordinates(x: Tensor) -> Tensor:
    """The point itself: its place, or its pixels."""
    return x


def bumps(per_side: int, *, dimensions: int = 1, width: float = 1.0) -> Features:
    """Gaussian bumps on a grid over [-1, 1]^dimensions, `per_side` along each side.

    Args:
        width: of a bump, in spacings of the grid.

    Raises:
        UsageError: fewer than 2 bumps a side.
    """
    if per_side < 2:
        raise UsageError(f"{per_side} bumps a side: give at least 2.")
    one = torch.linspace(-1, 1, per_side, dtype=torch.float64)
    middles = torch.tensor(
        list(itertools.product(one.tolist(), repeat=dimensions)), dtype=torch.float64
    )  # [k, d]
    scale = width * 2 / (per_side - 1)
    lengths = (middles**2).sum(1)

    def seen(x: Tensor) -> Tensor:
        squared = (x**2).sum(1, keepdim=True) - 2 * x @ middles.T + lengths  # |x - m|^2, [b, k]
        return torch.exp(-0.5 * squared / scale**2)

    return seen


def directions(number: int) -> Features:
    """Where a point of the plane lies along each of `number` directions, evenly turned.

    The first is the first coordinate; with an even number the second coordinate is among them.
    """
    angle = torch.arange(number, dtype=torch.float64) * pi / number
    axes = torch.stack([angle.cos(), angle.sin()])  # [2, k]
    return lambda x: x @ axes


def products(order: int, *, pixels: int = 9) -> Features:
    """Products of up to `order` pixels of -1 and 1: 1 where an even number of them is white.

    Order 1 is the pixels, order 2 adds all pairs; `order` = `pixels` can tell every picture apart.

    Raises:
        UsageError: the order is not from 1 to the number of pixels.
    """
    if not 1 <= order <= pixels:
        raise UsageError(f"products of {order} pixels: give 1 to {pixels}.")
    sets = [
        chosen for k in range(1, order + 1) for chosen in itertools.combinations(range(pixels), k)
    ]
    return lambda x: torch.stack([x[:, list(chosen)].prod(dim=1) for chosen in sets], dim=1)
