"""S: the style encoder of Reed et al. 2016, section 4.4, which turns the generator round.

G makes a picture of noise z and a caption's vector phi(t); S looks at the picture and says which z
it was made of. What the caption states cannot be found in z, so S learns what captions are silent
on: the style. No public implementation of it is known; this one is a reconstruction.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def brought_to(images: Float[Tensor, "b 3 h w"], size: int) -> Float[Tensor, "b 3 size size"]:
    """Square pictures at another size, smoothly."""
    if images.shape[-1] == size:
        return images
    return F.interpolate(images, (size, size), mode="bilinear", antialias=True)


class StyleEncoder(nn.Module):
    """S(x) -> z: four convolutions, each halving the side, one hidden layer, one linear layer.

    Trained by squared error, its output tends to the mean of all z that could have made the
    picture: directions of z that leave no trace come out as 0, and |S(x)| is smaller than |z|.

    Args:
        size: side of the pictures that the convolutions see; all are brought to it. At 32 pixels
            what is generated and what is real look more alike than at 64, and style is still there.
        z: size of the noise (paper: 100).
        width: channels of the first convolution; the later ones have 2, 4 and 4 times as many.
        hidden: size of the layer before the last.
    """

    def __init__(self, *, size: int = 32, z: int = 100, width: int = 24, hidden: int = 256):
        super().__init__()
        self.size, self.z = size, z
        self.arguments = dict(size=size, z=z, width=width, hidden=hidden)
        w, side = width, size // 16
        layers = []
        for before, after in ((3, w), (w, 2 * w), (2 * w, 4 * w), (4 * w, 4 * w)):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(0.2),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.to_z = nn.Sequential(
            nn.Flatten(),
            nn.Linear(4 * w * side * side, hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, z),
        )

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b z"]:
        """Predicted noise. `images` in [-1, 1], square, of any size."""
        return self.to_z(self.convolutions(brought_to(images, self.size)))

    @torch.inference_mode()
    def style(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b z"]:
        """S(x) of any number of pictures, in `eval` mode and without gradients."""
        was_training = self.training
        parts = [self.eval()(part) for part in images.split(256)]
        self.train(was_training)
        return torch.cat(parts)
