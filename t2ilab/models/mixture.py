"""Mixtures of independent black and white pixels, a few components for each class: p(x, y) in full.

Each component m has a class y_m, a weight w_m, and for each pixel i a probability of ink, theta_mi:

    p(x, y) = sum over the m with y_m = y of  w_m prod_i theta_mi^x_i (1 - theta_mi)^(1 - x_i)

With one component a class this is naive Bayes. Whatever one may ask of p(x, y) is a finite sum:
p(x), p(y|x), and p(hole | rest), where a pixel that is not known is left out of the product. Fitted
by expectation and maximisation (Dempster, Laird and Rubin 1977).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from t2ilab.errors import DataError, UsageError

SMOOTHING = 0.5  # pictures with ink and as many without, added to every pixel of every component
TINY = 1e-9  # without smoothing: what has never been seen is as good as impossible


@dataclass(frozen=True)
class Mixture:
    """A fitted mixture.

    Attributes:
        log_w: float64 [m], logarithms of the weights; the weights sum to 1.
        theta: float64 [m, d], the probability of ink in (0, 1).
        labels: [m], the class of each component, 0 to classes - 1.
    """

    log_w: Float[Tensor, " m"]
    theta: Float[Tensor, "m d"]
    labels: Int[Tensor, " m"]

    @property
    def classes(self) -> int:
        return int(self.labels.max()) + 1

    def log_parts(
        self, x: Float[Tensor, "n d"], known: Bool[Tensor, " d"] | None = None
    ) -> Float[Tensor, "n m"]:
        """log p(x, component), in nats; of the known pixels alone where `known` is given.

        Raises:
            DataError: pictures, or a hole, of another number of pixels.
        """
        for given in (x,) if known is None else (x, known):
            if given.shape[-1] != self.theta.shape[1]:
                raise DataError(f"{given.shape[-1]} pixels for a mixture of {self.theta.shape[1]}.")
        known = torch.ones(x.shape[1]) if known is None else known
        ink, white = self.theta.log() * known, (-self.theta).log1p() * known
        return self.log_w + x.double() @ ink.T + (1 - x.double()) @ white.T

    def log_joint(
        self, x: Float[Tensor, "n d"], known: Bool[Tensor, " d"] | None = None
    ) -> Float[Tensor, "n classes"]:
        """log p(x, y) for each class y, in nats."""
        parts = self.log_parts(x, known)
        of_class = [parts[:, self.labels == y].logsumexp(1) for y in range(self.classes)]
        return torch.stack(of_class, dim=1)

    def log_p(
        self, x: Float[Tensor, "n d"], known: Bool[Tensor, " d"] | None = None
    ) -> Float[Tensor, " n"]:
        """log p(x), in nats: the class is summed out."""
        return self.log_parts(x, known).logsumexp(1)

    def posterior(
        self, x: Float[Tensor, "n d"], known: Bool[Tensor, " d"] | None = None
    ) -> Float[Tensor, "n classes"]:
        """p(y|x), by Bayes' rule."""
        return self.log_joint(x, known).softmax(1)

    def ink(self, x: Float[Tensor, "n d"], known: Bool[Tensor, " d"]) -> Float[Tensor, "n d"]:
        """p(pixel is inked | the known pixels): a known pixel stays what it is."""
        guess = self.log_parts(x, known).softmax(1) @ self.theta
        return torch.where(known, x.double(), guess)

    def fill(
        self, x: Float[Tensor, "n d"], known: Bool[Tensor, " d"], generator: torch.Generator
    ) -> Float[Tensor, "n d"]:
        """A draw from p(hole | rest): first a component, then its pixels."""
        chosen = self.log_parts(x, known).softmax(1).multinomial(1, generator=generator)[:, 0]
        drawn = torch.bernoulli(self.theta[chosen], generator=generator)
        return torch.where(known, x.double(), drawn)

    def draw(
        self, n: int, generator: torch.Generator, label: int | None = None
    ) -> Float[Tensor, "n d"]:
        """n draws from p(x), or from p(x|y) for one class.

        Raises:
            UsageError: no draws, or no such class.
        """
        if n < 1:
            raise UsageError(f"{n} draws: ask for one or more.")
        if label is not None and label not in range(self.classes):
            raise UsageError(f"class {label}: expected 0 to {self.classes - 1}.")
        weights = self.log_w.exp()
        if label is not None:
            weights = weights * (self.labels == label)
        chosen = weights.multinomial(n, replacement=True, generator=generator)
        return torch.bernoulli(self.theta[chosen], generator=generator)


