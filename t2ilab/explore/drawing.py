"""Explorers of DRAW: a window of filters dragged over a picture; a drawing, stroke by stroke.

`FilterbankExplorer` moves g, delta, sigma and gamma by hand (Gregor et al. 2015, eq. 19 to 29), on
request with the off-by-one that the public ports of DRAW share. `DrawingExplorer` scrubs through
drawings made beforehand; under each picture stands what every stroke told of it, in nats.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from t2ilab.errors import UsageError, choose
from t2ilab.explore.explorer import Explorer
from t2ilab.explore.scrub import Scrubber, scrubbed
from t2ilab.explore.sheet import path, smooth, tile, titled
from t2ilab.models.draw import Window, banks, read, write
from t2ilab.plots import BLUE, FAINT, GREY, INK, PAPER, RED, arranged, label, letters
from t2ilab.systems.draw import Film, Windows

PANEL, GAP, ROWS = 224, 14, 96  # screen pixels: a panel, between two, the filters' curves
CELL, BARS = 168, 92  # of a drawing: a picture, the nats below it
SIDES = (2, 3, 4, 5, 8, 12)  # filters a side that can be picked
FIELDS = ("x", "y", "stride", "sigma", "gamma")
Pictures = Mapping[str, UInt8[np.ndarray, "size size 3"]]


def at(x: float, y: float, stride: float, sigma: float, gamma: float, *, bug: bool) -> Window:
    """One window; with `bug` where the public ports put it: 1 - stride pixels off, both ways.

    They count filters and pixels from 0 and leave eq. 19 as it is for counting from 1.
    """
    off = 1 - stride if bug else 0.0
    values = (x + off, y + off, stride, sigma, gamma)
    return Window(*(torch.tensor([float(value)]) for value in values))


def places(middle: float, stride: float, side: int) -> Float[np.ndarray, " side"]:
    """Centres of `side` filters around a middle, in pixels; eq. 19."""
    return middle + (np.arange(1, side + 1) - side / 2 - 0.5) * stride


def filterbank_renderer(pictures: Pictures) -> Callable[..., Image.Image]:
    """`render(picture, side, x, y, stride, sigma, gamma, bug) -> PIL.Image`.

    x, y, stride and sigma in pixels, the first pixel being 1; raises UsageError for an unknown
    picture, fewer than 2 filters, a sigma or gamma that is not above 0.
    """

    def render(picture: str, side: int, bug: bool, **fields: float) -> Image.Image:
        found = pictures[choose("picture", picture, pictures)]
        low = [name for name in ("stride", "sigma", "gamma") if not fields[name] > 0]
        if side < 2 or low:
            what = f"{low[0]} {fields[low[0]]:g}" if low else f"side {side}"
            raise UsageError(f"{what}: stride, sigma and gamma are above 0, side is at least 2.")
        return _filterbank(found, side, fields, bug)

    return render


def _filterbank(
    picture: np.ndarray, side: int, fields: Mapping[str, float], bug: bool
) -> Image.Image:
    """The picture with its window, what is read, what writing that back gives; below, F_X."""
    size, w = len(picture), at(**fields, bug=bug)
    x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
    patch = read(x, w, side=side)
    back = write(patch, w, size=size)
    panels = {
        "the picture, its filters": _over(picture, side, fields, bug),
        f"read: {side} x {side}, gamma {fields['gamma']:g}": tile(_bytes(patch), PANEL),
        "written back, brightest = 1": tile(_bytes(back / back.max().clamp(min=1e-6)), PANEL),
    }
    over_x = banks(w, side=side, size=size)[1][0].numpy()
    curves = smooth((3 * PANEL + 2 * GAP, ROWS), lambda draw, *box: _rows(draw, *box, over_x, size))
    words = f"rows of F_X over the {size} pixels of a line; each sums to 1"
    return arranged([titled(panels, GAP), label(words, curves.width), curves], down=2)


def _bytes(x: torch.Tensor) -> UInt8[np.ndarray, "h w 3"]:
    return (x[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


def _over(picture: np.ndarray, side: int, fields: Mapping[str, float], bug: bool) -> Image.Image:
    """The picture with a dot for each filter; with the bug, circles where they belong."""
    scale = PANEL / len(picture)
    image = tile(picture, PANEL)
    draw = ImageDraw.Draw(image)
    for off, colour in ((0.0, BLUE if bug else RED), (1 - fields["stride"], RED))[: 1 + bug]:
        across, down = (
            (places(fields[name] + off, fields["stride"], side) - 0.5) * scale for name in "xy"
        )
        draw.rectangle((across[0], down[0], across[-1], down[-1]), outline=colour)
        for px in across:
            for py in down:
                box = (px - 3, py - 3, px + 3, py + 3)
                if bug and colour == BLUE:
                    draw.ellipse(box, outline=colour)
                else:
                    draw.ellipse(box, fill=colour, outline=PAPER)
    return image


def _rows(
    draw: ImageDraw.ImageDraw, w: int, h: int, fine: int, over_x: np.ndarray, size: int
) -> None:
    draw.rectangle((0, 0, w, h), FAINT)
    top = 1.1 * over_x.max()
    for k, row in enumerate(over_x):
        colour = (RED, BLUE)[k % 2]
        draw.line(path(row, 0, top, w, h, 0.04), colour, 2 * fine, joint="curve")
    font = letters(12 * fine)
    draw.text((4 * fine, 2 * fine), "1", INK, font)
    draw.text((w - 4 * fine, 2 * fine), str(size), INK, font, "ra")


class FilterbankExplorer(Explorer):
    """Sliders for a window over a picture, and the switch for the bug of the public ports.

    Args:
        pictures: by name, uint8 [size, size, 3], all of one size.
        options: of `Explorer`.

    Raises:
        UsageError: no pictures, or of several sizes.
    """

    def __init__(self, pictures: Pictures, **options: Any):
        sizes = {picture.shape for picture in pictures.values()}
        if len(sizes) != 1:
            raise UsageError(f"pictures of {len(sizes)} sizes: give one or more, all of one size.")
        size = sizes.pop()[0]
        middle = (size + 1) / 2
        slider = widgets.FloatSlider
        controls = {
            "picture": widgets.Dropdown(options=list(pictures)),
            "side": widgets.SelectionSlider(
                options=[s for s in SIDES if s <= size], value=min(5, size), description="N"
            ),
            "x": slider(middle, min=1, max=size, step=0.5, description="g_X"),
            "y": slider(middle, min=1, max=size, step=0.5, description="g_Y"),
            "stride": slider(size / 6, min=0.25, max=size / 3, step=0.25, description="delta"),
            "sigma": slider(1.0, min=0.1, max=size / 4, step=0.1),
            "gamma": slider(1.0, min=0.1, max=3, step=0.1),
            "bug": widgets.Checkbox(False, description="public bug: count from 0"),
        }
        options = {"title": "a window of filters over a picture", "scale": 1} | options
        super().__init__(filterbank_renderer(pictures), controls, **options)


@dataclass(frozen=True)
class Drawing:
    """A film of a few pictures, and what they were drawn after.

    Attributes:
        film: of n pictures.
        originals: uint8 [n, size, size, 3], or None for drawings from noise.
    """

    film: Film
    originals: UInt8[np.ndarray, "n size size 3"] | None = None

    def __len__(self) -> int:
        return len(self.film)


def drawing_renderer(drawings: Mapping[str, Drawing]) -> Callable[..., Image.Image]:
    """`render(drawing, stroke) -> PIL.Image`; see `scrubbed`. Stroke 0 is the empty canvas."""
    return scrubbed(drawings, _drawing, "drawing", "stroke")


def _drawing(_: str, drawing: Drawing, t: int) -> Image.Image:
    """Rows: originals with where was read, canvases with where was written, nats."""
    film, originals = drawing.film, drawing.originals
    n = film.canvases.shape[1]
    rows: list[Image.Image] = []
    if originals is not None:
        rows += [label("the picture; blue: where it is read", n * CELL)]
        rows += [_row([boxed(originals[i], film.reads, t, i, BLUE) for i in range(n)])]
    words = f"the canvas after stroke {t} of {len(film)}"
    rows += [label(f"{words}; red: where it was written" if film.writes else words, n * CELL)]
    rows += [_row([boxed(film.canvases[t, i], film.writes, t, i, RED) for i in range(n)])]
    if film.kl is not None:
        top = 1.05 * float(film.kl.max())
        paint = [lambda *box, i=i: _nats(*box, film.kl[:, i], t, top) for i in range(n)]
        rows += [_row([smooth((CELL, BARS), one) for one in paint])]
    return arranged(rows, down=2)


def boxed(
    picture: UInt8[np.ndarray, "size size 3"],
    windows: Windows | None,
    t: int,
    i: int,
    colour: tuple[int, int, int],
    side: int = CELL,
) -> Image.Image:
    """A picture enlarged, with picture i's window at stroke t (none at 0, or without attention)."""
    image = tile(picture, side)
    if windows is not None and t:
        scale = side / len(picture)
        left, top, right, bottom = (scale * edge for edge in windows.box(t, i))
        ImageDraw.Draw(image).rectangle((left, top, right, bottom), outline=colour, width=2)
    return image


