"""AttributeReader: reads back from a picture what PaperWorld drew, and says where it cannot.

A small convolutional classifier with one head an attribute and one that says whether the picture
can be read at all. Every picture is brought to 64 x 64 pixels first, so that one reader serves all
resolutions. It measures caption consistency, and its features are those of the course's own
Inception score, FID and KID ("FID-PaperWorld").
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from t2ilab.errors import choose

SIDE = 64  # pixels of the pictures that the convolutions see
READABLE = "readable"  # the head that every reader has: 0 no, 1 yes
UNREADABLE = -1  # what is read from a picture that cannot be read


def _strided(w: int) -> tuple[nn.Sequential, int]:
    """Convolutions 3x3, each halving the side, down to 4 x 4; and the size of what comes out."""
    layers = []
    for before, after in ((3, w), (w, 2 * w), (2 * w, 4 * w), (4 * w, 4 * w)):
        layers += [
            nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers), 4 * w * 4 * 4


class _Residual(nn.Module):
    """Half the side: mean of 2 x 2 of (h + f(h)), f two convolutions 3x3 (He et al. 2016)."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.f = nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.skip = nn.Conv2d(before, after, 1, bias=False)

    def forward(self, h: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        return F.relu(F.avg_pool2d(self.skip(h) + self.f(h), 2))


def _residual(w: int) -> tuple[nn.Sequential, int]:
    """Four residual blocks after a strided convolution of 5x5, down to 2 x 2."""
    first = nn.Conv2d(3, w, 5, stride=2, padding=2, bias=False)
    blocks = [_Residual(a * w, b * w) for a, b in ((1, 2), (2, 3), (3, 4), (4, 4))]
    return nn.Sequential(first, nn.BatchNorm2d(w), nn.ReLU(), *blocks), 4 * w * 2 * 2


BODIES = {"strided": _strided, "residual": _residual}


class AttributeReader(nn.Module):
    """Convolutions, a feature layer, and one linear layer for all heads.

    Args:
        attributes: attribute -> number of its values, e.g. {"breast": 10, "beak": 2}.
        width: channels of the first convolution.
        features: size of the feature layer.
        body: "strided", or "residual": another architecture, for a second opinion.

    Raises:
        UsageError: there is no such body.
    """

    def __init__(
        self,
        *,
        attributes: dict[str, int],
        width: int = 32,
        features: int = 128,
        body: str = "strided",
    ):
        super().__init__()
        self.attributes = dict(attributes)
        self.arguments = dict(attributes=self.attributes, width=width, features=features, body=body)
        self.convolutions, size = BODIES[choose("body", body, BODIES)](width)
        self.to_features = nn.Sequential(nn.Flatten(), nn.Linear(size, features), nn.ReLU())
        self.values = self.attributes | {READABLE: 2}
        self.heads = nn.Linear(features, sum(self.values.values()))
        self.register_buffer("temperatures", torch.ones(len(self.values)))

    def features(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b features"]:
        """The feature layer, non-negative. `images` in [-1, 1], square, of any size."""
        if images.shape[-1] != SIDE:
            images = F.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)
        return self.to_features(self.convolutions(images))

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> dict[str, Float[Tensor, "b values"]]:
        """attribute -> logits over its values, and "readable" -> logits of no and yes.

        Divided by each head's temperature (Guo et al. 2017), so that their softmax is calibrated.
        """
        parts = self.heads(self.features(images)).split(list(self.values.values()), dim=1)
        temperatures = self.temperatures.unbind()
        return {n: p / t for n, p, t in zip(self.values, parts, temperatures, strict=True)}

    @torch.inference_mode()
    def _all(self, images: Float[Tensor, "b 3 h w"]) -> dict[str, Float[Tensor, "b values"]]:
        """As `forward`, of any number of pictures, in `eval` mode."""
        was_training = self.training
        parts = [self.eval()(part) for part in images.split(256)]
        self.train(was_training)
        return {name: torch.cat([part[name] for part in parts]) for name in self.values}

    def logits(self, images: Float[Tensor, "b 3 h w"]) -> dict[str, Float[Tensor, "b values"]]:
        """attribute -> logits over its values, of any number of pictures, readable or not."""
        found = self._all(images)
        return {name: found[name] for name in self.attributes}

    def readable(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, " b"]:
        """The probability that each picture can be read: that one subject of this world is seen."""
        return self._all(images)[READABLE].float().softmax(1)[:, 1]

    def read(
        self, images: Float[Tensor, "b 3 h w"], *, refuse: bool = True
    ) -> dict[str, Int[Tensor, " b"]]:
        """attribute -> the most probable value of each picture, read in `eval` mode.

        Args:
            refuse: of pictures that are more probably not readable, read -1 (`UNREADABLE`), which
                equals no value. Without it there is an answer for any picture: grey is elephants.
        """
        found = self._all(images)
        no = found[READABLE].argmax(1) == 0
        values = {name: found[name].argmax(1) for name in self.attributes}
        return {n: v.masked_fill(no, UNREADABLE) for n, v in values.items()} if refuse else values

    def confidence(self, images: Float[Tensor, "b 3 h w"]) -> dict[str, Float[Tensor, " b"]]:
        """attribute -> the probability of what `read(refuse=False)` says, calibrated."""
        return {name: x.float().softmax(1).amax(1) for name, x in self.logits(images).items()}
