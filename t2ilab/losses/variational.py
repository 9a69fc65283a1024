"""Bounds of log p(x), and the densities that they are made of. All in nats, none averaged.

Kingma and Welling 2014, eq. 3: log p(x) >= L(x) = E_q[log p(x|z)] - KL(q(z|x) || p(z)), and the
difference is KL(q(z|x) || p(z|x)) exactly. Burda et al. 2016, eq. 8: with k samples z_i ~ q(z|x)

    log p(x) >= L_k = E[log 1/k sum_i w_i],   w_i = p(x, z_i) / q(z_i|x),   L_1 = L <= L_k <= L_k+1

Leading dimensions (k samples, b pictures) may be any; what is summed is said.
"""

from math import log, pi
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError


def gaussian_log_density(
    z: Float[Tensor, "*a n"], mu: Float[Tensor, "*b n"], logvar: Float[Tensor, "*c n"]
) -> Float[Tensor, "*d"]:
    """log N(z; mu, diag exp(logvar)), summed over the n numbers of z."""
    return -0.5 * (log(2 * pi) + logvar + (z - mu).square() / logvar.exp()).sum(-1)


def gaussian_kl(mu: Float[Tensor, "*b n"], logvar: Float[Tensor, "*b n"]) -> Float[Tensor, "*b n"]:
    """KL(N(mu, exp(logvar)) || N(0, 1)) of each number (Kingma and Welling 2014, appendix B)."""
    return 0.5 * (mu.square() + logvar.exp() - logvar - 1)


def bernoulli(
    x: Float[Tensor, "b c h w"], logits: Float[Tensor, "*k b c h w"]
) -> Float[Tensor, "*k b"]:
    """log p(x|z) of pixels that are 0 or 1; of grey values between, this is no likelihood."""
    return (x * logits - F.softplus(logits)).flatten(-3).sum(-1)


def discretised_logistic(
    x: Float[Tensor, "b c h w"], location: Float[Tensor, "*k b c h w"], log_scale: Tensor
) -> Float[Tensor, "*k b"]:
    """log p(x|z) of pixels with 256 values: what a logistic distribution puts into each one's bin.

    sigmoid(a) - sigmoid(b) with a, b = (x ± 1/255 - m)/s (Kingma et al. 2016, on CIFAR-10), where
    the bins of the lowest and the highest value reach to infinity, so that the 256 sum to 1. It is
    computed as sigmoid(a) sigmoid(-b) (1 - exp(b - a)), in which nothing cancels.

    Args:
        x: the 256 values k/127.5 - 1; `location`: m, on the same scale.
        log_scale: log s, of a shape that spreads over that of `location`.
    """
    scale = log_scale.exp()
    upper, lower = (x - location + 1 / 255) / scale, (x - location - 1 / 255) / scale
    below, above = F.logsigmoid(upper), F.logsigmoid(-lower)
    between = below + above + torch.log(-torch.expm1(-2 / 255 / scale))
    found = torch.where(x < -0.999, below, torch.where(x > 0.999, above, between))
    return found.flatten(-3).sum(-1)


LIKELIHOODS = {"bernoulli": bernoulli, "discretised_logistic": discretised_logistic}


class Terms(NamedTuple):
    """What a bound is made of, for each of k samples and b pictures; see `terms`."""

    log_px: Float[Tensor, "k b"]  # log p(x|z_1)
    log_pz: Float[Tensor, "k b"]  # log p(z), of all layers
    log_qz: Float[Tensor, "k b"]  # log q(z|x), of all layers

    def log_weights(self, beta: float = 1.0) -> Float[Tensor, "k b"]:
        """log w; beta below 1, for a warm-up, makes light of p(z)/q(z|x): then it is no bound."""
        return self.log_px + beta * (self.log_pz - self.log_qz)


def terms(x: Float[Tensor, "b c h w"], passed, likelihood: str) -> Terms:
    """The densities of what a VAE `passed` (see `models.vae.Passed`), with samples z of its q."""
    log_px = LIKELIHOODS[likelihood](x, *passed.pixels)
    both = {"p": passed.priors, "q": passed.posteriors}
    log_pz, log_qz = (
        sum(gaussian_log_density(z, *of) for z, of in zip(passed.z, both[name], strict=True))
        for name in "pq"
    )
    return Terms(log_px, log_pz, log_qz)


def importance_bound(log_w: Float[Tensor, "k b"]) -> Float[Tensor, " b"]:
    """One estimate of L_k: logsumexp log w_i - log k.

    Its gradient is sum_i v_i grad log w_i with v = softmax(log w), Burda et al. 2016, eq. 14: what
    autograd gives, and nothing is to be detached. k = 1: the ELBO.

    Raises:
        UsageError: k is 0.
    """
    if not len(log_w):
        raise UsageError("no samples: L_k needs k of 1 or more.")
    return log_w.logsumexp(0) - log(len(log_w))


def with_free_bits(kl: Float[Tensor, "b n"], least: float) -> Float[Tensor, ""]:
    """sum_j max(least, mean_b KL_j): below `least` nats a number of z costs nothing more.

    Kingma et al. 2016, eq. 15, with a group for each number. 0: the KL itself.
    """
    return kl.mean(0).clamp(min=least).sum()
