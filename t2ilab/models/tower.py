"""A Boltzmann machine of any number of layers, in which neighbouring layers are joined.

    E(x0, x1, ..., xL) = - sum_l x_l' W_l x_(l+1) - sum_l b_l' x_l,    x0 = v

(Salakhutdinov and Hinton 2009.) One hidden layer is an RBM, two are `models.dbm.DBM`. Layers of
odd number have neighbours of even number only, so each kind is independent given the other: a
tower, too, is an RBM with the even layers on one side and the odd ones on the other.
"""

from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError
from t2ilab.exact.partition import log_sum
from t2ilab.models.rbm import RBM, bernoulli

Layers = list[Float[Tensor, "n _"]]  # of states or means, v first


class Tower(nn.Module):
    """W[l] joins layer l and layer l + 1; b[l] are the biases of layer l.

    Args:
        sizes: units of each layer, pixels first.

    Raises:
        UsageError: fewer than two layers, or a layer without units.
    """

    def __init__(self, sizes: tuple[int, ...]):
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1:
            raise UsageError(f"sizes {tuple(sizes)}: pixels and at least one layer, each of units.")
        self.W = nn.ParameterList(0.01 * torch.randn(m, n) for m, n in pairwise(sizes))
        self.b = nn.ParameterList(torch.zeros(n) for n in sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(map(len, self.b))

    @property
    def arguments(self) -> dict[str, Any]:
        return {"sizes": self.sizes}

    def energy(self, x: Layers) -> Float[Tensor, " n"]:
        """E of each row."""
        pairs = sum(
            ((low @ W) * high).sum(1) for W, (low, high) in zip(self.W, pairwise(x), strict=True)
        )
        return -pairs - sum(one @ b for one, b in zip(x, self.b, strict=True))

    def given(self, x: Layers, layer: int) -> Float[Tensor, "n _"]:
        """P(a unit of this layer is 1 | its neighbours): from below, and from above."""
        inputs = self.b[layer]
        if layer > 0:
            inputs = inputs + x[layer - 1] @ self.W[layer - 1]
        if layer < len(self.W):
            inputs = inputs + x[layer + 1] @ self.W[layer].T
        return torch.sigmoid(inputs)

    def start(self, v: Float[Tensor, "n D"]) -> Layers:
        """v, and one half for each unit above it."""
        return [v, *(v.new_full((len(v), n), 0.5) for n in self.sizes[1:])]

    def gibbs(self, x: Layers, k: int, generator: torch.Generator) -> Layers:
        """x after k times the odd layers, then the even ones: samples, never probabilities."""
        x = list(x)
        for _ in range(k):
            for layer in [*range(1, len(x), 2), *range(0, len(x), 2)]:
                x[layer] = bernoulli(self.given(x, layer), generator)
        return x

    def mean_field(self, v: Float[Tensor, "n D"], sweeps: int) -> Layers:
        """v, and means of independent units near P(h | v); each layer is set to its best in turn.

        Layers from below to above, so that what is seen travels up in one sweep.
        """
        m = self.start(v)
        for _ in range(sweeps):
            for layer in range(1, len(m)):
                m[layer] = self.given(m, layer)
        return m

    def bound(self, m: Layers) -> Float[Tensor, " n"]:
        """E_q[-E] + H(q) <= log p*(v) = log p(v) + log Z, with q the means above m[0] = v."""
        q = torch.cat(m[1:], 1)
        return -self.energy(m) - (torch.xlogy(q, q) + torch.xlogy(1 - q, 1 - q)).sum(1)

    def bipartite(self) -> RBM:
        """The same machine as an RBM: even layers are its visible side, odd ones its hidden one."""
        even, odd = range(0, len(self.b), 2), range(1, len(self.b), 2)

        def between(e: int, o: int) -> Tensor:
            if abs(e - o) > 1:
                return self.W[0].new_zeros(self.sizes[e], self.sizes[o])
            return self.W[e].detach() if e < o else self.W[o].detach().T

        W = torch.cat([torch.cat([between(e, o) for o in odd], 1) for e in even])
        a, b = (torch.cat([self.b[layer].detach() for layer in side]) for side in (even, odd))
        return RBM.of(W, a, b)


@torch.no_grad()
def log_p_star(tower: Tower, v: Float[Tensor, "n D"]) -> Float[Tensor, " n"]:
    """log p(v) + log Z, exactly: the sum runs over the odd layers, the even ones are summed out.

    Raises:
        UsageError: more than 20 units in the odd layers together.
    """
    rbm, pixels = tower.bipartite().cpu().double(), tower.sizes[0]
    v = v.cpu().double()
    seen, W, a = v @ rbm.W[:pixels], rbm.W[pixels:], rbm.a[pixels:]

    def of(odd: Tensor) -> Tensor:
        above = torch.nn.functional.softplus(odd @ W.T + a).sum(1, keepdim=True)
        return above + odd @ (seen + rbm.b).T  # [states, n]

    return v @ rbm.a[:pixels] + log_sum(len(rbm.b), of)
