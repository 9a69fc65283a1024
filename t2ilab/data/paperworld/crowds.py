"""Crowds: one to three people and dogs of the world `phrases` in one picture, and where each is.

A subject that always stands in the middle makes localisation trivial. Here place and scale are
drawn widely, and the drawing tells the exact box of each figure. Figure k of picture i has the
facts and captions of picture 3 i + k of the same split of `phrases`, so half of the figures of
"test" are of classes that no training picture shows. Picture i is a function of (split, i,
resolution) alone; facts, places and captions do not depend on the resolution.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
from jaxtyping import UInt8

from t2ilab.data import kept
from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.grounded import ROOM, GroundedPictures, Phrase, cut
from t2ilab.data.paperworld import cache, phrases, settings
from t2ilab.data.paperworld.cutouts import box as rectangle
from t2ilab.data.paperworld.paper import Page, Pose, Sheet
from t2ilab.data.paperworld.silhouettes import silhouette, visible
from t2ilab.data.paperworld.world import world
from t2ilab.errors import UsageError, choose
from t2ilab.paths import cache_dir

SPLITS = {"train": 6_000, "val": 1_000, "test": 1_000}  # pictures in each
SIZES = (64, 96, 128)
MOST = 3  # figures in a picture
MIDDLE, SCALE = (0.25, 0.75), (0.5, 1.2)  # x and y of a figure's middle; its scale: uniform in them
UNIT = 0.62  # of a person that fills a picture of `phrases`, at scale 1
VISIBLE = 0.85  # so much of each figure, at least, is not covered by those before it
LEVELS = (
    "complete",
    "rich",
    "sparse",
    "barest",
)  # of the captions; the last, "a figure", names all


class Figure(NamedTuple):
    """One person or dog of a crowd.

    Attributes:
        facts: attribute -> value, as of a picture of `phrases`; setting and tone are the crowd's.
        said: five captions from complete to bare, each with the attributes that it states.
        pose: how it is laid.
        box: left, top, right, bottom of its outline, shares of the picture's side.
        visible: the share of it that the figures before it leave uncovered.
    """

    facts: dict[str, str]
    said: list[tuple[str, set[str]]]
    pose: Pose
    box: tuple[float, float, float, float]
    visible: float


@lru_cache(maxsize=16_384)
def figures(split: str, i: int) -> tuple[Figure, ...]:
    """Who is in picture i, the farthest (whose feet are highest up) first.

    Places are drawn anew until all figures lie in the picture and none is covered too much.
    """
    of, rng = world("phrases"), _rng(split, i, 0)
    count = 1 + int(rng.integers(MOST))
    facts = [of.facts(split, MOST * i + k) for k in range(count)]
    facts = [one | {name: facts[0][name] for name in ("setting", "tone")} for one in facts]
    said = [of._captions(one, split, MOST * i + k) for k, one in enumerate(facts)]
    while True:
        laid = [_lay(one, rng) for one in facts]
        order = sorted(range(count), key=lambda k: laid[k][1][3])
        boxes = [laid[k][1] for k in order]
        if min(map(min, boxes)) < 0.01 or max(map(max, boxes)) > 0.99:
            continue
        seen = visible([_outlines(facts[k], laid[k][0]) for k in order])
        if min(seen) >= VISIBLE:
            break
    return tuple(
        Figure(facts[k], said[k], *laid[k], share) for k, share in zip(order, seen, strict=True)
    )


def picture(split: str, i: int, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """Picture i: a setting with its figures, the farthest below."""
    crowd, rng, colours = figures(split, i), _rng(split, i, 1), world("phrases").colours
    facts = crowd[0].facts
    page = Page(size, colours["tone"][facts["tone"]])
    top = float(np.clip(crowd[0].box[3] - rng.uniform(0.06, 0.14), 0.24, 0.62))
    SETTINGS[facts["setting"]](page, top, rng)
    for figure in crowd:
        skin, hair = (some[int(rng.integers(len(some)))] for some in (phrases.SKINS, phrases.HAIRS))
        layers, paints, _ = phrases.dressed(figure.facts, colours, skin, hair)
        for layer in layers:
            sheet = Sheet(size)
            layer.cut(sheet, figure.pose, paints)
            page.lay(sheet, height=0.022 * figure.pose.scale / UNIT)
    return page.finish(int(rng.integers(1 << 16)))


def room(page: Page, top: float, rng: np.random.Generator) -> None:
    """As the room of `settings`, with windows that stand above the floor at any height of it."""
    sheet = Sheet(page.size)
    sheet.cut(rectangle(-0.02, top - 0.02, 1.02, 1.02), (202, 158, 112))
    for k in range(1, 8):
        y = top + 0.09 * k
        sheet.cut(rectangle(-0.02, y, 1.02, y + 0.008), (178, 134, 92))
    sheet.cut(rectangle(-0.02, top - 0.045, 1.02, top - 0.01), (250, 246, 238))
    low, high = top - 0.10, max(0.03, top - 0.36)
    for x in (0.2, 0.8):
        x += rng.uniform(-0.08, 0.08)
        sheet.cut(rectangle(x - 0.11, high, x + 0.11, low), (250, 246, 238))
        for left in (x - 0.09, x + 0.01):
            sheet.cut(rectangle(left, high + 0.02, left + 0.08, low - 0.02), (158, 198, 226))
    page.lay(sheet, height=0.015)


SETTINGS = {"park": settings.park, "town": settings.town, "room": room}


def load(split: str, size: int = 96, n: int | None = None) -> GroundedPictures:
    """The first n pictures of a split, the box of every figure, and phrases that name figures.

    Of each figure there are four phrases, from complete to the barest ("a man"); each names all
    figures of its picture of which it is true, so "a man" may name two. What is said twice of a
    picture stands once. The kind of a phrase is its place in `LEVELS`.

    Args:
        split: "train", "val" or "test".
        size: side in pixels: 64, 96 or 128.
        n: how many pictures; by default those of `SPLITS`.

    Raises:
        UsageError: an unknown split, or such a size or n.
        DataError: the pictures cannot be kept.
    """
    n = _checked(split, size, n)
    images, _ = kept.rows(
        _path(f"{split}-{size}-{n}"),
        (picture(split, i, size) for i in range(n)),
        (n, size, size, 3),
    )
    said, boxes, owner = [], [], []
    for i in range(n):
        crowd = figures(split, i)
        said += _phrases(i, crowd, len(boxes))
        boxes += [figure.box for figure in crowd]
        owner += [i] * len(crowd)
    return GroundedPictures(
        f"crowds/{split}/{size}", images, np.array(boxes) * size, np.array(owner), said
    )


def crops(
    split: str, size: int = 64, n: int | None = None, *, of: int = 96, room: float = ROOM
) -> CaptionedImages:
    """Every figure of the first n pictures of a split, cut out in a square, with its captions.

    Captions, classes, attributes and what is stated are as of the world `phrases`; the order is
    that of the boxes of `load`. Parts of other figures may be seen in a square.

    Args:
        size: side of the squares in pixels.
        of: side of the pictures that they are cut from.
        room: a square is so many times as wide as the longer side of its box.

    Raises:
        UsageError, DataError: as `load`.
    """
    n, names = _checked(split, of, n), world("phrases")
    crowds = load(split, of, n)
    made = (
        cut(crowds.images[i], box, size, room=room)
        for i, box in zip(crowds.owner, crowds.boxes, strict=True)
    )
    path, shape = _path(f"{split}-{of}-{n}-{size}-{room:g}"), (len(crowds.boxes), size, size, 3)
    images, _ = kept.rows(path, made, shape)
    who = [figure for i in range(n) for figure in figures(split, i)]
    values = {
        name: np.array([can.index(one.facts[name]) for one in who], np.int64)
        for name, can in names.attributes.items()
    }
    number = {c: k for k, c in enumerate(names.classes)}
    keys = names.definition["class"]
    return CaptionedImages(
        name=f"crowds/{split}/{size}",
        images=images,
        captions=[[text for text, _ in one.said] for one in who],
        classes=np.array([number[tuple(one.facts[a] for a in keys)] for one in who], np.int64),
        class_names=names.class_names,
        attributes=values,
        stated=np.array([[[a in s for a in names.content] for _, s in one.said] for one in who]),
    )


def _phrases(i: int, crowd: tuple[Figure, ...], first: int) -> list[Phrase]:
    """What is said of picture i, whose boxes begin at the place `first`."""
    found: dict[str, Phrase] = {}
    for figure in crowd:
        for level, (text, states) in zip(LEVELS, figure.said, strict=False):
            named = tuple(
                first + k
                for k, other in enumerate(crowd)
                if all(other.facts[name] == figure.facts[name] for name in states)
            )
            found.setdefault(text, Phrase(i, text, named, (level,)))
    return list(found.values())


def _lay(facts: dict[str, str], rng: np.random.Generator) -> tuple[Pose, tuple[float, ...]]:
    """A pose drawn at random, and the box of the figure in it."""
    height = 0.62 if facts["subject"] == "dog" else phrases.HEIGHTS[facts["subject"]]
    scale, mirror = UNIT * height * rng.uniform(*SCALE), facts["side"] == "left"
    points = scale * np.concatenate(silhouette(facts["subject"], facts["pose"], mirror))
    low, high = points.min(0), points.max(0)
    at = rng.uniform(*MIDDLE, 2) - (low + high) / 2
    return Pose(*at, scale, mirror=mirror), tuple([*(low + at).tolist(), *(high + at).tolist()])


def _outlines(facts: dict[str, str], pose: Pose) -> list[np.ndarray]:
    """Of a figure that is laid, in shares of the picture's side."""
    unit = silhouette(facts["subject"], facts["pose"], facts["side"] == "left")
    return [pose.scale * outline + pose.offset for outline in unit]


def _checked(split: str, size: int, n: int | None) -> int:
    n = SPLITS[choose("split", split, SPLITS)] if n is None else n
    if size not in SIZES:
        raise UsageError(f"crowds are drawn at {', '.join(map(str, SIZES))} pixels, not {size}.")
    if not isinstance(n, int) or n < 1:
        raise UsageError(f"n must be a whole number of pictures, at least 1; got {n!r}.")
    return n


def _rng(split: str, i: int, stream: int) -> np.random.Generator:
    return np.random.default_rng((crc32(b"crowds"), list(SPLITS).index(split), i, stream))


@lru_cache
def _fingerprint() -> str:
    """Changes with the code and the data by which crowds are drawn."""
    files = (Path(__file__), Path(__file__).with_name("silhouettes.py"))
    code = b"".join(file.read_bytes() for file in files) + cache.fingerprint("phrases").encode()
    return hashlib.sha256(code).hexdigest()[:8]


def _path(what: str) -> Path:
    return cache_dir() / "paperworld" / f"crowds-{what}-{_fingerprint()}.npy"
