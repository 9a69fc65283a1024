"""Mixtures of Gaussians with known centres, on a line and in the plane: toys for a game.

The ring and the grid are those on which mode collapse is counted (Metz et al. 2017, Srivastava et
al. 2017, Lin et al. 2018). Public code often places the ring's centres by `linspace(0, 2π, 8)`,
which holds both ends: 7 places, one of them twice. Here they are distinct, and tested to be.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log, pi

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.errors import UsageError, choose


@dataclass(frozen=True)
class Mixture:
    """Gaussians of one width around centres of equal weight.

    Attributes:
        name: what it is called.
        centres: float32 [m, d], all different.
        std: standard deviation of each Gaussian, in every direction.
    """

    name: str
    centres: Float[Tensor, "m d"]
    std: float

    @property
    def dimensions(self) -> int:
        return self.centres.shape[1]

    def sample(self, n: int, rng: torch.Generator) -> Float[Tensor, "n d"]:
        """n points: a centre, then noise around it."""
        of = torch.randint(len(self.centres), (n,), generator=rng)
        return self.centres[of] + self.std * torch.randn(n, self.dimensions, generator=rng)

    def log_density(self, x: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """log p(x), in nats."""
        squared = (x[:, None] - self.centres.to(x)).square().sum(-1) / self.std**2
        each = -0.5 * squared - self.dimensions * (0.5 * log(2 * pi) + log(self.std))
        return each.logsumexp(1) - log(len(self.centres))


def ring(modes: int = 8) -> Mixture:
    """`modes` Gaussians around a circle of radius 1, each 0.01 wide (Lin et al. 2018: 8).

    Raises:
        UsageError: fewer than 2 modes.
    """
    if modes < 2:
        raise UsageError(f"a ring of {modes} modes: give 2 or more.")
    angle = 2 * pi * torch.arange(modes) / modes  # not linspace(0, 2π, modes): its ends are equal
    return Mixture("ring", torch.stack([angle.cos(), angle.sin()], 1), 0.01)


def grid(side: int = 5) -> Mixture:
    """side x side Gaussians over [-1, 1]², each 1/40 of their distance wide.

    For 5 x 5 that is the grid of Lin et al. 2018 (spacing 2, width 0.05), four times smaller.

    Raises:
        UsageError: fewer than 2 a side.
    """
    if side < 2:
        raise UsageError(f"a grid of {side} modes a side: give 2 or more a side.")
    one = torch.linspace(-1, 1, side)
    return Mixture("grid", torch.cartesian_prod(one, one), 2 / (side - 1) / 40)


def line() -> Mixture:
    """Two Gaussians on a line, at -0.6 and 0.6, each 0.2 wide: where pushing is to be seen."""
    return Mixture("line", torch.tensor([[-0.6], [0.6]]), 0.2)


MIXTURES: dict[str, Callable[[], Mixture]] = {"ring": ring, "grid": grid, "line": line}


def mixture(name: str) -> Mixture:
    """The mixture of that name.

    Raises:
        UsageError: there is none.
    """
    return MIXTURES[choose("mixture", name, MIXTURES)]()


def seen(
    points: Float[Tensor, "n d"], side: int = 64, reach: float = 1.3
) -> UInt8[np.ndarray, "side side 3"]:
    """A picture of [-reach, reach]², darker where more points lie; those of a line at height 0."""
    plane = torch.cat([points, torch.zeros_like(points)], 1)[:, :2].cpu()
    cell = ((plane / reach + 1) / 2 * side).floor().long().clamp(0, side - 1)
    count = torch.bincount((side - 1 - cell[:, 1]) * side + cell[:, 0], minlength=side * side)
    grey = 255 * (1 - (600 / len(points) * count).clamp(max=1)).view(side, side, 1)
    return grey.byte().repeat(1, 1, 3).numpy()


class PointBatches:
    """step -> {"points": float32 [b, copies, d]}, a function of (seed, step); never the same twice.

    Args:
        mixture: what is drawn from.
        batch_size: points a step and copy.
        copies: games that are played side by side, each with points of its own; 1: [b, d].
        seed: of the points.

    Raises:
        UsageError: a batch size or a number of copies below 1.
    """

    def __init__(self, mixture: Mixture, *, batch_size: int = 256, copies: int = 1, seed: int = 0):
        if batch_size < 1 or copies < 1:
            raise UsageError(f"{batch_size} points for {copies} copies: give at least 1 of each.")
        self.mixture, self.batch_size, self.copies, self.seed = mixture, batch_size, copies, seed

    def __call__(self, step: int) -> dict[str, Tensor]:
        rng = torch.Generator().manual_seed(1_000_003 * self.seed + step)
        points = self.mixture.sample(self.batch_size * self.copies, rng)
        if self.copies == 1:
            return {"points": points}
        return {"points": points.view(self.batch_size, self.copies, -1)}
