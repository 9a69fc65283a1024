"""Trained Boltzmann machines: pictures by Gibbs sampling, annealed from independent pixels."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.exact.partition import Base, anneal, temperatures
from t2ilab.models.rbm import RBM, as_pictures
from t2ilab.systems.system import System, checked_count

ANNEALED = 1000  # temperatures from independent pixels to the machine; then as many steps at 1


class TrainedRBM(System):
    """An RBM, and the base rates of its pixels.

    Args:
        network: the machine.
        base: biases of independent pixels, from which chains begin.
    """

    kind = "rbm"
    draws = True

    def __init__(self, network: RBM, base: Float[Tensor, " D"]):
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
    def build(cls, arguments: dict[str, Any]) -> "TrainedRBM":
        return cls(RBM(**arguments), torch.zeros(arguments["visible"]))

    def bipartite(self) -> tuple[RBM, Base]:
        """The machine as an RBM, and the independent units that are its base."""
        return self.network, Base(self.base)

    def sides(self, n: int, generator: torch.Generator) -> Float[Tensor, "n units"]:
        """n samples of the visible side of `bipartite`."""
        rbm, base = self.bipartite()
        start = base.start(n, generator)
        v, _ = anneal(rbm, start, temperatures(ANNEALED), base, generator)
        return rbm.gibbs(v, ANNEALED, generator)

    def probabilities(self, n: int, seed: int = 0) -> Float[Tensor, "n D"]:
        """P(v_i = 1 | h) for n sampled h."""
        generator = torch.Generator().manual_seed(int(seed))
        v = self.sides(n, generator)
        return self.network.visible(self.network.hidden(v).bernoulli(generator=generator))

    def draw(self, n: int = 16, seed: int = 0) -> UInt8[np.ndarray, "n size size 3"]:
        """n pictures, always the same for the same seed; grey is P(v_i = 1 | h).

        Raises:
            UsageError: n is not between 1 and 1024.
        """
        return as_pictures(self.probabilities(checked_count(n), seed)).numpy()
