"""Explorer: how often a transposed convolution paints each pixel, by kernel and stride.

Left the small picture's footprints, one moved along; right how many of them reach each pixel. Where
the stride does not divide the kernel the numbers differ: the chequered pattern.
"""

from typing import Any

import ipywidgets as widgets
import numpy as np
from PIL import Image

from t2ilab.exact.convolution import overlaps
from t2ilab.explore.explorer import Explorer
from t2ilab.explore.rounds import painted
from t2ilab.explore.sheet import tile, titled
from t2ilab.plots import BLUE, PAPER, RED

SMALL, PANEL = 6, 300  # pixels a side of the small picture; of a panel on the screen


class FootprintExplorer(Explorer):
    """Sliders for the kernel, the stride, and which pixel of the small picture is shown."""

    def __init__(self, lab: Any = None):
        controls = {
            "kernel": widgets.IntSlider(value=3, min=1, max=7),
            "stride": widgets.IntSlider(value=2, min=1, max=4),
            "pixel": widgets.IntSlider(value=14, min=0, max=SMALL**2 - 1),
        }
        super().__init__(drawn, controls, play="pixel", title="footprints", lab=lab)


def drawn(kernel: int, stride: int, pixel: int) -> Image.Image:
    """Two panels side by side."""
    count = overlaps(SMALL, kernel, stride).numpy()
    row, column = divmod(pixel, SMALL)
    one = np.zeros_like(count)
    top, left = row * stride, column * stride
    one[top : top + kernel, left : left + kernel] = 1
    two = one.copy()
    if column + 1 < SMALL:
        two[top : top + kernel, left + stride : left + stride + kernel] += 1
    shown = painted(two / 2, PAPER, PAPER, RED)
    many = painted(count / count.max(), PAPER, PAPER, BLUE)
    # The middle of a picture so large that no edge disturbs it.
    middle = overlaps(3 * kernel, kernel, stride)[kernel:-kernel, kernel:-kernel]
    even = "even" if middle.min() == middle.max() else "chequered"
    counts = f"far from the edges {middle.min():.0f} to {middle.max():.0f}: {even}"
    return titled(
        {
            f"a pixel and its neighbour, {len(count)} x {len(count)}": tile(shown, PANEL),
            counts: tile(many, PANEL),
        },
        14,
    )
