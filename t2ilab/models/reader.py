"""AttributeReader: reads back from a picture what PaperWorld drew.

A small convolutional classifier with one head an attribute. Every picture is brought to 64 x 64
pixels first, so that one reader serves all resolutions. It measures caption consistency, and its
features are those of the course's own Inception score, FID and KID ("FID-PaperWorld").
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

SIDE = 64  # pixels of the pictures that the convolutions see


class AttributeReader(nn.Module):
    """Convolutions 3x3, each halving the side, a feature layer, and one linear layer for all heads.

    Args:
        attributes: attribute -> number of its values, e.g. {"breast": 10, "beak": 2}.
        width: channels of the first convolution; the later ones have 2, 4 and 4 times as many.
        features: size of the feature layer.
    """

    def __init__(self, *, attributes: dict[str, int], width: int = 32, features: int = 256):
        super().__init__()
        self.attributes = dict(attributes)
        self.arguments = dict(attributes=self.attributes, width=width, features=features)
        w = width
        layers = []
        for before, after in ((3, w), (w, 2 * w), (2 * w, 4 * w), (4 * w, 4 * w)):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.to_features = nn.Sequential(
            nn.Flatten(), nn.Linear(4 * w * 4 * 4, features), nn.ReLU()
        )
        self.heads = nn.Linear(features, sum(attributes.values()))

    def features(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b features"]:
        """The feature layer, non-negative. `images` in [-1, 1], square, of any size."""
        if images.shape[-1] != SIDE:
            images = F.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)
        return self.to_features(self.convolutions(images))

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> dict[str, Float[Tensor, "b values"]]:
        """attribute -> logits over its values."""
        logits = self.heads(self.features(images)).split(list(self.attributes.values()), dim=1)
        return dict(zip(self.attributes, logits, strict=True))

    @torch.inference_mode()
    def logits(self, images: Float[Tensor, "b 3 h w"]) -> dict[str, Float[Tensor, "b values"]]:
        """As `forward`, of any number of pictures, in `eval` mode."""
        was_training = self.training
        parts = [self.eval()(part) for part in images.split(256)]
        self.train(was_training)
        return {name: torch.cat([part[name] for part in parts]) for name in self.attributes}

    @torch.inference_mode()
    def read(self, images: Float[Tensor, "b 3 h w"]) -> dict[str, Int[Tensor, " b"]]:
        """attribute -> the most probable value of each picture, read in `eval` mode."""
        return {name: logits.argmax(1) for name, logits in self.logits(images).items()}
