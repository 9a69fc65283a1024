"""Sampling from p_t of Tu 2007, three ways; none of them needs Z.

What is known of p_t is a sum of logits: log p_t(x) = log p_0(x) + sum_s alpha h_s(x) - constant.
Importance weights need it at points drawn from p_0, Gibbs sampling along one coordinate at a time,
and the gradient (Langevin) at points between states, where it must have a slope.
"""

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.exact.spaces import Space


class Weighted(NamedTuple):
    """States drawn from p_0 and brought to p_t by resampling.

    Attributes:
        index: int64 [n], numbers of states, drawn with probabilities in proportion to the weights.
        effective: effective sample size, 1 / sum w^2: n if all weights are equal, 1 if one counts.
    """

    index: Int[Tensor, " n"]
    effective: float


def importance(
    p0: Float[Tensor, " states"], log_ratio: Float[Tensor, " states"], n: int, rng: torch.Generator
) -> Weighted:
    """Draw `n` states from p_0, weigh them by exp(log_ratio), and resample by weight.

    Args:
        log_ratio: log p_t(x) - log p_0(x) of each state, up to a constant.
    """
    drawn = torch.multinomial(p0, n, replacement=True, generator=rng)
    weights = log_ratio[drawn].softmax(0)
    again = torch.multinomial(weights, n, replacement=True, generator=rng)
    return Weighted(drawn[again], float(1 / (weights**2).sum()))


def gibbs(
    space: Space,
    log_p: Float[Tensor, " states"],
    start: Int[Tensor, " n"],
    sweeps: int,
    rng: torch.Generator,
) -> Int[Tensor, " n"]:
    """Gibbs sampling: each coordinate in turn is drawn anew, given all others.

    Args:
        log_p: log p_t of each state, up to a constant.
        start: numbers of the states that the n chains begin with.
        sweeps: how often each coordinate is drawn. 0 or more.
    """
    index = start.clone()
    for _ in range(sweeps):
        for axis, size in enumerate(space.shape):
            stride = prod(space.shape[axis + 1 :])
            now = index // stride % size
            along = (index - now * stride)[:, None] + torch.arange(size) * stride  # [n, size]
            chosen = torch.multinomial(log_p[along].softmax(1), 1, generator=rng)
            index = along.gather(1, chosen)[:, 0]
    return index


def langevin(
    log_density: Callable[[Tensor], Tensor],
    start: Float[Tensor, "n d"],
    *,
    steps: int,
    size: float,
    rng: torch.Generator,
    noise: float = 1.0,
) -> Float[Tensor, "n d"]:
    """x + size^2 / 2 grad log p(x) + noise size N(0, 1), `steps` times; mirrored at [-1, 1]^d.

    With noise = 1 and small steps the points become samples of p; with noise = 0 it is gradient
    ascent, and they end on the summits.

    Raises:
        UsageError: the step is not positive, or the density has no gradient (stumps, tables).
    """
    if not size > 0:
        raise UsageError(f"step size {size}: give a positive one.")
    x = start.clone()
    for _ in range(steps):
        with torch.enable_grad():
            x = x.requires_grad_(True)
            log_p = log_density(x).sum()
            if not log_p.requires_grad:
                raise UsageError(
                    "this density is a staircase: it has no gradient to follow. Use "
                    "Gibbs sampling or importance weights."
                )
            (slope,) = torch.autograd.grad(log_p, x)
        step = 0.5 * size**2 * slope.clamp(-1 / size, 1 / size)
        x = x.detach() + step + noise * size * torch.randn(x.shape, generator=rng, dtype=x.dtype)
        x = torch.where(x > 1, 2 - x, torch.where(x < -1, -2 - x, x)).clamp(-1, 1)
    return x
