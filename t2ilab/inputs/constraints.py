"""What pictures must not leave while they are changed: the box of valid pictures, and balls.

Each constraint has `check(pictures)`, which refuses a start outside it in words, and
`project(pictures, rows)`, which brings pictures back; `rows` says which of the start's pictures
these are. Both balls lie within the box, and all hold to the last bit: for float32 and float64
pictures, a difference taken in double precision is never above epsilon, not by one rounding.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from t2ilab.errors import UsageError

Pictures = Float[Tensor, "b ..."]
Rows = Int[Tensor, " b"]


class Constraint(Protocol):
    """What `ascend` asks of a constraint."""

    def check(self, pictures: Pictures) -> None:
        """UsageError where a picture breaks the constraint."""

    def project(self, pictures: Pictures, rows: Rows) -> Pictures:
        """The pictures brought back; those which keep to the constraint return unchanged."""


@dataclass(frozen=True)
class Box:
    """All values from `low` to `high`. UsageError where `low` is not below `high`."""

    low: float = -1.0
    high: float = 1.0

    def __post_init__(self):
        if not -math.inf < self.low < self.high < math.inf:
            raise UsageError(
                f"box [{self.low}, {self.high}]: two finite numbers are needed, the "
                "lower one first."
            )

    @property
    def width(self) -> float:
        """From black to white: 255 grey levels."""
        return self.high - self.low

    def check(self, pictures: Pictures) -> None:
        """UsageError where a picture is outside the box, or holds a number that is not finite."""
        for i, picture in enumerate(pictures):
            low, high = float(picture.min()), float(picture.max())
            if not self.low <= low <= high <= self.high:  # true of NaN as well
                raise UsageError(
                    f"picture {i} reaches from {low:g} to {high:g}, outside the box "
                    f"[{self.low:g}, {self.high:g}]. Rescale or clamp it, or say "
                    "which box is meant: box=Box(0, 1)."
                )

    def project(self, pictures: Pictures, rows: Rows | None = None) -> Pictures:
        """Values clamped to the box."""
        return pictures.clamp(self.low, self.high)


class _Ball:
    """What both balls share: a centre in a box, and a start that must lie around it."""

    def __init__(self, centre: Pictures, *, epsilon: float, box: Box | None = None):
        self.box = box or Box()
        self.box.check(centre)
        self.centre = centre.detach().clone()
        self.distance = checked_epsilon(epsilon) * self.box.width

    def check(self, pictures: Pictures) -> None:
        """UsageError where a picture is outside the box or the ball."""
        self.box.check(pictures)
        if pictures.shape != self.centre.shape or pictures.dtype != self.centre.dtype:
            raise UsageError(
                f"the ball is around {self.centre.dtype} {list(self.centre.shape)}, the "
                f"start is {pictures.dtype} {list(pictures.shape)}: they must be alike."
            )
        inside = self.project(pictures, torch.arange(len(pictures), device=pictures.device))
        for i in (inside != pictures).flatten(1).any(1).nonzero().flatten().tolist()[:1]:
            raise UsageError(
                f"picture {i} of the start lies outside the ball around its centre: begin "
                "at the centre, or project the start first."
            )


class LInfBall(_Ball):
    """|x - centre| <= epsilon for each value, within the box.

    Args:
        centre: the pictures that may be changed a little, [n, ...], in the box.
        epsilon: share of the box's width, 0 to 1: 8/255 is 8 grey levels.
        box: what valid pictures are.

    Raises:
        UsageError: `epsilon` is not in 0..1, or `centre` is outside the box.
    """

    def __init__(self, centre: Pictures, *, epsilon: float, box: Box | None = None):
        super().__init__(centre, epsilon=epsilon, box=box)
        self._low = _edge(self.centre, -self.distance).clamp(min=self.box.low)
        self._high = _edge(self.centre, self.distance).clamp(max=self.box.high)

    def project(self, pictures: Pictures, rows: Rows) -> Pictures:
        """The nearest pictures in the ball: values clamped to their own two bounds."""
        return pictures.minimum(self._high[rows]).maximum(self._low[rows])


class L2Ball(_Ball):
    """Root mean square of (x - centre) <= epsilon for each picture, within the box.

    That is the distortion of Szegedy et al. 2014, sect. 4.1. The ball's `radius` in the usual sense
    (of the plain norm) is epsilon · width · sqrt(values of a picture). Args as of `LInfBall`.

    Raises:
        UsageError: `epsilon` is not in 0..1, or `centre` is outside the box.
    """

    def __init__(self, centre: Pictures, *, epsilon: float, box: Box | None = None):
        super().__init__(centre, epsilon=epsilon, box=box)
        self.radius = self.distance * math.sqrt(self.centre[0].numel())

    def project(self, pictures: Pictures, rows: Rows) -> Pictures:
        """Pictures drawn towards their centres until they are in the ball, then clamped to the box.

        In the ball alone this gives the nearest picture. Where both bind it gives one that is in
        both (clamping only brings it nearer to its centre), not always the nearest.
        """
        centre = self.centre[rows]
        aim = self.radius * (1 - 1e-12)  # sums of squares depend on their order in the last bits
        length = _length(pictures, centre)
        factor = torch.ones_like(length)
        factor[length > aim] = aim / length[length > aim]
        inside, less = pictures, 2**-23
        while bool((outside := _length(inside, centre) > aim).any()):
            moved = centre + (pictures - centre) * _spread(factor, pictures)
            inside = torch.where(_spread(outside, pictures), moved, inside)
            factor, less = factor * (1 - less), min(1, 2 * less)  # rounding took it outside
        return self.box.project(inside)


def checked_epsilon(epsilon: float) -> float:
    """`epsilon`, a share of the box's width. UsageError unless it is a number from 0 to 1."""
    if isinstance(epsilon, bool) or not isinstance(epsilon, int | float) or not 0 <= epsilon <= 1:
        raise UsageError(
            f"epsilon {epsilon}: a number from 0 to 1 is needed, the share of the way "
            "from black to white; for 8 grey levels of 255 give 8 / 255."
        )
    return float(epsilon)


