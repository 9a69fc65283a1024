"""Explorer: two numbers that play, Dirac-GAN's phase plane (Mescheder et al. 2018, figure 1).

The data is the point 0, the generator the point theta, the critic the slope psi. Small arrows show
where both want to go; the line is the path that steps of a finite size take.
"""

from typing import Any

import ipywidgets as widgets
import torch
from PIL import Image

from t2ilab.exact.game import GAMES, dirac_field, dirac_path
from t2ilab.explore.explorer import Explorer
from t2ilab.explore.sheet import lettered, smooth
from t2ilab.plots import BLUE, GREY, INK, RED, arranged, label

SIDE, REACH, ARROWS = 440, 2.2, 13  # pixels; of the plane; arrows a side
ORDERS = ("simultaneous", "alternating")


def dirac_image(
    game: str, order: str, lr: float, r1: float, clip: float, steps: int, theta: float, psi: float
) -> Image.Image:
    """The field, and the path from (theta, psi); its head says how far it ended from rest."""
    path = dirac_path(
        theta, psi, game=game, lr=lr, steps=int(steps), r1=r1, clip=clip,
        alternating=order == "alternating",
    )  # fmt: skip
    first, last = (float(path[i].norm()) for i in (0, -1))
    words = f"{game}, {order}: distance from rest {first:.2f}, after {int(steps)} steps {last:.2f}"

    def at(t: float, s: float, w: int) -> tuple[float, float]:
        return (t / REACH + 1) / 2 * w, (1 - s / REACH) / 2 * w

    def draw(canvas, w, h, fine):
        one = torch.linspace(-REACH, REACH, ARROWS + 2, dtype=torch.float64)[1:-1]
        t, s = torch.meshgrid(one, one, indexing="ij")
        dt, ds = dirac_field(t, s, game=game, r1=r1)
        scale = 0.3 / torch.hypot(dt, ds).max().clamp(min=1e-9)
        for a, b, da, db in zip(*(v.flatten().tolist() for v in (t, s, dt, ds)), strict=True):
            here, there = at(a, b, w), at(a + float(scale) * da, b + float(scale) * db, w)
            canvas.line([here, there], GREY, 2 * fine)
            r = 2 * fine
            canvas.ellipse([there[0] - r, there[1] - r, there[0] + r, there[1] + r], GREY)
        places = [at(a, b, w) for a, b in path.clamp(-3 * REACH, 3 * REACH).tolist()]
        if len(places) > 1:
            canvas.line(places, BLUE, 2 * fine)
        for (x, y), r, colour in ((places[0], 5, INK), (places[-1], 6, RED)):
            canvas.ellipse([x - r * fine, y - r * fine, x + r * fine, y + r * fine], colour)
        x, y = at(0, 0, w)
        canvas.ellipse(
            [x - 7 * fine, y - 7 * fine, x + 7 * fine, y + 7 * fine], None, INK, 2 * fine
        )
        across, up = (w - 6 * fine, y + 24 * fine), (x + 8 * fine, 10 * fine)
        lettered(canvas, across, "theta: the generator", 14 * fine, anchor="rm")
        lettered(canvas, up, "psi: the critic's slope", 14 * fine, anchor="lm")

    return arranged([label(words, SIDE, size=13), smooth((SIDE, SIDE), draw)])


class DiracExplorer(Explorer):
    """Game, order of the updates, learning rate, R1, clipping, steps, and where it begins."""

    def __init__(self, lab: Any = None):
        controls = {
            "game": widgets.Dropdown(options=list(GAMES), value="saturating"),
            "order": widgets.Dropdown(options=list(ORDERS)),
            "lr": widgets.FloatSlider(0.1, min=0.01, max=0.5, step=0.01),
            "r1": widgets.FloatSlider(0.0, min=0.0, max=2.0, step=0.05, description="R1"),
            "clip": widgets.FloatSlider(0.0, max=2.0, step=0.1, description="clip (0: none)"),
            "steps": widgets.IntSlider(200, min=0, max=600),
            "theta": widgets.FloatSlider(1.0, min=-2, max=2, step=0.1),
            "psi": widgets.FloatSlider(0.0, min=-2, max=2, step=0.1),
        }
        super().__init__(
            dirac_image, controls, play="steps", title="a generator and a critic, one number each",
            lab=lab,
        )  # fmt: skip