def fit(
    x: Float[Tensor, "n d"],
    y: Int[Tensor, " labels"],
    *,
    components: int = 1,
    steps: int = 30,
    smoothing: float = SMOOTHING,
    seed: int = 0,
) -> Mixture:
    """Fit each class on its own, by EM.

    Args:
        x: pixels, 0 (white) or 1 (ink).
        y: the class of each picture; each class from 0 to the largest must occur.
        components: for each class; a class of fewer pictures gets as many as it has.
        steps: of EM; one component needs a single one.
        smoothing: pictures of either kind that are added to each pixel; 0 is maximum likelihood,
            which all but forbids what it has not seen.
        seed: of the pictures that the components begin with.

    Raises:
        UsageError: fewer than one component or step, or a negative smoothing.
        DataError: pixels that are not 0 or 1; other numbers of pictures and labels; a label
            below 0; a class without a picture.
    """
    if components < 1 or steps < 1 or smoothing < 0:
        raise UsageError(
            f"{components} components, {steps} steps, smoothing {smoothing}: give 1 or more of the "
            "first two, and 0 or more of the last."
        )
    if not bool(((x == 0) | (x == 1)).all()):
        raise DataError("a pixel is neither 0 nor 1: make the pictures black and white first.")
    if len(x) != len(y) or not len(x):
        raise DataError(f"{len(x)} pictures and {len(y)} labels: expected one label a picture.")
    if int(y.min()) < 0:
        raise DataError(f"label {int(y.min())}: number the classes from 0.")
    generator = torch.Generator().manual_seed(seed)
    parts, classes = [], int(y.max()) + 1
    for label in range(classes):
        of_class = x[y == label].double()
        if not len(of_class):
            raise DataError(f"class {label} has no picture: leave it out, or number without gaps.")
        w, theta = _em(of_class, min(components, len(of_class)), steps, smoothing, generator)
        parts.append((w * len(of_class) / len(x), theta, torch.full((len(w),), label)))
    weights, thetas, labels = (torch.cat(column) for column in zip(*parts, strict=True))
    return Mixture(weights.log(), thetas, labels)


def em_step(
    x: Float[Tensor, "n d"], w: Float[Tensor, " k"], theta: Float[Tensor, "k d"], smoothing: float
) -> tuple[Float[Tensor, " k"], Float[Tensor, "k d"]]:
    """One step of EM: which component drew each picture, then the most likely w and theta.

    Without smoothing the likelihood of x never falls.

    Args:
        x: 0 or 1.
        w, theta: weights, and probabilities of ink, of the components; theta in (0, 1).
    """
    log_r = w.log() + x @ theta.log().T + (1 - x) @ (-theta).log1p().T
    r = log_r.softmax(1)  # [n, k], each row sums to 1
    count = r.sum(0)  # pictures that each component accounts for
    return count / len(x), (r.T @ x + smoothing) / (count[:, None] + 2 * smoothing)


def posterior(
    log_likelihood: Float[Tensor, "n classes"], prior: Float[Tensor, " classes"]
) -> Float[Tensor, "n classes"]:
    """Bayes' rule: p(y|x) from log p(x|y) and p(y); the evidence p(x) makes each row sum to 1."""
    return (log_likelihood + prior.log()).softmax(1)


def _em(
    x: Tensor, components: int, steps: int, smoothing: float, generator: torch.Generator
) -> tuple[Float[Tensor, " k"], Float[Tensor, "k d"]]:
    """Weights and probabilities of ink of one class; begun at pictures, blurred by the mean."""
    w = torch.full((components,), 1 / components, dtype=torch.float64)
    begin = torch.randperm(len(x), generator=generator)[:components]
    theta = (x[begin] + x.mean(0)) / 2 * 0.98 + 0.01
    for _ in range(steps):
        w, theta = em_step(x, w, theta, smoothing)
        if smoothing == 0:  # 0 and 1 stay, but for a logarithm that can be written
            theta = theta.clamp(TINY, 1 - TINY)
    return w, theta
