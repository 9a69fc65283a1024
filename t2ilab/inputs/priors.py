"""What natural pictures look like, told to the ascent in three ways.

Penalties are functions of a batch that give one number a picture, to be weighed and subtracted from
the score: `penalty=lambda x: 1e-3 * total_variation(x, beta=2) + 1e-4 * l2(x)`. `jitter` changes
what the score sees, `blur` the picture after a step. Octaves are in `octaves.py`.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError


def total_variation(x: Float[Tensor, "b c h w"], *, beta: float = 1.0) -> Float[Tensor, " b"]:
    """Sum over i, j of ((x[i,j+1] - x[i,j])² + (x[i+1,j] - x[i,j])²)^(beta/2), of all channels.

    Mahendran and Vedaldi 2015, sect. 2: a flat picture has 0, and beta above 1 spreads edges out.
    Beyond the border the picture goes on as it ends, so its last column and row have one difference
    each. Where both differences are 0 the gradient is taken to be 0 (with beta <= 1 it has none).

    Raises:
        UsageError: `beta` is not above 0.
    """
    if not beta > 0:
        raise UsageError(f"beta {beta}: the exponent of the total variation must be above 0.")
    right = F.pad(x[..., :, 1:] - x[..., :, :-1], (0, 1))
    down = F.pad(x[..., 1:, :] - x[..., :-1, :], (0, 0, 0, 1))
    squared = right.square() + down.square()
    flat = squared == 0  # 0^(beta/2) has an infinite slope, and infinity times 0 is no number
    return squared.masked_fill(flat, 1).pow(beta / 2).masked_fill(flat, 0).sum((1, 2, 3))


def l2(x: Float[Tensor, "b ..."]) -> Float[Tensor, " b"]:
    """Sum of squares: weight decay, for pixels."""
    return alpha_norm(x, alpha=2.0)


def alpha_norm(x: Float[Tensor, "b ..."], *, alpha: float = 6.0) -> Float[Tensor, " b"]:
    """Sum of |x|^alpha: Mahendran and Vedaldi 2015, sect. 2; a large alpha only minds extremes.

    Raises:
        UsageError: `alpha` is below 1.
    """
    if not alpha >= 1:
        raise UsageError(f"alpha {alpha}: the exponent of the norm must be at least 1.")
    return x.abs().pow(alpha).flatten(1).sum(1)


def jitter(pixels: int, *, generator: torch.Generator | None = None) -> Callable[[Tensor], Tensor]:
    """A `view`: pictures shifted round and round by up to `pixels` each way, drawn at each step.

    One shift for all pictures that are seen together. Not for L-BFGS, which compares what it saw.

    Args:
        pixels: largest shift, at least 0.
        generator: where the shifts come from, on the CPU; seeded with 0 if none is given.
    """
    if pixels < 0:
        raise UsageError(f"jitter {pixels}: the largest shift must be at least 0 pixels.")
    generator = generator or torch.Generator().manual_seed(0)

    def view(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        shift = torch.randint(-pixels, pixels + 1, (2,), generator=generator).tolist()
        return x.roll(shift, dims=(2, 3))

    return view


def blur(sigma: float, *, every: int = 1) -> Callable[[Tensor, int], Tensor]:
    """A `smooth`: pictures blurred by a Gaussian after each `every`-th step (Yosinski et al. 2015).

    Args:
        sigma: of the Gaussian, in pixels, above 0; cut off after 3 sigma, at the border reflected.
        every: how many steps from one blur to the next, at least 1.
    """
    if not 0 < sigma < math.inf or every < 1:
        raise UsageError(f"blur of {sigma} pixels every {every} steps: both must be above 0.")

    def smooth(x: Float[Tensor, "b c h w"], step: int) -> Float[Tensor, "b c h w"]:
        return gaussian_blur(x, sigma) if step % every == 0 else x

    return smooth


def gaussian_blur(x: Float[Tensor, "b c h w"], sigma: float) -> Float[Tensor, "b c h w"]:
    """Each channel convolved with a Gaussian of `sigma` pixels, rows first, then columns."""
    reach = min(max(1, math.ceil(3 * sigma)), min(x.shape[2:]) - 1)  # reflection goes no farther
    places = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    weights = torch.softmax(-((places / sigma) ** 2) / 2, 0)
    c = x.shape[1]
    x = F.pad(x, (reach,) * 4, mode="reflect")
    x = F.conv2d(x, weights.expand(c, 1, 1, -1), groups=c)
    return F.conv2d(x, weights[:, None].expand(c, 1, -1, 1), groups=c)