def grey_levels(
    pictures: Pictures, originals: Pictures, *, box: Box | None = None
) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    """How far each picture is from its original: largest and root mean square, of 255 grey levels.

    Computed in double precision.
    """
    box = box or Box()
    difference = (_double(pictures) - _double(originals)).abs().flatten(1) * (255 / box.width)
    return difference.amax(1), difference.pow(2).mean(1).sqrt()


def _edge(centre: Pictures, distance: float) -> Pictures:
    """centre + distance, rounded towards the centre: neither double nor float shows it farther."""
    exact = _double(centre)
    edge = (exact + distance).to(centre)
    while True:
        far = (_double(edge) - exact).abs().maximum(_double((edge - centre).abs()))
        far = (far > abs(distance)).to(centre.device)
        if not far.any():
            return edge
        edge = torch.where(far, _nearer(edge, centre), edge)


def _nearer(edge: Pictures, centre: Pictures) -> Pictures:
    """One rounding nearer to the centre, at the coarser of the two spacings.

    Floats lie densely around 0: from an edge there, `nextafter` would never be seen to move.
    """
    away = torch.full_like(edge, math.inf)
    spacing = (x.abs().nextafter(away) - x.abs() for x in (edge, centre))
    moved = edge + torch.maximum(*spacing) * (centre - edge).sign()
    return torch.where((centre - moved).sign() == (centre - edge).sign(), moved, centre)


def _length(pictures: Pictures, centre: Pictures) -> Float[Tensor, " b"]:
    length = (_double(pictures) - _double(centre)).flatten(1).pow(2).sum(1).sqrt()
    return length.to(pictures.device)


def _double(x: Tensor) -> Tensor:
    """In double precision; on the CPU where the device has none."""
    return x.detach().cpu().double() if x.device.type == "mps" else x.detach().double()


def _spread(per_picture: Tensor, pictures: Tensor) -> Tensor:
    """One number a picture, shaped so that it multiplies pictures; floats in their precision."""
    spread = per_picture.reshape(-1, *[1] * (pictures.dim() - 1))
    return spread.to(pictures.dtype) if spread.is_floating_point() else spread
