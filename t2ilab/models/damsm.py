"""The two sides of DAMSM (Xu et al. 2018, 3.2) in one space: regions of a picture, words.

The picture's side is a convolutional network with 8 x 8 places, each a region, and one vector of
the whole (the paper: an Inception network of ImageNet, 17 x 17 regions, frozen but for the last
layer; ours is small and learns along). The caption's side is a recurrent encoder: its states are
the words, what it makes of their mean is the sentence.
"""

from typing import NamedTuple

from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from t2ilab.errors import choose

SIZES = (32, 64, 128)
SIDE = 8  # regions a side


class Parts(NamedTuple):
    """v_j, the regions of pictures, row by row, and the vector of each whole picture."""

    regions: Float[Tensor, "n 64 space"]
    whole: Float[Tensor, "n space"]


class Words(NamedTuple):
    """e_i, the words of captions, which of them are no pads, and the vector of each sentence."""

    words: Float[Tensor, "m words space"]
    real: Bool[Tensor, "m words"]
    sentence: Float[Tensor, "m space"]


def _block(before: int, after: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


class RegionNetwork(nn.Module):
    """Pictures to 8 x 8 regions and one vector.

    Args:
        size: side of the pictures: 32, 64 or 128.
        width: w, channels of the first convolution; then 2w and 4w.
        space: size of a region's vector, that of a word's.

    Raises:
        UsageError: another size.
    """

    def __init__(self, *, size: int = 64, width: int = 24, space: int = 128):
        super().__init__()
        choose("size of the pictures", str(size), [str(s) for s in SIZES])
        self.size, self.space, w = size, space, width
        self.arguments = dict(size=size, width=width, space=space)
        self.down = nn.Sequential(
            _block(3, w, 5, 1 if size == 32 else 2),
            *([_block(w, w, 3, 2)] if size == 128 else []),
            _block(w, 2 * w, 3, 2),
            _block(2 * w, 4 * w, 3, 2),
        )
        self.more = _block(4 * w, 4 * w)
        self.of_region = nn.Conv2d(4 * w, space, 1, bias=False)
        self.whole = nn.Sequential(
            _block(4 * w, 4 * w, 3, 2), nn.Flatten(), nn.Linear(4 * w * 16, space)
        )

    def forward(self, images: Float[Tensor, "n 3 size size"]) -> Parts:
        """`images` in [-1, 1]."""
        h = self.down(images)
        h = h + self.more(h)
        return Parts(rearrange(self.of_region(h), "n d h w -> n (h w) d"), self.whole(h))


def read(encoder: nn.Module, numbers: Int[Tensor, "m words"]) -> Words:
    """Words and sentences of a recurrent encoder, given by the numbers of the words."""
    states, real = encoder.states(numbers), numbers > 0
    real[:, 0] = True  # a caption without a word that is known: its first pad stands for one
    return Words(states, real, encoder.sentence(states, numbers))


class Damsm(nn.Module):
    """Both sides.

    Args:
        encoder: recurrent (`text.encoders`), with text = word = the network's `space`.
        network: the picture's side.
    """

    def __init__(self, encoder: nn.Module, network: RegionNetwork):
        super().__init__()
        self.encoder, self.network = encoder, network

    def look(self, images: Float[Tensor, "n 3 size size"]) -> Parts:
        """Pictures alone."""
        return self.network(images)

    def read(self, numbers: Int[Tensor, "m words"]) -> Words:
        """Captions, given by the numbers of their words."""
        return read(self.encoder, numbers)

    def forward(
        self, images: Float[Tensor, "n 3 size size"], numbers: Int[Tensor, "m words"]
    ) -> tuple[Parts, Words]:
        return self.network(images), self.read(numbers)
