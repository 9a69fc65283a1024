"""A convolution as the matrix that it is, and the transposed convolution as its transpose.

Dumoulin and Visin 2016: "A guide to convolution arithmetic for deep learning". One channel.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError


def out_size(n: int, kernel: int, stride: int, padding: int) -> int:
    """Pixels a side after a convolution: floor((n + 2 padding - kernel) / stride) + 1.

    Raises:
        UsageError: a kernel that is larger than the padded picture, or sizes below their least.
    """
    if kernel < 1 or stride < 1 or padding < 0 or n + 2 * padding < kernel:
        raise UsageError(
            f"a kernel of {kernel}, stride {stride} and padding {padding} do not fit {n} pixels: "
            "kernel and stride are 1 or more, padding 0 or more, kernel <= n + 2 padding."
        )
    return (n + 2 * padding - kernel) // stride + 1


def transposed_size(n: int, kernel: int, stride: int, padding: int) -> int:
    """Pixels a side after a transposed convolution: (n - 1) stride - 2 padding + kernel.

    Raises:
        UsageError: a padding that cuts everything off, or sizes below their least.
    """
    size = (n - 1) * stride - 2 * padding + kernel
    if min(n, kernel, stride) < 1 or padding < 0 or size < 1:
        raise UsageError(
            f"{n} pixels, a kernel of {kernel}, stride {stride}, padding {padding}: give 1 or more "
            "of the first three, and a padding from 0 that leaves something."
        )
    return size


def matrix(
    kernel: Float[Tensor, "k k"], n: int, *, stride: int = 1, padding: int = 0
) -> Float[Tensor, "out in"]:
    """The matrix that maps n x n pixels in a row to those of the convolved picture.

    Column j is what the convolution makes of the picture whose pixel j is 1, and all others 0.

    Raises:
        UsageError: as `out_size`.
    """
    out_size(n, len(kernel), stride, padding)
    pixels = torch.eye(n * n, dtype=kernel.dtype).view(-1, 1, n, n)
    return F.conv2d(pixels, kernel[None, None], stride=stride, padding=padding).flatten(1).T


def overlaps(n: int, kernel: int, stride: int) -> Float[Tensor, "m m"]:
    """How many numbers of the n x n small picture reach each pixel of the large one.

    Unless the stride divides the kernel this is uneven: the chequered pattern (Odena et al. 2016).

    Raises:
        UsageError: sizes below 1.
    """
    transposed_size(n, kernel, stride, 0)
    ones = torch.ones(1, 1, n, n), torch.ones(1, 1, kernel, kernel)
    return F.conv_transpose2d(*ones, stride=stride)[0, 0]
