"""Explorer: two samples on a line, the cheapest plan between them, the best potential, a critic.

    critics = Critics(steps=600)       # trains one for each place of the sliders, side by side
    TransportExplorer(critics, lab=lab)

Above, data (blue) and made points (red), with a line for what goes from where to where: an optimal
plan (Le 2018, eq. 2.3). Below, the best f of eq. 2.4 (black) and the trained critic (green); dotted
the critic divided by its mean slope. All are moved up or down to agree on average: only differences
mean anything.
"""

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw

from t2ilab.errors import UsageError, choose
from t2ilab.exact.transport import best_plan, best_potential, extended
from t2ilab.explore.explorer import Explorer
from t2ilab.explore.sheet import smooth
from t2ilab.models.mlp_gan import MLPDiscriminator
from t2ilab.plots import BLUE, FAINT, GREEN, GREY, INK, RED, arranged, label
from t2ilab.trainers.critic import INF, Judged, train_critics

HELD = ("penalty", "clip")
GAPS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
PENALTIES, CLIPS = (0.1, 1.0, 10.0, 100.0), (0.01, 0.03, 0.1, 0.3, 1.0)
LEFT, RIGHT = -3.0, 6.0  # of the axis
WIDE, UPPER, LOWER = 640, 130, 250  # screen pixels


class Critics:
    """Two samples of a normal distribution, one moved by a gap, and a trained critic for each case.

    Args:
        points: of each sample.
        steps: of the training.
        gaps, penalties, clips: the places of the sliders.
        seed: of the samples and the critics.

    Attributes:
        real: float32 [points]; what is made lies at `made(gap)`.
        judged: what each critic says, in the order of `row`.

    Raises:
        UsageError: fewer than 1 point or step.
    """

    def __init__(
        self,
        *,
        points: int = 32,
        steps: int = 600,
        gaps: Sequence[float] = GAPS,
        penalties: Sequence[float] = PENALTIES,
        clips: Sequence[float] = CLIPS,
        seed: int = 0,
    ):
        if min(points, steps) < 1:
            raise UsageError(f"{points} points, {steps} steps: give 1 or more.")
        self.places = {"gap": tuple(gaps), "penalty": tuple(penalties), "clip": tuple(clips)}
        rng = torch.Generator().manual_seed(seed)
        self.real, self._base = torch.randn(2, points, generator=rng)
        cases = [("penalty", one) for one in penalties] + [("clip", one) for one in clips]
        self._rows = [(gap, *case) for gap in gaps for case in cases]
        torch.manual_seed(seed)
        self.f = MLPDiscriminator(shape=(1,), width=16, depth=2, copies=len(self._rows), sharp=1.0)
        self.judged: Judged = train_critics(
            self.f,
            self.real[:, None, None].expand(-1, len(self._rows), -1),
            torch.stack([self.made(gap) for gap, *_ in self._rows], 1)[..., None],
            clip=torch.tensor([c if held == "clip" else INF for _, held, c in self._rows]),
            penalty=torch.tensor([c if held == "penalty" else 0.0 for _, held, c in self._rows]),
            steps=steps,
            lr=5e-3,
            seed=seed,
        )

    def made(self, gap: float) -> Float[torch.Tensor, " points"]:
        """The made points, this far to the right."""
        return self._base + gap

    def row(self, gap: float, held: str, size: float) -> int:
        """The number of the critic of this case.

        Raises:
            UsageError: none was trained for it.
        """
        choose("held", held, HELD)
        near = [
            i for i, (g, h, s) in enumerate(self._rows)
            if h == held and abs(g - gap) < 1e-6 and abs(s - size) < 1e-6
        ]  # fmt: skip
        if not near:
            raise UsageError(f"no critic for a gap of {gap} and {held} {size}: {self.places}.")
        return near[0]

    @torch.no_grad()
    def at(self, row: int, x: Float[torch.Tensor, " k"]) -> Float[torch.Tensor, " k"]:
        """f(x) of this critic."""
        return self.f(x[:, None, None].expand(-1, self.f.copies, -1)).view(len(x), -1)[:, row]


