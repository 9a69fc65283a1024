"""Flowers of cut paper: the stand-in for Oxford-102.

Petals are drawn around the origin, the first pointing right, one unit long, y down.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from t2ilab.data.paperworld import settings
from t2ilab.data.paperworld.cutouts import Cutout
from t2ilab.data.paperworld.paper import Colour, Page, Pose, Sheet, circle, shade, smooth

COUNTS = {"three": 3, "five": 5, "many": 11}
WIDTHS = {  # half the width of a petal, as a share of its length
    "round": {"three": 0.46, "five": 0.34, "many": 0.155},
    "pointed": {"three": 0.36, "five": 0.25, "many": 0.135},
}
LENGTHS = {
    "round": {"three": 0.94, "five": 0.94, "many": 0.98},
    "pointed": {"three": 1.12, "five": 1.12, "many": 1.12},
}
DISC, ALONG = circle(0, 0, 1, n=24), np.linspace(0, 1, 8)
SPINE = np.stack([ALONG**2 - 0.2 * ALONG * (1 - ALONG), ALONG], 1)  # foot (0, 0), head (1, 1)
SPINE = np.concatenate([SPINE, SPINE[::-1]])
HALF_WIDTH = np.repeat([(-0.022, 0.0), (0.022, 0.0)], len(ALONG), axis=0)
SETTINGS = {"meadow": settings.meadow, "pot": settings.pot, "garden": settings.garden}
DRAWS = {  # attribute -> the values that can be drawn, or the palette that they are from
    "petal": "paint",
    "count": COUNTS,
    "shape": WIDTHS,
    "centre": "paint",
    "leaves": ("leafy", "bare"),
    "setting": SETTINGS,
    "side": ("left", "right"),
    "tone": "tone",
}
PLACE = ("x", "lean", "y", "ground", "turn", "scale")  # what else moves: numbers in [-1, 1]
WITH: dict[str, tuple[str, ...]] = {}  # attribute -> the subjects that have it; of others "none"
STEM, LEAF_COLOUR = (84, 120, 66), (104, 152, 78)
LEAF = np.concatenate(
    [
        smooth([(0, 0), (0.25, -0.24), (0.6, -0.26), (0.88, -0.10)], 4)[:13],
        [(1.0, 0.0)],
        smooth([(0.85, 0.10), (0.55, 0.22), (0.2, 0.18)], 4)[:9],
    ]
)


def _petal(shape: str, width: float, length: float) -> np.ndarray:
    """One petal pointing right, from the centre outwards."""
    if shape == "round":
        half = [(0.10, 0.25), (0.30, 0.62), (0.55, 0.96), (0.76, 1.0), (0.92, 0.72), (1.0, 0.26)]
    else:
        half = [(0.10, 0.40), (0.25, 0.80), (0.40, 1.0), (0.58, 0.86), (0.80, 0.46), (1.0, 0.0)]
    upper = [(x * length, -y * width) for x, y in half]
    lower = [(x * length, y * width) for x, y in reversed(half)]
    return np.array(upper + lower)


def _around(outline: np.ndarray, count: int) -> np.ndarray:
    """`count` copies of an outline, turned evenly around the origin: [count, n, 2]."""
    angles = np.arange(count) * (2 * math.pi / count)
    cos, sin = np.cos(angles), np.sin(angles)
    turns = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], 1)
    return outline @ turns


@lru_cache
def blossom(shape: str, count: str) -> Cutout:
    """All petals, each with a thin dark edge on the side away from the light."""
    outline = _petal(shape, WIDTHS[shape][count], LENGTHS[shape][count])
    cutout = Cutout()
    for petal in _around(outline, COUNTS[count]):
        cutout.add("edge", petal + (-0.038, 0.022)).add("petal", petal)
    return cutout


@lru_cache
def leaves() -> Cutout:
    """Two leaves, left and right of the stem."""
    cutout = Cutout()
    for flip, rise, length in ((-1, 0.50, 0.95), (1, 0.62, 1.0)):
        cos, sin = math.cos(rise) * length, math.sin(rise) * length
        turn = np.array([[cos, -sin], [sin, cos]])
        cutout.add("leaf", LEAF @ turn * (flip, 1))
        cutout.add("vein", np.array([(0, -0.018), (0.8, 0), (0, 0.018)]) @ turn * (flip, 1))
    return cutout


def draw(
    facts: dict[str, str],
    colours: dict,
    size: int,
    rng: np.random.Generator,
    place: Sequence[float],
) -> np.ndarray:
    """Draw one flower.

    Args:
        facts: content (petal, count, shape, centre, leaves) and style (setting, side, tone).
        colours: colour name -> (r, g, b).
        size: side of the picture in pixels.
        rng: what is left to chance: clouds, grain.
        place: a number in [-1, 1] for each name of `PLACE`.

    Returns:
        uint8 [size, size, 3]
    """
    lean = -1 if facts["side"] == "left" else 1
    page = Page(size, colours["tone"][facts["tone"]])
    x = 0.5 + 0.03 * place[0]
    foot, head = x - 0.14 * lean, x + 0.09 * lean + 0.02 * place[1]
    y, top = 0.37 + 0.03 * place[2], 0.80 + 0.02 * place[3]
    if facts["setting"] == "pot":
        top -= 0.10
        settings.pot(page, foot, top, rng)
    else:
        SETTINGS[facts["setting"]](page, top, rng)
    sheet = Sheet(size)
    _cut_stem(sheet, (foot, top + 0.03), (head, y), leafy=facts["leaves"] == "leafy")
    turn = -math.pi / 2 + 0.2 * place[4]
    pose = Pose(head, y, 0.295 * (1 + 0.05 * place[5]), turn=turn)
    petal, centre = (colours["paint"][facts[part]] for part in ("petal", "centre"))
    blossom(facts["shape"], facts["count"]).cut(sheet, pose, {"petal": petal, "edge": _edge(petal)})
    page.lay(sheet, height=0.032)
    middle = Sheet(size)
    radius = pose.scale * 0.31
    middle.cut(DISC * radius + (head, y), _edge(centre))
    middle.cut(DISC * (radius * 0.88) + (head - 0.008, y - 0.008), centre)
    page.lay(middle, height=0.018, depth=0.5)
    return page.finish(int(rng.integers(1 << 16)))


def _edge(colour: Colour) -> Colour:
    """What sets a part off from its own colour: a little darker, or lighter where it is black."""
    return shade(colour, 0.32 if sum(colour) < 200 else -0.18)


def _cut_stem(sheet: Sheet, foot: tuple, head: tuple, *, leafy: bool) -> None:
    """A stem from foot to head that first rises and then leans, with its leaves."""
    way = (head[0] - foot[0], head[1] - foot[1])
    sheet.cut(SPINE * way + foot + HALF_WIDTH, STEM)
    if leafy:
        paints = {"leaf": LEAF_COLOUR, "vein": shade(LEAF_COLOUR, -0.25)}
        leaves().cut(sheet, Pose(*(SPINE[2] * way + foot + (0, 0.03)), 0.25), paints)
