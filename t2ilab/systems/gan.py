"""A trained generator as one thing: it draws from noise, points or pictures.

system = GANSystem.load("runs/ring")
points = system.sample(1000, seed=0)    # float32 [1000, 2]
picture = system.draw(1)                # where its points lie
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.data.mixtures import seen
from t2ilab.models.dcgan import Generator
from t2ilab.models.lapgan import LaplacianGenerator
from t2ilab.models.mlp_gan import MLPGenerator
from t2ilab.models.progressive import ProgressiveGenerator
from t2ilab.systems.single import Single
from t2ilab.systems.system import checked_count

SIDE, POINTS = 64, 1000  # of a picture of points: pixels, and how many it shows


class DCGANSystem(Single):
    """The generator of DCGAN, trained."""

    kind = "dcgan"
    draws = True

    def __init__(
        self, generator: Generator | MLPGenerator | LaplacianGenerator | ProgressiveGenerator
    ):
        super().__init__(generator)
        self.requires_grad_(False)

    @property
    def size(self) -> int:
        return self.network.size

    def sample(self, n: int, seed: int = 0) -> Float[Tensor, "n *shape"]:
        """n samples from noise: pictures in [-1, 1], or points.

        Raises:
            UsageError: n is not at least 1.
        """
        checked_count(min(n, 1))
        z = torch.randn(n, *self.network.noise_shape, generator=torch.Generator().manual_seed(seed))
        return torch.cat([self.network(part) for part in z.split(250)])

    def draw(self, n: int = 16, seed: int = 0) -> UInt8[np.ndarray, "n size size 3"]:
        """n pictures.

        Raises:
            UsageError: n is not between 1 and 1024.
        """
        return to_uint8(self.sample(checked_count(n), int(seed)).clamp(-1, 1).expand(-1, 3, -1, -1))

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "DCGANSystem":
        return cls(Generator(**arguments))


class GANSystem(DCGANSystem):
    """A multilayer perceptron that makes points or grey pictures."""

    kind = "gan"

    @property
    def size(self) -> int:
        return SIDE if self.of_points else self.network.shape[-1]

    @property
    def of_points(self) -> bool:
        return len(self.network.shape) == 1

    def draw(self, n: int = 16, seed: int = 0) -> UInt8[np.ndarray, "n size size 3"]:
        """n pictures; of points each shows 1,000 others of them; raises as `DCGANSystem.draw`."""
        if not self.of_points:
            return super().draw(n, seed)
        points = self.sample(checked_count(n) * POINTS, int(seed)).view(n, POINTS, -1)
        return np.stack([seen(part, SIDE) for part in points])

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "GANSystem":
        return cls(MLPGenerator(**arguments))


class LAPGANSystem(DCGANSystem):
    """The generators of a pyramid, trained."""

    kind = "lapgan"

    @torch.inference_mode()
    def refined(
        self, images: Float[Tensor, "n c s s"], seed: int = 0
    ) -> Float[Tensor, "n c size size"]:
        """What the levels above these pictures, in [-1, 1], make of them."""
        rng = torch.Generator().manual_seed(seed)
        z = torch.randn(len(images), *self.network.noise_shape, generator=rng)
        both = zip(images.split(250), z.split(250), strict=True)
        return torch.cat([self.network.refine(*part) for part in both])

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "LAPGANSystem":
        return cls(LaplacianGenerator(**arguments))


class ProgressiveSystem(DCGANSystem):
    """A generator that has grown, of which each earlier size can still be asked."""

    kind = "progressive"

    @torch.inference_mode()
    def grown(
        self, n: int, seed: int = 0, *, level: int | None = None, alpha: float = 1.0
    ) -> Float[Tensor, "n c s s"]:
        """n pictures at a level (0: 4 x 4 pixels), faded in by alpha; the same seed, the same z.

        Raises:
            UsageError: no such level, or alpha outside [0, 1].
        """
        z = torch.randn(n, *self.network.noise_shape, generator=torch.Generator().manual_seed(seed))
        return torch.cat([self.network(part, level, alpha) for part in z.split(250)])

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "ProgressiveSystem":
        return cls(ProgressiveGenerator(**arguments))
