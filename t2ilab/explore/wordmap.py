"""Explorer: a map of words. Pick or type one; lines lead to the words that are nearest to it.

The map shows two of the many dimensions of the vectors: the two in which the words differ most
(principal components). So what lies close on the map need not be near; the lines and the cosines
beside them are measured in the full space.
"""

import colorsys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from t2ilab.errors import UsageError, choose
from t2ilab.explore.explorer import Explorer
from t2ilab.explore.sheet import place
from t2ilab.plots import GREY, PAPER, RED
from t2ilab.text.vectors import WordVectors

SIZE = (900, 640)  # pixels of the map
MARGIN = 60
LARGE, SMALL = 19, 15  # of the letters: the word, its neighbours; all others
# Places of a label: x and y from its dot, and the anchor of its text; near ones first.
_AROUND = [
    (x * r, y * r, "lm" if x > 0 else "rm" if x < 0 else "mm")
    for r in (9, 20, 32, 46)
    for x, y in ((1, -0.5), (1, 0.5), (-1, -0.5), (-1, 0.5), (0.3, -1.4), (0.3, 1.4), (-0.3, 1.4))
]


def principal_plane(x: Float[np.ndarray, "n d"]) -> tuple[Float[np.ndarray, "n 2"], float]:
    """The rows in the plane in which they differ most, and the share of their variance in it.

    Principal components, from a singular value decomposition. The sign of an axis is arbitrary;
    here the entry of largest size is positive, so that a map looks the same on every machine.

    Raises:
        UsageError: fewer than 3 rows, or fewer than 2 columns.
    """
    if len(x) < 3 or x.shape[1] < 2:
        raise UsageError(f"A map needs at least 3 words of 2 numbers; these are {list(x.shape)}.")
    centred = np.asarray(x, dtype=np.float64) - np.mean(x, axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    xy = u[:, :2] * s[:2]
    xy *= np.sign(xy[np.abs(xy).argmax(axis=0), [0, 1]] + 1e-12)
    return xy, float((s[:2] ** 2).sum() / max((s**2).sum(), 1e-12))


def colours_of(groups: Mapping[str, str]) -> dict[str, tuple[int, int, int]]:
    """A colour for each group of words, spread over the circle of hues."""
    names = list(dict.fromkeys(groups.values()))
    hues = [colorsys.hls_to_rgb(k / max(1, len(names)), 0.38, 0.62) for k in range(len(names))]
    return {
        name: tuple(round(255 * part) for part in rgb)
        for name, rgb in zip(names, hues, strict=True)
    }


def map_renderer(
    spaces: Mapping[str, WordVectors], *, groups: Mapping[str, str] | None = None
) -> Callable[[str, str, int, int], Image.Image]:
    """`render(space, word, neighbours, zoom) -> PIL.Image`: the map of one space of vectors.

    Args:
        spaces: name -> the vectors of the words that are shown.
        groups: word -> its group; a group's words share a colour.

    `render` raises UsageError for an unknown space, or a word that the space lacks.
    """
    planes = {name: principal_plane(vectors.unit)[0] for name, vectors in spaces.items()}
    groups = groups or {}
    palette = colours_of(groups)

    def render(space: str, word: str, neighbours: int, zoom: int) -> Image.Image:
        vectors = spaces[choose("space", space, spaces)]
        near = vectors.nearest(word.strip().lower(), neighbours)
        word, xy = word.strip().lower(), planes[space]
        places = _places(xy, xy[vectors.index[word]], zoom)
        sheet = Image.new("RGB", SIZE, PAPER)
        draw = ImageDraw.Draw(sheet)
        here = places[vectors.index[word]]
        for other, _ in near:
            draw.line([*here, *places[vectors.index[other]]], fill=RED, width=1)
        strong = {word: word} | {other: f"{other} {cosine:.2f}" for other, cosine in near}
        taken: list = []
        for one in [*strong, *(one for one in vectors.words if one not in strong)]:
            x, y = at = tuple(places[vectors.index[one]])
            if not (0 <= x < SIZE[0] and 0 <= y < SIZE[1]):
                continue
            colour, r = palette.get(groups.get(one, ""), GREY), 4 if one in strong else 2
            draw.ellipse([x - r, y - r, x + r, y + r], fill=colour)
            if one in strong:
                place(draw, at, strong[one], _AROUND, taken, size=LARGE)
            else:
                place(draw, at, one, _AROUND[:7], taken, size=SMALL, fill=colour)
        return sheet

    return render


def _places(xy: np.ndarray, centre: np.ndarray, zoom: int) -> np.ndarray:
    """Pixels of each word: the whole map at zoom 1; around the word, enlarged, above that."""
    low, high = xy.min(axis=0), xy.max(axis=0)
    middle = (low + high) / 2 if zoom == 1 else centre
    scale = (np.array(SIZE) - 2 * MARGIN) / np.maximum(high - low, 1e-9) * zoom
    return (xy - middle) * scale * [1, -1] + np.array(SIZE) / 2


class WordMap(Explorer):
    """Pick a space, type a word; the map shows its neighbours, a line below lists them.

    Args:
        spaces: name -> vectors, the first is shown first.
        words: suggestions to pick from; the first is shown first.
        groups: word -> its group, for the colours.
        lab: told of errors.
    """

    def __init__(
        self,
        spaces: Mapping[str, WordVectors],
        words: Sequence[str],
        *,
        groups: Mapping[str, str] | None = None,
        lab: Any = None,
    ):
        self.spaces = dict(spaces)
        word = widgets.Combobox(value=words[0], options=tuple(words), ensure_option=False)
        word.placeholder = "type a word and press Enter"
        controls = {
            "space": widgets.Dropdown(options=list(spaces), value=next(iter(spaces))),
            "word": word,
            "neighbours": widgets.IntSlider(5, 1, 12),
            "zoom": widgets.IntSlider(1, 1, 6),
        }
        render, title = map_renderer(spaces, groups=groups), "a map of words"
        super().__init__(render, controls, note=self._near, title=title, lab=lab, scale=1)

    def _near(self, space: str, word: str, neighbours: int, zoom: int) -> str:
        vectors, word = self.spaces[space], word.strip().lower()
        near = (f"{other} {cosine:.2f}" for other, cosine in vectors.nearest(word, neighbours))
        share = principal_plane(vectors.unit)[1]
        return f"Nearest to “{word}”: {', '.join(near)}. The map shows {share:.0%} of the variance."
