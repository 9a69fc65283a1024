"""A mixture of independent pixels: the smallest generative model of pictures, with a label or not.

    p(x, c) = pi_c prod_i theta_ci^x_i (1 - theta_ci)^(1 - x_i),    x_i 0 or 1

Each component c belongs to a class, so p(x, y), p(x), p(y | x) and p(hole | rest) are all sums over
the components, and exact. With one component a class it is the naive Bayes classifier (Bishop 2006,
section 9.3.3: mixtures of Bernoulli distributions, and EM for them).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from t2ilab.errors import UsageError

SMOOTHING = 1.0  # imagined pictures of each kind, one with ink and one without, in each component


@dataclass(frozen=True)
class BernoulliMixture:
    """C components over D pixels.

    Attributes:
        pi: their probabilities, which sum to 1.
        theta: in (0, 1), the probability of ink of each pixel in each component.
        classes: the class of each component, 0 to K - 1.
    """

    pi: Float[Tensor, " C"]
    theta: Float[Tensor, "C D"]
    classes: Int[Tensor, " C"]

    def log_joint(
        self, x: Float[Tensor, "n D"], known: Float[Tensor, " D"] | None = None
    ) -> Float[Tensor, "n C"]:
        """log p(x, c) of pixels 0 or 1; of the pixels where `known` is 1 alone, if it is given."""
        known = torch.ones_like(x[:1]) if known is None else known
        ink, paper = self.theta.log(), (-self.theta).log1p()
        return self.pi.log() + (x * known) @ ink.T + ((1 - x) * known) @ paper.T

    def log_p(self, x: Float[Tensor, "n D"]) -> Float[Tensor, " n"]:
        """log p(x), in nats: the sum over all components."""
        return self.log_joint(x).logsumexp(1)

    def posterior(
        self, x: Float[Tensor, "n D"], known: Float[Tensor, " D"] | None = None
    ) -> Float[Tensor, "n K"]:
        """p(y | x), by Bayes' rule; `known` as in `log_joint`."""
        of = self.log_joint(x, known).softmax(1)
        return of.new_zeros(len(x), int(self.classes.max()) + 1).index_add(1, self.classes, of)

    def filled(self, x: Float[Tensor, "n D"], known: Float[Tensor, " D"]) -> Float[Tensor, "n D"]:
        """p(x_i = 1 | known pixels), known ones as they are; what x has elsewhere is unused."""
        guess = self.log_joint(x, known).softmax(1) @ self.theta
        return x * known + guess * (1 - known)

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """n pictures [n, D] of 0 and 1, and their classes [n]: first c ~ pi, then each pixel."""
        c = torch.multinomial(self.pi, n, replacement=True, generator=generator)
        theta = self.theta[c]
        x = torch.rand(theta.shape, generator=generator, dtype=theta.dtype) < theta
        return x.to(theta), self.classes[c]


def fitted(
    x: Float[Tensor, "n D"],
    y: Int[Tensor, " n"],
    *,
    per_class: int = 1,
    rounds: int = 30,
    generator: torch.Generator,
) -> BernoulliMixture:
    """The mixture that (nearly) maximises the likelihood of pictures with labels.

    One component a class is the maximum in closed form (with `SMOOTHING`). Several are found by EM
    from random shares: who explains which picture, then the mean of what each explains.

    Args:
        x, y: pixels of 0 or 1, and classes 0 to K - 1, of which each occurs.
        per_class: components of each class.
        rounds: of EM.

    Raises:
        UsageError: no component, fewer pictures of a class than components, or pixels that are
            not 0 or 1.
    """
    if per_class < 1:
        raise UsageError(f"{per_class} components a class: give 1 or more.")
    if not ((x == 0) | (x == 1)).all():
        raise UsageError("pixels must be 0 or 1: compare grey ones with a threshold first.")
    parts = []
    for k in range(int(y.max()) + 1):
        of = x[y == k]
        if len(of) < per_class:
            raise UsageError(f"class {k} has {len(of)} pictures for {per_class} components.")
        shares = torch.rand(len(of), per_class, generator=generator, dtype=x.dtype)
        shares = shares / shares.sum(1, keepdim=True)
        part = _maximised(of, shares)
        for _ in range(rounds if per_class > 1 else 0):
            part = _maximised(of, part.log_joint(of).softmax(1))
        parts.append((part.pi * len(of) / len(x), part.theta, torch.full((per_class,), k)))
    pi, theta, classes = map(torch.cat, zip(*parts, strict=True))
    return BernoulliMixture(pi, theta, classes)


def _maximised(x: Float[Tensor, "n D"], shares: Float[Tensor, "n C"]) -> BernoulliMixture:
    """The maximum of the likelihood where it is known how much of each picture is whose."""
    counts = shares.sum(0)
    theta = (shares.T @ x + SMOOTHING) / (counts + 2 * SMOOTHING)[:, None]
    return BernoulliMixture(counts / len(x), theta, torch.zeros(len(counts), dtype=torch.long))
