"""Pictures with boxes in them, and phrases that name boxes: what localisation is measured on.

Flickr30k Entities and the crowds of PaperWorld both take this shape.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image
from torch import Tensor

from t2ilab.errors import UsageError, choose

CUTS = ("square", "squash")
ROOM = 1.1  # a square is so many times as wide as the longer side of its box


def agreement(
    a: Float[np.ndarray | Tensor, "*n 4"], b: Float[np.ndarray | Tensor, "*m 4"]
) -> Float[np.ndarray | Tensor, "*k"]:
    """Intersection over union of each box of `a` with its own of `b`; what is 1 is repeated."""
    low, high = a[..., :2].clip(min=b[..., :2]), a[..., 2:].clip(max=b[..., 2:])
    shared = (high - low).clip(min=0).prod(-1)
    return shared / (area(a) + area(b) - shared)


def area(boxes: Float[np.ndarray | Tensor, "*n 4"]) -> Float[np.ndarray | Tensor, "*n"]:
    return (boxes[..., 2:] - boxes[..., :2]).prod(-1)


class Phrase(NamedTuple):
    """Words that name one box of a picture, or several.

    Attributes:
        picture: which one.
        text: "a man running".
        boxes: places in `GroundedPictures.boxes` of what it names; all are of `picture`.
        kinds: what sort of phrase it is: ("people",), or "complete" to "barest" of PaperWorld.
    """

    picture: int
    text: str
    boxes: tuple[int, ...]
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class GroundedPictures:
    """N pictures, M boxes in them, and phrases.

    Attributes:
        name: what this is, e.g. "crowds/test/96".
        images: N pictures, uint8 [h, w, 3], which may differ in size; may be read when asked for.
        boxes: float [M, 4], left, top, right, bottom in pixels of the box's own picture; a box of
            one pixel in the corner is (0, 0, 1, 1).
        owner: int64 [M], the picture that each box is in.
        phrases: what is said, picture by picture.

    Raises:
        UsageError: boxes and owners differ in number; a box without inside; a phrase without boxes,
            or with one of another picture.
    """

    name: str
    images: Sequence[np.ndarray] | np.ndarray
    boxes: np.ndarray
    owner: np.ndarray
    phrases: list[Phrase]

    def __post_init__(self):
        if self.boxes.shape != (len(self.owner), 4):
            raise UsageError(
                f"{self.name}: boxes {list(self.boxes.shape)} of {len(self.owner)} owners; "
                "expected left, top, right and bottom of each."
            )
        flat = np.flatnonzero((self.boxes[:, 2:] <= self.boxes[:, :2]).any(1))
        if len(flat):
            raise UsageError(f"{self.name}: box {flat[0]} {self.boxes[flat[0]]} has no inside.")
        for phrase in self.phrases:
            owners = {int(self.owner[k]) for k in phrase.boxes}
            if owners != {phrase.picture}:
                raise UsageError(
                    f"{self.name}: '{phrase.text}' is said of picture {phrase.picture}, and names "
                    f"boxes of {sorted(owners) or 'none'}."
                )

    def __len__(self) -> int:
        return len(self.images)

    def boxes_of(self, picture: int) -> Int[np.ndarray, " k"]:
        """The places in `boxes` of those of one picture."""
        return np.flatnonzero(self.owner == picture)

    def only(self, which: Callable[[Phrase], bool]) -> "GroundedPictures":
        """The same pictures with only some of the phrases: `only(lambda p: len(p.boxes) == 1)`."""
        phrases = [phrase for phrase in self.phrases if which(phrase)]
        return GroundedPictures(self.name, self.images, self.boxes, self.owner, phrases)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind of phrase, the most frequent first."""
        found = Counter(kind for phrase in self.phrases for kind in phrase.kinds)
        return tuple(kind for kind, _ in found.most_common())


def cut(
    image: UInt8[np.ndarray, "h w 3"],
    box: Sequence[float],
    size: int,
    *,
    shape: str = "square",
    room: float = ROOM,
) -> UInt8[np.ndarray, "size size 3"]:
    """What is in a box, as a picture of `size` pixels a side.

    Args:
        box: left, top, right, bottom in pixels.
        shape: "square" takes a square about the middle of the box, `room` times as wide as its
            longer side; beyond the edge of the picture its last pixels go on. "squash" takes the
            box itself and changes its proportions, as R-CNN and its heirs do.
        room: see above.

    Raises:
        UsageError: another shape; the box lies outside the picture, or has no inside.
    """
    left, top, right, bottom = (float(edge) for edge in box)
    height, width = image.shape[:2]
    if not (left < right and top < bottom and right > 0 and bottom > 0) or (
        left >= width or top >= height
    ):
        raise UsageError(
            f"the box {tuple(round(edge, 1) for edge in (left, top, right, bottom))} (left, top, "
            f"right, bottom) shows nothing of a picture of {width} x {height} pixels."
        )
    if choose("shape", shape, CUTS) == "square":
        half = room * max(right - left, bottom - top) / 2
        x, y = (left + right) / 2, (top + bottom) / 2
        left, top, right, bottom = x - half, y - half, x + half, y + half
    else:
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    beyond = int(np.ceil(max(-left, -top, right - width, bottom - height, 0)))
    if beyond:
        image = np.pad(image, [(beyond, beyond), (beyond, beyond), (0, 0)], mode="edge")
        left, top, right, bottom = (edge + beyond for edge in (left, top, right, bottom))
    whole = Image.fromarray(np.ascontiguousarray(image))
    square = whole.resize((size, size), Image.Resampling.BICUBIC, (left, top, right, bottom))
    return np.asarray(square)


def cuts(
    image: UInt8[np.ndarray, "h w 3"],
    boxes: Float[np.ndarray, "k 4"],
    size: int,
    *,
    shape: str = "square",
    room: float = ROOM,
) -> UInt8[np.ndarray, "k size size 3"]:
    """`cut` of each box of one picture."""
    made = [cut(image, box, size, shape=shape, room=room) for box in boxes]
    return np.stack(made) if made else np.empty((0, size, size, 3), np.uint8)
