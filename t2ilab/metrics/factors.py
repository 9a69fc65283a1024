"""Did a picture come out as it was told? Attributes read back, and the distance to the true one."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.data.captioned import CaptionedImages
from t2ilab.errors import UsageError
from t2ilab.metrics.consistency import caption_consistency
from t2ilab.models.reader import AttributeReader


def psnr(a: Float[Tensor, "n c h w"], b: Float[Tensor, "n c h w"]) -> float:
    """Peak signal-to-noise ratio 10 log10(2^2 / mean squared error) in dB, of pictures in [-1, 1].

    Raises:
        UsageError: there are none.
    """
    if not len(a):
        raise UsageError("no pictures: give at least one pair.")
    return float(10 * (4 / (a - b).square().mean()).log10())


def read_right(
    reader: AttributeReader,
    drawn: Float[Tensor, "n 3 h w"],
    of: CaptionedImages,
    names: Sequence[str],
) -> dict[str, float]:
    """attribute -> the share of pictures that show it as told, and "all"; as
    `caption_consistency`, of complete captions."""
    return caption_consistency(reader, drawn, of, names)


def nearest_right(
    drawn: Float[Tensor, "n c h w"], true: Float[Tensor, "n c h w"], every: Float[Tensor, "m c h w"]
) -> float:
    """The share of pictures of which, among `every` true one, their own is the nearest.

    Distance: Euclidean over pixels. Where two true pictures are alike (a ring from both sides),
    either is right.
    """
    exact = "donot_use_mm_for_euclid_dist"  # the fast way errs by more than toys differ
    d = torch.cdist(drawn.flatten(1), every.flatten(1), compute_mode=exact)
    own = (drawn - true).flatten(1).norm(dim=1)
    return float((own <= d.min(1).values + 1e-4).float().mean())
