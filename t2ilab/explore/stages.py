"""Explorer: the two stages of a StackGAN side by side, of one caption and one noise.

    StagesExplorer(system, lab=lab)

Stage I's pictures are enlarged between pixels, as stage II finds them. The spread turns the noise
of the condition up: c = mu + spread * sigma * eps.
"""

from typing import Any

import ipywidgets as widgets
from PIL import Image

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.explore.explorer import OTHER_NOISE, Explorer
from t2ilab.models.pyramid import up
from t2ilab.plots import arranged, grid, label
from t2ilab.systems.stackgan import StackGAN

SHOWN = 4  # pictures of each stage
MOST = 3.0  # sigmas


def stages_image(system: StackGAN, caption: str, spread: float, seed: int) -> Image.Image:
    """Two rows of pictures: stage I enlarged, and stage II.

    Raises:
        UsageError: a spread below 0.
        CaptionError: a caption is empty, too long, or made of unknown words only.
    """
    if not spread >= 0:
        raise UsageError(f"spread {spread}: give 0 or more.")
    phi = system.encoder.encode([caption]).expand(SHOWN, -1)
    z = system.noise(SHOWN, seed)
    z[:, system.second.z :] *= spread
    small, large = system.stages(phi, z)
    scale = max(1, 160 // system.size)
    rows = []
    for words, pictures in (("stage I, enlarged", up(small)), ("stage II", large)):
        sheet = grid(to_uint8(pictures), columns=SHOWN, scale=scale)
        rows += [label(f"{words}, {pictures.shape[-1]} pixels", sheet.width), sheet]
    return arranged(rows)


class StagesExplorer(Explorer):
    """The caption, the spread of its condition, and the noise.

    Args:
        system: both stages.
        caption: the first one.
        lab: told of errors.
    """

    def __init__(
        self,
        system: StackGAN,
        caption: str = "a small red bird with blue wings and a long beak",
        lab: Any = None,
    ):
        controls = {
            "caption": widgets.Text(caption, continuous_update=False),
            "spread": widgets.FloatSlider(0.0, min=0.0, max=MOST, step=0.25),
            "seed": widgets.IntSlider(0, min=0, max=99, description="noise"),
        }
        super().__init__(
            lambda **state: stages_image(system, **state),
            controls,
            buttons=OTHER_NOISE,
            play=None,
            title="stage I, and stage II of it",
            lab=lab,
        )
