"""Things in places, of cut paper: the stand-in for MS-COCO.

A thing faces right over the origin, about one unit long, y down, and stands at y = 0.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from t2ilab.data.paperworld import settings
from t2ilab.data.paperworld.cutouts import Cutout, box, limb
from t2ilab.data.paperworld.paper import Page, Pose, Sheet, circle, curve, points, smooth

PAINT = {
    "sign": (206, 44, 42),
    "white": (250, 248, 242),
    "pole": (128, 130, 138),
    "ink": (44, 42, 48),
    "glass": (190, 222, 238),
    "lamp": (255, 244, 200),
    "elephant": (142, 146, 158),
    "giraffe": (240, 190, 92),
    "spots": (164, 102, 48),
    "wood": (132, 88, 56),
    "smoke": (238, 236, 232),
}
SCALES = {
    "stop sign": 0.74,
    "school bus": 0.80,
    "elephants": 0.60,
    "airplane": 0.84,
    "boat": 0.72,
    "train": 0.84,
    "giraffe": 0.58,
    "zebra": 0.70,
}

SETTINGS = {
    "sky": settings.sky,
    "street": settings.street,
    "field": settings.field,
    "snow": settings.snow,
    "sea": settings.sea,
    "desert": settings.desert,
}
DRAWS = {  # attribute -> the values that can be drawn, or the palette that they are from
    "subject": SCALES,
    "setting": SETTINGS,
    "colour": "paint",
    "side": ("left", "right"),
    "tone": "tone",
}
PLACE = ("y", "x", "scale")  # what else moves: numbers in [-1, 1]
WITH = {"colour": ("school bus", "airplane", "boat", "train")}  # whose it is; of others "none"


def draw(
    facts: dict[str, str],
    colours: dict,
    size: int,
    rng: np.random.Generator,
    place: Sequence[float],
) -> np.ndarray:
    """Draw one scene.

    Args:
        facts: content (subject, setting, colour) and style (side, tone).
        colours: colour name -> (r, g, b).
        size: side of the picture in pixels.
        rng: what is left to chance: number, the setting's details, grain.
        place: a number in [-1, 1] for each name of `PLACE`.

    Returns:
        uint8 [size, size, 3]
    """
    subject, setting = facts["subject"], facts["setting"]
    mirror = facts["side"] == "left"
    page = Page(size, colours["tone"][facts["tone"]])
    feet = (0.79 if setting == "sky" else 0.84) + 0.02 * place[0]
    SETTINGS[setting](page, feet, rng)
    paints = PAINT | {"body": colours["paint"].get(facts["colour"], (0, 0, 0))}
    x = 0.5 + 0.03 * place[1]
    if subject == "stop sign":
        x += -0.16 if mirror else 0.16
        mirror = False  # its word stays readable
    scale = SCALES[subject] * (1 + 0.04 * place[2])
    _lay(page, subject, (x, feet, scale, mirror), paints, rng)
    if setting in settings.FRONT:
        settings.FRONT[setting](page, feet, rng)
    return page.finish(int(rng.integers(1 << 16)))


def _lay(page: Page, subject: str, place: tuple, paints: dict, rng: np.random.Generator) -> None:
    x, y, scale, mirror = place
    if subject == "elephants":  # the herd: smaller ones behind
        forward = -1 if mirror else 1
        herd = [(-0.30, -0.05, 0.72), (0.38, -0.01, 0.52)][: int(rng.integers(1, 3))]
        sheet = Sheet(page.size)
        for dx, dy, smaller in herd:
            pose = Pose(x + dx * forward, y + dy, scale * smaller, mirror=mirror)
            cutout(subject).cut(sheet, pose, paints | {"elephant": (176, 180, 190)})
        page.lay(sheet, height=0.02)
        x += 0.02 * forward
    sheet = Sheet(page.size)
    cutout(subject).cut(sheet, Pose(x, y, scale, mirror=mirror), paints)
    page.lay(sheet, height=0.03)


@lru_cache
def cutout(subject: str) -> Cutout:
    """The parts of one thing."""
    return THINGS[subject](Cutout())


def _stop_sign(it: Cutout) -> Cutout:
    angle = (np.arange(8) + 0.5) * np.pi / 4
    octagon = np.stack([np.cos(angle), np.sin(angle)], 1)
    it.add("pole", box(-0.03, -0.5, 0.03, 0.0))
    it.add("white", octagon * 0.36 + (0, -0.68)).add("sign", octagon * 0.32 + (0, -0.68))
    strokes = {
        0: [((1, 0), (0, 0), (0, 1), (1, 1), (1, 2), (0, 2))],
        1: [((0, 0), (1, 0)), ((0.5, 0), (0.5, 2))],
        2: [((0, 0), (1, 0), (1, 2), (0, 2), (0, 0))],
        3: [((0, 2), (0, 0), (1, 0), (1, 1), (0, 1))],
    }
    for k, lines in strokes.items():
        left, up = -0.235 + 0.125 * k, -0.76
        for line in lines:
            for a, b in zip(line, line[1:], strict=False):
                (ax, ay), (bx, by) = sorted((a, b))
                right, low = left + 0.08 * bx + 0.015, up + 0.08 * by + 0.015
                it.add("white", box(left + 0.08 * ax - 0.015, up + 0.08 * ay - 0.015, right, low))
    return it


def _wheels(it: Cutout, *places: float, r: float = 0.085) -> Cutout:
    for x in places:
        it.add("ink", circle(x, -r, r, n=16)).add("pole", circle(x, -r, r * 0.45, n=10))
    return it


def _school_bus(it: Cutout) -> Cutout:
    outline = points(
        "-0.56,-0.10 -0.56,-0.55 -0.52,-0.60 0.32,-0.60 0.37,-0.56 0.40,-0.33 "
        "0.54,-0.30 0.57,-0.25 0.57,-0.10"
    )
    it.add("body", outline)
    it.add("ink", box(-0.56, -0.265, 0.40, -0.235), box(-0.58, -0.12, 0.59, -0.085))
    it.add("glass", *(box(x, -0.52, x + 0.13, -0.34) for x in (-0.50, -0.335, -0.17, -0.005)))
    it.add("glass", [(0.17, -0.52), (0.32, -0.52), (0.345, -0.34), (0.17, -0.34)])
    it.add("lamp", circle(0.55, -0.19, 0.03, n=8))
    return _wheels(it, -0.32, 0.34, r=0.10)


def _elephants(it: Cutout) -> Cutout:
    for x, by in ((-0.30, -0.15), (0.12, -0.15), (-0.18, 0.0), (0.22, 0.0)):
        it.add("elephant", box(x - 0.07, -0.34, x + 0.07, 0.0), by=by)
    it.add("elephant", limb((-0.40, -0.55), (-0.50, -0.44), (-0.50, -0.30), width=0.03))
    body = curve(
        "-0.42,-0.30 -0.44,-0.56 -0.22,-0.72 0.08,-0.70 0.30,-0.52 0.28,-0.28 -0.10,-0.22", 4
    )
    it.add("elephant", body)
    head = curve(
        "0.18,-0.74 0.36,-0.80 0.52,-0.70 0.60,-0.50 0.62,-0.24 0.68,-0.12 0.60,-0.06 "
        "0.50,-0.14 0.48,-0.36 0.30,-0.42 0.16,-0.56",
        4,
    )
    it.add("elephant", head)
    it.add("white", [(0.44, -0.38), (0.62, -0.28), (0.47, -0.32)])
    ear = curve("0.08,-0.74 0.24,-0.78 0.32,-0.60 0.22,-0.40 0.10,-0.46 0.02,-0.62", 4)
    it.add("elephant", ear, by=-0.22)
    return it.add("ink", circle(0.42, -0.62, 0.026, n=8))


def _airplane(it: Cutout) -> Cutout:
    far_wing = [(-0.18, -0.52), (-0.02, -0.52), (0.10, -0.36), (-0.06, -0.36)]
    fin = [(-0.54, -0.66), (-0.44, -0.66), (-0.28, -0.40), (-0.48, -0.36)]
    near_wing = [(0.10, -0.28), (-0.06, -0.28), (-0.34, -0.02), (-0.20, -0.02)]
    it.add("body", far_wing, by=-0.25).add("body", fin, by=-0.12)
    fuselage = curve(
        "-0.56,-0.38 -0.40,-0.45 0.20,-0.46 0.42,-0.42 0.56,-0.31 0.42,-0.22 0.0,-0.19 -0.36,-0.24",
        4,
    )
    it.add("body", fuselage)
    it.add("white", box(-0.40, -0.295, 0.46, -0.265))
    it.add("glass", *(circle(x, -0.36, 0.026, n=8) for x in np.arange(-0.26, 0.30, 0.09)))
    it.add("glass", [(0.38, -0.40), (0.45, -0.38), (0.49, -0.33), (0.38, -0.33)])
    return it.add("body", near_wing, by=-0.25)


def _boat(it: Cutout) -> Cutout:
    it.add("wood", box(-0.02, -1.0, 0.02, -0.25))
    it.add("white", [(0.05, -0.96), (0.06, -0.34), (0.44, -0.34)])
    it.add("body", [(-0.05, -0.88), (-0.05, -0.34), (-0.36, -0.34)])
    it.add("body", [(0.02, -1.0), (0.16, -0.96), (0.02, -0.92)])
    hull = curve("-0.54,-0.27 0.0,-0.25 0.60,-0.30 0.44,-0.06 0.30,0.0 -0.34,0.0 -0.46,-0.08", 4)
    it.add("body", hull)
    stripe = [(-0.50, -0.20), (0.53, -0.215), (0.51, -0.175), (-0.485, -0.16)]
    return it.add("white", stripe)


def _train(it: Cutout) -> Cutout:
    for x, y, r in ((0.30, -0.80, 0.07), (0.17, -0.88, 0.09), (0.0, -0.93, 0.07)):
        it.add("smoke", circle(x, y, r, n=12))
    it.add("ink", [(0.28, -0.70), (0.44, -0.70), (0.40, -0.48), (0.32, -0.48)])
    it.add("body", box(0.0, -0.50, 0.48, -0.16))
    it.add("body", box(-0.10, -0.66, 0.12, -0.16), by=-0.15)
    it.add("ink", box(-0.13, -0.70, 0.15, -0.645), box(-0.56, -0.17, 0.52, -0.12))
    it.add("glass", box(-0.055, -0.59, 0.075, -0.43))
    it.add("body", box(-0.56, -0.52, -0.15, -0.16))
    it.add("glass", box(-0.51, -0.45, -0.38, -0.32), box(-0.32, -0.45, -0.19, -0.32))
    it.add("lamp", circle(0.47, -0.40, 0.045, n=10))
    it.add("ink", [(0.48, -0.16), (0.60, -0.01), (0.44, -0.01)])
    return _wheels(it, -0.47, -0.25, 0.0, 0.18, 0.36, r=0.075)


def _giraffe(it: Cutout) -> Cutout:
    for x, by in ((-0.24, -0.18), (0.12, -0.18), (-0.16, 0.0), (0.20, 0.0)):
        it.add("giraffe", box(x - 0.035, -0.40, x + 0.035, 0.0), by=by)
    it.add("giraffe", limb((-0.26, -0.50), (-0.34, -0.40), (-0.34, -0.26), width=0.03))
    body = curve(
        "-0.30,-0.42 -0.26,-0.56 0.06,-0.62 0.26,-0.56 0.26,-0.36 -0.02,-0.32 -0.26,-0.34", 4
    )
    it.add("giraffe", body)
    it.add("giraffe", [(0.06, -0.58), (0.22, -1.08), (0.34, -1.08), (0.28, -0.46)])
    it.add("giraffe", curve("0.20,-1.18 0.32,-1.22 0.54,-1.10 0.52,-1.02 0.34,-1.02 0.22,-1.06", 4))
    it.add("spots", limb((0.25, -1.18), (0.22, -1.30), width=0.03))
    it.add("spots", limb((0.31, -1.19), (0.30, -1.30), width=0.03))
    for x, y, r in (
        (-0.19, -0.47, 0.055),
        (-0.05, -0.53, 0.05),
        (-0.07, -0.40, 0.05),
        (0.07, -0.46, 0.055),
        (0.18, -0.56, 0.045),
        (0.19, -0.42, 0.04),
        (0.20, -0.74, 0.045),
        (0.24, -0.90, 0.04),
    ):
        it.add("spots", circle(x, y, r, n=7))
    return it.add("ink", circle(0.36, -1.13, 0.025, n=8))


def _zebra(it: Cutout) -> Cutout:
    for x, by in ((-0.30, -0.12), (0.14, -0.12), (-0.22, 0.0), (0.24, 0.0)):
        it.add("white", box(x - 0.045, -0.40, x + 0.045, 0.0), by=by)
        for y in (-0.25, -0.14):
            it.add("ink", box(x - 0.045, y, x + 0.045, y + 0.05))
        it.add("ink", box(x - 0.045, -0.03, x + 0.045, 0.0))
    it.add("ink", limb((-0.36, -0.56), (-0.46, -0.46), (-0.47, -0.30), width=0.04))
    body = curve(
        "-0.38,-0.40 -0.36,-0.62 -0.05,-0.66 0.26,-0.66 0.32,-0.46 0.20,-0.32 "
        "-0.10,-0.30 -0.32,-0.32",
        4,
    )
    it.add("white", body)
    it.add("white", [(0.10, -0.62), (0.26, -0.98), (0.40, -0.90), (0.33, -0.44)])
    it.add("white", curve("0.26,-1.00 0.40,-1.00 0.62,-0.82 0.60,-0.72 0.50,-0.72 0.34,-0.80", 4))
    it.add("ink", smooth([(0.54, -0.86), (0.63, -0.80), (0.60, -0.71), (0.50, -0.72)], 3))
    it.add("ink", [(0.04, -0.65), (0.24, -1.04), (0.30, -1.00), (0.14, -0.64)])
    for x in (-0.28, -0.16, -0.04, 0.08):
        it.add("ink", [(x - 0.03, -0.63), (x + 0.03, -0.63), (x + 0.025, -0.36), (x, -0.33)])
    for x, y in ((0.18, -0.62), (0.22, -0.76)):
        it.add("ink", [(x, y), (x + 0.02, y - 0.05), (x + 0.16, y + 0.04), (x + 0.16, y + 0.09)])
    return it.add("ink", circle(0.44, -0.87, 0.026, n=8))


THINGS = {
    "stop sign": _stop_sign,
    "school bus": _school_bus,
    "elephants": _elephants,
    "airplane": _airplane,
    "boat": _boat,
    "train": _train,
    "giraffe": _giraffe,
    "zebra": _zebra,
}
