"""Precision, recall, density and coverage: do the pictures look real, and are all kinds there?

A set of pictures is stood for by balls around its features, each as large as the distance to the
k-th nearest neighbour in the same set. A Frechet distance mixes what these tell apart.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError


class Manifold(NamedTuple):
    """How two sets of pictures lie to each other.

    Attributes:
        precision: share of generated pictures within a ball of a real one (Kynkaanniemi et al.
            2019, eq. 1 and 2; k = 3). Less than 1: some look like none.
        recall: share of real pictures within a ball of a generated one. Less: some kinds are
            missing.
        density: in how many balls of real pictures a generated one lies, as a share of k (Naeem et
            al. 2020; k = 5); around 1 for real ones, and not bounded by it.
        coverage: share of balls of real pictures that hold a generated one (k = 5). Of two real
            sets of one size it is about 1 - 2^-k.
    """

    precision: float
    recall: float
    density: float
    coverage: float


@torch.inference_mode()
def manifold(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> Manifold:
    """The four numbers, of features.

    Raises:
        UsageError: 5 or fewer of a kind, or features that are not finite.
    """
    if min(len(real), len(fake)) <= 5:
        raise UsageError(
            f"{len(real)} real and {len(fake)} generated pictures: give at least 6 of each."
        )
    if not (real.isfinite().all() and fake.isfinite().all()):
        raise UsageError("features that are not finite: leave out the pictures that have them.")
    across = torch.cdist(fake, real)  # [m, n]
    real_3, real_5 = _radii(real, 3, 5)
    (fake_3,) = _radii(fake, 3)
    inside = across <= real_5
    return Manifold(
        precision=float((across <= real_3).any(1).float().mean()),
        recall=float((across.T <= fake_3).any(1).float().mean()),
        density=float(inside.float().sum(1).mean() / 5),
        coverage=float(inside.any(0).float().mean()),
    )


def _radii(x: Float[Tensor, "n d"], *ks: int) -> list[Float[Tensor, " n"]]:
    """Each one's distance to its k-th nearest neighbour, for each k."""
    apart = torch.cdist(x, x)
    return [apart.kthvalue(k + 1, dim=1).values for k in ks]  # the nearest of all is itself
