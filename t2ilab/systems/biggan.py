"""BigGAN as one thing: it draws pictures of classes, from truncated noise where asked.

system = BigGANSystem.load("biggan-birds-32")
pictures = system.sample(torch.tensor([0, 0, 3]), seed=0, threshold=0.5)    # float32 [3, 3, 32, 32]
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from t2ilab.data import paperworld
from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.models.biggan import BigGANGenerator, truncated_normal
from t2ilab.systems.single import Single
from t2ilab.systems.system import Told, checked_count


class BigGANSystem(Single):
    """The generator, trained.

    Args:
        generator: without spectral norm (see `models.biggan.baked`).
        label: the attribute whose values the classes are; "": classes of a data set.
        names: one a class.
    """

    kind = "biggan"
    draws = True

    def __init__(self, generator: BigGANGenerator, *, label: str = "", names: Sequence[str] = ()):
        super().__init__(generator)
        self.requires_grad_(False)
        self.label, self.names = label, tuple(names)

    @property
    def size(self) -> int:
        return self.network.size

    @property
    def classes(self) -> int:
        return self.network.classes

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"label": self.label, "names": list(self.names)}

    def noise(self, n: int, seed: int = 0, threshold: float | None = None) -> Float[Tensor, "n z"]:
        """z of n pictures; the same seed gives, at another threshold, the same noise drawn in.

        Raises:
            UsageError: a threshold that is not above 0.
        """
        rng = torch.Generator().manual_seed(seed)
        return truncated_normal(n, self.network.z, threshold=threshold, rng=rng)

    @torch.inference_mode()
    def sample(
        self, y: Int[Tensor, " n"], seed: int = 0, threshold: float | None = None
    ) -> Float[Tensor, "n c h w"]:
        """A picture of each class, in [-1, 1].

        Raises:
            UsageError: a class that there is not; see `noise`.
        """
        if len(y) and not 0 <= int(y.min()) <= int(y.max()) < self.classes:
            raise UsageError(f"classes go from 0 to {self.classes - 1}; these: {y.unique()}.")
        z = self.noise(len(y), seed, threshold)
        both = zip(z.split(250), y.split(250), strict=True)
        return torch.cat([self.network(*part) for part in both])

    def draw(self, n: int = 16, seed: int = 0) -> UInt8[np.ndarray, "n size size 3"]:
        """n pictures, of the classes in turn.

        Raises:
            UsageError: n is not between 1 and 1024.
        """
        y = torch.arange(checked_count(n)) % self.classes
        return to_uint8(self.sample(y, seed).expand(-1, 3, -1, -1))

    def draw_as(self, world: str, split: str, n: int, seed: int = 0) -> Told | None:
        """Told the class; where a picture is of none that it knows, classes in turn."""
        one = paperworld.world(world)
        values = one.attributes.get(self.label, ())
        if not self.names or not set(self.names) <= set(values):
            return None
        known = np.array([self.names.index(v) if v in self.names else -1 for v in values])
        y = known[one.load(split, self.size, n).attributes[self.label]]
        could = y >= 0
        y = np.where(could, y, np.arange(n) % self.classes)
        pictures = to_uint8(self.sample(torch.from_numpy(y), seed).expand(-1, 3, -1, -1))
        return Told(pictures, f"the class: {self.label}", (self.label,), could)

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "BigGANSystem":
        given = dict(arguments)
        about = {name: given.pop(name) for name in ("label", "names")}
        return cls(BigGANGenerator(**given), **about)
