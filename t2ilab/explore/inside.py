"""Explorers of what is inside a network: the total variation as a slider, and ascents as films.

Both only draw. What they show was computed beforehand: `Smoothed` by `inputs.inversion.denoise`, a
`Film` by any ascent that kept frames (an inversion, a maximised unit, a dream at several octaves).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.explore.explorer import Explorer
from t2ilab.explore.scrub import Scrubber
from t2ilab.explore.sheet import path, smooth, tile, titled
from t2ilab.inputs.ascent import Ascended
from t2ilab.plots import BLUE, FAINT, GREY, INK, RED, arranged, label, letters

PANEL, GAP, HEAD, CURVE = 256, 14, 24, 120  # screen pixels: a picture, between, a title, a curve


@dataclass(frozen=True)
class Smoothed:
    """A noisy picture, smoothed with every weight and exponent of a grid.

    Attributes:
        clean, noisy: uint8 [h, w, 3].
        weights: of the total variation, rising.
        pictures: exponent -> uint8 [weights, h, w, 3].
    """

    clean: UInt8[np.ndarray, "h w 3"]
    noisy: UInt8[np.ndarray, "h w 3"]
    weights: tuple[float, ...]
    pictures: Mapping[float, UInt8[np.ndarray, "n h w 3"]]

    def __post_init__(self):
        if not self.pictures or not self.weights:
            raise UsageError("a sweep needs at least one weight and one exponent.")
        for beta, some in self.pictures.items():
            if some.shape != (len(self.weights), *self.noisy.shape):
                raise UsageError(
                    f"beta {beta:g}: one picture like the noisy one is needed for "
                    f"each of {len(self.weights)} weights; got {list(some.shape)}."
                )


@dataclass(frozen=True)
class Film:
    """Moments of an ascent, to be scrubbed.

    Attributes:
        frames: uint8 [t, h, w, 3].
        labels: what to say of each, e.g. "step 20".
        values: a number of each, for the curve below.
        beside: uint8 [h, w, 3], what it is compared with (the picture that was looked at).
        titles: of the picture beside, of the frames, and of the curve.
    """

    frames: UInt8[np.ndarray, "t h w 3"]
    labels: tuple[str, ...]
    values: tuple[float, ...]
    beside: UInt8[np.ndarray, "rows columns 3"]  # of another shape: refused below, in words
    titles: tuple[str, str, str]

    def __post_init__(self):
        if not len(self.frames) == len(self.labels) == len(self.values) > 0:
            raise UsageError(
                f"a film of {len(self.frames)} frames with {len(self.labels)} labels "
                f"and {len(self.values)} values: one of each is needed."
            )

    def __len__(self) -> int:
        """The number of the last frame; the first is 0."""
        return len(self.frames) - 1


def film(
    climbed: Sequence[Ascended],
    picture: Float[Tensor, "3 h w"],
    titles: tuple[str, str, str],
    *,
    row: int = 0,
) -> Film:
    """The frames of ascents that followed each other (octaves), all enlarged to `picture`'s size.

    Args:
        climbed: one ascent, or one an octave; each with `frames`.
        row: which of the ascent's pictures.

    Raises:
        UsageError: an ascent kept no frames.
    """
    frames, labels, values = [], [], []
    for number, one in enumerate(climbed, start=1):
        if not one.frames:
            raise UsageError("an ascent without frames cannot be scrubbed: ascend(frames=12, ...).")
        for step, pictures in one.frames:
            shown = pictures[row : row + 1]
            if shown.shape[2:] != picture.shape[1:]:
                shown = F.interpolate(shown, picture.shape[1:], mode="bicubic", antialias=True)
            frames.append(to_uint8(shown)[0])
            labels.append(f"octave {number}, step {step}" if len(climbed) > 1 else f"step {step}")
            values.append(float(one.history[step, row]))
    return Film(np.stack(frames), tuple(labels), tuple(values), to_uint8(picture[None])[0], titles)


def tv_renderer(sweep: Smoothed) -> Callable[[float, float], Image.Image]:
    """`render(weight, beta) -> PIL.Image`; the nearest weight of the sweep is taken.

    `render` raises UsageError for an exponent that the sweep has not, or a negative weight.
    """
    logs = np.log10(np.maximum(sweep.weights, 1e-12))

    def render(weight: float, beta: float) -> Image.Image:
        if beta not in sweep.pictures:
            have = ", ".join(f"{b:g}" for b in sweep.pictures)
            raise UsageError(f"beta {beta:g} was not computed: choose one of {have}.")
        if not weight > 0:
            raise UsageError(f"weight {weight:g}: it must be above 0.")
        k = int(np.abs(logs - np.log10(weight)).argmin())
        result = sweep.pictures[beta][k]
        panels = {
            "noisy": sweep.noisy,
            f"weight {sweep.weights[k]:.2g}, beta {beta:g}": result,
            "what it was made of": sweep.clean,
        }
        middle = sweep.noisy.shape[0] // 2
        lines = ((sweep.noisy, GREY, 1), (sweep.clean, RED, 1), (result, BLUE, 3))
        profiles = [(one[middle].mean(1) / 255, colour, width) for one, colour, width in lines]
        strip = _profiles(profiles, 3 * PANEL + 2 * GAP)
        about = "brightness along the middle row: grey noisy, red clean, blue smoothed"
        return _sheet(panels, strip, about, mark=middle / sweep.noisy.shape[0])

    return render


def _frame(_: str, film: Film, t: int) -> Image.Image:
    left, right, curve = film.titles
    panels = {left: film.beside, f"{right}: {film.labels[t]}": film.frames[t]}
    return _sheet(panels, _curve(film.values, t, 2 * PANEL + GAP), curve)


def _sheet(
    panels: dict[str, np.ndarray], strip: Image.Image, about: str, mark: float | None = None
) -> Image.Image:
    """Panels side by side, titles above them; below, the curve and what it is."""
    row = titled({title: tile(one, PANEL) for title, one in panels.items()}, GAP)
    if mark is not None:  # the line of pixels that the curve is of, beside each panel
        draw, y = ImageDraw.Draw(row), HEAD + round(mark * PANEL)
        for x in range(0, row.width, PANEL + GAP):
            draw.line((x - 5, y, x - 1, y), fill=INK)
            draw.line((x + PANEL, y, x + PANEL + 4, y), fill=INK)
    return arranged([row, label(about, strip.width, height=HEAD), strip], down=GAP // 2)


def _profiles(lines: list[tuple[np.ndarray, tuple, int]], width: int) -> Image.Image:
    """Lines over each other, from the least of all values to the greatest."""
    low, high = (f([f(one) for one, _, _ in lines]) for f in (np.min, np.max))

    def paint(draw, w, h, fine):
        for values, colour, thick in lines:
            draw.line(path(values, low, high, w, h, 0.04), colour, thick * fine, joint="curve")

    return smooth((width, CURVE), paint, FAINT)


def _curve(values: Sequence[float], t: int, width: int) -> Image.Image:
    """A value a frame, the present one as a red dot with its number."""

    def paint(draw, w, h, fine):
        points = path(values, min(values), max(values), w, h, 0.14)
        draw.line(points, GREY, 2 * fine)
        (x, y), r = points[t], 5 * fine
        draw.ellipse((x - r, y - r, x + r, y + r), RED)
        side, anchor = (-1, "rb") if x > w / 2 else (1, "lt")
        font = letters(13 * fine)
        draw.text((x + side * (r + 8), y), f"{values[t]:.3g}", INK, font, anchor)

    return smooth((width, CURVE), paint, FAINT)


class TVExplorer(Explorer):
    """The weight of the total variation (on a logarithmic scale) and its exponent, as sliders."""

    def __init__(self, sweep: Smoothed, *, lab: Any = None):
        weights = [(f"{w:.2g}", w) for w in sweep.weights]
        betas = [(f"{beta:g}", beta) for beta in sweep.pictures]
        at = sweep.weights[len(weights) // 2]
        controls = {
            "weight": widgets.SelectionSlider(options=weights, value=at),
            "beta": widgets.SelectionSlider(options=betas),
        }
        title, render = "a noisy picture under a total variation prior", tv_renderer(sweep)
        super().__init__(render, controls, play="weight", scale=1, digits=9, lab=lab, title=title)


class FilmExplorer(Scrubber):
    """Pick an ascent, scrub its frames or let them play.

    Raises:
        UsageError: no films.
    """

    def __init__(self, films: Mapping[str, Film], *, lab: Any = None, title: str = "an ascent"):
        super().__init__(films, _frame, "layer", "frame", lab=lab, title=title)
