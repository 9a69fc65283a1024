"""LAPGAN (Denton et al. 2015): a small picture, and at each doubling what enlarging it misses.

    I_K = G_K(z_K),    I_k = u(I_{k+1}) + G_k(z_k, u(I_{k+1}))                       (eq. 5)

The networks of a level are those of the authors' code: three convolutions without batch norm and a
linear output, for a residual is around 0 and of no fixed size; the discriminator sees the sum of
residual and coarse picture. The smallest picture is DCGAN's here, where the paper has dense layers.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError
from t2ilab.models.dcgan import SIZES, Generator
from t2ilab.models.layers import init_dcgan
from t2ilab.models.pyramid import up


class ResidualGenerator(nn.Module):
    """G_k(z, coarse) -> the residual: convolutions 7x7, 7x7, 5x5, the last one linear.

    Args:
        size: side of the level.
        channels: 1 or 3.
        width: channels of the hidden layers (paper: 64 and more).
    """

    def __init__(self, *, size: int, channels: int = 3, width: int = 16):
        super().__init__()
        self.size, self.channels = size, channels
        self.layers = nn.Sequential(
            nn.Conv2d(channels + 1, width, 7, padding=3),
            nn.ReLU(),
            nn.Conv2d(width, width, 7, padding=3),
            nn.ReLU(),
            nn.Conv2d(width, channels, 5, padding=2),
        )
        self.apply(init_dcgan)

    def forward(
        self, z: Float[Tensor, "b 1 size size"], coarse: Float[Tensor, "b c size size"]
    ) -> Float[Tensor, "b c size size"]:
        """z is a plane of noise beside the channels of u(I_{k+1})."""
        return self.layers(torch.cat([coarse, z], dim=1))


class ResidualDiscriminator(nn.Module):
    """The logit of "data" of h + u(I_{k+1}): convolutions 5x5 and 5x5 of stride 2, dropout, a sum.

    Args:
        size, channels: of the level.
        width: channels of the convolutions.
        dropout: the share that is left out in training.
    """

    def __init__(self, *, size: int, channels: int = 3, width: int = 16, dropout: float = 0.5):
        super().__init__()
        self.size, self.channels = size, channels
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(width, width, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(width * (size // 2) ** 2, 1),
        )
        self.apply(init_dcgan)

    def forward(self, images: Float[Tensor, "b c size size"]) -> Float[Tensor, " b"]:
        return self.layers(images)[:, 0]


class LaplacianGenerator(nn.Module):
    """All generators of a pyramid, the smallest first, as one: G(z) -> pictures.

    Args:
        size: side of the pictures; `start`: of the smallest ones, at most `size`.
        channels: 1 or 3.
        z: numbers of the smallest picture's noise; each level has a plane of noise besides.
        width: channels of the levels' layers, and of DCGAN's last one.

    Raises:
        UsageError: other sizes.
    """

    def __init__(
        self, *, size: int = 64, start: int = 16, channels: int = 3, z: int = 100, width: int = 16
    ):
        super().__init__()
        if not {size, start} <= {*SIZES} or start > size:
            raise UsageError(
                f"a pyramid from {start} to {size} pixels: give two of {', '.join(map(str, SIZES))}"
                ", the smaller first."
            )
        self.arguments = dict(size=size, start=start, channels=channels, z=z, width=width)
        self.size, self.start, self.channels, self.z = size, start, channels, z
        sides = [s for s in SIZES if start < s <= size]
        self.base = Generator(size=start, channels=channels, z=z, width=width)
        self.levels = nn.ModuleList(
            ResidualGenerator(size=s, channels=channels, width=width) for s in sides
        )
        self.parts = [z, *(s * s for s in sides)]  # of the noise
        self.noise_shape = (sum(self.parts),)

    def forward(self, z: Float[Tensor, "b z"]) -> Float[Tensor, "b c size size"]:
        return self.refine(self.base(z[:, : self.z]), z)

    def refine(
        self, images: Float[Tensor, "b c s s"], z: Float[Tensor, "b z"]
    ) -> Float[Tensor, "b c size size"]:
        """The levels above these pictures: their own ones in sampling, or real ones, to see what
        the levels alone do (teacher forcing). `z` is the noise of the whole pyramid.
        """
        for level, plane in zip(self.levels, z.split(self.parts, dim=1)[1:], strict=True):
            if level.size > images.shape[-1]:
                coarse = up(images)
                images = coarse + level(plane.view(-1, 1, level.size, level.size), coarse)
        return images
