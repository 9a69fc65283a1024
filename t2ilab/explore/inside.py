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
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError, choose
from t2ilab.explore.explorer import Explorer
from t2ilab.inputs.ascent import Ascended
from t2ilab.plots import INK, PAPER

PANEL, GAP, HEAD, CURVE = 256, 14, 24, 120  # screen pixels: a picture, between, a title, a curve
FINE = 2  # curves are drawn so many times larger, then made smaller
GREY, BLUE, RED = (176, 176, 184), (44, 94, 190), (208, 48, 44)


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
    beside: UInt8[np.ndarray, "h w 3"]
    titles: tuple[str, str, str]

    def __post_init__(self):
        if not len(self.frames) == len(self.labels) == len(self.values) > 0:
            raise UsageError(
                f"a film of {len(self.frames)} frames with {len(self.labels)} labels "
                f"and {len(self.values)} values: one of each is needed."
            )


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
        strip = _profiles(
            [(one[middle].mean(1) / 255, colour, width) for one, colour, width in lines],
            3 * PANEL + 2 * GAP,
        )
        return _sheet(
            panels,
            strip,
            "brightness along the middle row: grey noisy, red clean, blue smoothed",
            mark=middle / sweep.noisy.shape[0],
        )

    return render


def film_renderer(films: Mapping[str, Film]) -> Callable[[str, int], Image.Image]:
    """`render(layer, frame) -> PIL.Image`; frames beyond the last show the last.

    `render` raises UsageError for an unknown film or a negative frame.
    """

    def render(layer: str, frame: int) -> Image.Image:
        found = films[choose("film", layer, films)]
        if frame < 0:
            raise UsageError(f"frame {frame}: the first is 0.")
        t = min(frame, len(found.frames) - 1)
        left, right, curve = found.titles
        panels = {left: found.beside, f"{right}: {found.labels[t]}": found.frames[t]}
        return _sheet(panels, _curve(found.values, t, 2 * PANEL + GAP), curve)

    return render


def _panel(picture: np.ndarray) -> Image.Image:
    """Enlarged in whole pixels where it is small, else brought to the panel's size."""
    side = max(picture.shape[:2])
    image = Image.fromarray(picture)
    if side <= PANEL // 2:
        image = image.resize([s * (PANEL // side) for s in image.size], Image.Resampling.NEAREST)
    return image.resize((PANEL, PANEL), Image.Resampling.BICUBIC)


def _sheet(
    panels: dict[str, np.ndarray], strip: Image.Image, about: str, mark: float | None = None
) -> Image.Image:
    """Panels side by side, titles above them; below, the curve and what it is."""
    font = ImageFont.load_default(size=14)
    sheet = Image.new("RGB", (strip.width, 2 * HEAD + PANEL + GAP + strip.height), PAPER)
    draw = ImageDraw.Draw(sheet)
    for k, (title, picture) in enumerate(panels.items()):
        x = k * (PANEL + GAP)
        draw.text((x, 3), title, fill=INK, font=font)
        sheet.paste(_panel(picture), (x, HEAD))
        if mark is not None:
            y = HEAD + round(mark * PANEL)
            draw.line((x - 5, y, x - 1, y), fill=INK)
            draw.line((x + PANEL, y, x + PANEL + 4, y), fill=INK)
    draw.text((0, HEAD + PANEL + GAP // 2), about, fill=INK, font=font)
    sheet.paste(strip, (0, 2 * HEAD + PANEL + GAP // 2))
    return sheet


def _profiles(lines: list[tuple[np.ndarray, tuple, int]], width: int) -> Image.Image:
    """Lines over each other, from the least of all values to the greatest."""
    low, high = (f([f(one) for one, _, _ in lines]) for f in (np.min, np.max))
    strip = Image.new("RGB", (width * FINE, CURVE * FINE), (247, 247, 249))
    draw = ImageDraw.Draw(strip)
    for values, colour, thick in lines:
        x = (np.arange(len(values)) + 0.5) / len(values) * strip.width
        y = (0.96 - 0.92 * (values - low) / max(high - low, 1e-6)) * strip.height
        draw.line(
            list(zip(x.tolist(), y.tolist(), strict=True)),
            fill=colour,
            width=thick * FINE,
            joint="curve",
        )
    return strip.resize((width, CURVE), Image.Resampling.LANCZOS)


def _curve(values: Sequence[float], t: int, width: int) -> Image.Image:
    """A value a frame, the present one as a red dot with its number."""
    strip = Image.new("RGB", (width * FINE, CURVE * FINE), (247, 247, 249))
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(size=13 * FINE)
    low, high = min(values), max(values)
    x = (np.arange(len(values)) + 0.5) / len(values) * strip.width
    y = (0.86 - 0.72 * (np.array(values) - low) / ((high - low) or 1)) * strip.height
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    draw.line(points, fill=GREY, width=2 * FINE)
    (cx, cy), r = points[t], 5 * FINE
    draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=RED)
    right = cx > strip.width / 2
    draw.text(
        (cx + (-r - 8 if right else r + 8), cy),
        f"{values[t]:.3g}",
        fill=INK,
        font=font,
        anchor="rb" if right else "lt",
    )
    return strip.resize((width, CURVE), Image.Resampling.LANCZOS)


class TVExplorer(Explorer):
    """The weight of the total variation (on a logarithmic scale) and its exponent, as sliders."""

    def __init__(self, sweep: Smoothed, *, lab: Any = None):
        betas = list(sweep.pictures)
        at = sweep.weights[len(sweep.weights) // 2]
        controls = {
            "weight": widgets.SelectionSlider(
                options=[(f"{w:.2g}", w) for w in sweep.weights], value=at
            ),
            "beta": widgets.SelectionSlider(options=[(f"{b:g}", b) for b in betas], value=betas[0]),
        }
        super().__init__(
            tv_renderer(sweep),
            controls,
            play="weight",
            scale=1,
            digits=9,
            lab=lab,
            title="a noisy picture under a total variation prior",
        )


class FilmExplorer(Explorer):
    """Pick an ascent, scrub its frames or let them play.

    Raises:
        UsageError: no films.
    """

    def __init__(self, films: Mapping[str, Film], *, lab: Any = None, title: str = "an ascent"):
        if not films:
            raise UsageError("An explorer of films needs at least one.")
        longest = max(len(one.frames) for one in films.values()) - 1
        controls = {
            "layer": widgets.Dropdown(options=list(films), value=next(iter(films))),
            "frame": widgets.IntSlider(longest, 0, longest),
        }
        super().__init__(
            film_renderer(films), controls, play="frame", scale=1, lab=lab, title=title
        )
