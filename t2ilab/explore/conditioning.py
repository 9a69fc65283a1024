"""Explorer: what the weight of the KL term does to pictures, from runs that were kept.

    KLExplorer(kept, captions, weights, lab=lab)

Two rows for one caption: one z with other draws of the condition, then other z with one draw. In
the first row all that differs comes from the Gaussian around the caption.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from t2ilab.errors import UsageError, choose
from t2ilab.explore.explorer import Explorer
from t2ilab.plots import arranged, grid, label

ROWS = ("one z, the condition drawn anew", "one draw of the condition, other z")
Kept = Mapping[str, UInt8[np.ndarray, "captions n side side 3"]]


def kl_image(kept: Kept, captions: Sequence[str], caption: str, weight: str) -> Image.Image:
    """The pictures of a run for a caption, in two rows of which the first has half.

    Raises:
        UsageError: no such run or caption.
    """
    choose("weight", weight, kept)
    which = list(captions).index(choose("caption", caption, captions))
    pictures, rows = kept[weight][which], []
    for words, part in zip(ROWS, np.split(pictures, 2), strict=True):
        apart = _apart(part)
        sheet = grid(part, columns=len(part), scale=max(1, 128 // part.shape[1]))
        rows += [label(f"{words}: two differ by {apart:.3f}", sheet.width), sheet]
    return arranged(rows)


def _apart(pictures: UInt8[np.ndarray, "n side side 3"]) -> float:
    """The mean difference of two different pictures, in [0, 1]."""
    x, n = pictures.astype(float) / 255, len(pictures)
    return float(np.abs(x[:, None] - x[None]).mean() * n / (n - 1)) if n > 1 else 0.0


class KLExplorer(Explorer):
    """The weight of the KL term, and the caption.

    Args:
        kept: run -> pictures of each caption, of its KL weight; in the order of the slider.
        captions: what they show.
        lab: told of errors.

    Raises:
        UsageError: no runs, or another number of captions.
    """

    def __init__(self, kept: Kept, captions: Sequence[str], lab: Any = None):
        if not kept or any(len(x) != len(captions) for x in kept.values()):
            raise UsageError(f"{len(captions)} captions: give runs with pictures of each.")
        controls = {
            "weight": widgets.SelectionSlider(options=list(kept), description="KL weight"),
            "caption": widgets.Dropdown(options=list(captions)),
        }
        super().__init__(
            lambda **state: kl_image(kept, captions, **state),
            controls,
            play=None,
            title="pictures by the weight of the KL term",
            lab=lab,
        )
