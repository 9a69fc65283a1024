"""A network that is told everything, with the names of what it is told.

system = FactorSystem.load("factors-birds-32")
told = system.some(8, seed=0)                       # eight sets of facts, drawn at random
picture = system.picture(told[0] | {"breast": "red", "x": 0.5})
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.data.factors import Factors, of_world
from t2ilab.data.toys import GROUND
from t2ilab.models.factors import FactorNetwork, laid
from t2ilab.systems.single import Single
from t2ilab.systems.system import Told, checked_count

Facts = dict[str, str | float]


class FactorSystem(Single):
    """The network and its factors.

    Attributes:
        network: draws.
        factors: what it is told; `factors.vector(facts)` is what it sees.
    """

    kind = "factors"
    draws = True

    def __init__(self, network: FactorNetwork, factors: Factors):
        super().__init__(network)
        self.factors = factors
        self.requires_grad_(False)

    @property
    def size(self) -> int:
        return self.network.size

    @property
    def choices(self) -> list[str]:
        """The names of the factors that are choices: what a reader can read back."""
        return [name for name, f in self.factors.all.items() if f.kind == "choice"]

    def arguments(self) -> dict[str, Any]:
        return {"factors": self.factors.plain()} | super().arguments()

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "FactorSystem":
        own = dict(arguments)
        factors = Factors.of(own.pop("factors"))
        return cls(FactorNetwork(**own), factors)

    def some(self, n: int = 16, seed: int = 0) -> list[Facts]:
        """n sets of facts, each factor by itself at random: combinations of all kinds."""
        rng = np.random.default_rng(seed)
        draw = {
            "choice": lambda f: f.values[int(rng.integers(f.width))],
            "angle": lambda f: float(rng.uniform(0, 2 * np.pi)),
            "number": lambda f: float(rng.uniform(-1, 1)),
        }
        return [
            {name: draw[f.kind](f) for name, f in self.factors.all.items()}
            for _ in range(checked_count(n))
        ]

    @torch.inference_mode()
    def render(
        self, codes: Float[Tensor, "n width"], ground: float = 2 * GROUND - 1
    ) -> UInt8[np.ndarray, "n size size 3"]:
        """Pictures of vectors as `factors.vector` makes them, or of what lies between such.

        Args:
            ground: the colour in [-1, 1] on which an object with a mask is laid.
        """
        return to_uint8(laid(self.network(codes), ground).expand(-1, 3, -1, -1))

    def picture(self, facts: Mapping[str, str | float]) -> UInt8[np.ndarray, "size size 3"]:
        """The picture of these facts; raises as `Factors.vector`."""
        return self.render(self.factors.vector(facts)[None])[0]

    def pictures(self, facts: Sequence[Facts]) -> UInt8[np.ndarray, "n size size 3"]:
        """The pictures of several sets of facts."""
        return self.render(torch.stack([self.factors.vector(one) for one in facts]))

    def draw(self, n: int = 16, seed: int = 0) -> UInt8[np.ndarray, "n size size 3"]:
        """n pictures of facts at random.

        Raises:
            UsageError: n is not between 1 and 1024.
        """
        return self.pictures(self.some(n, seed))

    def draw_as(self, world: str, split: str, n: int, seed: int = 0) -> Told | None:
        """Told all facts and the place; there is no noise."""
        told = of_world(world, split, self.size, n)
        if not set(self.factors.all) <= set(told.columns):
            return None
        drawn = [self.render(part) for part in told.codes(self.factors).split(256)]
        return Told(
            np.concatenate(drawn), "all facts and the place", tuple(self.choices), np.ones(n, bool)
        )
