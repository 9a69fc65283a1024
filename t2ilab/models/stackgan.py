"""The second stage of StackGAN (Zhang et al. 2017, section 3.4): a small picture in view, draw it
at twice the side.

The small picture is brought down to a quarter of its side, the condition is put beside it at each
place, residual blocks follow, and three enlargements. What comes out is added to the enlarged small
picture: the network learns what that one misses. Symbols: x the picture of stage I, c the
condition, z its noise, h feature maps.

Departures from the paper: the sum with the enlarged picture; each scale also sees the features on
the way down (a U-Net) and is told c again (`models.gated.Scale`); maps of noise, functions of z,
for the grain of the paper that no sentence and no small picture determines.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError
from t2ilab.models.gated import Scale
from t2ilab.models.layers import init_dcgan
from t2ilab.models.pyramid import up


class Residual(nn.Module):
    """h + f(h), f two 3x3 convolutions with batch norm."""

    def __init__(self, channels: int):
        super().__init__()
        self.f = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, h: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return F.leaky_relu(h + self.f(h), 0.2)


def _down(before: int, after: int) -> nn.Sequential:
    """Half the side by a 4x4 convolution of stride 2."""
    return nn.Sequential(
        nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.LeakyReLU(0.2),
    )


class StageTwo(nn.Module):
    """G2(z, c, x) -> pictures of twice the side of x, around [-1, 1].

    Args:
        size: of its pictures, twice that of x; a multiple of 16.
        z: size of the noise, of which the grain is made.
        condition: size of c.
        width: channels at half the side; more below.
        blocks: residual blocks at an eighth of the side (paper: 4; its code for COCO: 2).

    Raises:
        UsageError: another size.
    """

    def __init__(
        self,
        *,
        size: int = 128,
        z: int = 100,
        condition: int = 128,
        width: int = 24,
        blocks: int = 2,
    ):
        super().__init__()
        if size % 16 or size < 16:
            raise UsageError(f"the second stage draws a multiple of 16 pixels a side, not {size}.")
        self.size, self.z, self.condition = size, z, condition
        self.arguments = dict(size=size, z=z, condition=condition, width=width, blocks=blocks)
        w, last = width, max(width // 2, min(width, 16))
        self.enter = nn.Sequential(nn.Conv2d(3, w, 3, padding=1), nn.LeakyReLU(0.2))
        self.down_1, self.down_2 = _down(w, 2 * w), _down(2 * w, 4 * w)
        self.join = nn.Conv2d(4 * w + condition, 4 * w, 3, padding=1)
        self.residuals = nn.Sequential(*(Residual(4 * w) for _ in range(blocks)))
        self.up_1 = Scale(size // 4, 4 * w, 2 * w, z, condition, deep=True)
        self.up_2 = Scale(size // 2, 2 * w, w, z, condition, deep=True)
        self.up_3 = Scale(size, w, last, z, condition, deep=False)
        self.correct = nn.Conv2d(last, 3, 3, padding=1)
        self.apply(init_dcgan)
        nn.init.zeros_(self.correct.weight)  # at first, the enlarged picture

    def forward(
        self,
        z: Float[Tensor, "b z"],
        c: Float[Tensor, "b condition"],
        x: Float[Tensor, "b 3 half half"],
    ) -> Float[Tensor, "b 3 size size"]:
        h_1 = self.enter(x.contiguous(memory_format=torch.channels_last))  # [b, w, 64, 64]
        h_2 = self.down_1(h_1)  # [b, 2w, 32, 32]
        h = self.down_2(h_2)  # [b, 4w, 16, 16]
        h = self.residuals(F.leaky_relu(self.join(beside(h, c)), 0.2))
        h = self.up_1(h, z, c) + h_2
        h = self.up_2(h, z, c) + h_1
        return up(x) + self.correct(self.up_3(h, z, c))


def beside(
    h: Float[Tensor, "b k h w"], c: Float[Tensor, "b condition"]
) -> Float[Tensor, "b l h w"]:
    """Features, and behind them the condition as channels, the same at every place."""
    return torch.cat([h, c[:, :, None, None].expand(-1, -1, *h.shape[2:])], 1)
