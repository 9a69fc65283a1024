"""What settings are made of: clouds, ground, grass; and where birds are: sky, branch, meadow."""

import numpy as np

from t2ilab.data.paperworld.paper import Colour, Page, Sheet, curve, smooth

CLOUD = curve(
    "-1.0,0.25 -0.85,-0.10 -0.45,-0.18 -0.20,-0.50 0.25,-0.48 0.45,-0.15 "
    "0.85,-0.10 1.0,0.25 0.0,0.32",
    4,
)
LEAF = smooth([(0, 0), (0.35, -0.28), (0.8, -0.22), (1.0, 0), (0.7, 0.2), (0.3, 0.18)], 3)
CLOUD_COLOUR, BRANCH, LEAF_COLOUR = (250, 248, 243), (124, 88, 58), (108, 142, 84)
GRASS, GRASS_DARK = (126, 168, 92), (98, 142, 76)
BELOW = [(1.02, 1.02), (-0.02, 1.02)]  # after an edge from left to right: all of the page below it


def clouds(page: Page, rng: np.random.Generator, *, low: float = 0.25, most: int = 3) -> None:
    """Lay up to `most` clouds above the height `low`."""
    count = int(rng.integers(0, most + 1))
    if not count:
        return
    sheet = Sheet(page.size)
    for x, y, s in rng.uniform((0, 0.06, 0.10), (1, low, 0.19), (count, 3)):
        sheet.cut(CLOUD * s + (x, y), CLOUD_COLOUR)
    page.lay(sheet, height=0.012, depth=0.25)


def blades(
    sheet: Sheet, top: float, count: int, rng: np.random.Generator, *, high: float = 0.11
) -> None:
    """Cut blades of grass, up to `high`, that stand at the height `top`."""
    for x, h, lean in rng.uniform((0, 0.05, -0.03), (1, high, 0.03), (count, 3)):
        blade = [(x - 0.018, top + 0.03), (x + lean, top - h), (x + 0.018, top + 0.03)]
        sheet.cut(blade, GRASS_DARK)


def ground(sheet: Sheet, top: float, colour: Colour, slope: float = 0.02) -> None:
    """Cut a ground with a gently uneven edge at the height `top`."""
    edge = [(-0.02, top + slope), (0.3, top), (0.7, top + 0.7 * slope), (1.02, top - 0.5 * slope)]
    sheet.cut([*edge, *BELOW], colour)


def sky(page: Page, feet: float, rng: np.random.Generator) -> None:
    """Clouds alone, also low ones."""
    clouds(page, rng, low=0.62)


def branch(page: Page, feet: float, rng: np.random.Generator) -> None:
    """A branch with a few leaves, at the height `feet`."""
    clouds(page, rng)
    sheet = Sheet(page.size)
    slope, thick = rng.uniform(-0.06, 0.06), rng.uniform(0.030, 0.042)
    left, right = feet - slope, feet + slope
    upper = [(-0.02, left - thick * 0.6), (1.02, right - thick * 0.35)]
    lower = [(1.02, right + thick * 0.9), (-0.02, left + thick * 1.4)]
    sheet.cut([*upper, *lower], BRANCH)
    leaves = int(rng.integers(2, 5))
    for x, length, up in rng.uniform((0.02, 0.09, 0), (0.98, 0.15, 1), (leaves, 3)):
        y = left + (right - left) * x
        angle = (-0.9 if up > 0.5 else 0.9) + 0.5 * (length - 0.12) / 0.03
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        sheet.cut(LEAF @ turn * length + (x, y), LEAF_COLOUR)
    page.lay(sheet, height=0.025)


def grass(page: Page, feet: float, rng: np.random.Generator) -> None:
    """A meadow, its edge a little above `feet`."""
    clouds(page, rng)
    sheet = Sheet(page.size)
    top = feet - 0.02
    edge = [(-0.02, top + 0.02), (0.3, top), (0.7, top + 0.015), (1.02, top - 0.01)]
    sheet.cut([*edge, *BELOW], GRASS)
    blades(sheet, top, 9, rng, high=0.12)
    page.lay(sheet, height=0.02)
