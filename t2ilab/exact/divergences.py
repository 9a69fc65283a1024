"""Divergences between distributions on a finite space, summed exactly; in nats."""

import torch
from jaxtyping import Float
from torch import Tensor


def kl(p: Float[Tensor, "*batch n"], q: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """D[p || q] = sum_x p(x) log(p(x) / q(x)), with 0 log 0 = 0; infinite where q misses a state.

    Args:
        p, q: probabilities over the last dimension.
    """
    # No clamp at 0: rounding may give -1e-17, and that is said rather than hidden.
    return torch.where(p > 0, p * (p.log() - q.log()), torch.zeros_like(p)).sum(-1)


def total_variation(
    p: Float[Tensor, "*batch n"], q: Float[Tensor, "*batch n"]
) -> Float[Tensor, "*batch"]:
    """Half the sum of |p(x) - q(x)|: the largest difference in the probability of any event."""
    return (p - q).abs().sum(-1) / 2
