"""Films of a game: on a line the curve of D and what pushes it; in the plane D's map, G's points.

    film = filmed(trainer, batches, LineLook(line()), steps=1500, moments=40)
    Scrubber({"k = 1": film}, line_image, film="game", moment="moment", lab=lab)

On the line: D (black) lies between 0 and 1. Data pushes it up by p(1 - D) (blue arrows), made
points push it down by qD (red), and where both are equal it rests, at p/(p + q) (grey dots). Below
stand made points, each with an arrow along the slope of f, which is where G sends it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import pi
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw

from t2ilab.data.mixtures import Mixture
from t2ilab.errors import UsageError
from t2ilab.exact.game import optimal_discriminator, push
from t2ilab.explore.rounds import painted
from t2ilab.explore.sheet import lettered, smooth
from t2ilab.fit.machine import make_fabric
from t2ilab.metrics.modes import modes
from t2ilab.plots import BLUE, FAINT, GREY, INK, PAPER, RED, arranged, label
from t2ilab.trainers.gan import GAN

REACH = 1.5  # of the line and of the plane, from the middle to the edge
CELLS, KERNEL = 240, 0.05  # of the line; width of the Gaussians of G's density
WIDE, TALL, STRIP = 640, 300, 70  # screen pixels, of the line
PLANE, MAP = 420, 60  # of the plane: screen pixels, and cells a side


class Moment(NamedTuple):
    """What is kept of a moment: the step, what a look saw, and both losses (nan before any)."""

    step: int
    seen: Any
    losses: tuple[float, float]


@dataclass(frozen=True)
class Film:
    """Moments of a game, from before the first step to after the last; `look` made them."""

    look: Any
    moments: tuple[Moment, ...]

    def __len__(self) -> int:
        """The number of the last moment; the first is 0."""
        return len(self.moments) - 1


def filmed(
    trainer: GAN, batches: Callable[[int], dict], look: Any, *, steps: int, moments: int = 40
) -> Film:
    """Train on the CPU, and look at the networks at `moments` steps, dense at the start.

    Args:
        trainer, batches: as `fit` takes them; the trainer is not set up yet.
        look: trainer -> what is to be kept, such as a `LineLook` or a `PlaneLook`.
        steps: in all.
        moments: how many, the first before any step.

    Raises:
        UsageError: fewer than 1 step or 2 moments.
    """
    if steps < 1 or moments < 2:
        raise UsageError(f"{steps} steps in {moments} moments: give 1 and 2, or more.")
    when = {round(steps * (i / (moments - 1)) ** 1.5) for i in range(moments)}
    trainer.setup(make_fabric(device="cpu", precision="32-true"))
    kept = [Moment(0, look(trainer), (float("nan"),) * 2)]
    for step in range(steps):
        trainer.progress = step / steps
        losses = trainer.step(batches(step))
        if step + 1 in when:
            both = float(losses["loss_f"]), float(losses["loss_g"])
            kept.append(Moment(step + 1, look(trainer), both))
    return Film(look, tuple(kept))


class OnLine(NamedTuple):
    """Of a game on a line: G's density and D on the grid, some points, and the slope of f there."""

    q: Float[torch.Tensor, " cells"]
    D: Float[torch.Tensor, " cells"]
    points: Float[torch.Tensor, " m"]
    slope: Float[torch.Tensor, " m"]