def transport_image(
    critics: Critics, gap: float, held: str, penalty: float, clip: float
) -> Image.Image:
    """Both samples with a plan, and the curves; the head says what each of them is worth."""
    row = critics.row(gap, held, penalty if held == "penalty" else clip)
    a, b = critics.real[:, None], critics.made(gap)[:, None]
    exact = best_potential(a, b)
    value, slope = (float(v[row]) for v in critics.judged[:2])
    x = torch.linspace(LEFT, RIGHT, 200)
    best, f = extended(x[:, None], b, exact.at_b), critics.at(row, x)
    middle = best.mean()
    curves = {
        "best": best - middle,
        "critic": f - f.mean(),
        "scaled": (f - f.mean()) / max(slope, 1e-12),
    }
    name = f"lambda = {penalty:g}" if held == "penalty" else f"clip = {clip:g}"
    words = (
        f"W1 {exact.value:.3f}; critic ({name}) {value:.3g}, divided by its mean slope "
        f"{value / max(slope, 1e-12):.3f}"
    )
    gamma = best_plan(a, b).gamma
    upper = smooth((WIDE, UPPER), lambda *at: _plan(*at, a[:, 0], b[:, 0], gamma), FAINT)
    lower = smooth((WIDE, LOWER), lambda *at: _curves(*at, curves))
    return arranged([label(words, WIDE, size=15), upper, lower])


def _across(x: float, width: int) -> float:
    return (x - LEFT) / (RIGHT - LEFT) * width


def _plan(
    canvas: ImageDraw.ImageDraw, w: int, h: int, fine: int, a: Any, b: Any, gamma: Any
) -> None:
    top, low = 14 * fine, h - 14 * fine
    for i, j in (gamma > 1e-9).nonzero().tolist():
        wide = max(1, round(1.6 * fine * float(gamma[i, j]) * len(a)))
        canvas.line([(_across(float(a[i]), w), top), (_across(float(b[j]), w), low)], GREY, wide)
    r = 4 * fine
    for points, y, colour in ((a, top, BLUE), (b, low, RED)):
        for x in (_across(one, w) for one in points.tolist()):
            canvas.ellipse([x - r, y - r, x + r, y + r], colour)


def _curves(canvas: ImageDraw.ImageDraw, w: int, h: int, fine: int, curves: dict) -> None:
    scale = w / (RIGHT - LEFT) * 0.375  # a slope of 1 is drawn as 3/8: all of it is seen
    canvas.line([(0, h / 2), (w, h / 2)], (225, 225, 230), fine)

    def places(values: Any) -> list[tuple[float, float]]:
        return [
            (i / (len(values) - 1) * w, min(max(h / 2 - scale * v, -h), 2 * h))
            for i, v in enumerate(values.tolist())
        ]

    canvas.line(places(curves["best"]), INK, 4 * fine)
    canvas.line(places(curves["critic"]), GREEN, 3 * fine)
    for x, y in places(curves["scaled"])[::3]:
        r = 2 * fine
        canvas.ellipse([x - r, y - r, x + r, y + r], GREEN)


class TransportExplorer(Explorer):
    """The gap between the samples; what holds the critic's slope, lambda or clip, and how large."""

    def __init__(self, critics: Critics, lab: Any = None):
        places = critics.places

        def slider(name: str, words: str, value: float) -> widgets.SelectionSlider:
            options = [(f"{one:g}", one) for one in places[name]]
            value = min(places[name], key=lambda one: abs(one - value))
            return widgets.SelectionSlider(options=options, value=value, description=words)

        controls = {
            "gap": slider("gap", "gap", 2.0),
            "held": widgets.Dropdown(options=list(HELD), description="held by"),
            "penalty": slider("penalty", "lambda", 10.0),
            "clip": slider("clip", "clip c", 0.01),
        }
        super().__init__(
            lambda **state: transport_image(critics, **state), controls, play="gap",
            idle=lambda state: {*HELD} - {state["held"]}, title="plan, potential and critic",
            lab=lab,
        )  # fmt: skip
