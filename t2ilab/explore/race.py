"""Explorer: one rule runs down a ravine, with the learning rate and the number of steps as sliders.

The loss is f(x, y) = x²/20 + y²: twenty times more curved across than along.
"""

from functools import lru_cache
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageChops
from torch import Tensor

from t2ilab.explore.explorer import Explorer
from t2ilab.explore.rounds import painted
from t2ilab.explore.sheet import smooth
from t2ilab.plots import BLUE, INK, PAPER, RED, letters
from t2ilab.trainers.updates import RULES, with_rate

WIDTH, HEIGHT = 640, 320  # screen pixels
REACH = (10.5, 5.25)  # of the picture, from the middle to its edges
BEGIN = (-9.0, 2.5)


def ravine(theta: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n"]:
    """f(x, y) = x²/20 + y²."""
    return theta[..., 0] ** 2 / 20 + theta[..., 1] ** 2


def slope(theta: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n 2"]:
    """Its gradient."""
    return theta * torch.tensor([0.1, 2.0], dtype=theta.dtype)


def descent(rule: str, lr: float, steps: int) -> Float[Tensor, "steps1 2"]:
    """Where a rule of `RULES` goes from (-9, 2.5); what runs off to infinity stays far away."""
    step, state = with_rate(rule, lr), {}
    theta = torch.tensor(BEGIN, dtype=torch.float64)
    places = [theta]
    for _ in range(steps):
        theta = step(theta, slope(theta), state).clamp(-1e6, 1e6)
        places.append(theta)
    return torch.stack(places)


class RaceExplorer(Explorer):
    """A dropdown of rules; sliders for the logarithm of the learning rate, and for steps."""

    def __init__(self, lab: Any = None, steps: int = 60):
        controls = {
            "rule": widgets.Dropdown(options=list(RULES), value="SGD"),
            "log10_lr": widgets.FloatSlider(value=-0.5, min=-3, max=0.5, step=0.05),
            "steps": widgets.IntSlider(value=steps, min=0, max=200),
        }
        super().__init__(drawn, controls, play="steps", title="descent in a ravine", lab=lab)


def drawn(rule: str, log10_lr: float, steps: int) -> Image.Image:
    """The path so far over the ravine; darker is lower."""
    path = descent(rule, 10**log10_lr, steps).numpy()
    loss = float(ravine(torch.tensor(path[-1])))

    def at(theta: np.ndarray, w: int, h: int) -> tuple[float, float]:
        x, y = np.clip(theta / REACH, -3, 3)
        return (x + 1) / 2 * w, (1 - y) / 2 * h

    def draw(canvas, w, h, fine):
        points = [at(theta, w, h) for theta in path]
        if len(points) > 1:
            canvas.line(points, RED, 2 * fine, joint="curve")
        for x, y in points:
            r = 3 * fine
            canvas.ellipse([x - r, y - r, x + r, y + r], RED)
        x, y = at(np.zeros(2), w, h)
        r = 6 * fine
        canvas.ellipse([x - r, y - r, x + r, y + r], outline=INK, width=2 * fine)
        words = f"{rule}, learning rate {10**log10_lr:.3g}, step {steps}: loss {loss:.3g}"
        canvas.text((10 * fine, 8 * fine), words, INK, font=letters(16 * fine))

    lines = smooth((WIDTH, HEIGHT), draw)
    return ImageChops.multiply(_ground(), lines)


@lru_cache(maxsize=1)
def _ground() -> Image.Image:
    x = torch.linspace(-REACH[0], REACH[0], 320, dtype=torch.float64)
    y = torch.linspace(REACH[1], -REACH[1], 160, dtype=torch.float64)
    f = ravine(torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)).sqrt()
    bands = (f / f.max() * 14).floor() / 14
    picture = Image.fromarray(painted(0.5 * (1 - bands.numpy()), PAPER, PAPER, BLUE))
    return picture.resize((WIDTH, HEIGHT))
