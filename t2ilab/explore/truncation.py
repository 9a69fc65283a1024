"""Explorer: BigGAN's pictures of one class as its noise is truncated.

    TruncationExplorer(system, lab=lab)

The same random numbers are drawn in towards 0 as the threshold falls: pictures get more usual, and
more alike.
"""

from typing import Any

import ipywidgets as widgets
import torch
from PIL import Image

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError, choose
from t2ilab.explore.explorer import OTHER_NOISE, Explorer
from t2ilab.plots import arranged, grid, label
from t2ilab.systems.biggan import BigGANSystem

SHOWN, COLUMNS = 24, 8  # pictures
ALL = "all, in turn"
FULL = 3.0  # a threshold that N(0, 1) hardly crosses: shown without truncation


def truncation_image(system: BigGANSystem, class_: str, threshold: float, seed: int) -> Image.Image:
    """24 pictures of a class, or of all in turn; above them how different they are on average.

    Raises:
        UsageError: no such class, or a threshold that is not above 0.
    """
    names = [ALL, *system.names]
    which = names.index(choose("class", class_, names)) - 1
    if not threshold > 0:
        raise UsageError(f"threshold {threshold}: give a number above 0.")
    y = torch.arange(SHOWN) % system.classes if which < 0 else torch.full((SHOWN,), which)
    made = system.sample(y, seed, threshold=None if threshold >= FULL else threshold)
    apart = float((made[None] - made[:, None]).abs().mean()) * SHOWN / (SHOWN - 1)
    words = "no truncation" if threshold >= FULL else f"|z| at most {threshold:g}"
    sheet = grid(
        to_uint8(made.expand(-1, 3, -1, -1)), columns=COLUMNS, scale=max(1, 64 // system.size)
    )
    return arranged([label(f"{words}; two pictures differ by {apart:.3f}", sheet.width), sheet])


class TruncationExplorer(Explorer):
    """The class, the threshold, and the noise.

    Args:
        system: trained, with names of its classes.
        lab: told of errors.

    Raises:
        UsageError: classes without names.
    """

    def __init__(self, system: BigGANSystem, lab: Any = None):
        if len(system.names) != system.classes:
            raise UsageError(f"{system.classes} classes, {len(system.names)} names: name each.")
        controls = {
            "class_": widgets.Dropdown(options=[ALL, *system.names], description="class"),
            "threshold": widgets.FloatSlider(1.0, min=0.1, max=FULL, step=0.1),
            "seed": widgets.IntSlider(0, min=0, max=99, description="noise"),
        }
        super().__init__(
            lambda **state: truncation_image(system, **state),
            controls,
            buttons=OTHER_NOISE,
            play=None,
            title="truncated noise",
            lab=lab,
        )
