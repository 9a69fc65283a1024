"""A digit somewhere on a canvas, among pieces of other digits: what a window has to be found in.

The stand-in of the cluttered MNIST of Mnih et al. (2014), on which Jaderberg et al. (2015) try
their spatial transformer: one of scikit-learn's digits, of 14 to 20 pixels a side, anywhere on a
canvas of 40, and pieces of 5 x 5 pixels cut from other digits, anywhere too.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.digits import SIDE, SPLITS, load_digits
from t2ilab.errors import UsageError, choose

SIZE = 40  # pixels a side of the canvas
LEAST, MOST = 14, 20  # pixels a side of a digit
PIECES, PIECE = 6, 5  # how many, and their side
BORDER = 28 / 20  # MNIST's pictures of 28 pixels hold digits of 20
PICTURES = {"train": 8000, "test": 1000}


class Cluttered(NamedTuple):
    """Pictures whose class is the digit, and where it is.

    Attributes:
        pictures: their `classes` are the digits.
        boxes: float32 [n, 4], left, top, right, bottom of the digit with a border as in MNIST, cut
            off at the edges; shares of the side.
    """

    pictures: CaptionedImages
    boxes: np.ndarray


def load(split: str = "train", n: int | None = None, *, pieces: int = PIECES) -> Cluttered:
    """The first n pictures of a split: 8,000 of "train", 1,000 of "test", of digits of that split.

    Raises:
        UsageError: an unknown split, or such a number of pictures or pieces.
    """
    most = PICTURES[choose("split", split, PICTURES)]
    n = most if n is None else n
    if not isinstance(n, int) or not 1 <= n <= most or not 0 <= pieces <= 64:
        raise UsageError(
            f"n = {n}, {pieces} pieces: of {split} there are 1 to {most} cluttered digits, with 0 "
            "to 64 pieces of others."
        )
    of = load_digits(split, SIDE)
    grey, small = of.images[..., 0], load_digits(split, 8).images[..., 0]
    canvases, squares, which = np.zeros((n, SIZE, SIZE), np.uint8), [], []
    for i in range(n):
        rng = np.random.default_rng((list(SPLITS).index(split), i))
        _scatter(canvases[i], grey, rng, pieces)
        k, side = int(rng.integers(len(small))), int(rng.integers(LEAST, MOST + 1))
        x, y = (int(at) for at in rng.integers(SIZE - side + 1, size=2))
        digit = Image.fromarray(small[k]).resize((side, side), Image.Resampling.BICUBIC)
        _lay(canvases[i], np.asarray(digit), x, y)
        squares.append(_with_border(x, y, side))
        which.append(k)
    pictures = CaptionedImages(
        f"cluttered/{split}/{SIZE}",
        np.repeat(canvases[..., None], 3, axis=-1),
        [of.captions[k] for k in which],
        of.classes[which],
        of.class_names,
    )
    return Cluttered(pictures, np.array(squares, np.float32) / SIZE)


def _with_border(x: int, y: int, side: int) -> list[float]:
    more = (BORDER - 1) / 2 * side
    edges = x - more, y - more, x + side + more, y + side + more
    return [min(max(edge, 0.0), float(SIZE)) for edge in edges]


def _scatter(canvas: np.ndarray, grey: np.ndarray, rng: np.random.Generator, pieces: int) -> None:
    """Lay pieces of digits on a canvas, in place."""
    for _ in range(pieces):
        one, (u, v) = grey[rng.integers(len(grey))], rng.integers(SIDE - PIECE + 1, size=2)
        x, y = rng.integers(SIZE - PIECE + 1, size=2)
        _lay(canvas, one[v : v + PIECE, u : u + PIECE], x, y)


def _lay(canvas: np.ndarray, piece: np.ndarray, x: int, y: int) -> None:
    """The lighter of both at each pixel, in place."""
    part = canvas[y : y + len(piece), x : x + piece.shape[1]]
    np.maximum(part, piece, out=part)
