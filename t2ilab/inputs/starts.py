"""Where an ascent begins when it does not begin at a photograph."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.inputs.constraints import Box


def uniform_noise(
    n: int,
    shape: tuple[int, ...],
    *,
    generator: torch.Generator | None = None,
    box: Box | None = None,
) -> Float[Tensor, "n ..."]:
    """`n` pictures of `shape` whose every value is drawn alike from the whole box."""
    box = box or Box()
    drawn = torch.rand(n, *shape, generator=generator) * box.width + box.low
    return box.project(drawn)


def gaussian_noise(
    n: int,
    shape: tuple[int, ...],
    *,
    sigma: float = 0.5,
    generator: torch.Generator | None = None,
    box: Box | None = None,
) -> Float[Tensor, "n ..."]:
    """`n` pictures whose every value is drawn from N(centre of the box, sigma²), then clipped.

    "We start our images from sampled gaussian noise" (Le 2018, 4.1.1); the sigma is not said.

    Args:
        sigma: as a share of half the box's width.
    """
    box = box or Box()
    centre = (box.low + box.high) / 2
    drawn = torch.randn(n, *shape, generator=generator) * (sigma * box.width / 2) + centre
    return box.project(drawn)


def near(
    picture: Float[Tensor, "..."],
    n: int,
    *,
    sigma: float = 0.01,
    generator: torch.Generator | None = None,
    box: Box | None = None,
) -> Float[Tensor, "n ..."]:
    """`n` times `picture`, each with a little Gaussian noise of its own that breaks the symmetry.

    Fooling images begin so, at the mean of the data (Nguyen et al. 2015, fig. 13).

    Args:
        picture: e.g. the mean picture, in the box.
        sigma: of the noise, as a share of the box's width.
    """
    box = box or Box()
    noise = torch.randn(n, *picture.shape, generator=generator) * (sigma * box.width)
    return box.project(picture + noise.to(picture))


def random_network(
    n: int,
    shape: tuple[int, int, int],
    *,
    channels: int = 64,
    generator: torch.Generator | None = None,
    box: Box | None = None,
) -> Float[Tensor, "n c h w"]:
    """Noise of 4 x 4 places, unfolded by convolutions that nobody trained: soft coloured blobs.

    Each doubling of the side is followed by a 5x5 convolution with weights N(0, 0.1²), drawn anew
    at each call, and by layer norm; in the end each picture is stretched to fill the box (the
    initialisation of Lee et al. 2018). White noise has to lose its grain first; this has none.

    Args:
        shape: (channels, side, side), the side a power of two and at least 8.

    Raises:
        UsageError: another shape.
    """
    box = box or Box()
    colours, side, width = shape
    if side != width or side < 8 or side & (side - 1):
        raise UsageError(
            f"random-network noise of shape {list(shape)}: square pictures of 8, 16, "
            "32, ... pixels are needed."
        )
    x = torch.rand(n, channels, 4, 4, generator=generator) * 2 - 1
    while x.shape[-1] < side:
        last = x.shape[-1] * 2 == side
        weights = torch.randn(colours if last else channels, channels, 5, 5, generator=generator)
        x = F.conv2d(F.interpolate(x, scale_factor=2), 0.1 * weights, padding=2)
        x = F.layer_norm(x, x.shape[1:])
    low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    return box.project((x - low) / (high - low) * box.width + box.low)
