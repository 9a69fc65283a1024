"""Explorer: a network that grows, frozen; the level and alpha are moved by hand.

    FadeExplorer(system.network, lab=lab)

Above, what the level below makes, enlarged; in the middle, the mixture at alpha; below, what the
level makes alone. All from the same noise.
"""

from math import log2
from typing import Any

import ipywidgets as widgets
import torch
from PIL import Image

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.explore.explorer import OTHER_NOISE, Explorer
from t2ilab.models.progressive import ProgressiveGenerator, enlarged
from t2ilab.plots import captioned_grid

SHOWN, SIDE = 8, 64  # pictures a row, and screen pixels a side at the least


def fade_image(network: ProgressiveGenerator, level: int, alpha: float, seed: int) -> Image.Image:
    """Three rows: the level below, the mixture, the level.

    Raises:
        UsageError: a level below 1 or above the last, or alpha outside [0, 1].
    """
    if level < 1:
        raise UsageError(f"level {level}: the first level that is faded in is 1.")
    network.at(level, alpha)
    z = torch.randn(SHOWN, network.z, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        rows = {
            f"level {level - 1}, enlarged": enlarged(network(z, level - 1)),
            f"alpha = {alpha:.2f}": network(z, level, alpha),
            f"level {level} alone: {4 * 2**level} x {4 * 2**level} pixels": network(z, level),
        }
    pictures = [to_uint8(x.clamp(-1, 1).expand(-1, 3, -1, -1)) for x in rows.values()]
    times = max(1, 2 ** int(log2(max(1, SIDE // (4 * 2**level)))))
    return captioned_grid(pictures, list(rows), scale=times)


class FadeExplorer(Explorer):
    """The level, alpha, and the noise.

    Args:
        network: trained; of 8 pixels or more.
        lab: told of errors.
    """

    def __init__(self, network: ProgressiveGenerator, lab: Any = None):
        shares = [(f"{k / 20:.2f}", k / 20) for k in range(21)]
        controls = {
            "level": widgets.IntSlider(network.last, min=1, max=network.last),
            "alpha": widgets.SelectionSlider(options=shares, value=0.5),
            "seed": widgets.IntSlider(0, min=0, max=99, description="noise"),
        }
        super().__init__(
            lambda **state: fade_image(network, **state),
            controls,
            buttons=OTHER_NOISE,
            play="alpha",
            title="a level that is faded in",
            lab=lab,
        )
