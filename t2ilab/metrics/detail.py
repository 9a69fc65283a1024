"""What the usual extractor cannot see in large pictures: their detail.

A reader looks at 64 x 64 pixels; of 128 it sees the average of each four, and an enlarged small
picture looks to it like a large one. (Inception networks, at 299 pixels, have the same blindness
above.) So FID is computed of pieces at full size too, and the energy of the gradient is compared
with the data's.
"""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.metrics.maps import sharpness
from t2ilab.metrics.scores import Features
from t2ilab.models.reader import SIDE, AttributeReader


def pieces(images: Float[Tensor, "n c h w"], side: int = SIDE) -> Float[Tensor, "m c side side"]:
    """Pictures cut into squares without overlap, each at full size.

    Raises:
        UsageError: their side is no multiple of `side`.
    """
    if images.shape[-1] % side or images.shape[-2] % side:
        raise UsageError(
            f"pictures of {images.shape[-2]} x {images.shape[-1]} pixels cannot be cut into pieces "
            f"of {side}: give a multiple."
        )
    return rearrange(images, "n c (y h) (x w) -> (n y x) c h w", h=side, w=side)


def detail(
    reader: AttributeReader, real: Float[Tensor, "n c h w"], fake: Float[Tensor, "m c h w"]
) -> dict[str, float]:
    """How far the detail of generated pictures is from that of real ones.

    Args:
        real, fake: in [-1, 1], at least 50 of each.

    Returns:
        "fid_detail", FID of pieces at the size that the reader sees; and "sharpness", the energy
        of the gradient as a share of the real pictures'.

    Raises:
        UsageError: fewer than 50 pictures of a kind.
    """
    if min(len(real), len(fake)) < 50:
        raise UsageError("too few pictures for a score: give at least 50 of each kind.")
    side = min(SIDE, real.shape[-1])
    return {
        "fid_detail": _fid(reader, pieces(real, side), pieces(fake, side)),
        "sharpness": sharpness(fake) / sharpness(real),
    }


@torch.inference_mode()
def _fid(reader: AttributeReader, real: Tensor, fake: Tensor) -> float:
    from torchmetrics.image.fid import FrechetInceptionDistance

    fid = FrechetInceptionDistance(
        feature=Features(reader).eval(), input_img_size=tuple(real.shape[1:])
    )
    for images, is_real in ((real, True), (fake, False)):
        for part in images.split(256):
            fid.update(part, real=is_real)
    return float(fid.compute())