class LineLook:
    """Looks at a game on a line with one copy; p and q are densities on `x`, a grid of cells."""

    def __init__(self, mixture: Mixture):
        self.x = torch.linspace(-REACH, REACH, CELLS)
        self.p = mixture.log_density(self.x[:, None]).exp()

    def __call__(self, trainer: GAN) -> OnLine:
        z = torch.randn(2000, *trainer.G.noise_shape, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            made = trainer.G(z)[:, 0]
            D = trainer.critic(self.x[:, None]).sigmoid()
        near = (-0.5 * ((self.x[:, None] - made) / KERNEL) ** 2).exp().mean(1)
        some = made[:30].clone().requires_grad_()
        (slope,) = torch.autograd.grad(trainer.critic(some[:, None]).sum(), some)
        return OnLine(near / (KERNEL * (2 * pi) ** 0.5), D, some.detach(), slope)


def line_image(name: str, film: Film, t: int) -> Image.Image:
    """Moment t of a game on a line."""
    moment, look = film.moments[t], film.look
    cut = " (its top cut off)" if float(moment.seen.q.max()) > _most(look) else ""
    told = f"data blue, made red{cut}, D black, p/(p+q) dotted"
    head = label(f"{name}, step {moment.step}: {told}", WIDE)
    top = smooth((WIDE, TALL), lambda *a: _curves(*a, look, moment.seen))
    below = smooth((WIDE, STRIP), lambda *a: _moving(*a, moment.seen), FAINT)
    return arranged([head, top, below])


def _most(look: Any) -> float:
    """The largest density that is drawn."""
    return 1.3 * float(look.p.max())


def _curves(canvas: ImageDraw.ImageDraw, w: int, h: int, fine: int, look: Any, at: OnLine) -> None:
    base, room = h - 4 * fine, h - 30 * fine
    most = _most(look)

    def across(i: int) -> float:
        return i / (CELLS - 1) * w

    def hill(values: Sequence[float]) -> list[tuple[float, float]]:
        tops = [min(v / most, 1.0) * 0.6 * room for v in values]
        return [(across(i), base - top) for i, top in enumerate(tops)]

    def level(D: float) -> float:
        return base - D * room

    data, made = hill(look.p.tolist()), hill(at.q.tolist())
    canvas.polygon([(0, base), *data, (w, base)], (205, 220, 246))
    canvas.line(data, BLUE, 2 * fine)
    canvas.line(made, RED, 3 * fine)
    marks = {0.0: "D = 0", 0.5: "1/2", 1.0: "1"}
    for height in marks:
        canvas.line([(0, level(height)), (w, level(height))], (225, 225, 230), fine)
    best = optimal_discriminator(look.p, at.q).tolist()
    for i in range(0, CELLS, 3):
        x, y = across(i), level(best[i])
        canvas.ellipse([x - 2 * fine, y - 2 * fine, x + 2 * fine, y + 2 * fine], GREY)
    D = at.D.tolist()
    canvas.line([(across(i), level(d)) for i, d in enumerate(D)], INK, 3 * fine)
    up, down = (one.tolist() for one in push(at.D, look.p, at.q))
    for i in range(6, CELLS, 12):
        for size, sign, colour, dx in ((up[i], -1, BLUE, -3), (down[i], 1, RED, 3)):
            x, y = across(i) + dx * fine, level(D[i])
            _arrow(canvas, (x, y), (x, y + sign * min(70 * size, 60) * fine), colour, 2 * fine)
    for height, words in marks.items():
        lettered(canvas, (4 * fine, level(height) - 15 * fine), words, 12 * fine, GREY)


def _moving(canvas: ImageDraw.ImageDraw, w: int, h: int, fine: int, at: OnLine) -> None:
    rows = len(at.points)
    for i, (x, slope) in enumerate(zip(at.points.tolist(), at.slope.tolist(), strict=True)):
        here, y = (x / REACH + 1) / 2 * w, (i + 0.5) / rows * h
        r, way = 2.5 * fine, float(np.clip(12 * slope, -60, 60)) * fine
        canvas.ellipse([here - r, y - r, here + r, y + r], RED)
        _arrow(canvas, (here, y), (here + way, y), INK, fine)


def _arrow(
    canvas: ImageDraw.ImageDraw, a: tuple[float, float], b: tuple[float, float], colour, wide: int
) -> None:
    """A line with a head, along an axis; nothing where it is too short to be seen."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = abs(dx) + abs(dy)
    if length < 3 * wide:
        return
    u, head = (dx / length, dy / length), min(4 * wide, length)
    neck = b[0] - head * u[0], b[1] - head * u[1]
    canvas.line([a, neck], colour, wide)
    side = 0.6 * head
    wings = [(neck[0] - side * u[1], neck[1] + side * u[0]),
             (neck[0] + side * u[1], neck[1] - side * u[0])]  # fmt: skip
    canvas.polygon([b, *wings], colour)


class InPlane(NamedTuple):
    """Of a game in the plane: D on a map [MAP, MAP], upper row first, and made points [n, 2]."""

    D: Float[torch.Tensor, "side side"]
    points: Float[torch.Tensor, "n 2"]


class PlaneLook:
    """Looks at a game in the plane; of several games side by side at the first one."""

    def __init__(self, mixture: Mixture, points: int = 1000):
        self.mixture, self.number = mixture, points
        one = torch.linspace(-REACH, REACH, MAP)
        y, x = torch.meshgrid(one.flip(0), one, indexing="ij")
        self.cells = torch.stack([x, y], -1).view(-1, 2)

    @torch.no_grad()
    def __call__(self, trainer: GAN) -> InPlane:
        rng = torch.Generator().manual_seed(0)
        z = torch.randn(self.number, *trainer.G.noise_shape, generator=rng)
        copies = trainer.critic.copies
        cells = self.cells if copies == 1 else self.cells[:, None].expand(-1, copies, -1)
        D = trainer.critic(cells).sigmoid().view(MAP, MAP, copies)[..., 0]
        return InPlane(D, trainer.G(z).view(self.number, copies, 2)[:, 0])


def plane_image(name: str, film: Film, t: int) -> Image.Image:
    """Moment t of a game in the plane: blue where D says data, red where it says made."""
    moment, of = film.moments[t], film.look.mixture
    found = modes(moment.seen.points, of)
    words = f"{name}, step {moment.step}: {found.captured} of {len(of.centres)} modes"
    said = painted(2 * moment.seen.D.numpy() - 1, (240, 170, 165), PAPER, (165, 190, 240))
    ground = Image.fromarray(said).resize((2 * PLANE, 2 * PLANE), Image.Resampling.BICUBIC)
    canvas = ImageDraw.Draw(ground)

    def at(point: Sequence[float]) -> tuple[float, float]:
        return (point[0] / REACH + 1) * PLANE, (1 - point[1] / REACH) * PLANE

    for centre in of.centres.tolist():
        x, y = at(centre)
        canvas.ellipse([x - 14, y - 14, x + 14, y + 14], None, BLUE, 3)
    for point in moment.seen.points.tolist():
        x, y = at(point)
        canvas.ellipse([x - 3, y - 3, x + 3, y + 3], INK)
    small = ground.resize((PLANE, PLANE), Image.Resampling.LANCZOS)
    return arranged([label(words, PLANE), small])
