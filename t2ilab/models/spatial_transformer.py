"""A classifier that looks through a window which it places itself (Jaderberg et al. 2015).

The localisation network sees the whole picture U and gives theta = (s, t_x, t_y); the grid of
eq. 7, [s 0 t_x; 0 s t_y], and the sampler (`models.sampler`) cut the window V; a small
convolutional network reads it. Nothing says where the digit is: the gradient of the classification
loss reaches theta through the sampler. The last layers of the localisation network begin with
zeros, which give the identity, s = 1 and t = 0: at first the window is the picture.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.models.sampler import Boxes, places, window

CLASSES = 10
LEAST = 0.25  # of s: a window is at least so wide, or nothing is seen in it


class Looked(NamedTuple):
    """What a pass leaves: logits [b, 10]; s [b]; t [b, 2]; the window [b, 1, side, side]."""

    logits: Tensor
    scale: Tensor
    move: Tensor
    seen: Tensor


def _convolution(before: int, after: int) -> list[nn.Module]:
    """3 x 3, with batch norm."""
    convolution = nn.Conv2d(before, after, 3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(after), nn.ReLU()]


def _stages(channels: tuple[int, ...]) -> nn.Sequential:
    """Convolutions, each followed by the largest of 2 x 2."""
    layers = []
    for pair in pairwise((1, *channels)):
        layers += [*_convolution(*pair), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten())


class Localisation(nn.Module):
    """Picture -> s and t. It sees the picture at half its side: where, not what.

    Paper: linear layers on all features give theta. Here t is the centre of mass of a map a that
    sums to 1, softmax of one number a place, and s is read from the features at that place,
    sum_p a_p h_p. So what finds the digit is the same at every place, and needs fewer pictures.

    Args:
        channels: of the convolutions; the side is halved after the first.
    """

    def __init__(self, *, channels: tuple[int, ...]):
        super().__init__()
        first, *others = channels
        self.look = nn.Sequential(
            *_convolution(1, first),
            nn.MaxPool2d(2),
            *(layer for pair in pairwise((first, *others)) for layer in _convolution(*pair)),
        )
        self.where = nn.Conv2d(channels[-1], 1, 1)
        self.how_large = nn.Linear(channels[-1], 1)
        for layer in (self.where, self.how_large):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, images: Float[Tensor, "b 1 h w"]
    ) -> tuple[Float[Tensor, " b"], Float[Tensor, "b 2"]]:
        h = self.look(F.avg_pool2d(images, 2))
        a = self.where(h)[:, 0].flatten(1).softmax(1).view(len(h), *h.shape[2:])
        x = (a.sum(1) * places(h.shape[3], like=h)).sum(1)
        y = (a.sum(2) * places(h.shape[2], like=h)).sum(1)
        there = torch.einsum("bhw,bchw->bc", a, h)
        s = 1 + (1 - LEAST) * self.how_large(there)[:, 0].tanh()
        return s, torch.stack([x, y], 1)


class DigitNetwork(nn.Module):
    """Convolutions and two linear layers, on the picture or on what a window shows of it.

    Args:
        size: side of the pictures, 40.
        side: of the window in pixels; None: no window, the network sees the picture.
        channels, hidden: of the convolutions and of the linear layer that read.
        finding: channels of the localisation network.
    """

    def __init__(
        self,
        *,
        size: int = 40,
        side: int | None = 20,
        channels: tuple[int, ...] = (12, 24),
        hidden: int = 32,
        finding: tuple[int, ...] = (8, 16, 16),
    ):
        super().__init__()
        channels, finding = tuple(channels), tuple(finding)
        self.size, self.side = size, side
        self.arguments = dict(size=size, side=side, channels=list(channels), hidden=hidden)
        self.arguments |= dict(finding=list(finding))
        self.localise = None if side is None else Localisation(channels=finding)
        last = (side or size) // 2 ** len(channels)
        self.read = nn.Sequential(
            _stages(channels),
            nn.Linear(channels[-1] * last**2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, CLASSES),
        )

    def look(self, images: Float[Tensor, "b 1 h w"]) -> Looked:
        """Logits, and where it looked; without a window, at the whole picture."""
        if self.localise is None:
            whole = torch.ones(len(images), device=images.device)
            return Looked(self.read(images), whole, torch.zeros_like(images[:, 0, 0, :2]), images)
        scale, move = self.localise(images)
        seen = window(images, scale, move, self.side)
        return Looked(self.read(seen), scale, move, seen)

    def forward(self, images: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 10"]:
        """Logits; `images` in [0, 1], ink is 1: what lies outside is 0, as the ground is."""
        return self.look(images).logits


def boxes(scale: Float[Tensor, " b"], move: Float[Tensor, "b 2"]) -> Boxes:
    """The windows of eq. 7: left, top, right, bottom in shares of the side, cut off at 0 and 1."""
    half = scale.abs()[:, None] / 2
    middle = (move + 1) / 2
    return torch.cat([middle - half, middle + half], 1).clamp(0, 1)
