"""A classifier that looks through a window which it places itself (Jaderberg et al. 2015).

The localisation network sees the whole picture U and gives theta = (s, t_x, t_y); the grid of eq. 7,
[s 0 t_x; 0 s t_y], and the sampler (`models.sampler`) cut the window V; a small convolutional network
reads it. Nothing says where the digit is: the gradient of the classification loss reaches theta
through the sampler. The last layer of the localisation network begins with weights 0 and the bias
of the identity, s = 1 and t = 0, so that at first the window is the picture.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.models.sampler import Boxes, window

CLASSES = 10
LEAST = 0.25  # of s: a window is at least so wide, or nothing is seen in it


class Looked(NamedTuple):
    """What a pass leaves: logits [b, 10]; s [b]; t [b, 2]; the window [b, 1, side, side]."""

    logits: Tensor
    scale: Tensor
    move: Tensor
    seen: Tensor


def _stages(channels: tuple[int, ...]) -> nn.Sequential:
    """Convolutions 3 x 3 with batch norm, each followed by the largest of 2 x 2."""
    layers = []
    for before, after in zip((1, *channels), channels, strict=False):
        layers += [
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
    return nn.Sequential(*layers, nn.Flatten())


class Localisation(nn.Module):
    """Picture -> s and t. It sees the picture at half its side: where, not what.

    Args:
        size: side of the picture. `channels`: of the convolutions. `hidden`: of the layer between.
    """

    def __init__(self, *, size: int, channels: tuple[int, ...], hidden: int):
        super().__init__()
        side = size // 2 ** (1 + len(channels))
        self.look = nn.Sequential(
            _stages(channels), nn.Linear(channels[-1] * side**2, hidden), nn.ReLU()
        )
        self.theta = nn.Linear(hidden, 3)
        nn.init.zeros_(self.theta.weight)
        nn.init.zeros_(self.theta.bias)

    def forward(
        self, images: Float[Tensor, "b 1 h w"]
    ) -> tuple[Float[Tensor, " b"], Float[Tensor, "b 2"]]:
        theta = self.theta(self.look(F.avg_pool2d(images, 2)))
        return 1 + (1 - LEAST) * (2 * theta[:, 0]).tanh(), theta[:, 1:].tanh()


class DigitNetwork(nn.Module):
    """Convolutions and two linear layers, on the picture or on what a window shows of it.

    Args:
        size: side of the pictures, 40.
        side: of the window in pixels; None: no window, the network sees the picture.
        channels, hidden: of the convolutions and of the linear layer that read.
        finding, found: the same of the localisation network.
    """

    def __init__(
        self,
        *,
        size: int = 40,
        side: int | None = 20,
        channels: tuple[int, ...] = (12, 24),
        hidden: int = 32,
        finding: tuple[int, ...] = (8, 16),
        found: int = 32,
    ):
        super().__init__()
        channels, finding = tuple(channels), tuple(finding)
        self.size, self.side = size, side
        self.arguments = dict(size=size, side=side, channels=list(channels), hidden=hidden)
        self.arguments |= dict(finding=list(finding), found=found)
        self.localise = (
            None if side is None else Localisation(size=size, channels=finding, hidden=found)
        )
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
    """The windows of eq. 7 as left, top, right, bottom in shares of the side, cut off at 0 and 1."""
    half = scale.abs()[:, None] / 2
    middle = (move + 1) / 2
    return torch.cat([middle - half, middle + half], 1).clamp(0, 1)
