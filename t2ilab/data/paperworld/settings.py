"""Where flowers grow, people play and scenes happen: meadow, garden, room, street, sea, ...

A setting lays its sheets behind the subject. All coordinates are shares of the picture's side.
"""

import numpy as np

from t2ilab.data.paperworld.cutouts import box
from t2ilab.data.paperworld.paper import Page, Sheet, circle, curve, shade
from t2ilab.data.paperworld.places import BELOW, GRASS, blades, clouds, ground

WOOD, WOOD_DARK, EARTH = (198, 152, 106), (158, 114, 76), (118, 84, 62)
DOT = circle(0, 0, 1, n=8)
FENCE, FENCE_DARK = (226, 204, 170), (192, 166, 130)
POT, POT_RIM = (196, 104, 70), (214, 124, 86)


# ------------------------------------------------------------------------------------- for flowers


def meadow(page: Page, top: float, rng: np.random.Generator) -> None:
    """Grass with blades and a few small blossoms."""
    clouds(page, rng, low=0.2)
    sheet = Sheet(page.size)
    ground(sheet, top, GRASS)
    blades(sheet, top, 8, rng)
    for x, y in rng.uniform((0, top + 0.06), (1, 0.96), (5, 2)):
        sheet.cut(DOT * 0.018 + (x, y), (250, 240, 214))
    page.lay(sheet, height=0.02)


def garden(page: Page, top: float, rng: np.random.Generator) -> None:
    """A low wooden fence behind a bed of earth."""
    sheet = Sheet(page.size)
    first, gap, high = rng.uniform(-0.1, 0.0), 0.165, top - 0.27
    for rail in (high + 0.09, high + 0.20):
        sheet.cut(box(-0.02, rail, 1.02, rail + 0.035), FENCE_DARK)
    for k in range(8):
        x = first + k * gap
        left = [(x, top + 0.03), (x, high + 0.03), (x + 0.05, high - 0.02)]
        sheet.cut([*left, (x + 0.10, high + 0.03), (x + 0.10, top + 0.03)], FENCE)
    sheet.cut(box(-0.02, top - 0.015, 1.02, top + 0.05), shade(EARTH, -0.25))
    ground(sheet, top, EARTH)
    for x, y in rng.uniform((0, top + 0.06), (1, 0.96), (6, 2)):
        sheet.cut(DOT * (0.026, 0.016) + (x, y), shade(EARTH, -0.2))
    page.lay(sheet, height=0.018)


def pot(page: Page, x: float, top: float, rng: np.random.Generator) -> None:
    """A clay pot on a table, its rim at the height `top`, its middle at `x`."""
    sheet = Sheet(page.size)
    edge = 0.885 + rng.uniform(-0.015, 0.015)
    sheet.cut(box(-0.02, edge, 1.02, 1.02), WOOD)
    sheet.cut(box(-0.02, edge + 0.05, 1.02, edge + 0.062), WOOD_DARK)
    sheet.cut(circle(x + 0.02, edge + 0.05, 0.15, 0.022), WOOD_DARK)
    rim, foot = (x - 0.15, x + 0.15), (x + 0.11, x - 0.11)
    wall = [*((x, top + 0.03) for x in rim), *((x, edge + 0.045) for x in foot)]
    sheet.cut(wall, POT)
    sheet.cut(box(x - 0.145, top + 0.07, x + 0.145, top + 0.095), shade(POT, -0.2))
    sheet.cut(box(x - 0.175, top, x + 0.175, top + 0.075), POT_RIM)
    page.lay(sheet, height=0.02)


# ------------------------------------------------------------------------------------- for phrases


