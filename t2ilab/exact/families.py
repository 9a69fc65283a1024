"""Parametric families on a line of cells: two numbers for the whole density."""

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.exact.spaces import Space


def gaussian(
    space: Space, mu: float | Float[Tensor, "*b"], sigma: float | Float[Tensor, "*b"]
) -> Float[Tensor, "*b n"]:
    """p(x) proportional to exp(-(x - mu)^2 / 2 sigma^2) on the cells of a line; sums to 1.

    Args:
        space: a line.
        mu, sigma: middle and width, numbers or tensors [*b]; a line reaches from -1 to 1.

    Raises:
        UsageError: the space is no line, a middle is not finite, or a width is not positive.
    """
    if space.kind != "line":
        raise UsageError(f"a {space.kind}: this family lives on a line; use `spaces.line()`.")
    mu, sigma = (torch.as_tensor(v, dtype=torch.float64)[..., None] for v in (mu, sigma))
    if not bool((sigma > 0).all()):
        raise UsageError("a width sigma that is not positive: give numbers above 0.")
    if not bool(mu.isfinite().all()):
        raise UsageError("a middle mu that is not finite: give numbers.")
    squared = (space.states[:, 0] - mu) ** 2
    above = squared - squared.min(-1, keepdim=True).values  # 0 somewhere, however narrow it is
    return (-0.5 * above / sigma / sigma).softmax(-1)
