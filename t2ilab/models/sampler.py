"""The differentiable sampler of the spatial transformer (Jaderberg et al. 2015), and its grid.

A window is looked at through a grid of places (x, y) in the picture U, and each is read by the
bilinear kernel k(d) = max(0, 1 - |d|), with d counted in pixels (their eq. 5):

    V_i = sum_n sum_m U_nm k(x_i - m) k(y_i - n)

What lies outside the picture counts as 0. The restricted transformer of eq. 7 only moves and
scales, A_theta = [s 0 t_x; 0 s t_y]: its grid has one x a column and one y a row.

Two conventions say what -1 and 1 are: with `align_corners` the middles of the first and last pixel,
without it the outer edges of the picture. Mixing them shifts what is read by up to half a pixel.
"""

from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

Boxes = Float[Tensor, "b 4"]  # left, top, right, bottom in shares of the side


class Hat(torch.autograd.Function):
    """k(d) = max(0, 1 - |d|) with the sub-gradient written out: eq. 5 and 7 of the paper.

    It has kinks at -1, 0 and 1. There the slope is that to the right, so the derivative of what is
    read at a whole pixel is the step to the next one: sum_m U_m k'(x - m) = U_(x+1) - U_x.
    """

    @staticmethod
    def forward(ctx: Any, d: Tensor) -> Tensor:
        ctx.save_for_backward(d)
        return (1 - d.abs()).clamp(min=0)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        (d,) = ctx.saved_tensors
        up, down = (d >= -1) & (d < 0), (d >= 0) & (d < 1)
        return slope * (up.to(slope.dtype) - down.to(slope.dtype))


def kernel(
    at: Float[Tensor, "b places"], pixels: int, *, align_corners: bool = False
) -> Float[Tensor, "b places pixels"]:
    """k(x_i - m) for places in [-1, 1] along an axis of so many pixels: the weight of each pixel.

    A row's sum is 1 inside the picture, and goes down to 0 outside of it.
    """
    x = (at + 1) / 2 * (pixels - 1) if align_corners else ((at + 1) * pixels - 1) / 2
    return Hat.apply(x[..., None] - torch.arange(pixels, dtype=at.dtype, device=at.device))


def places(
    count: int, *, align_corners: bool = False, like: Tensor | None = None
) -> Float[Tensor, " count"]:
    """Where `count` pixels of a window lie in its own axis, from -1 to 1."""
    i = torch.arange(count, **({} if like is None else dict(dtype=like.dtype, device=like.device)))
    return 2 * i / (count - 1) - 1 if align_corners else (2 * i + 1) / count - 1


def affine_grid(
    theta: Float[Tensor, "b 2 3"], size: int, *, align_corners: bool = False
) -> Float[Tensor, "b size size 2"]:
    """(x, y) = A_theta (x', y', 1) for every pixel (x', y') of a window; the paper's eq. 1."""
    one = places(size, align_corners=align_corners, like=theta)
    y, x = torch.meshgrid(one, one, indexing="ij")
    target = torch.stack([x, y, torch.ones_like(x)], -1)  # [size, size, 3]
    return torch.einsum("bij,hwj->bhwi", theta, target)


def sample(
    images: Float[Tensor, "b c h w"],
    grid: Float[Tensor, "b height width 2"],
    *,
    align_corners: bool = False,
) -> Float[Tensor, "b c height width"]:
    """V: the pictures as they are seen through any grid, by the double sum of the paper's eq. 5."""
    x, y = (rearrange(grid[..., k], "b i j -> b (i j)") for k in (0, 1))
    over_x = kernel(x, images.shape[3], align_corners=align_corners)
    over_y = kernel(y, images.shape[2], align_corners=align_corners)
    rows = torch.einsum("bcnm,bim->bcin", images, over_x)
    seen = torch.einsum("bcin,bin->bci", rows, over_y)
    return rearrange(seen, "b c (i j) -> b c i j", i=grid.shape[1])


def window(
    images: Float[Tensor, "b c h w"],
    scale: Float[Tensor, " b"],
    move: Float[Tensor, "b 2"],
    size: int,
    *,
    align_corners: bool = False,
) -> Float[Tensor, "b c size size"]:
    """`sample` through the grid of eq. 7, (s x' + t_x, s y' + t_y), as two products of matrices.

    The kernel of a whole row or column is one matrix, as DRAW's filters are (chapter 8):
    V = K_y U K_x^T.
    """
    one = places(size, align_corners=align_corners, like=scale)
    x, y = (scale[:, None] * one + move[:, k, None] for k in (0, 1))
    over_x = kernel(x, images.shape[3], align_corners=align_corners)
    over_y = kernel(y, images.shape[2], align_corners=align_corners)
    return over_y[:, None] @ images @ over_x[:, None].mT


def inverse(
    scale: Float[Tensor, " b"], move: Float[Tensor, "b 2"]
) -> tuple[Float[Tensor, " b"], Float[Tensor, "b 2"]]:
    """The way back: (1 / s, -t / s), which pastes where (s, t) crops."""
    return 1 / scale, -move / scale[:, None]


def square(boxes: Boxes, room: float = 1.0) -> tuple[Float[Tensor, " b"], Float[Tensor, "b 2"]]:
    """s and t of the square about the middle of each box, `room` times as wide as its longer side.

    It is the forward transformation: it crops.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    return room * sides.amax(1), boxes[:, 2:] + boxes[:, :2] - 1
