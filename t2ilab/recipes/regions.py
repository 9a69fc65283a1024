"""What a network that localises learns from: boxes cut out of pictures, right ones and wrong ones.

An exact box is never proposed in practice, and most of what is proposed shows nothing whole. So a
figure is also shown as boxes cut it that overlap it well, and boxes that overlap no figure much are
shown as pictures of which no caption is true.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.grounded import GroundedPictures, cut
from t2ilab.errors import UsageError
from t2ilab.metrics.localisation import iou, propose

WELL, LITTLE = 0.6, 0.4  # intersection over union, at least, and below


class Regions(NamedTuple):
    """Pictures with captions, and pictures of which no caption is true."""

    figures: CaptionedImages
    others: UInt8[np.ndarray, "m size size 3"]


def regions(
    crowd: GroundedPictures,
    figures: CaptionedImages,
    proposals: Sequence[Float[np.ndarray, "_ 4"]] | None = None,
) -> Regions:
    """Proposals that overlap a figure by 0.6 or more, with its captions and facts; and others.

    Those in between are left out. The exact boxes, `figures`, come first.

    Args:
        crowd: pictures with boxes.
        figures: what is in each box, in the order of `crowd.boxes`, with captions.
        proposals: boxes of each picture; by default two around each exact box, and three anywhere.

    Raises:
        UsageError: figures and boxes differ in number, or no proposal overlaps too little.
    """
    if len(figures) != len(crowd.boxes):
        raise UsageError(f"{len(figures)} figures of {len(crowd.boxes)} boxes of {crowd.name}.")
    proposals = propose(crowd, near=2, anywhere=3) if proposals is None else proposals
    whose, shown, others = [np.arange(len(figures))], [np.asarray(figures.images)], []
    for i, boxes in enumerate(proposals):
        place = crowd.boxes_of(i)
        overlap = iou(boxes, crowd.boxes[place])
        best, near = overlap.max(1), place[overlap.argmax(1)]
        well = (best >= WELL) & (best < 1)
        for kind, into in ((well, shown), (best < LITTLE, others)):
            into += [cut(crowd.images[i], box, figures.size)[None] for box in boxes[kind]]
        whose.append(near[well])
    if not others:
        raise UsageError(f"{crowd.name}: every proposal overlaps a box by {LITTLE} or more.")
    which = np.concatenate(whose)
    images = np.concatenate(shown)
    told = {name: values[which] for name, values in figures.attributes.items()}
    stated = None if figures.stated is None else figures.stated[which]
    said = [figures.captions[k] for k in which]
    return Regions(
        CaptionedImages(figures.name, images, said, figures.classes[which], figures.class_names,
                        told, stated),
        np.concatenate(others),
    )  # fmt: skip
