"""Explorer: the energy landscape of a machine of four units, and three arrows for its weights.

Two pixels, two causes: 16 states, so that everything is exact. The gradient of the mean log p(v) is
<vh>_data - <vh>_q with q = p(v), the model's own distribution. The estimates differ in q alone:

    CD-k   q = p_data T^k        k Gibbs steps from the data; T[v, v'] = sum_h P(h | v) P(v' | h)
    PCD    q = p_0 T_1 ... T_m   chains that came along, a step an update, while the weights grew

Both are summed here too: an arrow is what the estimate is in the mean (its bias can be seen), and
the dots around its tip are estimates from a few samples of q (its noise).
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import log
from typing import Any

import ipywidgets as widgets
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image, ImageDraw
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.explore.explorer import OTHER_NOISE, Explorer
from t2ilab.explore.rounds import painted
from t2ilab.explore.sheet import smooth
from t2ilab.models.rbm import RBM
from t2ilab.plots import BLUE, FAINT, GREY, INK, PAPER, RED, arranged, label, letters

STATES = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 1]], dtype=torch.float64)  # of either side
DATA = torch.tensor([1.0, 1, 0, 2], dtype=torch.float64) / 4  # shares of these four pictures
A, B = (-1.0, -1.0), (-1.0, -2.0)  # biases of pixels and of causes
REACH, MOST = 8.0, 50  # of the weights; Gibbs steps at most
RATE, STEP = 14.0, 4.0  # an arrow is RATE times the gradient; a step of ascent STEP times
NOISY = 40  # dots around the tip of an arrow
GRID = 64  # of log p, cells a side
COLOURS = {"exact": INK, "CD": RED, "PCD": BLUE}
_WIDE, _HIGH, _STRIP, _PLANE = 96, 76, 82, 238  # pixels: a tile, the strip, a plane
_GRAY = [(0, 0), (1, 0), (3, 0), (2, 0), (2, 1), (3, 1), (1, 1), (0, 1)]  # v, h; one flip apart
_GRAY += [(v, {0: 3, 1: 2}[h]) for v, h in _GRAY]


def machine(W: Float[Tensor, "2 2"]) -> RBM:
    a, b = torch.tensor(A, dtype=torch.float64), torch.tensor(B, dtype=torch.float64)
    return RBM.of(W.double(), a, b).requires_grad_(False)


def energies(rbm: RBM) -> Float[Tensor, "4 4"]:
    """E(v, h) of the 16 states: v down, h across."""
    return rbm.energy(STATES.repeat_interleave(4, 0), STATES.repeat(4, 1)).view(4, 4)


def transition(W: Float[Tensor, "*n 2 2"]) -> Float[Tensor, "*n 4 4"]:
    """T[v, v']: the probability that one Gibbs step takes v to v'."""

    def of(p: Tensor) -> Tensor:  # [*n, 4, 2], of the four states of one side -> [*n, 4, 4]
        p = p[..., None, :]
        return torch.where(STATES == 1, p, 1 - p).prod(-1)

    W = W.double()
    up, down = STATES @ W + torch.tensor(B), STATES @ W.mT + torch.tensor(A)
    return of(torch.sigmoid(up)) @ of(torch.sigmoid(down))


def negatives(W: Float[Tensor, "2 2"], k: int, updates: int) -> dict[str, Float[Tensor, " 4"]]:
    """The distribution over v that each way puts in the place of the model's; exact, all of them.

    Args:
        W: the weights.
        k: Gibbs steps of CD.
        updates: in which the weights grew from 0 to W while PCD's chains went on, a step each.

    Raises:
        UsageError: fewer than one step or update.
    """
    if k < 1 or updates < 1:
        raise UsageError(f"k = {k}, updates = {updates}: both are at least 1.")
    rbm = machine(W)
    persistent = (-machine(0 * W).free_energy(STATES)).softmax(0)
    grown = torch.arange(1, updates + 1)[:, None, None] / updates * W
    for one_step in transition(grown):
        persistent = persistent @ one_step
    cd = DATA @ torch.linalg.matrix_power(transition(W), k)
    return {"exact": (-rbm.free_energy(STATES)).softmax(0), "CD": cd, "PCD": persistent}


def statistics(rbm: RBM, q: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 2 2"]:
    """<v h> with v from q and h from P(h | v)."""
    return torch.einsum("...s,si,sj->...ij", q, STATES, rbm.hidden(STATES))


def arrows(W: Float[Tensor, "2 2"], k: int, updates: int) -> dict[str, Float[Tensor, "2 2"]]:
    """<vh>_data - <vh>_q for each q of `negatives`: the exact gradient, and CD's and PCD's mean."""
    rbm = machine(W)
    data = statistics(rbm, DATA)
    return {name: data - statistics(rbm, q) for name, q in negatives(W, k, updates).items()}


def log_likelihood(W: Float[Tensor, "*n 2 2"]) -> Float[Tensor, "*n"]:
    """Mean log p of the data, exactly."""
    inputs = STATES @ W.double() + torch.tensor(B).double()
    minus_f = STATES @ torch.tensor(A).double() + F.softplus(inputs).sum(-1)
    return minus_f @ DATA - minus_f.logsumexp(-1)


def landscape_renderer(noisy: int = NOISY) -> Callable[..., Image.Image]:
    """`render(w11, w12, w21, w22, k, updates, samples, seed) -> PIL.Image`.

    w12 is the weight of pixel 1 and cause 2. Left all 16 states, darker where likelier, and the
    same ones as a landscape; right log p over two weights at a time, with the arrows.
    """

    def render(w11, w12, w21, w22, k: int, updates: int, samples: int, seed: int) -> Image.Image:
        if samples < 1:
            raise UsageError(f"{samples} samples: at least 1 is needed.")
        W = torch.tensor([[w11, w12], [w21, w22]], dtype=torch.float64)
        rbm, means = machine(W), arrows(W, int(k), int(updates))
        E = energies(rbm)
        p = (-E.flatten()).softmax(0).view(4, 4)
        generator = torch.Generator().manual_seed(int(seed))
        data, clouds = statistics(rbm, DATA), {}
        for name, q in list(negatives(W, int(k), int(updates)).items())[1:]:
            drawn = q.expand(noisy, 4).multinomial(int(samples), True, generator=generator)
            clouds[name] = data - statistics(rbm, F.one_hot(drawn, 4).double().mean(1))
        words = [
            label(line, 4 * _WIDE, size=13, height=22)
            for line in _compared(means, int(k), int(updates))
        ]
        left = arranged([_tiles(E, p), _strip(E, p), *words], down=4)
        right = arranged([_plane(W, j, means, clouds) for j in (0, 1)], down=4)
        return arranged([left, right], columns=2, across=16)

    return render


def _compared(means: Mapping[str, Tensor], k: int, updates: int) -> list[str]:
    """A line for each estimate: its length and direction against the exact gradient's."""
    exact = means["exact"].flatten()
    lines = [f"black: exact gradient, length {exact.norm():.3f}"]
    for name, words in (("CD", f"red: CD-{k}"), ("PCD", f"blue: PCD, {updates} updates")):
        one = means[name].flatten()
        cosine = F.cosine_similarity(one, exact, dim=0)
        lines.append(f"{words}: length {one.norm():.3f}, cosine with black {cosine:.2f}")
    return lines


def _tiles(E: Float[Tensor, "4 4"], p: Float[Tensor, "4 4"]) -> Image.Image:
    """A tile for each state: its units (filled: on), its energy, its probability."""
    size = 4 * _WIDE, 4 * _HIGH + 40
    shade = painted(p.sqrt().numpy(), PAPER, PAPER, (110, 160, 240))

    def draw(canvas: ImageDraw.ImageDraw, w: int, h: int, fine: int) -> None:
        wide, high = _WIDE * fine, _HIGH * fine
        for v in range(4):
            middle = (v + 0.5) * wide
            for c in range(4):
                x, y, font = v * wide, c * high, letters(14 * fine)
                box = [x + fine, y + fine, x + wide - 2 * fine, y + high - 2 * fine]
                canvas.rectangle(box, tuple(shade[v, c].tolist()), GREY, fine)
                _units(canvas, (middle, y + 0.27 * high), v, c, 7 * fine)
                canvas.text((middle, y + 0.63 * high), f"E {E[v, c] + 0.0:.1f}", INK, font, "mm")
                canvas.text((middle, y + 0.85 * high), f"p {p[v, c]:.3f}", INK, font, "mm")
            canvas.text((middle, h - 29 * fine), f"p(v) {p[v].sum():.3f}", BLUE, font, "mm")
            canvas.text((middle, h - 11 * fine), f"data {DATA[v]:.2f}", INK, font, "mm")

    return smooth(size, draw)


def _units(canvas: ImageDraw.ImageDraw, at: tuple, v: int, h: int, r: float) -> None:
    """Two causes (red) above two pixels (blue); filled where on."""
    for on, dy, colour in ((STATES[h], -1.3, RED), (STATES[v], 1.3, BLUE)):
        for one, dx in zip(on.tolist(), (-1.4, 1.4), strict=True):
            x, y = at[0] + dx * r, at[1] + dy * r
            fill = colour if one else PAPER
            canvas.ellipse([x - r, y - r, x + r, y + r], fill, colour, max(1, int(r / 5)))


def _strip(E: Float[Tensor, "4 4"], p: Float[Tensor, "4 4"]) -> Image.Image:
    """Energies along a walk that flips one unit at a time; a ball in each state, by its p."""
    order = [(E[v, h].item() + 0.0, p[v, h].item()) for v, h in _GRAY]
    low, high = min(e for e, _ in order), max(e for e, _ in order)

    def draw(canvas: ImageDraw.ImageDraw, w: int, h: int, fine: int) -> None:
        step, room = w / len(order), 26 * fine
        for n, (e, share) in enumerate(order):
            depth = (high - e) / ((high - low) or 1)
            top, x = room + depth * (h - room - 8 * fine), n * step
            canvas.rectangle([x, top, x + step, h], GREY)
            r = max(1.5 * fine, 10 * fine * share**0.5)
            middle = x + step / 2
            canvas.ellipse([middle - r, top - 2 * r, middle + r, top], BLUE)
        words = f"energy, {low:.1f} to {high:.1f}, one flip from state to state; balls: p"
        canvas.text((4 * fine, 2 * fine), words, INK, letters(13 * fine))

    return smooth((4 * _WIDE, _STRIP), draw, FAINT)


def _plane(
    W: Float[Tensor, "2 2"], cause: int, means: Mapping[str, Tensor], clouds: Mapping[str, Tensor]
) -> Image.Image:
    """log p over the two weights of one cause, lighter where larger, and the arrows from W."""
    other = tuple(round(x, 3) for x in W[:, 1 - cause].tolist())
    ground = _ground(cause, other).resize((_PLANE, _PLANE), Image.Resampling.BICUBIC)

    def at(two: Tensor) -> tuple[float, float]:
        x, y = (two / REACH).tolist()
        return (x + 1) / 2 * _PLANE, (1 - y) / 2 * _PLANE

    big = ground.resize((2 * _PLANE, 2 * _PLANE))
    canvas, here = ImageDraw.Draw(big), W[:, cause]
    for name, cloud in clouds.items():
        for one in cloud[:, :, cause]:
            x, y = (2 * c for c in at(here + RATE * one))
            canvas.ellipse([x - 3, y - 3, x + 3, y + 3], None, COLOURS[name], 2)
    for (name, g), wide in zip(means.items(), (13, 8, 4), strict=True):
        tip = here + RATE * g[:, cause]
        _arrow(canvas, [2 * c for c in at(here)], [2 * c for c in at(tip)], COLOURS[name], wide)
    names = f"W1{cause + 1} across, W2{cause + 1} up, -{REACH:.0f} to {REACH:.0f}"
    plane = big.resize((_PLANE, _PLANE), Image.Resampling.LANCZOS)
    return arranged([label(names, _PLANE), plane])


def _arrow(canvas: ImageDraw.ImageDraw, a: list, b: list, colour: tuple, wide: int) -> None:
    way = torch.tensor([b[0] - a[0], b[1] - a[1]])
    length = float(way.norm())
    if length < 1:
        canvas.ellipse([a[0] - wide, a[1] - wide, a[0] + wide, a[1] + wide], colour)
        return
    u = (way / length).tolist()
    head = min(2.2 * wide + 6, length)
    neck = b[0] - head * u[0], b[1] - head * u[1]
    canvas.line([*a, *neck], colour, wide)
    half = 0.5 * head
    left = neck[0] - half * u[1], neck[1] + half * u[0]
    right = neck[0] + half * u[1], neck[1] - half * u[0]
    canvas.polygon([tuple(b), left, right], colour)


@lru_cache(maxsize=64)
def _ground(cause: int, other: tuple[float, float]) -> Image.Image:
    """log p as bands of grey; the other cause's two weights are held."""
    ticks = torch.linspace(-REACH, REACH, GRID, dtype=torch.float64)
    W = torch.empty(GRID, GRID, 2, 2, dtype=torch.float64)
    W[..., 0, cause], W[..., 1, cause] = ticks[None, :], ticks.flip(0)[:, None]
    W[..., 0, 1 - cause], W[..., 1, 1 - cause] = other
    loss = -log_likelihood(W) - log(2) * 1.5  # less the data's entropy: the KL, 0 where perfect
    bands = (loss.clamp(0, 6).sqrt() * 6).floor() / 6
    return Image.fromarray(painted((bands / 6**0.5).numpy(), PAPER, PAPER, (70, 70, 78)))


class LandscapeExplorer(Explorer):
    """Sliders for the four weights, CD's k, the updates behind PCD's chains, and the samples.

    Args:
        lab: told of errors.
    """

    def __init__(self, *, lab: Any = None):
        begin = {"w11": 6.0, "w12": 0.5, "w21": -2.0, "w22": 0.5}
        weights = {
            name: widgets.FloatSlider(value, min=-REACH, max=REACH, step=0.25)
            for name, value in begin.items()
        }
        super().__init__(
            landscape_renderer(),
            weights
            | {
                "k": widgets.IntSlider(1, min=1, max=MOST),
                "updates": widgets.IntSlider(20, min=1, max=200),
                "samples": widgets.IntSlider(100, min=1, max=1000),
                "seed": widgets.IntSlider(0, min=0, max=99),
            },
            buttons=OTHER_NOISE | {"A step along the exact gradient": _climb},
            title="the energy landscape of four units, and arrows for its weights",
            lab=lab,
        )


def _climb(state: dict[str, Any]) -> dict[str, float]:
    """The weights a step further."""
    names = ("w11", "w12", "w21", "w22")
    W = torch.tensor([state[name] for name in names], dtype=torch.float64).view(2, 2)
    return dict(zip(names, (W + STEP * arrows(W, 1, 1)["exact"]).flatten().tolist(), strict=True))
