"""A deconvolutional network that is told everything (Dosovitskiy, Springenberg and Brox 2015).

Each factor has a stream of two fully connected layers; the streams are laid side by side and mixed
by two more; then each layer doubles the side of the picture. "Unpooling" there sets every value
into the corner of a 2 x 2 block of zeros, and a 5 x 5 convolution follows: together that is a
transposed convolution of stride 2, and so it is written here.
"""

from math import log2
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError

FIRST = 4  # side of the first, fully connected picture


class Drawn(NamedTuple):
    """Pictures in [-1, 1], and where the object is in [0, 1], or None."""

    images: Float[Tensor, "b c size size"]
    masks: Float[Tensor, "b 1 size size"] | None


def _begin(module: nn.Linear | nn.ConvTranspose2d) -> None:
    """He et al. 2015: normal, of variance 2 / what a value is summed over. Biases 0."""
    inputs = module.weight.shape[1 if isinstance(module, nn.Linear) else 0]
    if isinstance(module, nn.ConvTranspose2d):
        inputs *= 25 / 4  # of the 25 taps, a pixel sees every fourth
    nn.init.normal_(module.weight, std=(2 / inputs) ** 0.5)
    nn.init.zeros_(module.bias)


def unfold(before: int, after: int) -> nn.ConvTranspose2d:
    """Unpooling by 2 with zeros and a 5 x 5 convolution, in one: twice the side."""
    return nn.ConvTranspose2d(before, after, 5, stride=2, padding=2, output_padding=1)


class FactorNetwork(nn.Module):
    """g(factors) -> a picture, and where asked for the mask of its object.

    Args:
        widths: how many numbers tell each factor.
        size: side of the pictures: FIRST times a power of two, or three times one (24).
        channels: 1 or 3.
        mask: whether it has the second head, which says where the object is.
        stream: neurons of each factor's layers (paper: 512). `joint`: of the mixed ones (1024).
        width: channels before the last layer, twice as many at each stage below.

    Raises:
        UsageError: another size.
    """

    def __init__(
        self,
        *,
        widths: list[int],
        size: int = 32,
        channels: int = 3,
        mask: bool = False,
        stream: int = 32,
        joint: int = 256,
        width: int = 32,
    ):
        super().__init__()
        first = next((f for f in (FIRST, 3) if size >= 8 and log2(size / f).is_integer()), None)
        if first is None or size > 256:
            raise UsageError(
                f"{size} pixels: a picture doubles its side from 4 or from 3, so give 8, 16, 32, "
                "64, 128 or 256, or 12, 24, 48, 96 or 192."
            )
        self.arguments = dict(widths=list(widths), size=size, channels=channels, mask=mask,
                              stream=stream, joint=joint, width=width)  # fmt: skip
        self.size, self.channels, self.widths = size, channels, list(widths)
        act = nn.LeakyReLU(0.2)
        self.streams = nn.ModuleList(
            nn.Sequential(nn.Linear(w, stream), act, nn.Linear(stream, stream), act) for w in widths
        )
        n = int(log2(size // first))
        c = [width * 2 ** min(n - 1 - i, 2) for i in range(n)]  # 32 px: 4w, 2w, w
        self.joint = nn.Sequential(
            nn.Linear(stream * len(widths), joint), act, nn.Linear(joint, joint), act,
            nn.Linear(joint, c[0] * first**2), act, nn.Unflatten(1, (c[0], first, first)),
        )  # fmt: skip
        layers = [(unfold(a, b), act) for a, b in zip(c, c[1:], strict=False)]
        self.unfold = nn.Sequential(*(one for pair in layers for one in pair))
        self.picture = unfold(c[-1], channels)
        self.mask = unfold(c[-1], 1) if mask else None
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.ConvTranspose2d):
                _begin(module)

    def begin_at(self, mean: Float[Tensor, " c"]) -> None:
        """Let the picture begin as a plain one of this colour, in [-1, 1]."""
        self.picture.bias.data.copy_(mean.clamp(-0.95, 0.95).atanh())

    def forward(self, codes: Float[Tensor, "b sum_of_widths"]) -> Drawn:
        parts = codes.split(self.widths, 1)
        told = [stream(part) for stream, part in zip(self.streams, parts, strict=True)]
        h = self.unfold(self.joint(torch.cat(told, 1)))
        masks = None if self.mask is None else self.mask(h).sigmoid()
        return Drawn(self.picture(h).tanh(), masks)


def laid(
    drawn: Drawn, ground: Float[Tensor, "*b c size size"] | float
) -> Float[Tensor, "b c size size"]:
    """The picture; where there is a mask, the object cut out by it and laid on this ground.

    Args:
        ground: a plain colour, or pictures, in [-1, 1].
    """
    if drawn.masks is None:
        return drawn.images
    return drawn.masks * drawn.images + (1 - drawn.masks) * ground
