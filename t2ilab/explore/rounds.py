"""Explorer: step through the rounds of Tu 2007: the data, the model, what the classifier says.

Above, the data and the model p_t; then the logit of the classifier that tells them apart, red where
the model should rise and blue where it should fall; below, the exact divergence of every round. The
rounds are computed beforehand; the explorer only draws.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageOps
from torch import Tensor

from t2ilab.exact.spaces import SIDE
from t2ilab.exact.tu import Rounds
from t2ilab.explore.scrub import Scrubber, scrubbed
from t2ilab.explore.sheet import path, smooth, tile, titled
from t2ilab.plots import BLUE, FAINT, GREY, INK, PAPER, RED, arranged, grid, letters

PANEL, GAP, CURVE = 240, 14, 130  # screen pixels: a panel, between two, the curve
SHOWN = 3  # logits beyond +-3 are painted like 3: 95 % sure
TILES = 7  # pictures a row, of a panel of samples


def painted(
    values: Float[np.ndarray, "*shape"], low: tuple, middle: tuple, high: tuple
) -> np.ndarray:
    """Values in [-1, 1] as colours, uint8 [*shape, 3]: -1 is `low`, 0 `middle`, 1 `high`."""
    v = np.clip(values, -1, 1)[..., None]
    ends = np.where(v > 0, np.array(high), np.array(low))
    return (np.array(middle) + np.abs(v) * (ends - np.array(middle))).round().astype(np.uint8)


def density_image(p: Float[Tensor, " n"], shape: tuple[int, int], most: float) -> Image.Image:
    """A density on a plane, a pixel a cell: white is 0, dark blue is `most` or more."""
    share = np.sqrt(p.numpy().reshape(shape) / most)  # the root shows what is small
    return Image.fromarray(painted(share, PAPER, PAPER, (12, 50, 140)))


def logit_image(h: Float[Tensor, " n"], shape: tuple[int, int]) -> Image.Image:
    """What a classifier says of each cell: red for "data", blue for "model", white if unsure."""
    said = np.nan_to_num(h.numpy().reshape(shape) / SHOWN, posinf=1, neginf=-1)
    return Image.fromarray(painted(said, BLUE, PAPER, RED))


def systematic(p: Float[Tensor, " n"], number: int) -> np.ndarray:
    """`number` states whose shares are as near to p as they can be, always the same, mixed."""
    cumulative = np.cumsum(p.numpy())
    picked = np.searchsorted(cumulative, (np.arange(number) + 0.5) / number * cumulative[-1])
    return np.random.default_rng(0).permutation(np.minimum(picked, len(p) - 1))


def rounds_renderer(runs: Mapping[str, Rounds]) -> Callable[..., Image.Image]:
    """`render(run, round) -> PIL.Image`; see `scrubbed`."""
    return scrubbed(runs, _round, "run", "round")


def _round(_: str, run: Rounds, t: int) -> Image.Image:
    """Panels side by side, titles above them, the curve of the divergence below."""
    kinds = {"line": _line_panels, "plane": _plane_panels, "pictures": _picture_panels}
    panels = {
        title: ImageOps.expand(ImageOps.crop(one, 1), 1, GREY)
        for title, one in kinds[run.space.kind](run, t).items()
    }
    size = (3 * PANEL + 2 * GAP, GAP + CURVE)
    curve = smooth(size, lambda draw, w, h, fine: _curve(draw, w, h, fine, run, t))
    return arranged([titled(panels, GAP), curve])


def _plane_panels(run: Rounds, t: int) -> dict[str, Image.Image]:
    shape, most = run.space.shape, float(run.p_data.max())
    panels = {
        "the data": density_image(run.p_data, shape, most),
        f"the model p_{t}": density_image(run.p[t], shape, most),
    }
    if t < len(run):
        panels["the classifier's logit"] = logit_image(run.h[t], shape)
    return {title: tile(np.asarray(one), PANEL) for title, one in panels.items()}


def _line_panels(run: Rounds, t: int) -> dict[str, Image.Image]:
    size = (PANEL * 3 // 2, PANEL)
    data, model = run.p_data.numpy(), run.p[t].numpy()
    top = 1.15 * max(data.max(), model.max())

    def densities(draw, w, h, fine):
        draw.polygon([(0, h), *path(data, 0, top, w, h), (w, h)], (222, 222, 226))
        draw.line(path(model, 0, top, w, h), BLUE, 3 * fine, joint="curve")

    def logit(draw, w, h, fine):
        draw.line([(0, h / 2), (w, h / 2)], GREY, fine)
        h_t = np.nan_to_num(run.h[t].numpy(), posinf=SHOWN, neginf=-SHOWN).clip(-SHOWN, SHOWN)
        draw.line(path(h_t, -SHOWN, SHOWN, w, h, 0.025), RED, 2 * fine)

    panels = {f"the data (grey), the model p_{t} (blue)": smooth(size, densities)}
    if t < len(run):
        panels[f"the classifier's logit, -{SHOWN} to {SHOWN}"] = smooth(size, logit)
    return panels


def _picture_panels(run: Rounds, t: int) -> dict[str, Image.Image]:
    pixels, number = run.space.states.numpy(), TILES**2
    model = systematic(run.p[t], number)
    panels = {
        "samples of the data": _tiles(pixels[systematic(run.p_data, number)]),
        f"samples of the model p_{t}": _tiles(pixels[model]),
    }
    if t < len(run):
        said = np.nan_to_num(run.h[t].numpy()[model], posinf=SHOWN, neginf=-SHOWN)
        panels["... and what the classifier says"] = _tiles(pixels[model], said)
    return panels


def _tiles(pictures: np.ndarray, logits: np.ndarray | None = None) -> Image.Image:
    """Pictures [n, 9] of -1 and 1 in rows; the ink is coloured by the logit where there is one."""
    said = np.zeros(len(pictures)) if logits is None else logits
    unsure = (70, 70, 78) if logits is None else (214, 214, 218)
    colours = painted(said / SHOWN * 1.5, BLUE, unsure, RED)
    ink = np.where(pictures.reshape(-1, SIDE, SIDE, 1) > 0, colours[:, None, None], FAINT)
    sheet = grid(ink.astype(np.uint8), columns=TILES, scale=(PANEL // TILES - 4) // SIDE, gap=4)
    return ImageOps.expand(sheet, (PANEL - sheet.width) // 2, PAPER)


def _curve(draw: ImageDraw.ImageDraw, w: int, h: int, fine: int, run: Rounds, t: int) -> None:
    """D[data || p_t] against t, on a logarithmic scale from 10 to 0.0001 nats."""
    font = letters(13 * fine)
    left, right, top, bottom = 64 * fine, w - 12 * fine, GAP * fine, h - 20 * fine
    kl = np.clip(np.nan_to_num(run.kl.numpy(), posinf=10), 1e-4, 10)
    across = left + np.arange(len(kl)) / max(1, len(kl) - 1) * (right - left)
    for power in range(1, -5, -1):
        y = top + (1 - power) / 5 * (bottom - top)
        draw.line((left, y, right, y), (228, 228, 232), fine)
        draw.text((left - 8 * fine, y), f"{10.0**power:g}", INK, font, "rm")
    down = top + (1 - np.log10(kl)) / 5 * (bottom - top)
    points = list(zip(across.tolist(), down.tolist(), strict=True))
    draw.line(points, GREY, 2 * fine)
    for k, (x, y) in enumerate(points):
        r = (6 if k == t else 3) * fine
        draw.ellipse((x - r, y - r, x + r, y + r), RED if k == t else GREY)
    words = f"round {t} of {len(run)}: D[data || model] = {float(run.kl[t]):.4f} nats"
    draw.text((right, top + 4 * fine), words, INK, font, "ra")


class RoundsExplorer(Scrubber):
    """Pick a run, move through its rounds or let them play.

    Args:
        runs: by name, finished runs; the first is shown first.
        lab: told of errors.

    Raises:
        UsageError: no runs.
    """

    def __init__(self, runs: Mapping[str, Rounds], *, lab: Any = None):
        title = "the rounds of a discriminator that generates"
        super().__init__(runs, _round, "run", "round", first=True, lab=lab, title=title)
