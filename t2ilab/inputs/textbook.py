"""FGSM, PGD, a step of ascent as a textbook writes them: what chapters 12 and 13 show in cells.

Plain functions on pictures in [-1, 1], with the names of the papers; ε and α are shares of the way
from black to white, which is 2 long. `attacks.py` and `ascent.py` do the same for any box and any
norm, check what they are given, and hold ε to the last bit.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from t2ilab.inputs.scores import Network

Pictures = Float[Tensor, "b ..."]
Classes = Int[Tensor, " b"]


def fgsm_step(x: Pictures, gradient: Pictures, epsilon: float, targeted: bool) -> Pictures:
    """One step by the sign of the loss's gradient: down if targeted, else up (Goodfellow 2015)."""
    direction = -1 if targeted else 1
    return (x + direction * 2 * epsilon * gradient.sign()).clamp(-1, 1)


def project(x: Pictures, centre: Pictures, epsilon: float) -> Pictures:
    """The nearest pictures in the box and in the L∞ ball of `epsilon` around `centre`."""
    return x.clamp(centre - 2 * epsilon, centre + 2 * epsilon).clamp(-1, 1)


def input_gradient(network: Network, x: Pictures, classes: Classes) -> Pictures:
    """∂L/∂x of the cross entropy of `classes`; no weight collects a gradient."""
    x = x.detach().clone().requires_grad_(True)
    loss = F.cross_entropy(network(x), classes, reduction="sum")
    return torch.autograd.grad(loss, x)[0]


def pgd(
    network: Network, x: Pictures, classes: Classes, epsilon: float, steps: int, targeted: bool
) -> Pictures:
    """Steps of FGSM, 2.5 ε / steps long, each followed by the projection (Madry et al. 2018)."""
    moved = x
    for _ in range(steps):
        gradient = input_gradient(network, moved, classes)
        moved = fgsm_step(moved, gradient, 2.5 * epsilon / steps, targeted)
        moved = project(moved, x, epsilon)
    return moved


def ascent_step(
    x: Pictures,
    score: Callable[[Tensor], Tensor],
    penalty: Callable[[Tensor], Tensor],
    weight: float,
    lr: float,
) -> Pictures:
    """One step uphill for the score, less the weighted penalty."""
    x = x.detach().requires_grad_(True)
    objective = score(x) - weight * penalty(x)
    gradient = torch.autograd.grad(objective.sum(), x)[0]
    return (x + lr * gradient).detach()
