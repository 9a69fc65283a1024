"""A conditional generator as one thing: it draws pictures of labels.

system = CGANSystem.load("runs/cgan")
pictures = system.sample(torch.tensor([3, 3, 7]), seed=0)    # float32 [3, 1, 8, 8]
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.models.cgan import ConditionalGenerator
from t2ilab.systems.single import Single
from t2ilab.systems.system import checked_count


class CGANSystem(Single):
    """The generator, trained."""

    kind = "cgan"
    draws = True

    def __init__(self, generator: ConditionalGenerator):
        super().__init__(generator)
        self.requires_grad_(False)

    @property
    def size(self) -> int:
        return self.network.shape[-1]

    @torch.inference_mode()
    def sample(self, y: Int[Tensor, " n"], seed: int = 0) -> Float[Tensor, "n c h w"]:
        """A picture of each label, in [-1, 1]."""
        rng = torch.Generator().manual_seed(seed)
        return self.network(torch.randn(len(y), self.network.z, generator=rng), y)

    def draw(self, n: int = 16, seed: int = 0) -> UInt8[np.ndarray, "n size size 3"]:
        """n pictures, of the labels in turn.

        Raises:
            UsageError: n is not between 1 and 1024.
        """
        y = torch.arange(checked_count(n)) % self.network.labels
        return to_uint8(self.sample(y, seed).expand(-1, 3, -1, -1))

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "CGANSystem":
        return cls(ConditionalGenerator(**arguments))
