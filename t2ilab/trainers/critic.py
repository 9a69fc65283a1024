"""A critic alone: f learns between two samples that stand still, to be compared with the exact W1.

The inner loop of Arjovsky et al. 2017, Algorithm 1 (Le 2018, figure 2.3), on whole samples in place
of minibatches, so that what it climbs is eq. 2.4 for these points: with clipped weights, or with
the gradient penalty of Gulrajani et al. 2017. Several critics learn side by side (`copies` of
`MLPDiscriminator`), each with its own clip or penalty.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.losses.wasserstein import slopes
from t2ilab.models.mlp_gan import MLPDiscriminator
from t2ilab.trainers.parts import linear_end, set_rate

INF = float("inf")


class Judged(NamedTuple):
    """Of each critic [copies]: its value, and the mean and the largest slope at the points.

    `value` = mean f(real) - mean f(fake). `value / steepest` is no more than W1, as far as the
    points show all slopes; `value / mean_slope` is the usual estimate where f was clipped.
    """

    value: Float[Tensor, " copies"]
    mean_slope: Float[Tensor, " copies"]
    steepest: Float[Tensor, " copies"]


def train_critics(
    f: MLPDiscriminator,
    real: Float[Tensor, "n copies d"],
    fake: Float[Tensor, "n copies d"],
    *,
    clip: Float[Tensor, " copies"] | float = INF,
    penalty: Float[Tensor, " copies"] | float = 0.0,
    one_sided: bool = False,
    steps: int = 1000,
    lr: float = 2e-3,
    decay: float = 0.5,
    ramp: float = 0.5,
    seed: int = 0,
) -> Judged:
    """Minimise f(fake) - f(real) + penalty, then clip, `steps` times; what the critics then say.

    Args:
        f: `copies` critics of points; it is trained in place.
        real, fake: the samples, of one size.
        clip: the weights of each critic stay in [-clip, clip]; inf: they are free.
        penalty: lambda of each critic; 0: none.
        one_sided: slopes below 1 cost nothing.
        lr, decay: of Adam without momentum (RMSProp with its start corrected); the rate falls to 0
            over this last part of the steps.
        ramp: over this first part of the steps the penalty is one-sided, and one above 1 grows from
            1 to its weight. A large one, of two sides, would at once hold each piece of f at the
            slope, 1 or -1, that it begins with.
        seed: of the places between the samples where the penalty looks.

    Raises:
        UsageError: samples of two shapes, or of another number of copies.
    """
    n, copies, d = real.shape
    if real.shape != fake.shape or copies != f.copies:
        raise UsageError(
            f"points {list(real.shape)} and {list(fake.shape)} for {f.copies} critics: give two "
            f"samples [n, {f.copies}, d]."
        )
    clip, penalty = (torch.as_tensor(v, dtype=torch.float).expand(copies) for v in (clip, penalty))
    # eps: the gradients of a clipped critic lie far below the usual 1e-8.
    optimizer = torch.optim.Adam(f.parameters(), lr, (0.0, 0.99), eps=1e-15)
    rng = torch.Generator().manual_seed(seed)
    for step in range(steps):
        set_rate(lr * linear_end(step / steps, decay), optimizer)
        loss = (f(fake) - f(real)).view(n, copies).mean(0)
        if (penalty > 0).any():
            fresh = fake[torch.randperm(n, generator=rng)]  # other pairs each time
            share = torch.rand(n, copies, 1, generator=rng)
            over = _slopes(f, share * real + (1 - share) * fresh, learn=True) - 1
            grown = min(1.0, step / (ramp * steps)) if ramp else 1.0
            over = over.clamp(min=0) if one_sided or grown < 1 else over
            weight = penalty * penalty.clamp(min=1) ** (grown - 1)
            loss = loss + weight * over.square().mean(0)
        optimizer.zero_grad()
        loss.sum().backward()  # the critics share no weight: each follows its own loss
        optimizer.step()
        with torch.no_grad():
            for w in f.parameters():  # w <- clip(w, -c, c), after the step
                limit = clip.view(-1, *[1] * (w.ndim - 1))
                w.copy_(w.minimum(limit).maximum(-limit))
    return judged(f, real, fake)


def judged(
    f: MLPDiscriminator, real: Float[Tensor, "n copies d"], fake: Float[Tensor, "n copies d"]
) -> Judged:
    """What the critics say of these samples, and how steep they are at their points."""
    both = torch.cat([real, fake])
    steep = _slopes(f, both, learn=False)
    with torch.no_grad():
        scores = f(both).view(steep.shape)
    value = scores[: len(real)].mean(0) - scores[len(real) :].mean(0)
    return Judged(value, steep.mean(0), steep.max(0).values)


def _slopes(f: MLPDiscriminator, x: Tensor, *, learn: bool) -> Float[Tensor, "n copies"]:
    """Of each critic at its own points [n, copies, d]: each of them is a sample of its own."""
    n, copies, d = x.shape
    flat = x.reshape(n * copies, d)
    return slopes(lambda x: f(x.view(n, copies, d)).flatten(), flat, learn=learn).view(n, copies)
