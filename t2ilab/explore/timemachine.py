"""Explorer: scrub a training, or several side by side, from its first step to its last.

The frames are pictures of the same captions from the same noise, kept during training (`Fitted`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from t2ilab.errors import UsageError
from t2ilab.explore.scrub import Scrubber
from t2ilab.explore.sheet import contact_sheet
from t2ilab.plots import captioned_grid, grid

Frames = UInt8[np.ndarray, "moments n h w 3"]


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


@dataclass(frozen=True)
class Trainings:
    """Trainings side by side, at the moments of the first.

    Attributes:
        frames: name of a training -> step -> its pictures [n, h, w, 3].
        columns: pictures in a row.
        scale: screen pixels per pixel.
    """

    frames: Mapping[str, Mapping[int, np.ndarray]]
    columns: int = 8
    scale: int = 2

    @property
    def steps(self) -> list[int]:
        """Of the first training, in order."""
        return sorted(next(iter(self.frames.values())))

    def __len__(self) -> int:
        """The number of the last moment; the first is 0."""
        return len(self.steps) - 1

    def at(self, moment: int) -> Image.Image:
        """What each training drew nearest to the step of that moment."""
        step = self.steps[moment]
        rows = [kept[min(kept, key=lambda s: abs(s - step))] for kept in self.frames.values()]
        if len(rows) == 1:
            return grid(rows[0], columns=self.columns, scale=self.scale)
        rows = [row[: self.columns] for row in rows]
        return captioned_grid(rows, list(self.frames), scale=self.scale)


class TimeMachine(Scrubber):
    """A slider, with a play button, over the moments of one training or of several.

    Args:
        frames, columns, scale: as of `Trainings`; see `by_step`.
        labels: what the slider shows for each moment; by default its step.
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
        kept = Trainings(frames, columns, scale)
        self.labels = [f"step {s:,}" for s in kept.steps] if labels is None else list(labels)
        if len(self.labels) != len(kept.steps):
            raise UsageError(f"{len(self.labels)} labels for {len(kept.steps)} moments.")
        super().__init__(
            {title: kept}, lambda _, kept, t: kept.at(t), labels=self.labels, title=title, lab=lab
        )

    def sheet(self, moments: int = 4, *, columns: int = 2) -> Image.Image:
        """The contact sheet of some moments, from the first to the last."""
        some = np.unique(np.linspace(0, len(self.labels) - 1, moments).round().astype(int)).tolist()
        return contact_sheet(
            [self.picture(moment=k) for k in some], [self.labels[k] for k in some], columns=columns
        )
