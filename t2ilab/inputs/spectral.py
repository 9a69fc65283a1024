"""Gradient ascent on large shapes first: the pixels' gradient, its high frequencies damped.

A step along the plain gradient of a deep network changes mostly neighbouring pixels against each
other: grey mush. Olah, Mordvintsev and Schubert (2017, "Feature Visualization", on preconditioning)
climb in a space in which all frequencies have the same scale. In pixels such a step is the gradient
g with its Fourier coefficients divided by a power p of their frequency f:

    I = I + λ d / mean|d|,    d = F⁻¹( F(g) / max(f, 1/n)^p )

The direction still climbs, for the factor is positive. (Their space has p = 2; here 1 by default.)
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.inputs.optimisers import Evaluate, Found, Pictures, Rows, check_lr


@dataclass(frozen=True)
class SpectralAscent:
    """x + lr · d / mean|d|, d the gradient of pictures [b, c, h, w] with damped high frequencies.

    Args:
        lr: step size, above 0: how far a value moves on average.
        power: of the frequency that each Fourier coefficient is divided by; 0 is no damping.
        momentum: share of the last direction that is kept, in [0, 1).
        over: the step size falls to 0 along a line over so many steps; 0: it stays.
    """

    lr: float = 0.02
    power: float = 1.0
    momentum: float = 0.0
    over: int = 0

    def __post_init__(self):
        check_lr(self.lr)
        if not 0 <= self.power < math.inf or not 0 <= self.momentum < 1 or self.over < 0:
            raise UsageError(
                f"power {self.power}, momentum {self.momentum}, over {self.over} steps: the power "
                "and the steps must be at least 0, the momentum from 0 to below 1."
            )

    def begin(self, pictures: Pictures) -> dict[str, Any]:
        """The last direction of each picture, and the number of steps."""
        return {"d": torch.zeros_like(pictures), "steps": 0}

    def step(
        self,
        pictures: Pictures,
        found: Found,
        rows: Rows,
        memory: dict[str, Any],
        evaluate: Evaluate,
    ) -> Pictures:
        """One step uphill."""
        d = damped(found.gradient, self.power)
        d = d / d.abs().mean((1, 2, 3), keepdim=True).clamp(min=torch.finfo(d.dtype).tiny)
        memory["d"][rows] = d = self.momentum * memory["d"][rows] + (1 - self.momentum) * d
        left = max(0.0, 1 - memory["steps"] / self.over) if self.over else 1.0
        memory["steps"] += 1
        return pictures + left * self.lr * d


def damped(g: Float[Tensor, "b c h w"], power: float) -> Float[Tensor, "b c h w"]:
    """F⁻¹( F(g) / max(f, 1/n)^power ), f in cycles a pixel and n the longer side."""
    h, w = g.shape[-2:]
    f = torch.hypot(torch.fft.fftfreq(h)[:, None], torch.fft.rfftfreq(w)[None]).to(g)
    return torch.fft.irfft2(torch.fft.rfft2(g) / f.clamp(min=1 / max(h, w)) ** power, s=(h, w))
