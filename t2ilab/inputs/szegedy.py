"""The first adversarial examples: the smallest change that makes a picture another class.

Szegedy et al. 2014, sect. 4.1: minimise c |r| + loss(x + r, target) with x + r in the box, by
L-BFGS, and search for the c whose minimiser is just classified as the target. As is usual, |r| is
squared here (it has no gradient at r = 0, where the search begins); r is measured in shares of the
box's width, and c is the largest that succeeds: the more r costs, the less of it is spent.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.inputs.ascent import ascend
from t2ilab.inputs.constraints import Box, grey_levels
from t2ilab.inputs.lbfgs import LBFGS
from t2ilab.inputs.scores import Network, as_classes, log_probability, predict

Pictures = Float[Tensor, "n ..."]


@dataclass(frozen=True)
class Smallest:
    """The nearest pictures that were found to be taken for the target.

    Attributes:
        pictures: [n, ...]; where nothing was found, the picture as it was.
        found: whether each is predicted as its target.
        distortion: root mean square of each change, as a share of the box's width; 0 if not found.
        c: the weight of |r|² that gave it; NaN where nothing was found.
    """

    pictures: Pictures
    found: Bool[Tensor, " n"]
    distortion: Float[Tensor, " n"]
    c: Float[Tensor, " n"]


def lbfgs_attack(
    network: Network,
    pictures: Pictures,
    *,
    targets: int | Int[Tensor, " n"],
    steps: int = 20,
    searches: int = 10,
    decades: tuple[float, float] = (-4.0, 4.0),
    box: Box | None = None,
) -> Smallest:
    """Box-constrained L-BFGS with a bisection over log10 c, for each picture its own.

    Args:
        targets: the class that each picture shall be taken for.
        steps: of L-BFGS, for each c.
        searches: how many c are tried; the first is the smallest, which cares least for r.
        decades: log10 of the smallest and of the largest c.

    Raises:
        UsageError: a class that does not exist, a picture outside the box, a network in training
            mode, or nothing to search.
    """
    box = box or Box()
    low, high = decades
    if searches < 1 or not low < high:
        raise UsageError(
            f"{searches} searches over c from 10^{low} to 10^{high}: at least one is "
            "needed, and the smaller power first."
        )
    classes, towards = as_classes(targets, pictures), log_probability(network)

    def score(x: Tensor, target: Tensor, original: Tensor, c: Tensor) -> Tensor:
        r = (x - original) / box.width
        return towards(x, target) - c * r.square().flatten(1).sum(1)

    best = _Best(pictures)
    exponent, width = torch.full_like(best.c, low), (high - low) / 2
    for _ in range(searches):
        c = 10**exponent
        given = [classes, pictures, c]
        x = ascend(
            pictures, score, given=given, steps=steps, optimiser=LBFGS(), constraint=box
        ).pictures
        hit = predict(network, x)[0] == classes
        best.take(x, hit, c, box)
        exponent = torch.where(hit, exponent + width, (exponent - width).clamp(min=low))
        width /= 2
    return Smallest(
        best.pictures, best.distortion.isfinite(), best.distortion.nan_to_num(posinf=0.0), best.c
    )


class _Best:
    """The nearest success so far, of each picture."""

    def __init__(self, pictures: Tensor):
        self.originals, self.pictures = pictures, pictures.detach().clone()
        self.distortion = pictures.new_full((len(pictures),), torch.inf)
        self.c = torch.full_like(self.distortion, torch.nan)

    def take(self, x: Tensor, hit: Tensor, c: Tensor, box: Box) -> None:
        """Keep those of `x` that hit and are nearer."""
        distortion = grey_levels(x, self.originals, box=box)[1].to(x) / 255
        better = hit & (distortion < self.distortion)
        self.pictures[better] = x[better]
        self.distortion[better] = distortion[better]
        self.c[better] = c[better]
