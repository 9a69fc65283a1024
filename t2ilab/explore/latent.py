"""Explorers of a latent variable: the gap of the ELBO, and a walk over a plane of z.

The gap: on the left p(x, z) of a model with one number z, cut at the x that was observed; beside
it the true posterior along that cut, grey, and a Gaussian q that the sliders move; below, log p(x),
the ELBO and the gap between them, in nats, all from sums on a grid.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.exact.posterior import NODES, SHAPES, OneLatent
from t2ilab.explore.explorer import Explorer
from t2ilab.explore.sheet import path, smooth, tile, titled
from t2ilab.plots import BLUE, FAINT, GREY, INK, PAPER, RED, arranged, letters

SIDE, WIDE, GAP, STRIP = 240, 380, 14, 86  # screen pixels: panels, between, the strip of nats
HIGH = 3.5  # z and x are shown from -HIGH to HIGH
LEAST = -12.0  # nats: the left end of the strip
_AXIS = torch.linspace(-HIGH, HIGH, SIDE, dtype=torch.float64)
_SHOWN = (NODES.abs() <= HIGH).numpy()


def gap_image(shape: str, x: float, mu: float, sigma: float, noise: float = 0.4) -> Image.Image:
    """The three panels for an observed x and q = N(mu, sigma²).

    Raises:
        UsageError: an unknown shape, or a sigma that the grid cannot hold.
    """
    model = OneLatent(shape, noise)
    log_p, elbo = model.log_p(x), model.elbo(x, mu, sigma)
    joint = Image.fromarray(_joint(shape, noise))
    y = round((HIGH - x) / (2 * HIGH) * (SIDE - 1))
    ImageDraw.Draw(joint).line((0, y, SIDE, y), RED, 2)
    posterior = model.posterior(x).numpy()[_SHOWN]
    z = NODES.numpy()[_SHOWN]
    q = np.exp(-0.5 * ((z - mu) / sigma) ** 2) / sigma / np.sqrt(2 * np.pi)
    panels = {
        "p(x, z), cut at x": joint,
        "p(z|x) grey, q(z|x) blue": smooth((WIDE, SIDE), lambda *on: _curves(*on, posterior, q)),
    }
    size = (SIDE + GAP + WIDE, STRIP)
    return arranged([titled(panels, GAP), smooth(size, lambda *on: _nats(*on, log_p, elbo))])


@lru_cache(maxsize=8)
def _joint(shape: str, noise: float) -> np.ndarray:
    """p(x, z) as a picture: z to the right, x upwards."""
    model = OneLatent(shape, noise)
    rows = torch.stack([model.log_joint(float(x), _AXIS) for x in _AXIS.flip(0)]).exp()
    share = (rows / rows.max()).sqrt().numpy()[..., None]
    ink = np.array(PAPER) + share * (np.array((70, 70, 90)) - np.array(PAPER))
    return ink.round().astype(np.uint8)


def _curves(draw: ImageDraw.ImageDraw, w: int, h: int, fine: int, posterior, q) -> None:
    top, base = 1.15 * max(posterior.max(), min(q.max(), 3.0)), h - 18 * fine
    draw.polygon([(0, base), *path(posterior, 0, top, w, base), (w, base)], (214, 214, 220))
    draw.line(path(q, 0, top, w, base), BLUE, 3 * fine, joint="curve")
    draw.line((0, base, w, base), GREY, fine)
    for z in range(-3, 4):
        at = (z + HIGH) / (2 * HIGH) * w
        draw.text((at, base + 3 * fine), f"{z}", INK, letters(12 * fine), "ma")


def _nats(draw: ImageDraw.ImageDraw, w: int, h: int, fine: int, log_p: float, elbo: float) -> None:
    """A scale of nats from LEAST to 0: the ELBO in blue, the gap in red up to log p(x)."""
    font, left, right = letters(13 * fine), 10 * fine, w - 10 * fine

    def at(nats: float) -> float:
        return left + (max(nats, LEAST) - LEAST) / -LEAST * (right - left)

    top, low = 30 * fine, 54 * fine
    draw.rectangle((left, top, right, low), FAINT)
    draw.rectangle((left, top, at(elbo), low), BLUE)
    if log_p - elbo > 0.005:
        draw.rectangle((at(elbo), top, at(log_p), low), RED)
    for nats in range(int(LEAST), 1, 2):
        draw.text((at(nats), low + 4 * fine), f"{nats}", INK, font, "ma")
    words = f"log p(x) = {log_p:.2f}    ELBO = {elbo:.2f}    gap = KL(q || p(z|x)) = "
    draw.text((left, 6 * fine), words + f"{max(0.0, log_p - elbo):.2f} nats", INK, font)


class GapExplorer(Explorer):
    """Drag x and the two numbers of q; a button finds the best q.

    Args:
        lab: told of errors.
    """

    def __init__(self, lab: Any = None):
        controls = {
            "shape": widgets.Dropdown(options=list(SHAPES), value="fold"),
            "x": widgets.FloatSlider(1.0, min=-3, max=3, step=0.1),
            "mu": widgets.FloatSlider(0.0, min=-3, max=3, step=0.05),
            "sigma": widgets.FloatSlider(0.8, min=0.05, max=2, step=0.01),
        }
        super().__init__(
            gap_image,
            controls,
            buttons={"Best q": best_q},
            title="the gap between log p(x) and the ELBO",
            lab=lab,
            scale=1,
        )


def best_q(state: Mapping[str, Any]) -> dict[str, float]:
    """mu and sigma with the highest ELBO for the model and the x of a state."""
    mu, sigma = OneLatent(state["shape"], 0.4).best(state["x"])
    return {"mu": mu, "sigma": sigma}


def plane_renderer(
    decode: Callable[[Tensor], UInt8[np.ndarray, "n h w 3"]],
    codes: Float[Tensor, "n axes"],  # of another shape: refused below, in words
    labels: Int[np.ndarray, " m"],
    reach: float = 3.5,
) -> Callable[..., Image.Image]:
    """`render(z1, z2) -> PIL.Image`: where we stand among the codes, and what is decoded there.

    Args:
        decode: z [n, 2] to pictures.
        codes: means of q for some data, drawn as dots.
        labels: the class of each, which colours its dot; 0 to 9.
        reach: the map shows z from -reach to reach.

    Raises:
        UsageError: codes that are not in a plane, or not one label for each.
    """
    if codes.ndim != 2 or codes.shape[1] != 2 or len(codes) != len(labels):
        raise UsageError(
            f"codes of shape {list(codes.shape)} with {len(labels)} labels: a map needs two "
            "numbers and one label for each."
        )
    dots = codes.detach().clone()
    ground = smooth((300, 300), lambda *on: _dots(*on, dots.numpy(), np.asarray(labels), reach))

    def render(z1: float, z2: float) -> Image.Image:
        here = ground.copy()
        x, y = (150 * (1 + z1 / reach), 150 * (1 - z2 / reach))
        pen = ImageDraw.Draw(here)
        pen.line((x - 9, y, x + 9, y), INK, 3)
        pen.line((x, y - 9, x, y + 9), INK, 3)
        picture = decode(torch.tensor([[z1, z2]], dtype=torch.float32))[0]
        panels = {"where we are": here, "what is decoded there": tile(picture, 300)}
        return titled(panels, GAP)

    return render


TEN = (  # of the digits: matplotlib's tab10
    "#1f77b4",
    "#ff7f0e",
    "#2ca02c",
    "#d62728",
    "#9467bd",
    "#8c564b",
    "#e377c2",
    "#7f7f7f",
    "#bcbd22",
    "#17becf",
)


def _dots(draw, w: int, h: int, fine: int, codes, labels, reach: float) -> None:
    draw.rectangle((0, 0, w - 1, h - 1), FAINT, GREY, fine)
    for (a, b), label in zip(codes, labels, strict=True):
        x, y, r = w / 2 * (1 + a / reach), h / 2 * (1 - b / reach), 2.2 * fine
        draw.ellipse((x - r, y - r, x + r, y + r), TEN[int(label) % 10])


class PlaneExplorer(Explorer):
    """Walk over the plane of z: two sliders.

    Args:
        decode, codes, labels: as of `plane_renderer`.
        lab: told of errors.
    """

    def __init__(self, decode, codes, labels, lab: Any = None):
        sliders = {name: widgets.FloatSlider(0.0, min=-3, max=3, step=0.1) for name in ("z1", "z2")}
        render = plane_renderer(decode, codes, labels)
        super().__init__(render, sliders, title="a walk over the plane of z", lab=lab, scale=1)
