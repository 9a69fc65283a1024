"""Explorer: a caption drawn in strokes, with the weight of each word; and a word changed in place.

Two captions are drawn from the same noise: the one that was typed, and the same with some of its
words replaced by others. Below each stand its words with their weights at the stroke that is shown.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import ipywidgets as widgets
import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from t2ilab.errors import UsageError, choose
from t2ilab.explore.drawing import boxed
from t2ilab.explore.explorer import OTHER_NOISE, Explorer
from t2ilab.explore.sheet import smooth, tile
from t2ilab.plots import GREY, INK, RED, arranged, label, letters
from t2ilab.systems.aligndraw import AlignDraw, CaptionFilm
from t2ilab.text.tokens import tokenize

TILE, BARS = 128, 84  # screen pixels: a picture, the words with their bars
PICTURES = 3  # of each caption
_PICK = "pick a caption ..."


def replaced(caption: str, old: str, new: str) -> str:
    """A caption with some of its words replaced, as the reader of words sees them.

    Raises:
        UsageError: the words are not there, in this order.
    """
    words, gone, come = tokenize(caption), tokenize(old), tokenize(new)
    if not gone or not come:
        return " ".join(words)
    for i in range(len(words) - len(gone) + 1):
        if words[i : i + len(gone)] == gone:
            return " ".join([*words[:i], *come, *words[i + len(gone) :]])
    raise UsageError(
        f"'{' '.join(gone)}' does not stand in the caption: type words of it, as they stand there."
    )


def strokes_renderer(system: AlignDraw, *, n: int = PICTURES) -> Callable[..., Image.Image]:
    """`render(caption, replace, by, stroke, seed) -> PIL.Image`.

    Rows: n pictures after that stroke and as they end, for the caption and, where `replace` and
    `by` are given, for the changed one. A stroke beyond the last shows the last; 0 is the empty
    canvas. Raises UsageError where `replace` is not in the caption or the stroke is below 0, and
    CaptionError for captions that cannot be read.
    """
    film = lru_cache(64)(lambda caption, seed: system.film(caption, n=n, seed=seed))

    def render(caption: str, replace: str, by: str, stroke: int, seed: int) -> Image.Image:
        if stroke < 0:
            raise UsageError(f"stroke {stroke}: 0 is the empty canvas.")
        captions = [" ".join(tokenize(caption)) or caption]
        if replace.strip() and by.strip():
            captions.append(replaced(caption, replace, by))
        rows = [row(film(one, seed), stroke) for one in captions]
        return arranged(rows, down=10)

    return render


def row(film: CaptionFilm, stroke: int) -> Image.Image:
    """Pictures of one caption after a stroke and at the end; below them the words' weights."""
    n, t = len(film.final), min(stroke, len(film))
    canvases = [boxed(film.film.canvases[t, i], film.film.writes, t, i, RED, TILE)
                for i in range(n)]  # fmt: skip
    ends = [tile(picture, TILE) for picture in film.final]
    left, right = (arranged(some, columns=n, across=4) for some in (canvases, ends))
    heads = [
        label(f"after stroke {t} of {len(film)}; red: where it was made", left.width),
        label("in the end", right.width),
    ]
    grid = arranged([*heads, left, right], columns=2, across=16, down=2)
    alpha = film.alpha[t - 1].mean(0) if t else np.zeros(len(film.words))
    most = float(film.alpha.mean(1).max())
    bars = smooth(
        (grid.width, BARS), lambda draw, *box: word_bars(draw, *box, film.words, alpha, most)
    )
    return arranged([grid, bars], down=4)


def word_bars(
    draw: ImageDraw.ImageDraw,
    w: int,
    h: int,
    fine: int,
    words: Sequence[str],
    alpha: Float[np.ndarray, " L"],
    most: float = 1.0,
) -> None:
    """The words of a caption, each with a bar of its weight above it; `most` is a full bar."""
    step, foot = w / len(words), h - 24 * fine
    font = letters(int(min(15, 1.7 * step / fine / max(map(len, words)))) * fine)
    draw.line((0, foot, w, foot), GREY, fine)
    for k, (word, share) in enumerate(zip(words, alpha, strict=True)):
        x = step * (k + 0.5)
        top = foot - float(share) / most * (foot - 16 * fine)
        draw.rectangle((x - 0.3 * step, top, x + 0.3 * step, foot), RED if share else GREY)
        if share >= 0.01:
            draw.text((x, top - 2 * fine), f"{share:.2f}", INK, letters(11 * fine), "md")
        draw.text((x, foot + 3 * fine), word, INK, font, "ma")


class StrokesExplorer(Explorer):
    """Type or pick a caption, change words in place, move through the strokes or let them play.

    Args:
        system: what draws.
        captions: to pick from: caption -> (words in it, what may stand in their place).
        n: pictures of a caption.
        options: of `Explorer`.

    Raises:
        UsageError: no captions.
    """

    def __init__(
        self,
        system: AlignDraw,
        captions: Mapping[str, tuple[str, str]],
        *,
        n: int = PICTURES,
        **options: Any,
    ):
        if not captions:
            raise UsageError("no captions: give one or more to begin with.")
        first, (old, new) = next(iter(captions.items()))
        last = system.network.glimpses
        controls = {
            "caption": widgets.Text(first),
            "replace": widgets.Text(old, description="replace"),
            "by": widgets.Text(new, description="by"),
            "stroke": widgets.IntSlider(last, 0, last),
            "seed": widgets.IntSlider(0, 0, 99),
        }
        self.pick = widgets.Dropdown(options=[_PICK, *captions])
        self._captions = dict(captions)
        self.pick.observe(self._picked, "value")
        options = {"title": "a caption in strokes, and with another word"} | options
        super().__init__(
            strokes_renderer(system, n=n), controls, play="stroke", buttons=OTHER_NOISE,
            more=[self.pick], note=lambda caption, **_: self._unknown(system, caption), scale=1,
            **options,
        )  # fmt: skip

    @staticmethod
    def _unknown(system: AlignDraw, caption: str) -> str:
        asked = system.questions(caption)
        return f"Not known, and read as 'something': {', '.join(asked)}." if asked else ""

    def _picked(self, change: Mapping[str, Any]) -> None:
        if change["new"] == _PICK:
            return
        old, new = self._captions[choose("caption", change["new"], self._captions)]
        self.set(caption=change["new"], replace=old, by=new)
        self.pick.value = _PICK
