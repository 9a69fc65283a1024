"""An RBM whose visible units are real numbers: grey pictures, not only black and white ones.

    E(v, h) = |v - a|²/2 - v'Wh - b'h,    v | h ~ N(a + Wh, 1),    P(h = 1 | v) = sigmoid(v'W + b)

(Welling, Rosen-Zvi and Hinton 2005; the model of NORB of Salakhutdinov and Hinton 2009 begins with
it). v is a picture in units of the noise: (grey - mean) / scale.
"""

from math import log, pi
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.models.rbm import RBM

MOST = 20  # hidden units whose 2^K states are summed


class GaussianRBM(RBM):
    """W [D, K], a [D], b [K].

    Args:
        mean: of the pictures, grey values [D] in [0, 1].
        hidden: K.
        scale: standard deviation of the noise, in grey values.

    Raises:
        UsageError: a scale that is not above 0.
    """

    def __init__(self, *, mean: Float[Tensor, " D"], hidden: int, scale: float = 0.1):
        super().__init__(visible=len(mean), hidden=hidden)
        if not scale > 0:
            raise UsageError(f"scale {scale}: the noise has a standard deviation above 0.")
        self.register_buffer("mean", mean.clone())
        self.scale = scale

    @property
    def arguments(self) -> dict[str, Any]:
        return {"mean": self.mean, "hidden": len(self.b), "scale": self.scale}

    def units(self, grey: Float[Tensor, "n D"]) -> Float[Tensor, "n D"]:
        """Grey values in [0, 1] as v."""
        return (grey - self.mean) / self.scale

    def energy(self, v: Float[Tensor, "n D"], h: Float[Tensor, "n K"]) -> Float[Tensor, " n"]:
        """E(v, h)."""
        return (v - self.a).square().sum(-1) / 2 - ((v @ self.W) * h).sum(-1) - h @ self.b

    def visible(self, h: Float[Tensor, "n K"]) -> Float[Tensor, "n D"]:
        """The mean of v given h."""
        return h @ self.W.T + self.a

    def free_energy(self, v: Float[Tensor, "n D"]) -> Float[Tensor, " n"]:
        """F(v), so that log p(v) = -F(v) - log Z."""
        return (v - self.a).square().sum(-1) / 2 - F.softplus(self.inputs(v)).sum(-1)

    def draw_visible(
        self, h: Float[Tensor, "n K"], generator: torch.Generator
    ) -> Float[Tensor, "n D"]:
        """v ~ N(a + Wh, 1)."""
        mean = self.visible(h)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
        return mean + noise

    def seen(self, h: Float[Tensor, "n K"]) -> Float[Tensor, "n D"]:
        """The mean of v given h as grey values in [0, 1]."""
        return (self.visible(h) * self.scale + self.mean).clamp(0, 1)

    def log_z(self) -> Float[Tensor, ""]:
        """log Z, summed over all h: given h the integral over v is that of a Gaussian.

        Raises:
            UsageError: more hidden units than can be summed.
        """
        if (k := len(self.b)) > MOST:
            raise UsageError(f"{k} hidden units have 2^{k} states; at most {MOST} are summed.")
        h = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * k).reshape(-1, k).to(self.b)
        of_h = h @ self.b + (self.visible(h).square().sum(1) - self.a.square().sum()) / 2
        return of_h.logsumexp(0) + len(self.a) / 2 * log(2 * pi)