def _row(pictures: Sequence[Image.Image]) -> Image.Image:
    return arranged(list(pictures), columns=len(pictures), across=8)


def _nats(
    draw: ImageDraw.ImageDraw, w: int, h: int, fine: int, kl: np.ndarray, t: int, top: float
) -> None:
    """A bar for each stroke's KL, those that were made dark, the latest red."""
    font, head = letters(12 * fine), 20 * fine
    told = f"{kl[t - 1]:.1f} nats, so far {kl[:t].sum():.1f}" if t else "nothing told yet"
    draw.text((2 * fine, 2 * fine), told, INK, font)
    step = w / len(kl)
    for k, value in enumerate(kl, start=1):
        colour = RED if k == t else INK if k < t else (214, 214, 220)
        y = h - (h - head) * float(value) / top
        draw.rectangle(((k - 1) * step + fine, y, k * step - fine, h), colour)
    draw.line((0, h - 1, w, h - 1), GREY, fine)


class DrawingExplorer(Scrubber):
    """Pick a drawing, and move through its strokes or let them play.

    Args:
        drawings: by name.
        options: of `Explorer`.

    Raises:
        UsageError: no drawings.
    """

    def __init__(self, drawings: Mapping[str, Drawing], **options: Any):
        options = {"title": "a drawing, stroke by stroke"} | options
        super().__init__(drawings, _drawing, "drawing", "stroke", **options)
