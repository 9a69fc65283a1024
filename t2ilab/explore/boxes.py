"""Explorer: a box moved over the canvas, and the bird that is drawn in it.

    BoxExplorer(system, lab=lab)

The noise stays: only the box moves. Beside the picture the box that was asked for, and the one in
which the part finder sees the bird.
"""

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from t2ilab.data.grounded import agreement
from t2ilab.data.paperworld.world import World
from t2ilab.explore.captions import read_back
from t2ilab.explore.explorer import OTHER_NOISE, Explorer
from t2ilab.explore.sheet import ticked, tile, titled
from t2ilab.metrics.placing import found, squares
from t2ilab.models.parts import PartFinder
from t2ilab.models.reader import AttributeReader
from t2ilab.plots import GREEN, RED, arranged
from t2ilab.systems.what_where import WhatWhere, box_at

PANEL = 320  # screen pixels of a picture
CAPTION = "a red bird with blue wings and a long beak"


def framed(
    picture: UInt8[np.ndarray, "h w 3"],
    boxes: dict[tuple[int, int, int], Float[np.ndarray, "4"]],
    side: int = PANEL,
) -> Image.Image:
    """A picture enlarged, with boxes, colour -> left, top, right, bottom in shares of the side."""
    image = tile(picture, side)
    draw = ImageDraw.Draw(image)
    for colour, box in boxes.items():
        draw.rectangle([float(edge) * side for edge in box], outline=colour, width=2)
    return image


def box_renderer(
    system: WhatWhere, finder: PartFinder, reader: AttributeReader, world: World
) -> Callable[..., Image.Image]:
    """`render(caption, x, y, width, height, seed) -> PIL.Image`.

    Args:
        finder: where the bird is. `reader`, `world`: what it is, as far as the caption states it.
    """

    def render(
        caption: str, x: float, y: float, width: float, height: float, seed: int
    ) -> Image.Image:
        asked = np.array(box_at(x, y, 1.0, (width, height)))
        pictures = system.draw_in(caption, asked[None], seed)
        seen = found(finder, pictures)
        shared = float(agreement(seen, asked[None])[0])
        panels = {
            "drawn": tile(pictures[0], PANEL),
            f"asked (red), found (green): IoU {shared:.2f}": framed(
                pictures[0], {RED: asked, GREEN: seen[0]}
            ),
        }
        stated = {k: v for k, v in world.read(caption).items() if k != "size"}
        sheet = titled(panels)
        if not stated:
            return sheet
        read = read_back(reader, world, squares(pictures, asked[None]))
        one = {name: values[0] for name, values in read.items()}
        return arranged([sheet, ticked(stated, one, sheet.width)], down=6)

    return render


class BoxExplorer(Explorer):
    """The caption, the middle of the box and its sides, and the noise.

    Args:
        system, finder, reader, world: see `box_renderer`.
        lab: told of errors.
    """

    def __init__(
        self,
        system: WhatWhere,
        finder: PartFinder,
        reader: AttributeReader,
        world: World,
        *,
        caption: str = CAPTION,
        lab: Any = None,
    ):
        controls = {
            "caption": widgets.Text(caption, placeholder="type a caption and press Enter"),
            "x": widgets.FloatSlider(0.5, min=0.2, max=0.8, step=0.02),
            "y": widgets.FloatSlider(0.5, min=0.2, max=0.8, step=0.02),
            "width": widgets.FloatSlider(0.45, min=0.25, max=0.8, step=0.01),
            "height": widgets.FloatSlider(0.25, min=0.15, max=0.5, step=0.01),
            "seed": widgets.IntSlider(0, min=0, max=99, description="noise"),
        }
        super().__init__(
            box_renderer(system, finder, reader, world),
            controls,
            buttons=OTHER_NOISE,
            title="a bird in a box",
            lab=lab,
            scale=1,
        )
