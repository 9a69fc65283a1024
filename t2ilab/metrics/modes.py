"""Which modes of a known mixture a generator reaches, how well, and how far it is in all.

As PacGAN counts (Lin et al. 2018, section 4.1, after Srivastava et al. 2017): a point has high
quality within three standard deviations of a centre, and a mode is captured if it has such a point.
In the plane 1 - exp(-9/2) = 0.989 of the *data* has high quality. The number of captured modes says
little; the reverse KL also tells shares that are uneven.
"""

from dataclasses import dataclass
from math import log

import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from t2ilab.data.mixtures import Mixture
from t2ilab.errors import UsageError

NEAR = 3.0  # standard deviations
MOST = 4096  # points of one exact transport: the time grows with the cube


@dataclass(frozen=True)
class Modes:
    """What is found.

    Attributes:
        captured: modes with at least one point of high quality.
        quality: share of the points within three standard deviations of a centre.
        reverse_kl: KL(shares of the generator || shares of the data) over the modes, in nats; each
            point counts for its nearest centre. 0 where all modes get the same.
        shares: of the points, one a mode; they sum to 1.
    """

    captured: int
    quality: float
    reverse_kl: float
    shares: tuple[float, ...]


def modes(points: Float[Tensor, "n d"], of: Mixture) -> Modes:
    """Count the modes of a mixture that points reach.

    Raises:
        UsageError: no points, or of another dimension.
    """
    if not len(points) or points.shape[1] != of.dimensions:
        raise UsageError(f"points {list(points.shape)}: give [n, {of.dimensions}], n at least 1.")
    distance, nearest = torch.cdist(points, of.centres).min(1)
    good = distance <= NEAR * of.std
    counts = torch.bincount(nearest, minlength=len(of.centres)).double() / len(points)
    hit = torch.bincount(nearest[good], minlength=len(of.centres)) > 0
    some = counts[counts > 0]
    reverse = float((some * some.log()).sum()) + log(len(of.centres))
    return Modes(int(hit.sum()), float(good.float().mean()), reverse, tuple(counts.tolist()))


def exact_w1(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> float:
    """W1 between two samples of equal size: the cheapest matching, mean distance of its pairs.

    Exact for the samples (`scipy.optimize.linear_sum_assignment`). Between two samples of one
    distribution it is above 0, so compare with that.

    Raises:
        UsageError: unequal sizes, or more than 4096 points.
    """
    if a.shape != b.shape or not 1 <= len(a) <= MOST:
        raise UsageError(
            f"points {list(a.shape)} and {list(b.shape)}: give two samples of one size, 1 to "
            f"{MOST} points."
        )
    cost = torch.cdist(a.double(), b.double()).numpy()
    return float(cost[linear_sum_assignment(cost)].mean())
