"""People and dogs of cut paper: the stand-in for the phrases and crops of Flickr30k Entities.

A person stands facing right over the origin, one unit high, y down; a dog is about one unit long.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from t2ilab.data.paperworld import settings
from t2ilab.data.paperworld.cutouts import Cutout, box, limb
from t2ilab.data.paperworld.paper import Colour, Page, Pose, Sheet, circle, curve, points, smooth

SKINS = ((250, 214, 182), (232, 184, 144), (196, 140, 100), (140, 94, 66))
HAIRS = ((62, 46, 40), (112, 70, 42), (214, 162, 84), (168, 74, 40))
PAINT = {
    "shoe": (64, 54, 60),
    "ink": (40, 34, 38),
    "wood": (176, 128, 84),
    "eye": (248, 246, 240),
    "shadow": (104, 98, 96),
    "lips": (186, 78, 70),
}
HEIGHTS = {"man": 0.80, "woman": 0.77, "child": 0.58}

# Of each pose: far and near leg, far and near arm, lean of the trunk, height of hips over standing.
STANCES = {
    "standing": dict(
        legs=(
            [(-0.05, -0.40), (-0.075, -0.2), (-0.085, -0.01)],
            [(0.05, -0.40), (0.075, -0.2), (0.085, -0.01)],
        ),
        arms=(
            [(-0.13, -0.62), (-0.20, -0.48), (-0.21, -0.34)],
            [(0.13, -0.62), (0.20, -0.48), (0.21, -0.34)],
        ),
        lean=0.0,
        up=0.0,
    ),
    "sitting": dict(
        legs=(
            [(-0.04, -0.27), (0.22, -0.28), (0.24, -0.01)],
            [(0.00, -0.25), (0.29, -0.26), (0.31, -0.01)],
        ),
        arms=(
            [(-0.13, -0.62), (-0.18, -0.50), (-0.06, -0.40)],
            [(0.12, -0.62), (0.19, -0.52), (0.26, -0.44)],
        ),
        lean=0.0,
        up=-0.14,
    ),
    "running": dict(
        legs=(
            [(-0.03, -0.40), (-0.20, -0.24), (-0.42, -0.26)],
            [(0.03, -0.40), (0.25, -0.30), (0.24, -0.05)],
        ),
        arms=(
            [(-0.12, -0.62), (-0.28, -0.52), (-0.30, -0.36)],
            [(0.13, -0.62), (0.26, -0.50), (0.38, -0.60)],
        ),
        lean=0.16,
        up=0.0,
    ),
    "jumping": dict(
        legs=(
            [(-0.06, -0.40), (-0.24, -0.28), (-0.26, -0.10)],
            [(0.06, -0.40), (0.24, -0.28), (0.26, -0.10)],
        ),
        arms=(
            [(-0.12, -0.62), (-0.26, -0.72), (-0.31, -0.90)],
            [(0.12, -0.62), (0.26, -0.72), (0.31, -0.90)],
        ),
        lean=0.0,
        up=0.11,
    ),
}
TRUNK = curve("-0.10,-0.67 0.10,-0.67 0.155,-0.60 0.13,-0.38 0.0,-0.36 -0.13,-0.38 -0.155,-0.60", 3)
SKIRTS = {
    "standing": np.array([(-0.11, -0.43), (0.11, -0.43), (0.21, -0.15), (-0.21, -0.15)]),
    "sitting": curve(
        "-0.14,-0.27 0.10,-0.31 0.34,-0.32 0.38,-0.25 0.37,-0.12 0.21,-0.14 -0.12,-0.15", 3
    ),
    "running": np.array(
        [(-0.11, -0.43), (0.11, -0.43), (0.27, -0.20), (0.0, -0.15), (-0.26, -0.21)]
    ),
    "jumping": np.array(
        [(-0.11, -0.43), (0.11, -0.43), (0.28, -0.20), (0.0, -0.15), (-0.28, -0.20)]
    ),
}
FACE = circle(0.0, -0.845, 0.145, n=20)
FRINGE = curve(
    "-0.155,-0.84 -0.165,-0.95 -0.06,-1.02 0.08,-1.00 0.145,-0.90 0.05,-0.915 "
    "-0.08,-0.90 -0.11,-0.82",
    3,
)
BEARD = smooth([(-0.10, -0.80), (0.14, -0.80), (0.10, -0.715), (0.0, -0.69), (-0.09, -0.73)], 3)
SMILE = points("0.0,-0.79 0.048,-0.778 0.096,-0.79 0.085,-0.764 0.048,-0.752 0.011,-0.764")
LONG_HAIR = curve(
    "-0.02,-1.02 0.12,-0.98 0.13,-0.84 0.02,-0.70 -0.06,-0.56 -0.20,-0.56 -0.18,-0.72 -0.175,-0.90",
    3,
)

SETTINGS = {"park": settings.park, "town": settings.town, "room": settings.room}
DRAWS = {  # attribute -> the values that can be drawn, or the palette that they are from
    "subject": (*HEIGHTS, "dog"),
    "pose": STANCES,
    "top": "paint",
    "bottom": "paint",
    "fur": "fur",
    "setting": SETTINGS,
    "side": ("left", "right"),
    "tone": "tone",
}
PLACE = ("x", "y", "scale")  # what else moves: numbers in [-1, 1]
WITH = {"top": HEIGHTS, "bottom": HEIGHTS, "fur": ("dog",)}  # whose it is; of others "none"


def draw(
    facts: dict[str, str],
    colours: dict,
    size: int,
    rng: np.random.Generator,
    place: Sequence[float],
) -> np.ndarray:
    """Draw one person or dog.

    Args:
        facts: content (subject, pose, top, bottom, fur) and style (setting, side, tone).
        colours: colour name -> (r, g, b).
        size: side of the picture in pixels.
        rng: what is left to chance: skin, hair, the setting's details, grain.
        place: a number in [-1, 1] for each name of `PLACE`.

    Returns:
        uint8 [size, size, 3]
    """
    mirror = facts["side"] == "left"
    skin, hair = SKINS[int(rng.integers(len(SKINS)))], HAIRS[int(rng.integers(len(HAIRS)))]
    page = Page(size, colours["tone"][facts["tone"]])
    x, feet = 0.5 + 0.04 * place[0], 0.90 + 0.02 * place[1]
    SETTINGS[facts["setting"]](page, feet - 0.13, rng)
    layers, paints, height = dressed(facts, colours, skin, hair)
    pose = Pose(x, feet, height * (1 + 0.04 * place[2]), mirror=mirror)
    for layer in layers:
        sheet = Sheet(size)
        layer.cut(sheet, pose, paints)
        page.lay(sheet, height=0.022)
    return page.finish(int(rng.integers(1 << 16)))


def dressed(
    facts: dict[str, str], colours: dict, skin: Colour, hair: Colour
) -> tuple[tuple[Cutout, Cutout], dict[str, Colour], float]:
    """What one person or dog is laid of from below, the colour of each paint, and its height."""
    subject, stance = facts["subject"], facts["pose"]
    if subject == "dog":
        fur = colours["fur"][facts["fur"]]
        paints = PAINT | {"fur": fur, "look": PAINT["eye" if sum(fur) < 200 else "ink"]}
        return dog(stance), paints, 0.62
    paints = PAINT | {
        "skin": skin,
        "hair": hair,
        "top": colours["paint"][facts["top"]],
        "bottom": colours["paint"][facts["bottom"]],
    }
    room = 0.92 if stance == "jumping" else 1.0  # above for the hands
    return person(subject, stance), paints, HEIGHTS[subject] * room


@lru_cache
def person(subject: str, pose: str) -> tuple[Cutout, Cutout]:
    """A person below and above the waist."""
    stance = STANCES[pose]
    up, lean = np.array([0.0, -stance["up"]]), stance["lean"]
    below = Cutout()
    if pose == "jumping":
        below.add("shadow", circle(0, 0.01, 0.24, 0.03, n=16))
    if pose == "sitting":
        below.add("wood", box(-0.20, -0.19, 0.17, 0.0))
        below.add("wood", box(-0.24, -0.21, 0.20, -0.15), by=-0.2)
    below.move = (lambda o: o + up) if pose == "jumping" else below.move
    bare = subject == "woman"
    for leg, by in zip(stance["legs"], (-0.18, 0.0), strict=True):
        below.add("skin" if bare else "bottom", limb(*leg, width=0.085 if bare else 0.13), by=by)
        below.add("shoe", circle(leg[-1][0] + 0.03, leg[-1][1] - 0.005, 0.075, 0.04, n=12))
    if bare:
        below.add("bottom", SKIRTS[pose])
    leaning = np.array([[1.0, 0.0], [-lean, 1.0]])  # sheared about the hips
    above = Cutout(lambda o: (o + (0, 0.4)) @ leaning - (0, 0.4) + up)
    far, near = (np.array(arm) for arm in stance["arms"])
    for arm in (far, near):
        above.add("skin", circle(*(arm[-1] + (arm[-1] - arm[-2]) * 0.2), 0.042, n=10))
    above.add("top", limb(*far, width=0.095), by=-0.12)
    above.add("top", TRUNK).add("top", limb(*near, width=0.095), by=-0.08)
    return below, _add_head(above, subject)


def _add_head(above: Cutout, subject: str) -> Cutout:
    wide = 1.35 if subject == "child" else 1.0

    def add(paint: str, outline: np.ndarray) -> None:
        above.add(paint, (outline + (0, 0.70)) * wide - (0, 0.70))

    if subject == "woman":
        add("hair", LONG_HAIR)
    add("skin", FACE)
    add("hair", FRINGE)
    if subject == "man":
        add("hair", BEARD)
    for x in (0.005, 0.09):
        add("ink", circle(x, -0.845, 0.018, 0.024, n=8))
    add("lips", SMILE)
    return above


BODY = curve(
    "-0.36,-0.52 0.0,-0.54 0.26,-0.58 0.36,-0.46 0.28,-0.28 0.0,-0.26 -0.30,-0.26 -0.42,-0.38", 3
)
SEATED = curve(
    "0.24,-0.66 0.34,-0.50 0.30,-0.20 0.20,-0.02 -0.30,-0.02 -0.38,-0.18 -0.22,-0.40 0.02,-0.62", 3
)
HEAD = curve(
    "0.22,-0.80 0.38,-0.90 0.52,-0.82 0.70,-0.72 0.72,-0.62 0.56,-0.57 0.36,-0.52 0.22,-0.62", 3
)
EAR = smooth([(0.26, -0.86), (0.36, -0.84), (0.34, -0.66), (0.26, -0.54), (0.18, -0.62)], 3)
LEGS = {
    "standing": (
        ((-0.30, -0.34), (-0.32, -0.16), (-0.32, 0.0)),
        ((-0.18, -0.34), (-0.19, -0.10), (-0.18, 0.0)),
        ((0.16, -0.34), (0.15, -0.10), (0.16, 0.0)),
        ((0.29, -0.36), (0.30, -0.10), (0.30, 0.0)),
    ),
    "sitting": (
        ((0.16, -0.40), (0.18, -0.10), (0.20, 0.0)),
        ((0.27, -0.40), (0.29, -0.10), (0.31, 0.0)),
    ),
    "running": (
        ((-0.28, -0.36), (-0.48, -0.22), (-0.62, -0.10)),
        ((-0.24, -0.34), (-0.36, -0.16), (-0.48, -0.02)),
        ((0.20, -0.36), (0.40, -0.22), (0.52, -0.06)),
        ((0.26, -0.38), (0.50, -0.28), (0.66, -0.16)),
    ),
}
LEGS["jumping"] = LEGS["running"]
TAILS = {
    "standing": ((-0.36, -0.46), (-0.50, -0.60), (-0.54, -0.78)),
    "sitting": ((-0.26, -0.08), (-0.46, -0.08), (-0.56, -0.20)),
    "running": ((-0.36, -0.46), (-0.54, -0.54), (-0.70, -0.52)),
    "jumping": ((-0.36, -0.46), (-0.52, -0.54), (-0.62, -0.50)),
}


@lru_cache
def dog(pose: str) -> tuple[Cutout, Cutout]:
    """A dog's body and its head."""
    body, head = Cutout(), Cutout()
    if pose == "jumping":
        body.add("shadow", circle(0, 0.01, 0.38, 0.035, n=16))
        cos, sin = 0.95 * np.cos(0.42), 0.95 * np.sin(0.42)
        rising = np.array([[cos, -sin], [sin, cos]])
        body.move = head.move = lambda o: o @ rising + (0.08, -0.24)
    elif pose == "sitting":
        head.move = lambda o: o + (-0.08, -0.10)
    body.add("fur", limb(*TAILS[pose], width=0.09))
    for k, leg in enumerate(LEGS[pose]):
        body.add("fur", limb(*leg, width=0.115), by=0.0 if k % 2 else -0.18)
    body.add("fur", SEATED if pose == "sitting" else BODY)
    head.add("fur", HEAD).add("fur", EAR, by=-0.3)
    head.add("ink", circle(0.70, -0.70, 0.045, n=10)).add("look", circle(0.47, -0.75, 0.033, n=10))
    return body, head
