"""The deep Boltzmann machine of two hidden layers (Salakhutdinov and Hinton 2009).

    E(v, h1, h2) = - v'W h1 - h1'U h2 - a'v - b'h1 - c'h2

Layers next to each other are joined, so h1 stands between v and h2: given h1 these are independent,
and the machine is an RBM with h1 on one side and (v, h2) on the other. The posterior p(h1, h2 | v)
has no closed form, and is approached by mean field.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.models.rbm import RBM, bernoulli


class DBM(nn.Module):
    """W [D, K], U [K, L]; a [D], b [K], c [L].

    Args:
        visible, hidden, top: D, K and L, the numbers of units.
    """

    def __init__(self, *, visible: int, hidden: int, top: int):
        super().__init__()
        self.W = nn.Parameter(0.01 * torch.randn(visible, hidden))
        self.U = nn.Parameter(0.01 * torch.randn(hidden, top))
        self.a = nn.Parameter(torch.zeros(visible))
        self.b = nn.Parameter(torch.zeros(hidden))
        self.c = nn.Parameter(torch.zeros(top))

    @property
    def arguments(self) -> dict[str, Any]:
        return {"visible": len(self.a), "hidden": len(self.b), "top": len(self.c)}

    def visible(self, h1: Float[Tensor, "n K"]) -> Float[Tensor, "n D"]:
        """P(v = 1 | h1)."""
        return torch.sigmoid(h1 @ self.W.T + self.a)

    def first(self, v: Float[Tensor, "n D"], h2: Float[Tensor, "n L"]) -> Float[Tensor, "n K"]:
        """P(h1 = 1 | v, h2): from below and from above."""
        return torch.sigmoid(v @ self.W + h2 @ self.U.T + self.b)

    def second(self, h1: Float[Tensor, "n K"]) -> Float[Tensor, "n L"]:
        """P(h2 = 1 | h1)."""
        return torch.sigmoid(h1 @ self.U + self.c)

    def gibbs(
        self, v: Float[Tensor, "n D"], h2: Float[Tensor, "n L"], k: int, generator: torch.Generator
    ) -> tuple[Float[Tensor, "n D"], Float[Tensor, "n L"]]:
        """v and h2 after k times h1 ~ P(h1 | v, h2), and v and h2 given h1."""
        for _ in range(k):
            h1 = bernoulli(self.first(v, h2), generator)
            v, h2 = bernoulli(self.visible(h1), generator), bernoulli(self.second(h1), generator)
        return v, h2

    def bipartite(self) -> RBM:
        """The same machine as an RBM: h1 is its visible side, (v, h2) its hidden one."""
        W, U, a, b, c = (p.detach() for p in (self.W, self.U, self.a, self.b, self.c))
        return RBM.of(torch.cat([W.T, U], 1), b, torch.cat([a, c]))

    def mean_field(
        self,
        v: Float[Tensor, "n D"],
        *,
        updates: int = 50,
        tolerance: float = 1e-6,
        h2: Float[Tensor, "n L"] | None = None,
    ) -> tuple[Float[Tensor, "n K"], Float[Tensor, "n L"]]:
        """q(h1, h2 | v) = product of Bernoullis with these means, near p(h1, h2 | v).

        Each update sets one layer to its best given the other, so `bound` never falls.

        Args:
            updates: of both layers, at most; fewer where no mean moves by more than `tolerance`.
            h2: where to begin; None: as if h2 said what v says (the weights from below twice).
        """
        below = v @ self.W + self.b
        if h2 is None:
            h2 = self.second(torch.sigmoid(below + v @ self.W))
        for _ in range(updates):
            h1 = torch.sigmoid(below + h2 @ self.U.T)
            before, h2 = h2, self.second(h1)
            if (h2 - before).abs().max() <= tolerance:
                break
        return h1, h2

    def bound(
        self, v: Float[Tensor, "n D"], h1: Float[Tensor, "n K"], h2: Float[Tensor, "n L"]
    ) -> Float[Tensor, " n"]:
        """E_q[-E(v, h1, h2)] + H(q) <= log p*(v) = log p(v) + log Z.

        Args:
            h1, h2: the means of q.
        """
        energy = -((v @ self.W + self.b) * h1).sum(1) - ((h1 @ self.U + self.c) * h2).sum(1)
        return v @ self.a - energy + _entropy(h1) + _entropy(h2)


def _entropy(p: Float[Tensor, "n K"]) -> Float[Tensor, " n"]:
    """Of independent units with these means, in nats; finite at 0 and 1."""
    return -(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p)).sum(1)
