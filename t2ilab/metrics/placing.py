"""Is the bird where it was asked for, and is it the bird that was asked for?

*Where*: the part finder of `birds` labels every pixel, and the box of what is no background (the
largest piece of it, without legs) is compared with the box that was given. On real placed birds,
whose boxes the drawing tells, this finds boxes with a median intersection over union of about 0.93.
*What*: a reader of `birds` reads the square about the given box, enlarged; it may refuse.
*What stays*: how much pixels change outside of the box where the caption is another.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage

from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.data.grounded import agreement, cut
from t2ilab.data.paperworld.placed import CONTENT
from t2ilab.models.parts import SIDE, PartFinder
from t2ilab.models.reader import AttributeReader

LEGS = "legs"
ROOM = 1.6  # the square that is read is so many times as wide as the box


class Placing(NamedTuple):
    """How well boxes are kept, shares in [0, 1].

    Attributes:
        median, half: of the intersection over union with the box given; the share of at least 0.5.
        mean_box, mean_half: the same of one box for all pictures, the mean of those given.
    """

    median: float
    half: float
    mean_box: float
    mean_half: float


def found(finder: PartFinder, images: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n 4"]:
    """The bird's box in each picture, in shares of the side; all of it where there is no bird."""
    labels = finder.find(to_float(images)).numpy()
    bird = (labels > 0) & (labels != 1 + finder.parts.index(LEGS))
    return np.stack([_box(one) for one in bird])


def _box(bird: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "4"]:
    """Of the largest piece that hangs together."""
    pieces, count = ndimage.label(bird)
    if not count:
        return np.array([0.0, 0.0, 1.0, 1.0])
    largest = 1 + np.bincount(pieces.ravel())[1:].argmax()
    rows, columns = ndimage.find_objects(pieces)[largest - 1]
    return np.array([columns.start, rows.start, columns.stop, rows.stop]) / SIDE


def placing(
    finder: PartFinder, images: UInt8[np.ndarray, "n h w 3"], boxes: Float[np.ndarray, "n 4"]
) -> Placing:
    """Where birds are, against where they were asked for."""
    agree = agreement(found(finder, images), boxes)
    mean = agreement(np.broadcast_to(boxes.mean(0), boxes.shape), boxes)
    return Placing(
        float(np.median(agree)), float((agree >= 0.5).mean()),
        float(np.median(mean)), float((mean >= 0.5).mean()),
    )  # fmt: skip


def squares(
    images: UInt8[np.ndarray, "n h w 3"], boxes: Float[np.ndarray, "n 4"], size: int = 64
) -> UInt8[np.ndarray, "n size size 3"]:
    """The square about each box, as large as the reader sees pictures."""
    side = images.shape[2]
    every = zip(images, boxes * side, strict=True)
    return np.stack([cut(image, box, size, room=ROOM) for image, box in every])


def read_right(
    reader: AttributeReader,
    images: UInt8[np.ndarray, "n h w 3"],
    boxes: Float[np.ndarray, "n 4"],
    data: CaptionedImages,
) -> dict[str, Bool[np.ndarray, " n"]]:
    """attribute -> of each picture, is it read in the box as it is of that picture of `data`?"""
    read = reader.read(to_float(squares(images, boxes)))
    return {name: read[name].numpy() == data.attributes[name][: len(images)] for name in CONTENT}


def moved(
    box: Float[np.ndarray, "4"], width: float = 0.35, steps: int = 5
) -> Float[np.ndarray, "steps2 4"]:
    """A box of this shape and width at steps x steps places, middles from 0.25 to 0.75, by rows."""
    half = _half(box, width)
    line = np.linspace(0.25, 0.75, steps)
    middles = np.array([(x, y) for y in line for x in line])
    return np.concatenate([middles - half, middles + half], 1).astype(np.float32)


def scaled(
    box: Float[np.ndarray, "4"], usual: float = 0.56, steps: int = 5
) -> Float[np.ndarray, "steps 4"]:
    """A box of this shape in the middle, 0.5 to 1.2 times as wide as usual."""
    half = np.stack([_half(box, usual * scale) for scale in np.linspace(0.5, 1.2, steps)])
    return np.concatenate([0.5 - half, 0.5 + half], 1).astype(np.float32)


def _half(box: Float[np.ndarray, "4"], width: float) -> Float[np.ndarray, "2"]:
    """Half of the sides of a box of this shape and width."""
    return width / 2 * np.array([1.0, (box[3] - box[1]) / (box[2] - box[0])])


def changes(
    one: UInt8[np.ndarray, "n h w 3"],
    other: UInt8[np.ndarray, "n h w 3"],
    boxes: Float[np.ndarray, "n 4"],
) -> tuple[float, float]:
    """The mean absolute difference inside of the boxes, and outside of them, in shares of 255.

    A rim of two pixels about the box is neither: shadow and feet are there.
    """
    difference, side = np.abs(one.astype(float) - other).mean(-1) / 255, one.shape[1]
    at = np.arange(side) + 0.5
    inside, outside = [], []
    for pixels, (left, top, right, bottom) in zip(difference, boxes * side, strict=True):
        near = [
            ((at > low - rim) & (at < high + rim))
            for low, high in ((left, right), (top, bottom))
            for rim in (0, 2)
        ]
        core, wide = near[2][:, None] & near[0], near[3][:, None] & near[1]
        inside.append(pixels[core].mean())
        outside.append(pixels[~wide].mean() if (~wide).any() else np.nan)
    return float(np.mean(inside)), float(np.nanmean(outside))
