"""The bound of DRAW on log p(x), Gregor et al. 2015, eq. 9 to 12, in nats a picture.

L(x) = E_q [log p(x | c_T)] - sum over t of KL(q(z_t | x, z_<t) || N(0, 1))  <=  log p(x)

Two likelihoods, both of what is really there: Bernoulli for pictures of zeros and ones, and the
discretised logistic for bytes. (The paper calls colours probabilities and takes the first formula;
that number is no likelihood of the picture.)
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2ilab.losses.variational import importance_bound

LEVELS = 255  # from one value of a byte to the next it is 1 / 255


def kl_to_prior(mu: Float[Tensor, "*b z"], log_sigma: Float[Tensor, "*b z"]) -> Float[Tensor, "*b"]:
    """KL(N(mu, sigma²) || N(0, 1)) = ½ sum over z of (mu² + sigma² - 2 log sigma - 1).

    The constant is -½ for each of the z latents, at every step. (Paper, eq. 11: -T/2 for T steps,
    which is right for one latent.)
    """
    return 0.5 * (mu.square() + (2 * log_sigma).exp() - 2 * log_sigma - 1).sum(-1)


def log_ratio(
    z: Float[Tensor, "*b z"], mu: Float[Tensor, "*b z"], log_sigma: Float[Tensor, "*b z"]
) -> Float[Tensor, "*b"]:
    """log q(z | x) - log N(z; 0, 1) at this z; on average over z from q it is `kl_to_prior`."""
    eps = (z - mu) / log_sigma.exp()
    return (0.5 * (z.square() - eps.square()) - log_sigma).sum(-1)


def bernoulli(x: Float[Tensor, "b c h w"], logits: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    """log p(x) = sum over pixels of x log p + (1 - x) log(1 - p), p the logits' sigmoid.

    Args:
        x: zeros and ones; for values between it is no likelihood.
    """
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


def discretised_logistic(
    x: Float[Tensor, "b c h w"], mean: Float[Tensor, "b c h w"], log_scale: Float[Tensor, " c"]
) -> Float[Tensor, " b"]:
    """log p(x): the mass of a logistic half way to the next byte on either side, or to infinity.

    S(upper) - S(lower) = S(upper) S(-lower) (1 - exp(lower - upper)), S the sigmoid: so nothing
    cancels. Kingma et al. 2016; -log p / (c h w log 2) is in bits a value.

    Args:
        x: bytes divided by 255; `mean` in [0, 1].
        log_scale: of the logistic, one a channel.
    """
    per_unit = (-log_scale).exp()[:, None, None]
    lower, upper = (x - mean - 0.5 / LEVELS) * per_unit, (x - mean + 0.5 / LEVELS) * per_unit
    between = torch.log(-torch.expm1(-per_unit / LEVELS))
    log_p = F.logsigmoid(upper) + F.logsigmoid(-lower) + between
    log_p = torch.where(x <= 0, F.logsigmoid(upper), log_p)
    log_p = torch.where(x >= 1, F.logsigmoid(-lower), log_p)
    return log_p.flatten(1).sum(1)


def log_likelihood(
    x: Float[Tensor, "b c h w"], canvas: Float[Tensor, "b c h w"], log_scale: Tensor | None
) -> Float[Tensor, " b"]:
    """log p(x | c_T), with the canvas as logits: Bernoulli, or with a `log_scale` the other."""
    if log_scale is None:
        return bernoulli(x, canvas)
    return discretised_logistic(x, canvas.sigmoid(), log_scale)


importance_weighted = importance_bound  # L_k of k weights w = p(x, z) / q(z | x), the VAE's own
