"""Explorer: step through the rounds of Tu 2007: the data, the model, what the classifier says.

Above, the data and the model p_t; then the logit of the classifier that tells them apart, red where
the model should rise and blue where it should fall; below, the exact divergence of every round. The
rounds are computed beforehand; the explorer only draws.
"""

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from t2ilab.errors import UsageError, choose
from t2ilab.exact.spaces import SIDE
from t2ilab.exact.tu import Rounds
from t2ilab.explore.explorer import Explorer
from t2ilab.plots import INK, PAPER

PANEL, GAP, CURVE = 240, 14, 130  # screen pixels: a panel, between two, the curve
FINE = 2  # drawn so many times larger, then made smaller: smooth lines
HEAD = 24  # above each panel, for its title
DATA, MODEL, UP, DOWN = (150, 150, 158), (44, 94, 190), (208, 48, 44), (44, 94, 190)
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
    return Image.fromarray(painted(said, DOWN, PAPER, UP))


def systematic(p: Float[Tensor, " n"], number: int) -> np.ndarray:
    """`number` states whose shares are as near to p as they can be, always the same, mixed."""
    cumulative = np.cumsum(p.numpy())
    picked = np.searchsorted(cumulative, (np.arange(number) + 0.5) / number * cumulative[-1])
    return np.random.default_rng(0).permutation(np.minimum(picked, len(p) - 1))


def rounds_renderer(runs: Mapping[str, Rounds]) -> Callable[[str, int], Image.Image]:
    """`render(run, round) -> PIL.Image`; rounds beyond the run's last show the last.

    `render` raises UsageError for an unknown run or a negative round.
    """

    def render(run: str, round: int) -> Image.Image:
        found = runs[choose("run", run, runs)]
        if round < 0:
            raise UsageError(f"round {round}: the first is 0.")
        t = min(round, len(found))
        panels = {"line": _line_panels, "plane": _plane_panels, "pictures": _picture_panels}[
            found.space.kind
        ](found, t)
        return _sheet(found, t, panels)

    return render


def _plane_panels(run: Rounds, t: int) -> dict[str, Image.Image]:
    shape, most = run.space.shape, float(run.p_data.max())
    panels = {
        "the data": density_image(run.p_data, shape, most),
        f"the model p_{t}": density_image(run.p[t], shape, most),
    }
    if t < len(run):
        panels["the classifier's logit"] = logit_image(run.h[t], shape)
    return {
        title: one.resize((PANEL * FINE,) * 2, Image.Resampling.NEAREST)
        for title, one in panels.items()
    }