def park(page: Page, top: float, rng: np.random.Generator) -> None:
    """Grass and a round tree."""
    clouds(page, rng, most=2)
    sheet = Sheet(page.size)
    x = rng.choice((0.10, 0.90)) + rng.uniform(-0.05, 0.05)
    high = top - 0.36 + rng.uniform(-0.04, 0.04)
    sheet.cut(box(x - 0.03, high, x + 0.03, top + 0.03), (124, 88, 58))
    sheet.cut(circle(x, high - 0.04, 0.17, 0.19), (122, 160, 104))
    ground(sheet, top, GRASS)
    blades(sheet, top, 4, rng)
    page.lay(sheet, height=0.02)


def town(page: Page, top: float, rng: np.random.Generator) -> None:
    """A row of houses behind a grey pavement."""
    sheet = Sheet(page.size)
    x = -0.05 - rng.uniform(0, 0.2)
    while x < 1.0:
        wide, high = rng.uniform(0.22, 0.32), top - rng.uniform(0.24, 0.44)
        wall = HOUSES[int(rng.integers(len(HOUSES)))]
        sheet.cut(box(x, high, x + wide, top + 0.03), wall)
        roof = [(x - 0.02, high), (x + wide / 2, high - 0.10), (x + wide + 0.02, high)]
        sheet.cut(roof, shade(wall, -0.25))
        for k in (0.25, 0.62):
            window = box(x + k * wide, high + 0.05, x + (k + 0.2) * wide, high + 0.12)
            sheet.cut(window, (250, 238, 196))
        x += wide
    ground(sheet, top, (168, 166, 170), slope=0.0)
    sheet.cut(box(-0.02, top, 1.02, top + 0.025), (206, 202, 198))
    page.lay(sheet, height=0.015)


HOUSES = ((214, 168, 150), (176, 178, 196), (222, 200, 158), (170, 190, 178))


def room(page: Page, top: float, rng: np.random.Generator) -> None:
    """A wooden floor, and a window in the wall."""
    sheet = Sheet(page.size)
    sheet.cut(box(-0.02, top - 0.02, 1.02, 1.02), (202, 158, 112))
    for k in range(1, 4):
        y = top + 0.07 * k
        sheet.cut(box(-0.02, y, 1.02, y + 0.008), (178, 134, 92))
    sheet.cut(box(-0.02, top - 0.045, 1.02, top - 0.01), (250, 246, 238))
    x = rng.choice((0.14, 0.86)) + rng.uniform(-0.03, 0.03)
    sheet.cut(box(x - 0.13, 0.12, x + 0.13, 0.46), (250, 246, 238))
    for left, up in ((-0.105, 0.145), (0.012, 0.145), (-0.105, 0.302), (0.012, 0.302)):
        sheet.cut(box(x + left, up, x + left + 0.093, up + 0.133), (158, 198, 226))
    page.lay(sheet, height=0.015)


# -------------------------------------------------------------------------------------- for scenes

SKY, SEA, SEA_DARK = (122, 182, 226), (72, 150, 182), (48, 122, 160)
SAND, SNOW, ROAD = (228, 188, 116), (240, 244, 248), (104, 104, 114)
PINE, CACTUS, SUN = (74, 120, 96), (96, 148, 92), (250, 224, 130)
BANK = curve(
    "-0.1,0.86 0.02,0.80 0.14,0.84 0.24,0.77 0.40,0.80 0.52,0.86 0.64,0.80 "
    "0.80,0.76 0.92,0.83 1.1,0.80 1.1,1.1 -0.1,1.1",
    4,
)


def sky(page: Page, feet: float, rng: np.random.Generator) -> None:
    """Blue all over, and a bank of clouds in the colour of the page below."""
    tone = page.image.getpixel((0, 0))
    page.image.paste(SKY, (0, 0, page.size, page.size))
    clouds(page, rng, low=0.45)
    sheet = Sheet(page.size)
    sheet.cut(BANK + (0, rng.uniform(-0.02, 0.03)), tone)
    page.lay(sheet, height=0.015, depth=0.3)


