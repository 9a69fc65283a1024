"""The game of Goodfellow et al. 2014 in closed form: on a grid, and for one point on a line.

On a finite space p is the data's distribution and q the generator's. `Dirac` is Mescheder et al.
2018, section 2: the data is the point 0, the generator the point theta, and D(x) = sigmoid(psi x).
Two numbers, and the plane shows how they move.
"""

from math import log

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError, choose

GAMES = ("saturating", "non-saturating", "wasserstein")


def optimal_discriminator(
    p: Float[Tensor, "*batch n"], q: Float[Tensor, "*batch n"]
) -> Float[Tensor, "*batch n"]:
    """D*(x) = p(x) / (p(x) + q(x)): Goodfellow et al. 2014, Proposition 1; 1/2 where both are 0."""
    return torch.where(p + q > 0, p / (p + q), torch.full_like(p, 0.5))


def value(
    D: Float[Tensor, "*batch n"], p: Float[Tensor, "*#batch n"], q: Float[Tensor, "*#batch n"]
) -> Float[Tensor, "*batch"]:
    """V(D, G) = E_p log D(x) + E_q log(1 - D(x)), summed over all states, with 0 log 0 = 0."""
    return (torch.xlogy(p, D) + torch.xlogy(q, 1 - D)).sum(-1)


def push(
    D: Float[Tensor, "*batch n"], p: Float[Tensor, "*#batch n"], q: Float[Tensor, "*#batch n"]
) -> tuple[Float[Tensor, "*batch n"], Float[Tensor, "*batch n"]]:
    """What D's ascent does to its logit f at each state: p (1 - D) upwards, q D downwards.

    dV/df = p (1 - D) - q D, for D = sigmoid(f). They are equal exactly at the optimal D.
    """
    return p * (1 - D), q * D


def jensen_shannon(
    p: Float[Tensor, "*batch n"], q: Float[Tensor, "*batch n"]
) -> Float[Tensor, "*batch"]:
    """JS = KL(p || m) / 2 + KL(q || m) / 2, m = (p + q) / 2, in nats: 0 to log 2."""
    m = (p + q) / 2
    return 0.5 * (torch.xlogy(p, p) + torch.xlogy(q, q)).sum(-1) - torch.xlogy(m, m).sum(-1)


def dirac_field(
    theta: Float[Tensor, "*n"], psi: Float[Tensor, "*n"], *, game: str, r1: float = 0.0
) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
    """The directions in which the generator's theta and the critic's psi want to go.

    V = log D(0) + log(1 - D(theta)). psi climbs V less r1/2 · psi², which is R1; theta climbs
    -log(1 - D(theta)) ("saturating"), log D(theta) ("non-saturating"); "wasserstein": psi climbs
    -psi · theta, theta psi · theta. All rest at (0, 0).

    Raises:
        UsageError: an unknown game.
    """
    choose("game", game, GAMES)
    D = torch.sigmoid(psi * theta)
    if game == "wasserstein":
        return psi.clone(), -theta - r1 * psi
    return psi * (D if game == "saturating" else 1 - D), -theta * D - r1 * psi


def dirac_path(
    theta: float,
    psi: float,
    *,
    game: str,
    lr: float,
    steps: int,
    r1: float = 0.0,
    alternating: bool = False,
    clip: float = 0.0,
) -> Float[Tensor, "steps1 2"]:
    """(theta, psi) from the start on, a row a step; `clip` keeps psi in [-clip, clip] (WGAN).

    Simultaneous: both move by the field at one place. Alternating: psi first, then theta.

    Raises:
        UsageError: an unknown game, a negative number of steps.
    """
    if steps < 0:
        raise UsageError(f"{steps} steps: give 0 or more.")
    at = torch.tensor([theta, psi], dtype=torch.float64)
    path = [at]
    for _ in range(steps):
        t, s = at
        dt, ds = dirac_field(t, s, game=game, r1=r1)
        s = s + lr * ds
        s = s.clamp(-clip, clip) if clip else s
        if alternating:
            dt, _ = dirac_field(t, s, game=game, r1=r1)
        at = torch.stack([t + lr * dt, s]).clamp(-1e6, 1e6)
        path.append(at)
    return torch.stack(path)


LOWEST = -2 * log(2)  # of V at the optimal D: -log 4, where p = q
