"""Spaces small enough to be exact, and distributions on them: every sum runs over every state.

A line of cells, a plane of cells, and all 512 black and white pictures of 3 x 3 pixels. On such a
space a density is a table of numbers, and so are the divergence of two densities, the normalising
constant Z, and what a perfect classifier would say.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from math import pi, prod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from t2ilab.errors import UsageError, choose

SIDE = 3  # pixels of a picture


@dataclass(frozen=True)
class Space:
    """A finite set of states, each a point.

    Attributes:
        kind: "line", "plane" or "pictures".
        states: float64 [n, d], row-major. Middles of cells in [-1, 1], or pixels: -1 white, 1 ink.
        shape: number of values of each coordinate, d of them; their product is n.
    """

    kind: str
    states: Float[Tensor, "n d"]
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.states)

    @property
    def uniform(self) -> Float[Tensor, " n"]:
        """The distribution that knows nothing: p_0 of the course."""
        return torch.full((len(self),), 1 / len(self), dtype=torch.float64)

    def index(self, x: Float[Tensor, "b d"]) -> Int[Tensor, " b"]:
        """The number of the state that is nearest to each point."""
        sizes = torch.tensor(self.shape)
        cell = ((x + 1) / 2 * sizes).floor().long().clamp(min=0).minimum(sizes - 1)  # [b, d]
        strides = torch.tensor([prod(self.shape[i + 1 :]) for i in range(len(self.shape))])
        return (cell * strides).sum(1)


def line(cells: int = 128) -> Space:
    """`cells` cells side by side in [-1, 1].

    Raises:
        UsageError: fewer than 2 cells.
    """
    return Space("line", _middles(cells)[:, None], (cells,))


def plane(side: int = 40) -> Space:
    """`side` x `side` cells of the square [-1, 1]^2; the first coordinate goes down, like a row.

    Raises:
        UsageError: fewer than 2 cells a side.
    """
    one = _middles(side)
    return Space("plane", torch.cartesian_prod(one, one), (side, side))


def pictures() -> Space:
    """All 2^9 = 512 pictures of 3 x 3 pixels, each pixel -1 (white) or 1 (ink)."""
    states = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=SIDE**2)), dtype=torch.float64)
    return Space("pictures", states, (2,) * SIDE**2)


def hills(space: Space) -> Float[Tensor, " n"]:
    """Three hills on a line: a broad one, a narrow one, and a low one."""
    x = space.states[:, 0]
    bumps = ((0.45, -0.55, 0.16), (0.4, 0.15, 0.06), (0.15, 0.65, 0.1))  # weight, middle, width
    return _normed(0.01 + sum(w / s * (-0.5 * ((x - m) / s) ** 2).exp() for w, m, s in bumps))


def spiral(space: Space) -> Float[Tensor, " n"]:
    """One arm that winds out of the middle, one and a half times round."""
    turn = torch.linspace(0.1, 1, 160, dtype=torch.float64)
    angle, radius = 3 * pi * turn, 0.82 * turn
    arm = torch.stack([radius * angle.sin(), radius * angle.cos()], dim=1)  # [points, 2]
    squared = ((space.states[:, None] - arm) ** 2).sum(-1)
    return _normed(0.012 + (torch.exp(-0.5 * squared / 0.07**2) * radius).mean(1) * 12)


def ring(space: Space) -> Float[Tensor, " n"]:
    """A ring around an empty middle."""
    return _normed(0.02 + torch.exp(-0.5 * ((space.states.norm(dim=1) - 0.6) / 0.09) ** 2))


def diagonal(space: Space) -> Float[Tensor, " n"]:
    """Two hills on a diagonal: from its marginals alone one would guess four."""
    hill = [torch.exp(-0.5 * ((space.states - m) ** 2).sum(1) / 0.17**2) for m in (-0.45, 0.45)]
    return _normed(0.01 + hill[0] + hill[1])


def bars_and_stripes(space: Space, *, flip: float = 0.03) -> Float[Tensor, " n"]:
    """Rows inked or not, or columns inked or not: 14 pictures; then each pixel flips with `flip`.

    A direction is chosen, then each of its three lines is inked with probability 1/2 (after
    MacKay 2003), so blank and full come twice as often as the others.
    """
    rows = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=SIDE)), dtype=torch.float64)
    drawn = rows[:, :, None].expand(-1, SIDE, SIDE)  # stripes across; transposed they stand
    patterns = torch.cat([drawn, drawn.transpose(1, 2)]).reshape(-1, SIDE**2)  # [16, 9]
    differ = (space.states[:, None] != patterns).sum(-1).double()  # [512, 16] pixels
    return _normed((flip**differ * (1 - flip) ** (SIDE**2 - differ)).mean(1))


DENSITIES: dict[str, tuple[Callable[[], Space], Callable[[Space], Tensor]]] = {
    "hills": (line, hills),
    "spiral": (plane, spiral),
    "ring": (plane, ring),
    "diagonal": (plane, diagonal),
    "bars and stripes": (pictures, bars_and_stripes),
}


def load(name: str) -> tuple[Space, Float[Tensor, " n"]]:
    """A space and the distribution of that name on it.

    Raises:
        UsageError: there is none of that name.
    """
    make, density = DENSITIES[choose("density", name, DENSITIES)]
    space = make()
    return space, density(space)


def _middles(cells: int) -> Tensor:
    if cells < 2:
        raise UsageError(f"{cells} cells: a line or a side has at least 2.")
    return (torch.arange(cells, dtype=torch.float64) + 0.5) / cells * 2 - 1


def _normed(weights: Tensor) -> Tensor:
    return weights / weights.sum()
