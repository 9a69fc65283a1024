"""The bound of alignDRAW on log p(x | y), Mansimov et al. 2016, in nats a picture.

L = E_Q [log p(x | y, Z_1:T) - sum over t > 1 of KL(Q(Z_t | Z_<t, y, x) || P(Z_t | Z_<t, y))]
    - KL(Q(Z_1 | x) || P(Z_1))  <=  log p(x | y)

Nothing is known of the caption at the first stroke: Q(Z_1 | x) and P(Z_1) are without y.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def kl_gaussians(
    mu_q: Float[Tensor, "*b z"],
    log_sigma_q: Float[Tensor, "*b z"],
    mu_p: Float[Tensor, "*b z"],
    log_sigma_p: Float[Tensor, "*b z"],
) -> Float[Tensor, "*b"]:
    """KL(N(mu_q, sigma_q²) || N(mu_p, sigma_p²)), summed over z: the prior is learned.

    = sum of log sigma_p - log sigma_q + (sigma_q² + (mu_q - mu_p)²) / (2 sigma_p²) - ½; with
    mu_p = 0 and sigma_p = 1 it is DRAW's `kl_to_prior`.
    """
    d = log_sigma_q - log_sigma_p
    off = (mu_q - mu_p) * (-log_sigma_p).exp()
    return (0.5 * ((2 * d).exp() + off.square() - 1) - d).sum(-1)


def log_ratio(
    z: Float[Tensor, "*b z"],
    q: tuple[Float[Tensor, "*b z"], Float[Tensor, "*b z"]],
    p: tuple[Float[Tensor, "*b z"], Float[Tensor, "*b z"]],
) -> Float[Tensor, "*b"]:
    """log q(z) - log p(z), each (mu, log sigma) of a Gaussian; on average over q `kl_gaussians`."""
    return (_log_density(z, *q) - _log_density(z, *p)).sum(-1)


def _log_density(z: Tensor, mu: Tensor, log_sigma: Tensor) -> Tensor:
    """Up to the constant, which is the same for all."""
    return -0.5 * ((z - mu) * torch.exp(-log_sigma)).square() - log_sigma
