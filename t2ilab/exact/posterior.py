"""A model with one number z, small enough to sum: p(x), p(z|x) and the gap of the ELBO, exactly.

    z ~ N(0, 1),   x = f(z) + sigma_x epsilon

The integrals over z are sums over a fine grid; for a mean under q the grid lies around q and grows
with it, so that none of q is cut off. With f a line everything is Gaussian and the gap can
be 0; with a fold or a wave several z give the same x, and no single Gaussian fits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, log

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError, choose
from t2ilab.losses.variational import gaussian_kl, gaussian_log_density

SHAPES: dict[str, Callable[[Tensor], Tensor]] = {
    "line": lambda z: 1.5 * z,
    "fold": lambda z: z.square() - 1,
    "wave": lambda z: 0.8 * z + 1.4 * torch.sin(2.5 * z),
}
NODES = torch.linspace(-6, 6, 2401, dtype=torch.float64)  # of z
STEP = float(NODES[1] - NODES[0])


def _normal(value: Tensor, mu: Tensor | float, sigma: float) -> Tensor:
    one = torch.as_tensor(mu, dtype=torch.float64)
    logvar = torch.full((1,), 2 * log(sigma), dtype=torch.float64)
    return gaussian_log_density(value[..., None], one[..., None], logvar)


@dataclass(frozen=True)
class OneLatent:
    """The model.

    Attributes:
        shape: f, a key of `SHAPES`.
        noise: sigma_x, from 0.05 to 10 (below, the grid would be too coarse).
    """

    shape: str = "fold"
    noise: float = 0.4

    def __post_init__(self):
        choose("shape", self.shape, SHAPES)
        if not 0.05 <= self.noise <= 10:
            raise UsageError(f"noise {self.noise}: give a sigma_x from 0.05 to 10.")

    def mean(self, z: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """f(z), the mean of x."""
        return SHAPES[self.shape](z)

    def log_joint(self, x: float, z: Float[Tensor, "*n"] = NODES) -> Float[Tensor, "*n"]:
        """log p(x, z) in nats."""
        seen = torch.full_like(z, x)
        return _normal(seen, self.mean(z), self.noise) + _normal(z, 0.0, 1.0)

    def log_p(self, x: float) -> float:
        """log p(x) in nats: the sum over the grid."""
        return float(self.log_joint(x).logsumexp(0)) + log(STEP)

    def posterior(self, x: float) -> Float[Tensor, " nodes"]:
        """p(z|x), a density at `NODES`."""
        return self.log_joint(x).softmax(0) / STEP

    def elbo(self, x: float, mu: float, sigma: float) -> float:
        """E_q[log p(x|z)] - KL(q || p(z)) for q = N(mu, sigma²), in nats.

        Args:
            x: what is seen.
            mu, sigma: of q; mu from -6 to 6, sigma from 0.02 to 3.

        Raises:
            UsageError: x is no number, or mu or sigma is outside.
        """
        if not isfinite(x):
            raise UsageError(f"x = {x}: give a number.")
        if not -6 <= mu <= 6:
            raise UsageError(f"mu {mu}: give a q whose middle lies between -6 and 6.")
        if not 0.02 <= sigma <= 3:
            raise UsageError(f"sigma {sigma}: give a q of sigma 0.02 to 3.")
        epsilon = 1.5 * NODES  # 9 sigma to either side
        z, q = mu + sigma * epsilon, _normal(epsilon, 0.0, 1.0).softmax(0)
        log_px = _normal(torch.full_like(z, x), self.mean(z), self.noise)
        mean, logvar = torch.tensor([[mu], [2 * log(sigma)]], dtype=torch.float64)
        kl = gaussian_kl(mean, logvar).sum()
        return float((q * log_px).sum() - kl)

    def best(self, x: float) -> tuple[float, float]:
        """mu and sigma with the highest ELBO, of 161 x 60 that are tried."""
        mus = torch.linspace(-4, 4, 161).double()
        sigmas = torch.logspace(log(0.03) / log(10), log(2) / log(10), 60).double()
        log_px = _normal(torch.full_like(NODES, x), self.mean(NODES), self.noise)
        away = (NODES - mus[:, None]).square()
        found = []
        for sigma in sigmas:
            q = (-0.5 * away / sigma**2).softmax(1)
            kl = gaussian_kl(mus[:, None], 2 * sigma.log().expand(len(mus), 1)).sum(1)
            found.append(q @ log_px - kl)
        k = int(torch.stack(found).argmax())
        return float(mus[k % len(mus)]), float(sigmas[k // len(mus)])
