"""Birds of cut paper: the stand-in for Caltech-UCSD Birds.

A bird is drawn facing right around the origin, its body about one unit long, y down.
"""

from collections.abc import Sequence

import numpy as np

from t2ilab.data.paperworld.paper import Page, Parts, Pose, Sheet, circle, curve
from t2ilab.data.paperworld.places import branch, grass, sky

BODY = curve(
    "-0.56,-0.02 -0.40,-0.22 -0.05,-0.33 0.30,-0.34 0.50,-0.14 0.46,0.14 "
    "0.22,0.34 -0.14,0.34 -0.42,0.18"
)
HEAD = circle(0.44, -0.40, 0.285)
CROWN = curve(
    "0.15,-0.45 0.17,-0.64 0.34,-0.80 0.40,-0.74 0.56,-0.73 0.70,-0.56 "
    "0.735,-0.455 0.56,-0.495 0.36,-0.475",
    4,
)
TAIL = curve("-0.34,-0.14 -0.66,-0.22 -1.00,-0.34 -1.06,-0.14 -1.00,0.10 -0.66,0.10 -0.36,0.16", 4)
FOLDED_WING = curve(
    "0.24,-0.16 0.06,-0.25 -0.24,-0.20 -0.56,-0.02 -0.72,0.14 -0.40,0.20 -0.06,0.22 0.18,0.08"
)
RAISED_WING = curve(
    "0.20,-0.02 0.16,-0.26 -0.10,-0.62 -0.42,-0.94 -0.62,-0.98 -0.58,-0.60 "
    "-0.44,-0.26 -0.30,0.02 0.00,0.12"
)
BEAKS = {
    "short": np.array([(0.685, -0.50), (0.87, -0.37), (0.69, -0.27)]),
    "long": np.array([(0.66, -0.57), (1.35, -0.32), (0.66, -0.21)]),
}
EYE_WHITE, PUPIL = circle(0.535, -0.385, 0.09, n=16), circle(0.55, -0.38, 0.052, n=12)
SCALES = {"small": 0.295, "large": 0.375}
BEAK_COLOUR = (244, 176, 44)
LEG_COLOUR, LEG_WIDTH = (120, 84, 52), 0.09
PARTS = ("tail", "beak", "breast", "crown", "eye", "wing", "legs")  # what `parts` tells apart
SETTINGS = {"branch": branch, "sky": sky, "grass": grass}
DRAWS = {  # attribute -> the values that can be drawn, or the palette that they are from
    "size": SCALES,
    "breast": "paint",
    "crown": "paint",
    "wing": "paint",
    "tail": "paint",
    "beak": BEAKS,
    "setting": SETTINGS,
    "side": ("left", "right"),
    "tone": "tone",
}
PLACE = ("scale", "turn", "x", "y")  # what else moves: numbers in [-1, 1]
WITH: dict[str, tuple[str, ...]] = {}  # attribute -> the subjects that have it; of others "none"


def draw(
    facts: dict[str, str],
    colours: dict,
    size: int,
    rng: np.random.Generator,
    place: Sequence[float],
) -> np.ndarray:
    """Draw one bird.

    Args:
        facts: content (size, breast, crown, wing, tail, beak) and style (setting, side, tone).
        colours: colour name -> (r, g, b).
        size: side of the picture in pixels.
        rng: what is left to chance: clouds, leaves, grain.
        place: a number in [-1, 1] for each name of `PLACE`.

    Returns:
        uint8 [size, size, 3]
    """
    pose, flying, feet = _pose(facts, place)
    page = Page(size, colours["tone"][facts["tone"]])
    SETTINGS[facts["setting"]](page, feet, rng)
    _lay_bird(page, pose, facts, colours, flying=flying, feet=feet)
    return page.finish(int(rng.integers(1 << 16)))


def parts(facts: dict[str, str], size: int, place: Sequence[float]) -> np.ndarray:
    """Where each part is seen: uint8 [size, size], 0 or 1 + its place in `PARTS`."""
    pose, flying, feet = _pose(facts, place)
    cut = Parts(size)
    if not flying:
        for top, foot in _legs(pose, feet):
            cut.line([top, foot], PARTS.index("legs") + 1, LEG_WIDTH * pose.scale)
    for part, outline in _outlines(facts, flying=flying):
        cut.cut(pose(outline), PARTS.index(part) + 1)
    return cut.labels()


def _pose(facts: dict[str, str], place: Sequence[float]) -> tuple[Pose, bool, float]:
    """How the bird is laid, whether it flies, and the height of its feet."""
    mirror, flying = facts["side"] == "left", facts["setting"] == "sky"
    scale = SCALES[facts["size"]] * (1 + 0.05 * place[0])
    turn = 0.14 * place[1] - (0.12 if flying else 0.0)
    x = 0.5 + 0.05 * place[2]
    y = (0.58 if flying else 0.52) + 0.05 * place[3]
    return (
        Pose(x, y, scale, turn=-turn if mirror else turn, mirror=mirror),
        flying,
        y + 0.52 * scale,
    )


def _legs(pose: Pose, feet: float) -> list[tuple]:
    """Both legs, from the belly to the ground."""
    tops = [pose(np.array([[leg, 0.25]]))[0] for leg in (-0.06, 0.12)]
    return [(top, (top[0], feet + 0.01)) for top in tops]


def _outlines(facts: dict[str, str], *, flying: bool) -> list[tuple[str, np.ndarray]]:
    """The parts but for the legs in the order in which they are laid; what comes later covers."""
    return [
        ("tail", TAIL),
        ("beak", BEAKS[facts["beak"]]),
        ("breast", BODY),
        ("breast", HEAD),
        ("crown", CROWN),
        ("eye", EYE_WHITE),
        ("eye", PUPIL),
        ("wing", RAISED_WING if flying else FOLDED_WING),
    ]


def _lay_bird(page: Page, pose: Pose, facts: dict, colours: dict, *, flying: bool, feet: float):
    paint = {part: colours["paint"][facts[part]] for part in ("breast", "crown", "wing", "tail")}
    paint |= {"beak": BEAK_COLOUR}
    *outlines, (_, wing) = _outlines(facts, flying=flying)
    body = Sheet(page.size)
    if not flying:
        for leg in _legs(pose, feet):
            body.line(leg, LEG_COLOUR, LEG_WIDTH * pose.scale)
    for part, outline in outlines:
        eye = (24, 22, 26) if outline is PUPIL else (250, 250, 246)
        body.cut(pose(outline), eye if part == "eye" else paint[part])
    page.lay(body, height=0.05 * pose.scale / 0.3)
    above = Sheet(page.size)
    above.cut(pose(wing), paint["wing"])
    page.lay(above, height=0.03 * pose.scale / 0.3, depth=0.55)