def _line_panels(run: Rounds, t: int) -> dict[str, Image.Image]:
    image, draw, size = _canvas(1.5)
    top = 1.15 * max(float(run.p_data.max()), float(run.p[t].max()))
    data, model = (_path(p.numpy() / top * 2 - 1, size) for p in (run.p_data, run.p[t]))
    draw.polygon([(0, size[1]), *data, (size[0], size[1])], fill=(222, 222, 226))
    draw.line(model, fill=MODEL, width=3 * FINE, joint="curve")
    panels = {f"the data (grey), the model p_{t} (blue)": image}
    if t < len(run):
        image, draw, size = _canvas(1.5)
        draw.line([(0, size[1] / 2), (size[0], size[1] / 2)], fill=DATA, width=FINE)
        h = np.nan_to_num(run.h[t].numpy(), posinf=SHOWN, neginf=-SHOWN)
        draw.line(_path(np.clip(h / SHOWN, -1, 1) * 0.95, size), fill=UP, width=2 * FINE)
        panels[f"the classifier's logit, -{SHOWN} to {SHOWN}"] = image
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
    cell = PANEL * FINE // TILES
    dot = (cell - 10) // SIDE
    sheet = Image.new("RGB", (PANEL * FINE,) * 2, PAPER)
    colours = painted(
        (np.zeros(len(pictures)) if logits is None else logits) / SHOWN * 1.5,
        DOWN,
        (70, 70, 78) if logits is None else (214, 214, 218),
        UP,
    )
    for i, (picture, colour) in enumerate(zip(pictures, colours, strict=True)):
        ink = np.where(picture.reshape(SIDE, SIDE, 1) > 0, colour, np.array((240, 240, 243)))
        tile = Image.fromarray(ink.astype(np.uint8)).resize(
            (dot * SIDE,) * 2, Image.Resampling.NEAREST
        )
        sheet.paste(tile, (i % TILES * cell + 4, i // TILES * cell + 4))
    return sheet


def _canvas(widths: float) -> tuple[Image.Image, ImageDraw.ImageDraw, tuple[int, int]]:
    size = (int(PANEL * widths * FINE), PANEL * FINE)
    image = Image.new("RGB", size, PAPER)
    return image, ImageDraw.Draw(image), size


def _path(values: np.ndarray, size: tuple[int, int]) -> list[tuple[float, float]]:
    """Points of a curve: `values` in [-1, 1] spread over the width, 1 at the top."""
    x = (np.arange(len(values)) + 0.5) / len(values) * size[0]
    return list(zip(x.tolist(), ((1 - values) / 2 * size[1]).tolist(), strict=True))


def _sheet(run: Rounds, t: int, panels: dict[str, Image.Image]) -> Image.Image:
    """Panels side by side, titles above them, the curve of the divergence below."""
    width = 3 * PANEL + 2 * GAP
    sheet = Image.new("RGB", (width * FINE, (HEAD + PANEL + GAP + CURVE) * FINE), PAPER)
    draw, font, x = ImageDraw.Draw(sheet), ImageFont.load_default(size=14 * FINE), 0
    for title, panel in panels.items():
        draw.text((x, 2 * FINE), title, fill=INK, font=font)
        sheet.paste(panel, (x, HEAD * FINE))
        draw.rectangle(
            (x, HEAD * FINE, x + panel.width - 1, (HEAD + PANEL) * FINE - 1),
            outline=(206, 206, 212),
            width=FINE,
        )
        x += panel.width + GAP * FINE * (1 if panel.width == PANEL * FINE else 2)
    _curve(sheet, run, t, (HEAD + PANEL + GAP) * FINE)
    return sheet.resize((width, sheet.height // FINE), Image.Resampling.LANCZOS)


def _curve(sheet: Image.Image, run: Rounds, t: int, top: int) -> None:
    """D[data || p_t] against t, on a logarithmic scale from 10 to 0.0001 nats."""
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13 * FINE)
    left, right, bottom = 64 * FINE, sheet.width - 12 * FINE, sheet.height - 20 * FINE
    kl = np.clip(np.nan_to_num(run.kl.numpy(), posinf=10), 1e-4, 10)
    across = left + np.arange(len(kl)) / max(1, len(kl) - 1) * (right - left)
    down = top + (1 - np.log10(kl)) / 5 * (bottom - top)
    for power in range(1, -5, -1):
        y = top + (1 - power) / 5 * (bottom - top)
        draw.line((left, y, right, y), fill=(228, 228, 232), width=FINE)
        draw.text((left - 8 * FINE, y), f"{10.0**power:g}", fill=INK, font=font, anchor="rm")
    points = list(zip(across.tolist(), down.tolist(), strict=True))
    draw.line(points, fill=DATA, width=2 * FINE)
    for k, (x, y) in enumerate(points):
        r = (6 if k == t else 3) * FINE
        draw.ellipse((x - r, y - r, x + r, y + r), fill=UP if k == t else DATA)
    words = f"round {t} of {len(run)}: D[data || model] = {float(run.kl[t]):.4f} nats"
    draw.text((right, top + 4 * FINE), words, fill=INK, font=font, anchor="ra")


class RoundsExplorer(Explorer):
    """Pick a run, move through its rounds or let them play.

    Args:
        runs: by name, finished runs; the first is shown first.
        lab: told of errors.

    Raises:
        UsageError: no runs.
    """

    def __init__(self, runs: Mapping[str, Rounds], *, lab: Any = None):
        if not runs:
            raise UsageError("An explorer of rounds needs at least one finished run.")
        longest = max(map(len, runs.values()))
        controls = {
            "run": widgets.Dropdown(options=list(runs), value=next(iter(runs))),
            "round": widgets.IntSlider(0, 0, longest),
        }
        super().__init__(
            rounds_renderer(runs),
            controls,
            play="round",
            scale=1,
            lab=lab,
            title="the rounds of a discriminator that generates",
        )
