"""What does a layer know? Pictures made again from nothing but their representation.

Mahendran and Vedaldi 2015: of all pictures x whose representation is near phi_0 = phi(x_0), find
one that looks like a picture (eq. 1 and 4):

    minimise |phi(x) - phi_0|² / |phi_0|²  +  (lambda_alpha |x|^alpha + lambda_v TV_beta(x)) / (h w)

The same ascent as everywhere: the score is minus the distance, the penalty is the prior. The prior
is divided by the number of pixels (the paper's weights belong to pictures of one size), so that one
weight serves pictures of all sizes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError
from t2ilab.inputs import priors
from t2ilab.inputs.ascent import Ascended, ascend
from t2ilab.inputs.constraints import Box
from t2ilab.inputs.optimisers import Adam, Optimiser

Representation = Callable[[Tensor], Tensor]  # pictures [b, ...] -> [b, ...], any shape


@dataclass(frozen=True)
class Prior:
    """What natural pictures look like, as a penalty: one number a picture.

    Attributes:
        tv: lambda_v, the weight of the total variation; at least 0.
        beta: its exponent.
        norm: lambda_alpha, the weight of |x|^alpha, which keeps values from the box's edges.
        alpha: its exponent.
    """

    tv: float = 0.0
    beta: float = 2.0
    norm: float = 0.0
    alpha: float = 6.0

    def __post_init__(self):
        for name in ("tv", "norm"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(
                    f"weight {name}={getattr(self, name)} of a prior: a finite number "
                    "of at least 0 is needed; a negative one would ask for noise."
                )

    def __call__(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """(lambda_alpha |x|^alpha + lambda_v TV_beta(x)) / (h w)."""
        penalty = x.new_zeros(len(x))
        if self.tv:
            penalty = penalty + self.tv * priors.total_variation(x, beta=self.beta)
        if self.norm:
            penalty = penalty + self.norm * priors.alpha_norm(x, alpha=self.alpha)
        return penalty / (x.shape[-2] * x.shape[-1])


def distance(phi: Float[Tensor, "b ..."], phi_0: Float[Tensor, "b ..."]) -> Float[Tensor, " b"]:
    """|phi - phi_0|² / |phi_0|² of each: 0 is the same, 1 is as far as phi = 0 (paper: eq. 4)."""
    return (phi - phi_0).flatten(1).square().sum(1) / phi_0.flatten(1).square().sum(1)


def nearness(representation: Representation) -> Callable[[Tensor, Tensor], Tensor]:
    """The score -|phi(x) - phi_0|² / |phi_0|², at most 0; phi_0 is what it is `given`."""

    def score(x: Float[Tensor, "b ..."], phi_0: Float[Tensor, "b ..."]) -> Float[Tensor, " b"]:
        return -distance(representation(x), phi_0)

    return score


def invert(
    representation: Representation,
    phi_0: Float[Tensor, "b ..."],
    start: Float[Tensor, "b c h w"],
    *,
    prior: Callable[[Tensor], Tensor] | None = None,
    steps: int = 200,
    lr: float = 0.05,
    optimiser: Optimiser | None = None,
    view: Callable[[Tensor], Tensor] | None = None,
    box: Box | None = None,
    frames: int = 0,
) -> Ascended:
    """Climb from `start` to pictures whose representation is `phi_0`; the picture is not seen.

    Args:
        representation: what is inverted, say `network.convolutions[:6]`, in `eval` mode.
        phi_0: the representations to be reached, one for each picture of the start.
        start: noise, in the box.
        prior: a penalty, `Prior(tv=1)` say; None for none.
        steps, lr: of Adam, which forgets old squares sooner (0.99) than it does by default.
        optimiser: another one in its place.
        view: as of `ascend`.
        frames: how many moments to keep for scrubbing.

    Raises:
        UsageError: phi_0 is of another layer, is 0 everywhere (nothing to divide by) or not finite;
            and what `ascend` refuses.
    """
    with torch.no_grad():
        shape = representation(start[:1]).shape[1:]
    if phi_0.shape != (len(start), *shape):
        raise UsageError(
            f"phi_0 has shape {list(phi_0.shape)}, but the representation of the "
            f"start's {len(start)} pictures has {[len(start), *shape]}: take both "
            "from the same layer, at the same size of picture."
        )
    length = phi_0.flatten(1).square().sum(1)
    if not (torch.isfinite(length) & (length > 0)).all():
        raise UsageError(
            "a representation phi_0 is 0 everywhere, or not finite: there is nothing "
            "to come near to. Invert an earlier layer, or another picture."
        )
    return ascend(
        start,
        nearness(representation),
        steps=steps,
        given=[phi_0],
        optimiser=optimiser or Adam(lr=lr, betas=(0.9, 0.99)),
        view=view,
        penalty=prior,
        constraint=box,
        frames=frames,
    )


def denoise(
    noisy: Float[Tensor, "c h w"],
    weights: Float[Tensor, " n"],
    *,
    beta: float,
    steps: int = 200,
    lr: float = 0.01,
    box: Box | None = None,
) -> Float[Tensor, "n c h w"]:
    """The inversion of no layer at all: near to a noisy picture, and smooth; one of each weight.

    Climbs -|x - y|² / |y|² - weight · TV_beta(x) / (h w) from the noisy picture y itself. With
    beta = 1 that is the denoising of Rudin, Osher and Fatemi (1992).

    Raises:
        UsageError: a weight is negative or not finite; and what `ascend` refuses.
    """
    if not (torch.isfinite(weights) & (weights >= 0)).all():
        raise UsageError(
            f"weights of the total variation {weights.tolist()}: finite numbers of at "
            "least 0 are needed."
        )
    pixels = noisy.shape[-2] * noisy.shape[-1]

    def score(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        return -distance(x, y) - weight * priors.total_variation(x, beta=beta) / pixels

    start = noisy.expand(len(weights), *noisy.shape).clone()
    given, adam = [start, weights.to(start)], Adam(lr=lr, betas=(0.9, 0.99))
    return ascend(start, score, steps=steps, given=given, constraint=box, optimiser=adam).pictures


def depths(body: nn.Sequential, ends: dict[str, int]) -> dict[str, nn.Sequential]:
    """The beginnings of a network: by name, its first so many modules (shared, not copied).

    Raises:
        UsageError: a network is not that deep, or an end is no positive number.
    """
    for name, end in ends.items():
        if not 0 < end <= len(body):
            raise UsageError(f"depth '{name}': {end} modules of a network that has {len(body)}.")
    return {name: body[:end] for name, end in ends.items()}
