"""The generator of DCGAN (Radford et al. 2016): noise unfolded by transposed convolutions."""

from math import log2

from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError
from t2ilab.models.layers import init_dcgan

SIZES = (8, 16, 32, 64)


class Generator(nn.Module):
    """G(z) -> pictures in [-1, 1]. Batch norm and ReLU on every layer but the last, then tanh.

    Args:
        size: side of the pictures: 8, 16, 32 or 64.
        channels: 1 or 3.
        z: size of the noise (paper: 100).
        width: channels before the last layer; doubled at each stage below.

    Raises:
        UsageError: another size.
    """

    def __init__(self, *, size: int = 32, channels: int = 3, z: int = 100, width: int = 48):
        super().__init__()
        if size not in SIZES:
            raise UsageError(
                f"the generator comes for {', '.join(map(str, SIZES))} pixels, not {size}."
            )
        self.size, self.channels, self.z = size, channels, z
        n = int(log2(size // 4))
        c = [width * 2 ** (n - 1 - i) for i in range(n)]  # 32 px: 4w, 2w, w
        # A transposed 4x4 convolution of one pixel is a linear layer; as such it is faster.
        layers = [
            nn.Linear(z, c[0] * 16, bias=False),
            nn.Unflatten(1, (c[0], 4, 4)),
            nn.BatchNorm2d(c[0]),
            nn.ReLU(),
        ]
        for before, after in zip(c, c[1:], strict=False):
            layers += [
                nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        layers += [nn.ConvTranspose2d(c[-1], channels, 4, stride=2, padding=1), nn.Tanh()]
        self.unfold = nn.Sequential(*layers)
        self.apply(init_dcgan)

    def forward(self, z: Float[Tensor, "b z"]) -> Float[Tensor, "b c size size"]:
        return self.unfold(z)
