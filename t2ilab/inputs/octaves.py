"""Octaves: an ascent at several sizes, from small to large, so that it finds large patterns too.

DeepDream (Mordvintsev, Olah and Tyka 2015): what was added at one size is enlarged and added to the
picture at the next size, so that the picture itself never loses its sharpness.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.inputs.ascent import Ascended
from t2ilab.inputs.constraints import Box


def octaves(
    pictures: Float[Tensor, "n c h w"],
    climb: Callable[[Tensor], Ascended],
    *,
    count: int = 4,
    ratio: float = 1.4,
    box: Box | None = None,
) -> list[Ascended]:
    """`climb` at `count` sizes, each `ratio` times the one before, the last one that of `pictures`.

    Args:
        pictures: in the box; not changed.
        climb: one ascent, from pictures of any size: `lambda x: ascend(x, score, steps=10)`.
        count: of sizes, at least 1.
        ratio: of neighbouring sizes, above 1.

    Returns:
        What each size gave, smallest first; the dream is `octaves(...)[-1].pictures`.

    Raises:
        UsageError: `count` or `ratio` too small, or so large that nothing is left of a picture.
    """
    box = box or Box()
    sizes = _sizes(pictures.shape[2:], count, ratio)
    box.check(pictures)
    detail = torch.zeros_like(pictures)
    climbed = []
    for size in sizes:
        base = _resize(pictures, size)
        climbed.append(climb(box.project(base + _resize(detail, size))))
        detail = climbed[-1].pictures - base
    return climbed


def _sizes(full: torch.Size, count: int, ratio: float) -> list[tuple[int, int]]:
    if count < 1 or not ratio > 1:
        raise UsageError(
            f"{count} octaves with a ratio of {ratio}: at least one is needed, and a ratio above 1."
        )
    sizes = [tuple(round(side / ratio**i) for side in full) for i in reversed(range(count))]
    if min(sizes[0]) < 1:
        raise UsageError(
            f"{count} octaves with a ratio of {ratio} make a picture of "
            f"{list(full)} smaller than one pixel: take fewer."
        )
    return sizes


def _resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    if x.shape[2:] == size:
        return x
    return F.interpolate(x, size, mode="bilinear", antialias=True)
