"""Explorer: erase a part of a digit, and see what a model of p(x, y) puts there.

The picture with its hole; the probability of ink in the hole, given the rest; draws from
p(hole | rest); and below p(y | rest), one bar a class. All are exact sums of a `Mixture`.
"""

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.explore.explorer import Explorer
from t2ilab.explore.sheet import smooth, tile, titled
from t2ilab.models.mixture import Mixture
from t2ilab.plots import BLUE, GREY, INK, arranged, grid, letters

SIDE, PANEL, GAP, BARS = 8, 192, 16, 110  # pixels of a digit; screen pixels
HOLE = (250, 214, 160)  # what is not known
DRAWS = 9


def known_outside(top: int, left: int, height: int, width: int) -> Bool[Tensor, " 64"]:
    """Which pixels of a digit are known when a rectangle is erased; what is outside is cut off."""
    known = torch.ones(SIDE, SIDE, dtype=torch.bool)
    known[top : top + height, left : left + width] = False
    return known.flatten()


def painted(ink: Float[Tensor, "n 64"], unknown: Bool[Tensor, " 64"] | None = None) -> np.ndarray:
    """Pictures [n, 8, 8, 3], black ink on white; where `unknown`, the colour of the hole."""
    grey = ((1 - ink) * 255).round().to(torch.uint8).numpy().reshape(-1, SIDE, SIDE, 1)
    pictures = grey.repeat(3, axis=-1)
    if unknown is not None:
        pictures[:, unknown.numpy().reshape(SIDE, SIDE)] = HOLE
    return pictures


def tinted(ink: Float[Tensor, "n 64"], unknown: Bool[Tensor, " 64"]) -> np.ndarray:
    """Pictures [n, 8, 8, 3] whose filled hole lies on the colour of the hole."""
    share = ink.numpy().reshape(-1, SIDE, SIDE, 1)
    ground = np.where(unknown.numpy().reshape(SIDE, SIDE, 1), HOLE, 255)
    return ((1 - share) * ground).round().astype(np.uint8)


def hole_renderer(model: Mixture, x: Float[Tensor, "n 64"]) -> Callable[..., Image.Image]:
    """`render(digit, top, left, height, width, seed) -> PIL.Image`.

    Args:
        model: of 64 pixels.
        x: the digits that can be chosen, 0 or 1.

    Raises:
        UsageError: when it draws: a digit that is not there.
    """

    def render(digit: int, top: int, left: int, height: int, width: int, seed: int) -> Image.Image:
        if digit not in range(len(x)):
            raise UsageError(f"digit {digit}: there are {len(x)}, the first is 0.")
        known, one = known_outside(top, left, height, width), x[digit : digit + 1]
        rng = torch.Generator().manual_seed(seed)
        draws = model.fill(one.expand(DRAWS, -1), known, rng)
        times = PANEL // (3 * SIDE)
        panels = {
            "what is known": tile(painted(one, ~known)[0], PANEL),
            "p(ink | known)": tile(tinted(model.ink(one, known), ~known)[0], PANEL),
            f"{DRAWS} draws": grid(tinted(draws, ~known), columns=3, scale=times, gap=4),
        }
        said = model.posterior(one, known)[0].tolist()
        size = (3 * PANEL + 2 * GAP, BARS)
        bars = smooth(size, lambda draw, w, h, fine: _bars(draw, w, h, fine, said))
        return arranged([titled(panels, GAP), titled({"p(y | known)": bars})], down=8)

    return render


def _bars(draw: Any, w: int, h: int, fine: int, said: list[float]) -> None:
    font, wide, floor = letters(14 * fine), w / len(said), h - 20 * fine
    for k, share in enumerate(said):
        x0, x1 = (k + 0.2) * wide, (k + 0.8) * wide
        top = floor - share * (floor - 18 * fine)
        draw.rectangle((x0, top, x1, floor), BLUE)
        draw.text(((x0 + x1) / 2, floor + 2 * fine), str(k), INK, font, "mt")
        if share >= 0.01:
            draw.text(((x0 + x1) / 2, top - 2 * fine), f"{share:.2f}", INK, font, "mb")
    draw.line((0, floor, w, floor), GREY, fine)


class HoleExplorer(Explorer):
    """Choose a digit, and which rectangle of it is erased.

    Args:
        model, x: see `hole_renderer`.
        lab: told of errors.
    """

    def __init__(self, model: Mixture, x: Float[Tensor, "n 64"], *, lab: Any = None):
        sliders = {
            "digit": widgets.IntSlider(0, max=len(x) - 1),
            "top": widgets.IntSlider(4, max=SIDE - 1),
            "left": widgets.IntSlider(0, max=SIDE - 1),
            "height": widgets.IntSlider(4, max=SIDE),
            "width": widgets.IntSlider(8, max=SIDE),
            "seed": widgets.IntSlider(0, max=99),
        }
        super().__init__(
            hole_renderer(model, x),
            sliders,
            buttons={"Draw again": lambda state: {"seed": (state["seed"] + 1) % 100}},
            title="a digit with a hole, and what the model puts there",
            lab=lab,
        )
