"""Explorer: a Gaussian beside two hills, with both divergences and the likelihood of samples.

Drag the mean and the width; the best place by KL(data || model) is another than by
KL(model || data). All numbers are sums over the cells of a line.
"""

from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from t2ilab.exact.divergences import kl
from t2ilab.exact.spaces import Space
from t2ilab.explore.explorer import Explorer
from t2ilab.explore.sheet import path, smooth
from t2ilab.plots import BLUE, INK, RED, letters

SIZE = (640, 330)  # screen pixels


def gaussian(space: Space, mu: float, sigma: float) -> Float[Tensor, " n"]:
    """N(mu, sigma²) on the cells of a line, made to sum to 1."""
    x = space.states[:, 0]
    return (-((x - mu) ** 2) / (2 * sigma**2)).softmax(0)


class GaussianExplorer(Explorer):
    """Sliders for mu and sigma.

    Args:
        space: a line.
        p: the data's probabilities.
        samples: numbers of cells that were drawn from p, whose log-likelihood is shown.
        lab: see `Explorer`.
    """

    def __init__(self, space: Space, p: Float[Tensor, " n"], samples: Tensor, lab: Any = None):
        def render(mu: float, sigma: float) -> Image.Image:
            return _drawn(p, gaussian(space, mu, sigma), samples)

        def slider(value: float, least: float, most: float) -> widgets.FloatSlider:
            return widgets.FloatSlider(value=value, min=least, max=most, step=0.01)

        controls = {"mu": slider(0.0, -0.9, 0.9), "sigma": slider(0.3, 0.04, 1.0)}
        super().__init__(render, controls, title="data and a Gaussian", lab=lab)


def _drawn(p: Tensor, q: Tensor, samples: Tensor) -> Image.Image:
    log_q = q.log()
    said = (
        f"KL(data || model) = {float(kl(p, q)):.3f} nats      "
        f"KL(model || data) = {float(kl(q, p)):.3f} nats",
        f"mean log-likelihood of {len(samples)} samples: {float(log_q[samples].mean()):.3f} nats",
    )
    top = 1.1 * float(p.max()) * 1.6

    def draw(canvas, w, h, fine):
        floor = h * 3 // 4
        data, model = p.numpy(), q.clamp(max=top).numpy()
        canvas.polygon([(0, floor), *path(data, 0, top, w, floor), (w, floor)], (210, 210, 216))
        canvas.line(path(model, 0, top, w, floor), BLUE, 4 * fine, joint="curve")
        for cell in samples.tolist():
            x = (cell + 0.5) / len(p) * w
            canvas.line([(x, floor + 4 * fine), (x, floor + 14 * fine)], RED, fine)
        for i, line in enumerate(said):
            place = (8 * fine, floor + (24 + 24 * i) * fine)
            canvas.text(place, line, INK, font=letters(15 * fine))

    return smooth(SIZE, draw)


def best(space: Space, p: Float[Tensor, " n"], forward: bool) -> tuple[float, float, float]:
    """mu, sigma and divergence of the best Gaussian on a grid: KL(p || q), or KL(q || p)."""
    found = []
    for mu in np.linspace(-0.9, 0.9, 91):
        for sigma in np.linspace(0.04, 1.0, 49):
            q = gaussian(space, float(mu), float(sigma))
            found.append((float(kl(p, q) if forward else kl(q, p)), float(mu), float(sigma)))
    least, mu, sigma = min(found)
    return mu, sigma, least


def two_hills(space: Space) -> Float[Tensor, " n"]:
    """Two hills on a line, 0.45 left and 0.55 right, and a little everywhere."""
    x = space.states[:, 0]
    left, right = (torch.exp(-((x - m) ** 2) / (2 * 0.11**2)) for m in (-0.5, 0.45))
    p = 0.45 * left / left.sum() + 0.55 * right / right.sum()
    return 0.999 * p + 0.001 / len(p)
