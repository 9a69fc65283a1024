"""Cut paper: outlines, sheets with soft shadows, and the grain of the page. Pillow draws.

A picture is a stack of sheets. Each is drawn larger than the picture (supersampled), reduced, and
laid on what lies below it with a soft shadow. All coordinates are shares of the picture's side:
(0, 0) is the top left corner, (1, 1) the bottom right.
"""

import math
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SUPERSAMPLING = {32: 4, 64: 3, 128: 2}  # larger pictures need less: their edges are finer
SHADOW = (36, 30, 44)

Colour = tuple[int, int, int]


def shade(colour: Colour, by: float) -> Colour:
    """`colour` made lighter (0 < by <= 1, towards white) or darker (-1 <= by < 0, to black)."""
    towards = 255 if by > 0 else 0
    return tuple(round(c + (towards - c) * abs(by)) for c in colour)


def points(text: str) -> np.ndarray:
    """An outline [n, 2] written as in SVG: "x,y x,y ..."."""
    return np.array([pair.split(",") for pair in text.split()], dtype=float)


def smooth(points, steps: int = 6) -> np.ndarray:
    """A closed Catmull-Rom curve through `points` [n, 2]: an outline [n * steps, 2]."""
    p = np.asarray(points, dtype=float)
    before, after, later = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
    t = (np.arange(steps) / steps)[None, :, None]
    a, b, c, d = (x[:, None] for x in (before, p, after, later))
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return curve.reshape(-1, 2)


def curve(text: str, steps: int = 6) -> np.ndarray:
    """`smooth` through the points that `text` lists, as `points` reads them."""
    return smooth(points(text), steps)


def circle(x: float, y: float, r: float, ry: float | None = None, n: int = 28) -> np.ndarray:
    """The outline of an ellipse with centre (x, y) and half axes r and ry (r if not given)."""
    angle = np.arange(n) * (2 * math.pi / n)
    return np.stack([x + r * np.cos(angle), y + (r if ry is None else ry) * np.sin(angle)], 1)


class Pose:
    """Where a part drawn in its own coordinates lands: turned, scaled, mirrored, moved."""

    def __init__(self, x: float, y: float, scale: float, *, turn: float = 0.0, mirror=False):
        cos, sin = math.cos(turn) * scale, math.sin(turn) * scale
        flip = -1.0 if mirror else 1.0
        self.matrix = np.array([[cos * flip, sin], [-sin * flip, cos]])
        self.offset = np.array([x, y])
        self.scale = scale

    def __call__(self, outline: np.ndarray) -> np.ndarray:
        return outline @ self.matrix + self.offset


class Sheet:
    """One sheet of paper, transparent where nothing is drawn."""

    MODE = "RGBa"  # opaque or empty: premultiplied

    def __init__(self, size: int):
        self.side = size * SUPERSAMPLING.get(size, 2)
        self.size = size
        self.image = Image.new(self.MODE, (self.side, self.side))
        self._draw = ImageDraw.Draw(self.image)

    def _ink(self, colour: Colour) -> tuple[int, ...] | int:
        return (*colour, 255)

    def _flat(self, points) -> list[float]:
        return (np.asarray(points) * self.side).ravel().tolist()

    def cut(self, outline, colour: Colour) -> None:
        """Fill the polygon `outline` [n, 2]."""
        self._draw.polygon(self._flat(outline), fill=self._ink(colour))

    def line(self, points, colour: Colour, width: float) -> None:
        """A line through `points` [n, 2], `width` as a share of the side."""
        thick = max(1, round(width * self.side))
        self._draw.line(self._flat(points), fill=self._ink(colour), width=thick)


class Parts(Sheet):
    """A sheet of labels in place of colours: which part is seen where."""

    MODE = "L"

    def _ink(self, colour: int) -> int:
        return colour

    def labels(self) -> np.ndarray:
        """uint8 [size, size]: the label that covers most of each pixel."""
        fine, times = np.asarray(self.image), self.side // self.size
        small = fine.reshape(self.size, times, self.size, times)
        shares = [(small == k).mean((1, 3)) for k in range(fine.max() + 1)]
        return np.argmax(shares, axis=0).astype(np.uint8)


class Page:
    """The picture: a coloured page on which sheets are laid."""

    def __init__(self, size: int, colour: Colour):
        self.size = size
        self.image = Image.new("RGB", (size, size), colour)

    def lay(self, sheet: Sheet, *, height: float = 0.02, depth: float = 0.45) -> None:
        """Lay a sheet on the page: its shadow first, `height` away, `depth` dark in [0, 1]."""
        layer = sheet.image.reduce(sheet.side // self.size)
        mask = layer.getchannel("a")
        if height > 0:
            self.image.paste(SHADOW, (0, 0), _soften(mask, height * self.size, depth))
        self.image.paste(layer.convert("RGBA"), (0, 0), mask)

    def finish(self, seed: int, *, strength: float = 5.0) -> np.ndarray:
        """The picture with its grain, uint8 [size, size, 3]."""
        pixels = np.asarray(self.image, dtype=np.int16)
        return np.clip(pixels + _grain(self.size, seed % 16, strength), 0, 255).astype(np.uint8)


def _soften(mask: Image.Image, height: float, depth: float) -> Image.Image:
    """A shadow: the mask moved right and down by about `height` pixels, blurred and thinned."""
    move = (1, 0, -0.6 * height, 0, 1, -height)
    moved = mask.transform(mask.size, Image.Transform.AFFINE, move, Image.Resampling.BILINEAR)
    soft = moved.filter(ImageFilter.BoxBlur(float(0.7 * height)))
    return Image.fromarray(_thinner(depth)[np.asarray(soft)])


@lru_cache
def _thinner(depth: float) -> np.ndarray:
    return np.array([round(v * depth) for v in range(256)], dtype=np.uint8)


@lru_cache(maxsize=64)
def _grain(size: int, seed: int, strength: float) -> np.ndarray:
    """Paper fibre: the sum of a fine and a coarser noise, int16 [size, size, 1]."""
    rng = np.random.default_rng(seed)
    fine = rng.normal(size=(size, size))
    coarse = rng.normal(size=(max(2, size // 4), max(2, size // 4)))
    coarse = np.kron(coarse, np.ones((4, 4)))[:size, :size]
    return np.round(strength * (0.5 * fine + 0.4 * coarse)).astype(np.int16)[..., None]
