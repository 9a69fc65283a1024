"""The restricted Boltzmann machine: binary pixels v, binary causes h, weights between them only.

    E(v, h) = - v'Wh - a'v - b'h,    p(v, h) = exp(-E(v, h)) / Z

(Smolensky 1986; Hinton 2002). Given one side the units of the other are independent, so each side
is drawn in one go. Mansimov's slides (2016) exchange a and b between the energy and P(h | v);
here a belongs to v, and b to h, throughout.
"""

from collections.abc import Callable
from math import isqrt
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from t2ilab.errors import UsageError, choose


class RBM(nn.Module):
    """W [D, K], a [D], b [K].

    Args:
        visible, hidden: D and K, the numbers of units.
    """

    def __init__(self, *, visible: int, hidden: int):
        super().__init__()
        self.W = nn.Parameter(0.01 * torch.randn(visible, hidden))  # not 0: units must differ
        self.a = nn.Parameter(torch.zeros(visible))
        self.b = nn.Parameter(torch.zeros(hidden))

    @classmethod
    def of(cls, W: Float[Tensor, "D K"], a: Float[Tensor, " D"], b: Float[Tensor, " K"]) -> "RBM":
        """The machine with these weights."""
        with torch.device("meta"):  # draws no random numbers
            rbm = cls(visible=len(a), hidden=len(b))
        rbm.W, rbm.a, rbm.b = nn.Parameter(W), nn.Parameter(a), nn.Parameter(b)
        return rbm

    @property
    def arguments(self) -> dict[str, Any]:
        return {"visible": len(self.a), "hidden": len(self.b)}

    def energy(self, v: Float[Tensor, "n D"], h: Float[Tensor, "n K"]) -> Float[Tensor, " n"]:
        """E(v, h)."""
        return -((v @ self.W) * h).sum(-1) - v @ self.a - h @ self.b

    def inputs(self, v: Float[Tensor, "n D"]) -> Float[Tensor, "n K"]:
        """What the hidden units receive: v'W + b."""
        return v @ self.W + self.b

    def hidden(self, v: Float[Tensor, "n D"]) -> Float[Tensor, "n K"]:
        """P(h_j = 1 | v)."""
        return torch.sigmoid(self.inputs(v))

    def visible(self, h: Float[Tensor, "n K"]) -> Float[Tensor, "n D"]:
        """P(v_i = 1 | h)."""
        return torch.sigmoid(h @ self.W.T + self.a)

    def free_energy(self, v: Float[Tensor, "n D"]) -> Float[Tensor, " n"]:
        """F(v) = - log sum_h exp(-E(v, h)), so that log p(v) = - F(v) - log Z."""
        return -(v @ self.a) - F.softplus(self.inputs(v)).sum(-1)

    def gibbs(self, v: Float[Tensor, "n D"], k: int, generator: torch.Generator) -> Tensor:
        """v after k times h ~ P(h | v), v ~ P(v | h): samples, never probabilities."""
        for _ in range(k):
            v = self.draw_visible(bernoulli(self.hidden(v), generator), generator)
        return v

    def draw_visible(
        self, h: Float[Tensor, "n K"], generator: torch.Generator
    ) -> Float[Tensor, "n D"]:
        """v ~ P(v | h)."""
        return bernoulli(self.visible(h), generator)

    def seen(self, h: Float[Tensor, "n K"]) -> Float[Tensor, "n D"]:
        """The mean of v given h as grey values, 0 black to 1 white."""
        return self.visible(h)


def negative_phase(
    v_data: Float[Tensor, "n D"],
    chains: Float[Tensor, "m D"],
    method: str,
    k: int,
    step: Callable[[Tensor], Tensor],
) -> tuple[Tensor, Float[Tensor, "m D"]]:
    """Samples for the gradient's second mean, and the chains for the next update.

    Args:
        v_data: where CD begins.
        chains: where PCD goes on.
        method, k: "cd" or "pcd", and Gibbs steps.
        step: v after one Gibbs step.

    Raises:
        UsageError: an unknown method, or fewer than one step.
    """
    if k < 1:
        raise UsageError(f"k = {k} Gibbs steps: at least 1 is needed.")
    v = v_data if choose("method", method, ("cd", "pcd")) == "cd" else chains
    for _ in range(k):
        v = step(v)
    return v, (chains if method == "cd" else v)


def bernoulli(p: Float[Tensor, "*n"], generator: torch.Generator) -> Float[Tensor, "*n"]:
    """1 with probability p, else 0."""
    return (torch.rand(p.shape, generator=generator, device=p.device, dtype=p.dtype) < p).to(p)


def as_pictures(p: Float[Tensor, "n D"]) -> UInt8[Tensor, "n side side 3"]:
    """Rows of a square picture's pixels in [0, 1] -> grey pictures, 1 white.

    Raises:
        UsageError: so many pixels make no square.
    """
    side = isqrt(p.shape[1])
    if side**2 != p.shape[1]:
        raise UsageError(f"{p.shape[1]} pixels make no square picture.")
    grey = p.detach().cpu().mul(255).round().to(torch.uint8)
    return grey.view(-1, side, side, 1).expand(-1, -1, -1, 3).contiguous()
