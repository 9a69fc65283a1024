"""The Wasserstein distance W1 between two samples, exactly: the plan, and the potential.

Le 2018, eq. 2.3 is a linear programme in the plan gamma, what goes from where to where; eq. 2.4, by
the duality of Kantorovich and Rubinstein, one in the potential f. Both are solved here (HiGHS), and
their values are equal. Each of the n points of a has the mass 1/n, each of the m of b 1/m, and the
distance of two points is the Euclidean one.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy import sparse
from scipy.optimize import linprog
from torch import Tensor

from t2ilab.errors import T2ILabError, UsageError

MOST = 512  # points a sample: a plan then has 512² numbers


class Plan(NamedTuple):
    """The cheapest plan: `value` is W1; `gamma` [n, m] is the mass that goes from a_i to b_j."""

    value: float
    gamma: Float[Tensor, "n m"]


class Potential(NamedTuple):
    """The best f: `value` = mean of f at a less that at b; `at_a` [n], `at_b` [m], first of b 0."""

    value: float
    at_a: Float[Tensor, " n"]
    at_b: Float[Tensor, " m"]


def line_w1(a: Float[Tensor, " n"], b: Float[Tensor, " m"]) -> float:
    """W1 between two samples of a line: the area between their quantile functions.

    Of n points each it is the mean of |a_(i) - b_(i)| over the sorted points (any convex cost is
    least for sorted pairs; Villani 2003, theorem 2.18).

    Raises:
        UsageError: a sample is empty, or no list of numbers.
    """
    if a.ndim != 1 or b.ndim != 1 or not len(a) or not len(b):
        raise UsageError(
            f"points {list(a.shape)} and {list(b.shape)}: give [n] and [m], not empty."
        )
    a, b = a.double().sort().values, b.double().sort().values
    steps = [torch.arange(1, len(x) + 1, dtype=torch.float64) / len(x) for x in (a, b)]
    level = torch.cat(steps).sort().values  # where one of the two quantile functions jumps
    wide = level.diff(prepend=torch.zeros(1, dtype=torch.float64))
    middle = level - wide / 2
    quantiles = [x[(middle * len(x)).long().clamp(max=len(x) - 1)] for x in (a, b)]
    return float((wide * (quantiles[0] - quantiles[1]).abs()).sum())


def best_plan(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Plan:
    """min over gamma of sum gamma_ij |a_i - b_j|; rows sum to 1/n, columns to 1/m: eq. 2.3.

    Raises:
        UsageError: points of two dimensions, none, or more than 512.
    """
    cost = _distances(a, b)
    sums, masses = _marginals(*cost.shape)
    found = _solved(cost.ravel(), A_eq=sums, b_eq=masses)
    return Plan(float(found.fun), torch.from_numpy(found.x.reshape(cost.shape)))


def best_potential(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Potential:
    """max over f of mean f(a) - mean f(b), f(a_i) - f(b_j) <= |a_i - b_j| for all pairs: eq. 2.4.

    That is asked of pairs across the samples alone; `extended` then makes an f of it that is
    1-Lipschitz everywhere and whose value is no smaller. Only differences of f mean anything.

    Raises:
        UsageError: points of two dimensions, none, or more than 512.
    """
    cost = _distances(a, b)
    sums, masses = _marginals(*cost.shape)
    found = _solved(-masses, A_ub=sums.T.tocsr(), b_ub=cost.ravel(), bounds=(None, None))
    at_a, at_b = found.x[: len(a)], -found.x[len(a) :]
    at_a, at_b = (torch.from_numpy(f - at_b[0]) for f in (at_a, at_b))
    return Potential(float(-found.fun), at_a, at_b)


def extended(
    x: Float[Tensor, "k d"], points: Float[Tensor, "m d"], f: Float[Tensor, " m"]
) -> Float[Tensor, " k"]:
    """f at x from f at points, 1-Lipschitz: min over j of f_j + |x - points_j| (McShane 1934).

    It is the largest such function. Where f is 1-Lipschitz on the points, it is f there.
    """
    return (f + _apart(x.to(f), points.to(f))).min(1).values


def steepest(x: Float[Tensor, "k d"], f: Float[Tensor, " k"]) -> float:
    """The largest |f(x_i) - f(x_j)| / |x_i - x_j|: at most 1 for a 1-Lipschitz f."""
    x, f = x.double(), f.double()
    apart = _apart(x, x)
    rise = (f[:, None] - f).abs()
    return float(torch.where(apart > 0, rise / apart.clamp(min=1e-300), 0 * rise).max())


def penalised(w: float, penalty: float) -> tuple[float, float]:
    """Slope and value of the best linear critic under the gradient penalty, data moved by w.

    -s w + penalty (s - 1)² is least at the slope s = 1 + w / (2 penalty), and the value s w is then
    larger than W1 = w. A large penalty brings it near; its right size depends on the units of w.

    Raises:
        UsageError: a negative distance, or a penalty that is not above 0.
    """
    if w < 0 or not penalty > 0:
        raise UsageError(f"w = {w}, penalty = {penalty}: give a distance, and a weight above 0.")
    slope = 1 + w / (2 * penalty)
    return slope, slope * w


def parallel_lines(theta: Float[Tensor, "*n"]) -> dict[str, Float[Tensor, "*n"]]:
    """Distances between two upright lines, theta apart: Arjovsky et al. 2017, example 1.

    "w1" is |theta|; "js" log 2, "kl" inf, "tv" 1 wherever theta is not 0, and 0 there.
    """
    apart = (theta != 0).to(theta)
    kl = torch.where(theta == 0, 0.0, torch.inf).to(theta)
    return {"w1": theta.abs(), "js": apart * float(np.log(2)), "kl": kl, "tv": apart}


def _distances(a: Tensor, b: Tensor) -> np.ndarray:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise UsageError(f"points {list(a.shape)} and {list(b.shape)}: give [n, d] and [m, d].")
    if not (1 <= len(a) <= MOST and 1 <= len(b) <= MOST):
        raise UsageError(f"{len(a)} and {len(b)} points: give 1 to {MOST} of each.")
    return _apart(a.double(), b.double()).numpy()


def _apart(x: Tensor, y: Tensor) -> Tensor:
    """All distances, from differences: by products of matrices, as usual, 8 digits are lost."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def _marginals(n: int, m: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """The matrix that takes a plan, row by row, to its row sums and column sums; what they are."""
    rows = sparse.kron(sparse.eye(n), np.ones((1, m)))
    columns = sparse.kron(np.ones((1, n)), sparse.eye(m))
    return sparse.vstack([rows, columns]).tocsr(), np.repeat([1 / n, 1 / m], [n, m])


def _solved(objective: np.ndarray, **constraints):
    found = linprog(objective, method="highs", **constraints)
    if not found.success:
        raise T2ILabError(f"the linear programme was not solved: {found.message}")
    return found
