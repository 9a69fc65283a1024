"""Let D choose among what G made: a discriminator at its best knows the odds p(x)/q(x).

D* = p/(p + q), so exp f(x) = D/(1 - D) = p(x)/q(x): made points that are drawn again with chances
proportional to it are distributed like the data, as far as D is at its best and G reaches
everything (importance resampling, Rubin 1987; for GANs Azadi et al. 2019 and Turner et al. 2019).
It is the update of chapter 14, p <- q(+)/q(-) · p, done once on samples.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError


def resampled(
    x: Float[Tensor, "m *shape"], f: Float[Tensor, " m"], n: int, rng: torch.Generator
) -> Float[Tensor, "n *shape"]:
    """n of m samples, drawn with chances proportional to exp f, with replacement.

    Raises:
        UsageError: n is below 1, or a logit is not finite.
    """
    if n < 1 or not bool(f.isfinite().all()):
        raise UsageError(f"n = {n} of {len(x)} samples: n is at least 1, and logits are finite.")
    return x[f.double().softmax(0).multinomial(n, True, generator=rng)]


def effective(f: Float[Tensor, " m"]) -> float:
    """How many of m samples the resampling really uses, as a share: (sum w)² / (m sum w²)."""
    w = f.double().softmax(0)
    return float(1 / (len(w) * w.square().sum()))
