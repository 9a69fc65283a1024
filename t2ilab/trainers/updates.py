"""Four rules that turn a gradient g into a step: SGD, momentum, RMSProp, Adam, four lines each.

Each is `rule(theta, g, state) -> theta`, keeps its memory in the dictionary `state` (empty at
first), and gives what torch.optim gives. theta <- theta - lr g is eq. 5 of the background.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from t2ilab.errors import UsageError, choose

State = dict[str, Tensor | int]
Rule = Callable[[Tensor, Tensor, State], Tensor]


def sgd(theta: Tensor, g: Tensor, state: State, *, lr: float) -> Tensor:
    """Robbins and Monro 1951; the minibatch is in g."""
    return theta - lr * g


def momentum(theta: Tensor, g: Tensor, state: State, *, lr: float, beta: float = 0.9) -> Tensor:
    """Polyak 1964: a ball that rolls. v sums up gradients, as torch has it (no factor 1 - beta)."""
    v = state["v"] = beta * state.get("v", torch.zeros_like(g)) + g
    return theta - lr * v


def rmsprop(
    theta: Tensor, g: Tensor, state: State, *, lr: float, rho: float = 0.99, eps: float = 1e-8
) -> Tensor:
    """Tieleman and Hinton 2012: each number is divided by the root mean square of its gradient."""
    s = state["s"] = rho * state.get("s", torch.zeros_like(g)) + (1 - rho) * g**2
    return theta - lr * g / (s.sqrt() + eps)


def adam(
    theta: Tensor, g: Tensor, state: State, *, lr: float,
    betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
) -> Tensor:  # fmt: skip
    """Kingma and Ba 2015, Algorithm 1: two memories, each divided by what it lacks at first."""
    t = state["t"] = int(state.get("t", 0)) + 1
    m = state["m"] = betas[0] * state.get("m", torch.zeros_like(g)) + (1 - betas[0]) * g
    s = state["s"] = betas[1] * state.get("s", torch.zeros_like(g)) + (1 - betas[1]) * g**2
    m_hat, s_hat = m / (1 - betas[0] ** t), s / (1 - betas[1] ** t)
    return theta - lr * m_hat / (s_hat.sqrt() + eps)


RULES = {"SGD": sgd, "momentum": momentum, "RMSProp": rmsprop, "Adam": adam}


def with_rate(name: str, lr: float) -> Rule:
    """A rule of `RULES` with its learning rate.

    Raises:
        UsageError: no such rule, or a rate that is negative or no number.
    """
    choose("rule", name, RULES)
    if not lr >= 0:
        raise UsageError(f"learning rate {lr}: give 0 or more.")
    return partial(RULES[name], lr=lr)
