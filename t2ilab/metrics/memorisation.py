"""Are the pictures new, or remembered? Nearest neighbours among training and held-out pictures.

Whoever hands out training pictures has a perfect FID. What gives them away is that they lie nearer
to the training pictures than to as many others of the same kind. Such scores miss much, and the
first of the three misses most (Stein et al. 2023, section 4.3): see what they say of copies that
were planted (`planted`) before believing what they say of a system.
"""

from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError

QUANTILE = 0.01  # of the distances of held-out pictures: below it a picture counts as too near
AT_ONCE = 250  # pictures whose distances to all others are held in memory


class Nearest(NamedTuple):
    """The Euclidean distance to the nearest of some others, and which one that is."""

    distance: Float[Tensor, " n"]
    index: Int[Tensor, " n"]


@torch.inference_mode()
def nearest(
    x: Float[Tensor, "n d"], others: Float[Tensor, "m e"], but: Int[Tensor, " n"] | None = None
) -> Nearest:
    """Of each x the nearest of the others.

    Args:
        but: for each x the one of the others that does not count: itself.

    Raises:
        UsageError: vectors of different lengths, or no others.
    """
    if x.shape[1] != others.shape[1] or not len(others):
        raise UsageError(
            f"vectors of {x.shape[1]} numbers and {len(others)} others of {others.shape[1]}: give "
            "at least one other, as long as they."
        )
    found, square = [], others.square().sum(1)
    for start in range(0, len(x), AT_ONCE):
        part = x[start : start + AT_ONCE]
        apart = part.square().sum(1)[:, None] + square - 2 * part @ others.T
        if but is not None:
            apart.scatter_(1, but[start : start + AT_ONCE, None], torch.inf)
        found.append(apart.min(1))
    squared, index = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Nearest(squared.clamp(min=0).sqrt(), index)


class Memorised(NamedTuple):
    """What three tests say of some pictures.

    Attributes:
        nearer: share that lies nearer to a training picture than to any of as many held-out ones;
            ties count half. About 1/2 where nothing is remembered; a share c of copies makes it
            1/2 + c/2.
        copied: an estimate of the share of copies. A picture is *too near* if it lies nearer to the
            training pictures than all but 1 % of held-out ones do; p of them are, and
            copied = (p - 0.01) / 0.99, at least 0.
        authentic: share that lies farther from the nearest training picture than that one lies from
            its own nearest (Alaa et al. 2022, section 3.3). There is no fixed value for new
            pictures: compare it with that of held-out ones.
    """

    nearer: float
    copied: float
    authentic: float


class Memory:
    """Training pictures, and as many of the same kind that no training saw, to compare with.

    Args:
        train, held: uint8 pictures, or vectors; equally many.

    Raises:
        UsageError: not equally many, or fewer than 10.
    """

    def __init__(
        self,
        train: UInt8[np.ndarray, "m h w 3"] | Float[Tensor, "m d"],
        held: UInt8[np.ndarray, "k h w 3"] | Float[Tensor, "k d"],
    ):
        if len(train) != len(held) or len(train) < 10:
            raise UsageError(
                f"{len(train)} training and {len(held)} held-out pictures: give equally many, at "
                "least 10. (Of more pictures the nearest one is nearer.)"
            )
        self.train, self.held = _vectors(train), _vectors(held)

    @cached_property
    def usual(self) -> Float[Tensor, " k"]:
        """Sorted: how far held-out pictures (1000 at most) lie from their nearest in training."""
        return nearest(self.held[:1000], self.train).distance.sort().values

    @property
    def too_near(self) -> float:
        """All but 1 % of the held-out pictures lie farther from the training pictures than this."""
        return float(torch.quantile(self.usual, QUANTILE))

    def measure(self, pictures: UInt8[np.ndarray, "n h w 3"] | Float[Tensor, "n d"]) -> Memorised:
        """The three numbers of some pictures, of the size of the training pictures."""
        x = _vectors(pictures)
        to_train, to_held = nearest(x, self.train), nearest(x, self.held)
        neighbours = self.train[to_train.index]
        theirs = nearest(neighbours, self.train, but=to_train.index).distance
        before, tied = to_train.distance < to_held.distance, to_train.distance == to_held.distance
        p = float((to_train.distance < self.too_near).float().mean())
        return Memorised(
            nearer=float(before.float().mean() + tied.float().mean() / 2),
            copied=max(0.0, (p - QUANTILE) / (1 - QUANTILE)),
            authentic=float((to_train.distance > theirs).float().mean()),
        )


def planted(
    fresh: UInt8[np.ndarray, "n h w 3"],
    train: UInt8[np.ndarray, "m h w 3"],
    share: float,
    *,
    seed: int = 0,
) -> UInt8[np.ndarray, "n h w 3"]:
    """New pictures, a share of which is replaced by training pictures: what the tests should find.

    Raises:
        UsageError: a share outside [0, 1], or more copies than there are training pictures.
    """
    if not 0 <= share <= 1 or round(share * len(fresh)) > len(train):
        raise UsageError(f"share {share} of {len(fresh)} pictures: give one from 0 to 1, for which "
                         f"the {len(train)} training pictures are enough.")  # fmt: skip
    rng, mixed = np.random.default_rng(seed), np.array(fresh)
    copies = round(share * len(mixed))
    where = rng.choice(len(mixed), copies, replace=False)
    mixed[where] = train[np.sort(rng.choice(len(train), copies, replace=False))]
    return mixed


def _vectors(pictures: np.ndarray | Tensor) -> Float[Tensor, "n d"]:
    """Pictures in [-1, 1], each as one vector."""
    x = pictures if isinstance(pictures, Tensor) else to_float(pictures)
    return x.float().flatten(1)
