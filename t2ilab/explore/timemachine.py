"""Explorer: scrub a training, or several side by side, from its first step to its last.

The frames are pictures of the same captions from the same noise, kept during training (`Fitted`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from t2ilab.errors import UsageError
from t2ilab.explore.explorer import Explorer
from t2ilab.explore.sheet import contact_sheet
from t2ilab.plots import captioned_grid, grid

Frames = UInt8[np.ndarray, "moments n h w 3"]


def moment_renderer(
    frames: Mapping[str, Frames], *, columns: int = 8, scale: int = 2
) -> Callable[[int], Image.Image]:
    """`render(step) -> PIL.Image`: what each training drew at the moment nearest to that step.

    Args:
        frames: name of a training -> step -> its pictures; see `by_step`.
        columns: pictures in a row.
        scale: screen pixels per pixel.
    """

    def render(step: int) -> Image.Image:
        rows = [kept[min(kept, key=lambda s: abs(s - step))] for kept in frames.values()]
        if len(rows) == 1:
            return grid(rows[0], columns=columns, scale=scale)
        return captioned_grid([row[:columns] for row in rows], list(frames), scale=scale)

    return render


def by_step(steps: Sequence[int], pictures: Frames) -> dict[int, np.ndarray]:
    """step -> pictures [n, h, w, 3].

    Raises:
        UsageError: steps and pictures differ in number, or there are none.
    """
    if not len(steps) or len(steps) != len(pictures):
        raise UsageError(
            f"{len(steps)} steps and the pictures of {len(pictures)} moments: give "
            "as many of each, at least one."
        )
    return dict(zip((int(step) for step in steps), pictures, strict=True))


class TimeMachine(Explorer):
    """A slider, with a play button, over the moments of one training or of several.

    Args:
        frames: name -> step -> pictures uint8 [n, h, w, 3]; trainings shown together are compared
            at the moments of the first.
        labels: what the slider shows for each moment; by default its step.
        columns: pictures in a row.
        scale: screen pixels per pixel.
        title: says what the pictures are.
        lab: told of errors.

    Raises:
        UsageError: no training, or as many labels as there are no moments.
    """

    def __init__(
        self,
        frames: Mapping[str, Mapping[int, np.ndarray]],
        *,
        labels: Sequence[str] | None = None,
        columns: int = 8,
        scale: int = 2,
        title: str = "pictures from fixed noise during training",
        lab: Any = None,
    ):
        if not frames:
            raise UsageError("no frames: give those of at least one training.")
        self.steps = sorted(next(iter(frames.values())))
        labels = [f"step {step:,}" for step in self.steps] if labels is None else list(labels)
        if len(labels) != len(self.steps):
            raise UsageError(f"{len(labels)} labels for {len(self.steps)} moments.")
        slider = widgets.SelectionSlider(
            options=list(zip(labels, self.steps, strict=True)),
            value=self.steps[-1],
            description="moment",
            layout=widgets.Layout(width="60%"),
        )
        super().__init__(
            moment_renderer(frames, columns=columns, scale=scale),
            {"step": slider},
            play="step",
            title=title,
            lab=lab,
            scale=1,
        )
        self.labels = dict(zip(self.steps, labels, strict=True))

    def sheet(self, moments: int = 4, *, columns: int = 2) -> Image.Image:
        """The contact sheet of some moments, from the first to the last."""
        some = np.unique(np.linspace(0, len(self.steps) - 1, moments).round().astype(int))
        chosen = [self.steps[k] for k in some]
        return contact_sheet(
            [self.picture(step=step) for step in chosen],
            [self.labels[step] for step in chosen],
            columns=columns,
        )
