"""Trained Boltzmann machines: pictures by Gibbs sampling, annealed from independent pixels."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.exact.partition import Base, anneal, temperatures
from t2ilab.models.dbm import DBM
from t2ilab.models.rbm import RBM, as_pictures, bernoulli
from t2ilab.systems.system import System, checked_count

ANNEALED = 1000  # temperatures from independent pixels to the machine; then as many steps at 1


class Boltzmann(System):
    """A machine, and the base rates of its pixels; of each kind one is derived.

    Args:
        network: the machine.
        base: biases of independent pixels, from which chains begin.
    """

    draws = True
    machine: type[RBM] | type[DBM]

    def __init__(self, network: RBM | DBM, base: Float[Tensor, " D"]):
        super().__init__()
        self.network = network
        self.register_buffer("base", base.detach().clone())
        self.eval().requires_grad_(False)

    @property
    def size(self) -> int:
        return as_pictures(self.base[None]).shape[1]

    def arguments(self) -> dict[str, Any]:
        return dict(self.network.arguments)

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "Boltzmann":
        return cls(cls.machine(**arguments), torch.zeros(arguments["visible"]))

    def bipartite(self) -> tuple[RBM, Base]:
        """The machine as an RBM, and the independent units from which annealing begins."""
        raise NotImplementedError

    def first(self, side: Tensor, generator: torch.Generator) -> Float[Tensor, "n K"]:
        """h1 (of an RBM: h), given samples of the visible side of `bipartite`."""
        raise NotImplementedError

    def probabilities(self, n: int, seed: int = 0) -> Float[Tensor, "n D"]:
        """P(v_i = 1 | h1) for n samples of h1."""
        generator = torch.Generator().manual_seed(int(seed))
        rbm, base = self.bipartite()
        start = base.start(n, generator)
        side, _ = anneal(rbm, start, temperatures(ANNEALED), base, generator)
        side = rbm.gibbs(side, ANNEALED, generator)
        return self.network.visible(self.first(side, generator))

    def draw(self, n: int = 16, seed: int = 0) -> UInt8[np.ndarray, "n size size 3"]:
        """n pictures, always the same for the same seed; grey is P(v_i = 1 | h1).

        Raises:
            UsageError: n is not between 1 and 1024.
        """
        return as_pictures(self.probabilities(checked_count(n), seed)).numpy()


class TrainedRBM(Boltzmann):
    """A restricted Boltzmann machine."""

    kind, machine = "rbm", RBM

    def bipartite(self) -> tuple[RBM, Base]:
        return self.network, Base(self.base)

    def first(self, side: Tensor, generator: torch.Generator) -> Float[Tensor, "n K"]:
        return bernoulli(self.network.hidden(side), generator)


class TrainedDBM(Boltzmann):
    """A deep Boltzmann machine of two layers: h1 on one side, v and h2 on the other."""

    kind, machine = "dbm", DBM

    def bipartite(self) -> tuple[RBM, Base]:
        top = torch.zeros_like(self.network.c)
        base = Base(torch.zeros_like(self.network.b), torch.cat([self.base, top]))
        return self.network.bipartite(), base

    def first(self, side: Tensor, generator: torch.Generator) -> Float[Tensor, "n K"]:
        return side
