"""Placed birds: one bird of the world `birds` anywhere in a picture, and the exact box of it.

In `birds` the place varies by a twentieth of the side, so a box that is always the same is nearly
right. Here the middle of the box and the scale are drawn widely, and the drawing tells the box.
Picture i has the facts and captions of picture i of the same split of `birds`, but no caption says
small or large: how large a bird is, the box says. It is a function of (split, i, resolution) alone.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
from jaxtyping import Float, UInt8

from t2ilab.data import kept
from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.paperworld import birds, cache
from t2ilab.data.paperworld.captions import Template, caption, with_asides
from t2ilab.data.paperworld.paper import Page, Pose
from t2ilab.data.paperworld.world import SIZES, world
from t2ilab.errors import UsageError, choose
from t2ilab.paths import cache_dir

SPLITS = {"train": 12_000, "val": 1_000, "test": 1_000, "reader": 12_000}  # pictures in each
MIDDLE, SCALE = (0.25, 0.75), (0.5, 1.2)  # x and y of a box's middle; its scale: uniform in them
UNIT = 0.28  # of a bird's body at scale 1, a share of the side
FEET = 0.52  # so far below the body's middle, in bodies
CONTENT = ("breast", "crown", "wing", "tail", "beak")  # what captions state: all but the size


class Placed(NamedTuple):
    """Captioned pictures, and the box of the bird in each.

    Attributes:
        pictures: as of the world `birds`, ten captions each: five, and these with an aside.
        boxes: float32 [n, 4], left, top, right, bottom of the bird's outline without its legs,
            which grass hides; shares of the side.
    """

    pictures: CaptionedImages
    boxes: np.ndarray


class Laid(NamedTuple):
    """One bird: attribute -> value; how it is laid; its box."""

    facts: dict[str, str]
    pose: Pose
    box: Float[np.ndarray, "4"]


def bird(split: str, i: int) -> Laid:
    """The bird of picture i; places are drawn anew until it lies in the picture."""
    facts, rng = world("birds").facts(split, i), _rng(split, i, 0)
    while True:
        scale, turn = rng.uniform(*SCALE), 0.14 * rng.uniform(-1, 1)
        found = lay(facts, rng.uniform(*MIDDLE, 2), scale, turn)
        if found.box.min() >= 0.01 and found.box.max() <= 0.99:
            return found


def lay(facts: dict[str, str], middle: np.ndarray, scale: float, turn: float = 0.0) -> Laid:
    """A bird of these facts, its box about a middle [2]; see `SCALE`, and `birds` for the turn."""
    flying, mirror = facts["setting"] == "sky", facts["side"] == "left"
    turn = turn - (0.12 if flying else 0.0)
    unit = Pose(0, 0, UNIT * scale, turn=-turn if mirror else turn, mirror=mirror)
    outline = unit(np.concatenate([line for _, line in birds._outlines(facts, flying=flying)]))
    low, high = outline.min(0), outline.max(0)
    unit.offset = np.asarray(middle) - (low + high) / 2
    return Laid(facts, unit, np.concatenate([low + unit.offset, high + unit.offset]))


def draw(laid: Laid, size: int, rng: np.random.Generator) -> UInt8[np.ndarray, "size size 3"]:
    """A picture of it; clouds, leaves and grain are left to `rng`."""
    facts, pose, colours = laid.facts, laid.pose, world("birds").colours
    feet = float(pose.offset[1] + FEET * pose.scale)
    page = Page(size, colours["tone"][facts["tone"]])
    birds.SETTINGS[facts["setting"]](page, feet, rng)
    flying = facts["setting"] == "sky"
    birds._lay_bird(page, pose, facts, colours, flying=flying, feet=feet)
    return page.finish(int(rng.integers(1 << 16)))


def picture(split: str, i: int, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """Picture i."""
    return draw(bird(split, i), size, _rng(split, i, 1))


def load(split: str, size: int = 64, n: int | None = None) -> Placed:
    """The first n pictures of a split, drawn once and kept, with captions and boxes.

    Args:
        split: "train", "val", "test" or "reader". Half of "test" are unseen classes.
        size: side in pixels: 32, 64 or 128.
        n: how many; by default those of `SPLITS`.

    Raises:
        UsageError: an unknown split, or such a size or n.
        DataError: the pictures cannot be kept.
    """
    n = _checked(split, size, n)
    images, _ = kept.rows(
        cache_dir() / "paperworld" / f"placed-{split}-{size}-{n}-{_fingerprint()}.npy",
        (picture(split, i, size) for i in range(n)),
        (n, size, size, 3),
    )
    of, every = world("birds"), [bird(split, i) for i in range(n)]
    said = [_said(split, i, one.facts) for i, one in enumerate(every)]
    names = [*CONTENT, *of.style]
    values = {name: [of.attributes[name].index(one.facts[name]) for one in every] for name in names}
    number = {c: k for k, c in enumerate(of.classes)}
    keys = of.definition["class"]
    pictures = CaptionedImages(
        name=f"placed/{split}/{size}",
        images=images,
        captions=[[text for text, _ in one] for one in said],
        classes=np.array([number[tuple(one.facts[a] for a in keys)] for one in every], np.int64),
        class_names=of.class_names,
        attributes={name: np.array(rows, np.int64) for name, rows in values.items()},
        stated=np.array([[[a in s for a in names] for _, s in one] for one in said]),
    )
    return Placed(pictures, np.array([one.box for one in every], np.float32))


def _said(split: str, i: int, facts: dict[str, str]) -> list[tuple[str, set[str]]]:
    """Five captions from complete to bare, then each with an aside; and what each states."""
    of, rng = world("birds"), _rng(split, i, 2)
    plain = [caption(level, facts, of.words(), rng) for level in _templates()]
    sided = []
    for text, states in plain:
        longer, more = with_asides(text, of.asides, facts, rng)
        sided.append((longer, states | more))
    return plain + sided


@lru_cache
def _templates() -> list[list[Template]]:
    """Those of `birds` without the slot for the size."""
    levels = world("birds").definition["captions"]
    return [[Template.parse(text.replace("{size} ", "")) for text in level] for level in levels]


def _checked(split: str, size: int, n: int | None) -> int:
    n = SPLITS[choose("split", split, SPLITS)] if n is None else n
    if size not in SIZES:
        raise UsageError(f"birds are drawn at {', '.join(map(str, SIZES))} pixels, not {size}.")
    if not isinstance(n, int) or n < 1:
        raise UsageError(f"n must be a whole number of pictures, at least 1; got {n!r}.")
    return n


def _rng(split: str, i: int, stream: int) -> np.random.Generator:
    return np.random.default_rng((crc32(b"placed"), list(SPLITS).index(split), i, stream))


@lru_cache
def _fingerprint() -> str:
    """Changes with the code and the data by which birds are drawn."""
    code = Path(__file__).read_bytes() + cache.fingerprint("birds").encode()
    return hashlib.sha256(code).hexdigest()[:8]
