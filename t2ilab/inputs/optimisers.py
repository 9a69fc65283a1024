"""How a step is made from a gradient: I = I + λ ∂score/∂I, its sign, or Adam.

An optimiser is a few settings; what it remembers of each picture lies in the `memory` that `begin`
makes for all pictures of an ascent, so one optimiser can serve many ascents. `rows` says which of
them a step is about: those which are done are no longer among them. L-BFGS is in `lbfgs.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from t2ilab.errors import UsageError, choose

Pictures = Float[Tensor, "b ..."]
Rows = Int[Tensor, " b"]


class Found(NamedTuple):
    """What an evaluation of b pictures found."""

    scores: Float[Tensor, " b"]  # what the score gave
    objective: Float[Tensor, " b"]  # the score less the penalty: what is climbed
    gradient: Float[Tensor, "b ..."]  # of each picture's objective, with respect to its pixels


Evaluate = Callable[[Pictures, Rows], Found]


class Optimiser(Protocol):
    """What `ascend` asks of an optimiser."""

    def begin(self, pictures: Pictures) -> Any:
        """What is remembered of the pictures of one ascent, before its first step."""

    def step(
        self, pictures: Pictures, found: Found, rows: Rows, memory: Any, evaluate: Evaluate
    ) -> Pictures:
        """The pictures after a step; `memory` is changed in place."""


@dataclass(frozen=True)
class GradientAscent:
    """x + lr · g, as on the slides (there: minus the gradient of a loss).

    Args:
        lr: step size, above 0.
        norm: what the gradient is divided by first, for each picture alone: "none"; "l2", its
            length (a step is `lr` long); "mean", the mean of its absolute values (DeepDream).
    """

    lr: float = 1.0
    norm: str = "none"

    def __post_init__(self):
        check_lr(self.lr)
        choose("norm of the gradient", self.norm, ("none", "l2", "mean"))

    def begin(self, pictures: Pictures) -> None:
        """Nothing is remembered."""

    def step(
        self, pictures: Pictures, found: Found, rows: Rows, memory: None, evaluate: Evaluate
    ) -> Pictures:
        """One step uphill."""
        g = found.gradient
        if self.norm != "none":
            flat = g.flatten(1)
            size = flat.norm(dim=1) if self.norm == "l2" else flat.abs().mean(1)
            g = g / size.clamp(min=torch.finfo(g.dtype).tiny).view(-1, *[1] * (g.dim() - 1))
        return pictures + self.lr * g


@dataclass(frozen=True)
class SignAscent:
    """x + lr · sign(g): each value moves by `lr` (Goodfellow et al. 2015, sect. 4)."""

    lr: float

    def __post_init__(self):
        check_lr(self.lr)

    def begin(self, pictures: Pictures) -> None:
        """Nothing is remembered."""

    def step(
        self, pictures: Pictures, found: Found, rows: Rows, memory: None, evaluate: Evaluate
    ) -> Pictures:
        """One step uphill."""
        return pictures + self.lr * found.gradient.sign()


@dataclass(frozen=True)
class Adam:
    """Adam on pixels (Kingma and Ba 2015, Algorithm 1), each picture with moments of its own.

    The same numbers as `torch.optim.Adam`, which would go on stepping pictures that are done.
    """

    lr: float = 0.02
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self):
        check_lr(self.lr)

    def begin(self, pictures: Pictures) -> dict[str, Any]:
        """Both moments of all pictures, and the number of steps."""
        return {"m": torch.zeros_like(pictures), "v": torch.zeros_like(pictures), "steps": 0}

    def step(
        self,
        pictures: Pictures,
        found: Found,
        rows: Rows,
        memory: dict[str, Any],
        evaluate: Evaluate,
    ) -> Pictures:
        """One step uphill."""
        g, (beta1, beta2) = found.gradient, self.betas
        memory["steps"] += 1
        m = memory["m"][rows].lerp_(g, 1 - beta1)
        v = memory["v"][rows].mul_(beta2).addcmul_(g, g, value=1 - beta2)
        memory["m"][rows], memory["v"][rows] = m, v
        m_hat = m / (1 - beta1 ** memory["steps"])
        v_hat = v / (1 - beta2 ** memory["steps"])
        return pictures + self.lr * m_hat / (v_hat.sqrt() + self.eps)


def check_lr(lr: float) -> None:
    """UsageError unless `lr` is above 0 and finite."""
    if not 0 < lr < float("inf"):
        raise UsageError(f"step size {lr}: a finite number above 0 is needed.")
