"""The sharpening network of Mansimov et al. 2016: a blurry picture and its caption in.

In the paper the last step of a Laplacian pyramid of adversarial networks (`models.lapgan`) adds
what alignDRAW left out. Its three planes of input are the blurry picture's colours, one of the
caption and one of noise; that of noise is 0, "deterministic works best" (the authors' code). So
one picture and caption have one sharp picture.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError


class Sharpener(nn.Module):
    """blurry + f([blurry, plane of the caption]), f convolutions of 7x7, 7x7 and 5x5.

    The last layer begins at 0: the network starts as "leave it as it is".

    Args:
        size, channels: of the pictures.
        text: length of the caption's vector.
        width: channels of the two hidden layers (authors: 128).

    Raises:
        UsageError: a number below 1.
    """

    def __init__(self, *, size: int = 32, channels: int = 3, text: int = 256, width: int = 32):
        super().__init__()
        for called, number in dict(size=size, channels=channels, text=text, width=width).items():
            if number < 1:
                raise UsageError(f"{called} {number}: the sharpener needs 1 or more.")
        self.arguments = dict(size=size, channels=channels, text=text, width=width)
        self.size = size
        self.plane = nn.Linear(text, size * size)
        self.f = nn.Sequential(
            nn.Conv2d(channels + 1, width, 7, padding=3),
            nn.ReLU(),
            nn.Conv2d(width, width, 7, padding=3),
            nn.ReLU(),
            nn.Conv2d(width, channels, 5, padding=2),
        )
        nn.init.zeros_(self.f[-1].weight)
        nn.init.zeros_(self.f[-1].bias)

    def forward(
        self, blurry: Float[Tensor, "b c size size"], text: Float[Tensor, "b text"]
    ) -> Float[Tensor, "b c size size"]:
        """Pictures around [-1, 1], not clipped."""
        plane = self.plane(text).unflatten(1, (1, self.size, self.size))
        return blurry + self.f(torch.cat([blurry, plane], 1))
