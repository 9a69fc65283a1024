"""Classifiers of a finite space: the exact one, logistic regression, and boosted stumps.

Each is fitted to two whole distributions instead of samples: "+" is `p_data`, "-" is `p`, both
equally likely. Each returns its logit h(x) = log q(+|x) - log q(-|x), one number a point.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from t2ilab.errors import UsageError
from t2ilab.exact.spaces import Space
from t2ilab.models.features import Features

# ------------------------------------------------------------------------------- the exact one


class Table(nn.Module):
    """A logit for each state of a space; a point between states gets that of the nearest."""

    def __init__(self, space: Space, logits: Float[Tensor, " n"]):
        super().__init__()
        self.space, self.logits = space, logits

    def forward(self, x: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
        return self.logits[self.space.index(x)]


def bayes(space: Space, p_data: Float[Tensor, " n"], p: Float[Tensor, " n"]) -> Table:
    """The exact classifier, by Bayes' rule: q(+|x) = p_data(x) / (p_data(x) + p(x)).

    Its logit is log p_data(x) - log p(x); minus infinity where p_data is 0. Where `p` is 0 there is
    nothing to multiply, and the logit is 0.
    """
    return Table(space, torch.where(p > 0, p_data.log() - p.log(), torch.zeros_like(p)))


# --------------------------------------------------------------- logistic regression on features


class Linear(nn.Module):
    """h(x) = w . f(x) + b, with the features f fixed."""

    def __init__(self, features: Features, weight: Float[Tensor, " k"], bias: Float[Tensor, ""]):
        super().__init__()
        self.features, self.weight, self.bias = features, weight, bias

    def forward(self, x: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
        return self.features(x) @ self.weight + self.bias


def logistic(
    space: Space,
    p_data: Float[Tensor, " n"],
    p: Float[Tensor, " n"],
    *,
    features: Features,
    ridge: float = 1e-4,
    steps: int = 50,
) -> Linear:
    """Logistic regression by Newton's method on the exact expectations.

    Minimises E_data softplus(-h) / 2 + E_p softplus(h) / 2 + ridge / 2 |w|^2; the bias is free.

    Args:
        features: what the classifier sees of a point.
        ridge: keeps weights small: the larger, the more timid each round. At least 0.
        steps: the most that are taken; each is halved until the loss falls.

    Raises:
        UsageError: a negative ridge.
    """
    if ridge < 0:
        raise UsageError(f"ridge {ridge}: give 0 or more.")
    seen = features(space.states)
    f = torch.cat([seen, torch.ones_like(seen[:, :1])], dim=1)  # [n, k + 1], the last for the bias
    penalty = torch.full((f.shape[1],), ridge, dtype=f.dtype)
    penalty[-1] = 0

    def loss(w: Tensor) -> Tensor:
        return cross_entropy(f @ w, p_data, p) + 0.5 * (penalty * w**2).sum()

    w = torch.zeros_like(penalty)
    for _ in range(steps):
        slope, bend = _derivatives(f @ w, p_data, p)  # [n], [n]
        gradient = f.T @ slope + penalty * w
        hessian = f.T @ (bend[:, None] * f) + torch.diag(penalty + 1e-12)
        step = torch.linalg.solve(hessian, gradient)
        while loss(w - step) > loss(w) and step.abs().max() > 1e-9:
            step = step / 2
        w = w - step
        if step.abs().max() < 1e-9:
            break
    return Linear(features, w[:-1], w[-1])


# ---------------------------------------------------------------------------------- boosted stumps


@dataclass(frozen=True)
class Stump:
    """`low` where feature number `feature` is below `threshold`, `high` elsewhere."""

    feature: int
    threshold: float
    low: float
    high: float


class Stumps(nn.Module):
    """h(x) = a sum of stumps: a staircase, without a slope anywhere."""

    def __init__(self, features: Features, stumps: list[Stump]):
        super().__init__()
        self.features, self.stumps = features, stumps

    def forward(self, x: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
        f = self.features(x)
        h = torch.zeros(len(x), dtype=f.dtype)
        for s in self.stumps:
            h = h + torch.where(f[:, s.feature] < s.threshold, s.low, s.high)
        return h


def boosted(
    space: Space,
    p_data: Float[Tensor, " n"],
    p: Float[Tensor, " n"],
    *,
    features: Features,
    stumps: int = 4,
    ridge: float = 1e-3,
    rate: float = 1.0,
) -> Stumps:
    """Boosting by Newton steps on the logistic loss (LogitBoost, Friedman et al. 2000).

    Each stump is the best there is: over all features and thresholds, the one that lowers the
    loss's second-order expansion most.

    Args:
        features: what may be asked about a point; a stump asks about one of them.
        stumps: how many; the capacity of the classifier.
        ridge: added to the curvature of each side, so that an empty side stays at 0.
        rate: shrinks each stump, in (0, 1].

    Raises:
        UsageError: no stumps, or a rate outside (0, 1].
    """
    if stumps < 1 or not 0 < rate <= 1:
        raise UsageError(f"{stumps} stumps at rate {rate}: give one or more, a rate in (0, 1].")
    f = features(space.states)
    order = f.argsort(dim=0, stable=True)  # [n, k], once for all stumps
    h, chosen = torch.zeros_like(p), []
    for _ in range(stumps):
        stump = _best_stump(f, order, *_derivatives(h, p_data, p), ridge, rate)
        h = h + torch.where(f[:, stump.feature] < stump.threshold, stump.low, stump.high)
        chosen.append(stump)
    return Stumps(features, chosen)


def _best_stump(
    f: Tensor, order: Int[Tensor, "n k"], slope: Tensor, bend: Tensor, ridge: float, rate: float
) -> Stump:
    """Side by side, G sums the slope and H the curvature: the best value is -G / (H + ridge)."""
    ranked = f.gather(0, order)
    g, h = slope[order].cumsum(0), bend[order].cumsum(0)  # [n, k], of all states up to here
    g_high, h_high = g[-1:] - g, h[-1:] - h
    gain = g**2 / (h + ridge) + g_high**2 / (h_high + ridge)
    between = ranked[1:] - ranked[:-1] > 1e-9  # equal values cannot be told apart
    at = int(torch.where(between, gain[:-1], torch.full_like(gain[:-1], -1)).argmax())
    row, column = divmod(at, f.shape[1])
    threshold = (ranked[row, column] + ranked[row + 1, column]) / 2
    low, high = (
        -rate * float(one[row, column] / (other[row, column] + ridge))
        for one, other in ((g, h), (g_high, h_high))
    )
    return Stump(column, float(threshold), low, high)


# ------------------------------------------------------------------------------------- the loss


def cross_entropy(
    h: Float[Tensor, " n"], p_data: Float[Tensor, " n"], p: Float[Tensor, " n"]
) -> Float[Tensor, ""]:
    """E_data softplus(-h) / 2 + E_p softplus(h) / 2: ln 2 for a classifier that only guesses."""
    softplus = nn.functional.softplus
    return ((p_data * softplus(-h)).sum() + (p * softplus(h)).sum()) / 2


def _derivatives(h: Tensor, p_data: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
    """First and second derivative of the loss with respect to each h(x)."""
    q = h.sigmoid()
    return (p * q - p_data * (1 - q)) / 2, (p + p_data) * q * (1 - q) / 2
