"""Tu 2007, "Learning generative models via discriminative approaches", on finite spaces, exactly.

Round by round a classifier learns to tell the data (+) from the present model p_t (-), and the
model is corrected by what it says (Le's thesis, eq. 2.6 and 2.7, and figure 2.5):

    p_{t+1}(x) = 1/Z_t  q_t(+|x) / q_t(-|x)  p_t(x) = 1/Z_t  exp(h_t(x)) p_t(x)

with h = log q(+|x) - log q(-|x), the logit. An exponent alpha on the ratio, exp(alpha h), makes
the step shorter or longer; alpha = 1 is the paper's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError
from t2ilab.exact.divergences import kl
from t2ilab.exact.spaces import Space

Fit = Callable[[Space, Tensor, Tensor], nn.Module]  # (space, p_data, p) -> x [b, d] to logits [b]


def update(
    p: Float[Tensor, " n"], h: Float[Tensor, " n"], alpha: float = 1.0
) -> tuple[Float[Tensor, " n"], Float[Tensor, ""]]:
    """One correction of the model: p_{t+1} and log Z_t. A state of probability 0 stays at 0."""
    unnormalised = p.log() + alpha * h
    log_z = unnormalised.logsumexp(0)
    return (unnormalised - log_z).exp(), log_z


def fall(
    p_data: Float[Tensor, " n"], p: Float[Tensor, " n"], h: Float[Tensor, " n"], alpha: float = 1.0
) -> Float[Tensor, ""]:
    """By how much the divergence falls: D[data||p_t] - D[data||p_{t+1}] = alpha E_data h - log Z.

    The thesis's last line. Concave in alpha, 0 at alpha = 0, and never more than D[data||p_t]
    (Donsker and Varadhan); negative where an overconfident classifier makes the model worse.
    """
    there = p_data > 0  # 0 * log 0 = 0
    return alpha * (p_data[there] * h[there]).sum() - (p.log() + alpha * h).logsumexp(0)


def best_alpha(
    p_data: Float[Tensor, " n"],
    p: Float[Tensor, " n"],
    h: Float[Tensor, " n"],
    *,
    most: float = 16.0,
) -> float:
    """The alpha in [0, most] with the largest fall, by bisection on its slope.

    The slope is E_data h - E_{p_{t+1}} h: at the best alpha, data and model agree on the mean h.
    """
    low, high, wanted = 0.0, most, float((p_data * h).sum())
    for _ in range(60):
        middle = (low + high) / 2
        if float((update(p, h, middle)[0] * h).sum()) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


@dataclass(frozen=True)
class Rounds:
    """What happened, round by round; T rounds, n states.

    Attributes:
        space: where it happened.
        p_data: [n], what was to be learned.
        p: [T + 1, n], the models p_0 to p_T.
        h: [T, n], the logits of each round's classifier at each state.
        kl: [T + 1], D[data || p_t] in nats.
        log_z: [T].
        alpha: [T], the exponent of each round.
        classifiers: T of them; points [b, d] to logits [b].
    """

    space: Space
    p_data: Float[Tensor, " n"]
    p: Float[Tensor, "models n"]
    h: Float[Tensor, "rounds n"]
    kl: Float[Tensor, " models"]
    log_z: Float[Tensor, " rounds"]
    alpha: list[float]
    classifiers: list[nn.Module]

    def __len__(self) -> int:
        return len(self.classifiers)

    def log_density(self, x: Float[Tensor, "b d"], t: int | None = None) -> Float[Tensor, " b"]:
        """log p_t(x) - log p_0(x), up to a constant: the sum of alpha h(x) of the rounds before t.

        `x` may lie between the states. It needs no Z, and has a gradient where classifiers have.
        """
        total = torch.zeros(len(x), dtype=x.dtype)
        for alpha, classifier in list(zip(self.alpha, self.classifiers, strict=True))[:t]:
            total = total + alpha * classifier(x)
        return total


def rounds(
    space: Space,
    p_data: Float[Tensor, " n"],
    fit: Fit,
    n: int,
    *,
    p0: Float[Tensor, " n"] | None = None,
    alpha: float | None = 1.0,
) -> Rounds:
    """`n` rounds of Tu 2007.

    Args:
        fit: makes the classifier of a round: `fit(space, p_data, p) -> module`.
        p0: the first model; by default the uniform one.
        alpha: the exponent; None: the best of each round, which cannot raise the divergence.

    Raises:
        UsageError: a negative number of rounds, an alpha that is negative or not finite, or
            probabilities that do not sum to 1.
    """
    if n < 0 or alpha is not None and not (alpha >= 0 and isfinite(alpha)):
        raise UsageError(f"{n} rounds with alpha {alpha}: give 0 or more of both.")
    models, logits, log_zs, alphas, classifiers = [], [], [], [], []
    p = space.uniform if p0 is None else p0
    for name, one in (("p_data", p_data), ("p0", p)):
        _check(name, one, len(space))
    models.append(p)
    for _ in range(n):
        classifier = fit(space, p_data, p)
        with torch.no_grad():
            h = classifier(space.states)
        step = best_alpha(p_data, p, h) if alpha is None else alpha
        p, log_z = update(p, h, step)
        models.append(p)
        logits.append(h)
        log_zs.append(log_z)
        alphas.append(step)
        classifiers.append(classifier)
    p_all = torch.stack(models)
    h_all, log_z_all = torch.stack(logits) if n else p_all[:0], torch.tensor(log_zs, dtype=p.dtype)
    divergences = kl(p_data.expand_as(p_all), p_all)
    return Rounds(space, p_data, p_all, h_all, divergences, log_z_all, alphas, classifiers)


def from_samples(fit: Fit, n: int, *, seed: int = 0) -> Fit:
    """`fit` as it is in practice: it sees `n` samples of the data and `n` of the model.

    The data are drawn once and stay the same; the model's samples are drawn anew each round.

    Raises:
        UsageError: no samples.
    """
    if n < 1:
        raise UsageError(f"{n} samples: give at least 1.")

    def fit_sampled(space: Space, p_data: Tensor, p: Tensor) -> nn.Module:
        kept = torch.Generator().manual_seed(seed)
        return fit(space, sampled(p_data, n, kept), sampled(p, n, rng))

    rng = torch.Generator().manual_seed(seed + 1)
    return fit_sampled


def sampled(p: Float[Tensor, " n"], number: int, rng: torch.Generator) -> Float[Tensor, " n"]:
    """Shares of the states among `number` samples of p: an empirical distribution."""
    drawn = torch.multinomial(p, number, replacement=True, generator=rng)
    return torch.bincount(drawn, minlength=len(p)).to(p.dtype) / number


def _check(name: str, p: Tensor, n: int) -> None:
    if p.shape != (n,) or (p < 0).any() or abs(float(p.sum()) - 1) > 1e-6:
        raise UsageError(
            f"{name}: expected {n} probabilities that sum to 1; these are "
            f"{list(p.shape)} with the sum {float(p.sum()):g}."
        )
