"""A trained VAE as one thing: it draws, encodes and reconstructs.

system = VAESystem.load("iwae-mnist-28")
digits = system.draw(16, seed=0)
z = system.encode(pictures)             # the mean of q(z|x)
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.models.vae import VAE
from t2ilab.systems.single import Single
from t2ilab.systems.system import checked_count


class VAESystem(Single):
    """Encoder and decoder, trained by the ELBO or as an IWAE: of one kind, for they are alike."""

    kind = "vae"
    draws = True

    def __init__(self, vae: VAE):
        super().__init__(vae)
        self.requires_grad_(False)

    @property
    def vae(self) -> VAE:
        return self.network

    @property
    def size(self) -> int:
        return self.vae.size

    def encode(self, pictures: Float[Tensor, "b c h w"], seed: int = 0) -> Float[Tensor, "b n"]:
        """The mean of q(z_1|x) for pictures in [-1, 1]; `seed`: of pixels that are drawn."""
        x = self.vae.seen(pictures, torch.Generator().manual_seed(seed))
        return self.vae.encoders[0](x)[0]

    def decode(self, z: Float[Tensor, "b n"]) -> UInt8[np.ndarray, "b size size 3"]:
        """The mean picture of p(x|z_1), as `draw` shows it."""
        return to_uint8(self.vae.mean_picture(z).expand(-1, 3, -1, -1))

    def reconstruct(
        self, pictures: Float[Tensor, "b c h w"], seed: int = 0
    ) -> UInt8[np.ndarray, "b size size 3"]:
        """What the decoder makes of `encode`."""
        return self.decode(self.encode(pictures, seed))

    def draw(self, n: int = 16, seed: int = 0) -> UInt8[np.ndarray, "n size size 3"]:
        """n mean pictures of p(x|z_1), z ~ p(z); of grey ones each value is the chance of a 1.

        Raises:
            UsageError: n is not between 1 and 1024.
        """
        generator = torch.Generator().manual_seed(int(seed))
        return self.decode(self.vae.down(self.vae.noise(1, checked_count(n), generator))[0])

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "VAESystem":
        return cls(VAE(**arguments))
