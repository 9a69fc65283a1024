"""The Laplacian pyramid: a small picture, and for each doubling what enlarging misses.

Burt and Adelson 1983; Denton et al. 2015, section 2.2, eq. 2 and 3. Symbols: I_0 the picture,
I_k = d(I_{k-1}) at half the side, u(I) at twice the side, h_k = I_k - u(I_{k+1}) the residual of
level k. So I_k = u(I_{k+1}) + h_k exactly, whatever d and u are.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError


def down(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """d: half the side, means of 2 x 2 pixels (Burt and Adelson: a Gaussian of 5 x 5 first)."""
    return F.avg_pool2d(images, 2)


def up(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """u: twice the side, linear between the middles of pixels."""
    return F.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)


def laplacian(images: Float[Tensor, "b c s s"], levels: int) -> list[Tensor]:
    """[h_0, ..., h_{K-1}, I_K], K = `levels`: eq. 2 and, last, the small picture.

    Raises:
        UsageError: a side that cannot be halved so often.
    """
    if levels < 0 or images.shape[-1] % 2**levels:
        raise UsageError(
            f"pictures of {images.shape[-1]} pixels cannot be halved {levels} times: give a side "
            f"that is a multiple of {2 ** max(levels, 0)}."
        )
    found = []
    for _ in range(levels):
        small = down(images)
        found.append(images - up(small))
        images = small
    return [*found, images]


def rebuilt(pyramid: list[Tensor]) -> Float[Tensor, "b c s s"]:
    """I_0 from [h_0, ..., h_{K-1}, I_K], from the small picture on: eq. 3."""
    *residuals, image = pyramid
    for h in reversed(residuals):
        image = up(image) + h
    return image
