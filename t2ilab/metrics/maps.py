"""Does a picture show the map it was made from? The FCN-score of Isola et al. 2017, section 5.2.

There a network that segments street scenes reads labels back from made pictures; here the
`PartFinder`, which finds the parts of birds. A picture that looks like none is not read well, and
neither is one that shows something else. Beside it: how sharp, and how colourful pictures are.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from t2ilab.models.parts import SIDE, PartFinder


class MapScore(NamedTuple):
    """Shares, in [0, 1].

    Attributes:
        pixel: of the pixels that are found with the label of the map ("per-pixel accuracy").
        class_: the same within each label, then the mean over labels ("per-class accuracy").
        iou: intersection over union of each label, all pictures together; mean over labels.
        ious: the same of each label.
    """

    pixel: float
    class_: float
    iou: float
    ious: tuple[float, ...]


def agreement(
    found: Int[Tensor, "b h w"], maps: UInt8[Tensor, "b h w"] | Int[Tensor, "b h w"], labels: int
) -> MapScore:
    """The score of labels that were found, against those of the maps. Labels in neither count not.

    Args:
        labels: how many there are; they go from 0.
    """
    pairs = maps.long().flatten() * labels + found.long().flatten()
    table = torch.bincount(pairs, minlength=labels**2).view(labels, labels).double()
    right, of_map, of_found = table.diagonal(), table.sum(1), table.sum(0)
    ious = right / (of_map + of_found - right)  # nan where there is none of either
    return MapScore(
        float(right.sum() / table.sum()),
        float((right / of_map).nanmean()),
        float(ious.nanmean()),
        tuple(ious.nan_to_num(0.0).tolist()),
    )


def map_score(
    finder: PartFinder, images: Float[Tensor, "b 3 h w"], maps: UInt8[Tensor, "b h w"]
) -> MapScore:
    """What the finder reads in pictures, in [-1, 1], against the maps that they were made from.

    The finder looks at 64 x 64 pixels; smaller maps are enlarged, each pixel as it is.
    """
    large = F.interpolate(maps[:, None].float(), (SIDE, SIDE), mode="nearest")[:, 0].long()
    return agreement(finder.find(images), large, 1 + len(finder.parts))


def sharpness(images: Float[Tensor, "b 3 h w"]) -> float:
    """The energy of the gradient: mean squared difference of neighbouring pixels, both ways."""
    across = (images[..., 1:] - images[..., :-1]).square().mean()
    down = (images[..., 1:, :] - images[..., :-1, :]).square().mean()
    return float(across + down)


def colourfulness(images: Float[Tensor, "b 3 h w"], where: Tensor | None = None) -> float:
    """Mean of the largest less the smallest channel, 0 for grey; `where`: of these pixels only."""
    chroma = images.amax(1) - images.amin(1)
    return float((chroma if where is None else chroma[where]).mean() / 2)