def street(page: Page, feet: float, rng: np.random.Generator) -> None:
    """A road with its dashed line."""
    clouds(page, rng)
    sheet = Sheet(page.size)
    top = feet - 0.10
    sheet.cut(box(-0.02, top - 0.04, 1.02, 1.02), (190, 186, 180))
    sheet.cut(box(-0.02, top, 1.02, 1.02), ROAD)
    first = rng.uniform(-0.2, 0.0)
    for k in range(5):
        x = first + 0.27 * k
        sheet.cut(box(x, feet + 0.05, x + 0.15, feet + 0.085), (244, 236, 214))
    page.lay(sheet, height=0.015)


def field(page: Page, feet: float, rng: np.random.Generator) -> None:
    """A field of grass with a farther hill."""
    clouds(page, rng)
    sheet = Sheet(page.size)
    ground(sheet, feet - 0.22, (156, 190, 116), slope=rng.uniform(-0.08, 0.08))
    ground(sheet, feet - 0.10, GRASS)
    blades(sheet, feet - 0.09, 7, rng)
    page.lay(sheet, height=0.02)


def snow(page: Page, feet: float, rng: np.random.Generator) -> None:
    """White ground, dark pines, flakes in the air."""
    sheet = Sheet(page.size)
    for x, h in rng.uniform((0, 0.26), (1, 0.40), (3, 2)):
        top = feet - 0.06 - h
        for k in range(3):
            y, w = top + k * h * 0.24, 0.05 + 0.03 * k
            sheet.cut([(x, y), (x + w, y + h * 0.42), (x - w, y + h * 0.42)], PINE)
    ground(sheet, feet - 0.14, SNOW, slope=rng.uniform(-0.05, 0.05))
    for x, y in rng.uniform((0, 0), (1, 0.7), (12, 2)):
        sheet.cut(DOT * 0.016 + (x, y), (255, 255, 255))
    page.lay(sheet, height=0.02, depth=0.35)


def _wave(top: float, start: float) -> np.ndarray:
    x = np.linspace(-0.02, 1.02, 27)
    y = top + 0.022 * np.abs(np.sin(np.pi * (x - start) / 0.26)) ** 0.8
    return np.concatenate([np.stack([x, y], 1), BELOW])


def sea(page: Page, feet: float, rng: np.random.Generator) -> None:
    """Waves."""
    clouds(page, rng)
    sheet = Sheet(page.size)
    sheet.cut(_wave(feet - 0.18, rng.uniform(0, 0.26)), SEA_DARK)
    page.lay(sheet, height=0.015)


def sea_front(page: Page, feet: float, rng: np.random.Generator) -> None:
    """A nearer wave, in front of what swims."""
    sheet = Sheet(page.size)
    sheet.cut(_wave(feet - 0.075, rng.uniform(0, 0.26)), SEA)
    page.lay(sheet, height=0.015)


def desert(page: Page, feet: float, rng: np.random.Generator) -> None:
    """Dunes, and a cactus."""
    sheet = Sheet(page.size)
    x = rng.choice((0.12, 0.88)) + rng.uniform(-0.05, 0.05)
    y = feet - 0.10
    sheet.cut(circle(1 - x, 0.16, 0.085), SUN)
    ground(sheet, feet - 0.20, shade(SAND, -0.10), slope=rng.choice((-0.10, 0.10)))
    sheet.cut(box(x - 0.03, y - 0.26, x + 0.03, y + 0.03), CACTUS)
    sheet.cut(box(x - 0.10, y - 0.15, x + 0.09, y - 0.11), CACTUS)
    sheet.cut(box(x - 0.10, y - 0.21, x - 0.065, y - 0.11), CACTUS)
    sheet.cut(box(x + 0.06, y - 0.24, x + 0.095, y - 0.11), CACTUS)
    ground(sheet, feet - 0.10, SAND, slope=rng.uniform(-0.05, 0.05))
    page.lay(sheet, height=0.02)


FRONT = {"sea": sea_front}
