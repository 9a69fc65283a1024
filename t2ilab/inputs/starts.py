"""Where an ascent begins when it does not begin at a photograph."""

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.inputs.constraints import Box


def uniform_noise(n: int, shape: tuple[int, ...], *, generator: torch.Generator | None = None,
                  box: Box | None = None) -> Float[Tensor, "n ..."]:
    """`n` pictures of `shape` whose every value is drawn alike from the whole box."""
    box = box or Box()
    drawn = torch.rand(n, *shape, generator=generator) * box.width + box.low
    return box.project(drawn)


def near(picture: Float[Tensor, "..."], n: int, *, sigma: float = 0.01,
         generator: torch.Generator | None = None, box: Box | None = None,
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
