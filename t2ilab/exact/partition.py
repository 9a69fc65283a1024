"""log Z of Boltzmann machines: summed where one side is small, else estimated from both sides.

Exact: the sum over one side has a closed form, so 2^min(D, K) terms are enough.

Annealed importance sampling (Neal 2001; Salakhutdinov and Murray 2008) walks from independent
units (beta = 0, whose Z is known) to the machine (beta = 1) and multiplies what changes:

    w = prod_k  p*_k(v) / p*_{k-1}(v),  v ~ T_{k-1},   E[w] = Z / Z_0

Since E[w] is right, log w is too small on average (Jensen): a likelihood that rests on one such
number flatters. The way back, from samples of the machine, errs to the other side; the truth lies
between, as far as these samples are the machine's (Grosse, Ghahramani and Adams 2015). Gibbs steps
from data are not: they stay among the digits where the machine has other states as well, whose
share of Z is then left out, and log p is flattered by many nats. The ends of the walks are used,
in proportion to their w.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.models.dbm import DBM
from t2ilab.models.rbm import RBM, bernoulli

MOST = 20  # units of the smaller side: 2^20 terms take seconds
CHUNK = 2**12  # states that are looked at in one go
TEMPERATURES = 14_500  # 500 up to beta 0.5, 4000 up to 0.9, 10,000 to 1: Salakhutdinov's RBM_AIS
SPACING = ([0, 500 / TEMPERATURES, 4500 / TEMPERATURES, 1], [0, 0.5, 0.9, 1])  # share -> beta
CHAINS = 100  # walks
SMOOTHING = 5  # pixels of each kind that were not seen, for the base rates
BURN_IN = 1000  # Gibbs steps of the samples before the way back begins


def log_sum(units: int, of: Callable[[Tensor], Tensor]) -> Tensor:
    """log sum over all states s of exp(of(s)), in double precision.

    Args:
        units: binary; 2^units states.
        of: states [m, units] -> [m, ...]; the sum runs over the first dimension.

    Raises:
        UsageError: more than 20 units.
    """
    if units > MOST:
        raise UsageError(f"{units} binary units: at most {MOST} can be summed; use `ais`.")
    bits, parts = torch.arange(units), []
    for start in range(0, 2**units, CHUNK):
        numbers = torch.arange(start, min(start + CHUNK, 2**units))
        parts.append(of((numbers[:, None] >> bits & 1).double()).logsumexp(0))
    return torch.stack(parts).logsumexp(0)


@torch.no_grad()
def log_z(rbm: RBM) -> Float[Tensor, ""]:
    """log Z, exactly: the sum runs over the smaller side.

    Raises:
        UsageError: both sides have more than 20 units.
    """
    W, a, b = (p.detach().cpu().double() for p in (rbm.W, rbm.a, rbm.b))
    if len(a) < len(b):
        W, a, b = W.T, b, a
    return log_sum(len(b), lambda h: h @ b + F.softplus(h @ W.T + a).sum(1))


@torch.no_grad()
def log_p_star(dbm: DBM, v: Float[Tensor, "n D"]) -> Float[Tensor, " n"]:
    """log p(v) + log Z of a DBM, exactly: h2 is summed out in closed form, h1 by its 2^K states.

    Raises:
        UsageError: h1 has more than 20 units.
    """
    parts = dbm.W, dbm.U, dbm.a, dbm.b, dbm.c, v
    W, U, a, b, c, v = (part.detach().cpu().double() for part in parts)

    def of(h1: Tensor) -> Tensor:
        return F.softplus(h1 @ U + c).sum(1, keepdim=True) + h1 @ (v @ W + b).T  # [states, n]

    return v @ a + log_sum(len(b), of)


def small(rbm: RBM) -> bool:
    """Whether its log Z can be summed."""
    return min(rbm.W.shape) <= MOST


def temperatures(n: int = TEMPERATURES) -> list[float]:
    """beta from 0 to 1 in n steps, ever smaller: half of the way takes 3 % of them."""
    return np.interp(np.linspace(0, 1, n + 1), *SPACING).tolist()


def base_rates(mean: Float[Tensor, " D"], n: int) -> Float[Tensor, " D"]:
    """Biases of independent pixels with the means of n pictures, smoothed."""
    on = mean * n
    return ((on + SMOOTHING) / (n - on + SMOOTHING)).log()


class Base(NamedTuple):
    """Biases of the independent units from which annealing begins."""

    visible: Float[Tensor, " D"]
    hidden: Float[Tensor, " K"] | float = 0.0

    def start(self, n: int, generator: torch.Generator) -> Float[Tensor, "n D"]:
        """Samples of the visible ones."""
        return bernoulli(torch.sigmoid(self.visible).expand(n, -1), generator)

    def log_z(self, rbm: RBM) -> Float[Tensor, ""]:
        hidden = torch.as_tensor(self.hidden).double().expand(len(rbm.b))
        return F.softplus(self.visible.double()).sum() + F.softplus(hidden).sum()


@torch.no_grad()
def anneal(
    rbm: RBM, v: Float[Tensor, "n D"], betas: list[float], base: Base, generator: torch.Generator
) -> tuple[Float[Tensor, "n D"], Float[Tensor, " n"]]:
    """Walk along the temperatures; v where it ends, and log w.

    p*_beta(v) has the energy of the machine beta times and of the base (1 - beta) times, with h
    summed out.

    Args:
        v: samples at betas[0]; betas rise from 0, or fall from 1.
    """
    log_w = torch.zeros(len(v), dtype=torch.float64)
    for before, beta in pairwise(betas):
        more = rbm.inputs(v) - base.hidden
        log_hidden = F.softplus(base.hidden + beta * more) - F.softplus(base.hidden + before * more)
        # summed as differences: two sums of hundreds would lose the digits that count
        log_w += log_hidden.sum(1) + (beta - before) * (v @ (rbm.a - base.visible))
        h = bernoulli(torch.sigmoid(base.hidden + beta * more), generator)
        v = bernoulli(torch.sigmoid(torch.lerp(base.visible, h @ rbm.W.T + rbm.a, beta)), generator)
    return v, log_w


class Estimate(NamedTuple):
    """log Z, an interval of three standard errors (of w) around it, all log w, and where it ended.

    An end of the interval is infinite where the error is larger than the mean of w.
    """

    log_z: float
    low: float
    high: float
    log_w: Float[Tensor, " n"]
    ends: Float[Tensor, "n D"]


def ais(rbm: RBM, base: Base, *, steps=TEMPERATURES, chains=CHAINS, seed=0) -> Estimate:
    """log Z by annealing towards the machine; too small on average.

    Args:
        steps, chains: temperatures of a walk, and walks.
    """
    generator = torch.Generator().manual_seed(seed)
    start = base.start(chains, generator)
    walked = anneal(rbm, start, temperatures(steps), base, generator)
    return _estimate(*walked, base.log_z(rbm), sign=1)


def reverse_ais(
    rbm: RBM, base: Base, samples: Float[Tensor, "n D"], *, steps=TEMPERATURES, seed=0
) -> Estimate:
    """log Z by annealing from the machine to the base; too large on average.

    Args:
        samples: of the machine, one a walk.
    """
    generator = torch.Generator().manual_seed(seed)
    walked = anneal(rbm, samples, temperatures(steps)[::-1], base, generator)
    return _estimate(*walked, base.log_z(rbm), sign=-1)


def _estimate(ends: Tensor, log_w: Tensor, log_z0: Tensor, sign: int) -> Estimate:
    """From walks whose mean w is Z / Z_0 (sign 1) or Z_0 / Z (-1)."""
    largest = log_w.max()
    w = (log_w - largest).exp()
    error = 3 * sign * w.std() / len(w) ** 0.5
    means = torch.stack([w.mean(), w.mean() - error, w.mean() + error]).clamp(min=0)
    return Estimate(*(log_z0 + sign * (largest + means.log())).tolist(), log_w, ends)


def log_zs(
    rbm: RBM, base: Base, *, steps: int = TEMPERATURES, chains: int = CHAINS, seed: int = 0
) -> dict[str, float]:
    """{"": log Z} where it can be summed, else {"_ais": ..., "_reverse_ais": ...}."""
    if small(rbm):
        return {"": float(log_z(rbm))}
    forward = ais(rbm, base, steps=steps, chains=chains, seed=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    chosen = forward.log_w.softmax(0).multinomial(chains, replacement=True, generator=generator)
    with torch.no_grad():
        samples = rbm.gibbs(forward.ends[chosen], BURN_IN, generator)
    back = reverse_ais(rbm, base, samples, steps=steps, seed=seed + 2)
    return {"_ais": forward.log_z, "_reverse_ais": back.log_z}
