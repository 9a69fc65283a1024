"""Strips: pictures from fixed noise at some moments of a run, to watch it learn."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from t2ilab.errors import DataError, TrainingError
from t2ilab.files import write_atomically

NAME = "strips.npz"


class Strips:
    """Takes `count` strips: the i-th of n at the share (i / (n - 1))² of the budget.

    So they are dense at the start, where most happens; the first is taken before any step and the
    last at the end.

    Attributes:
        taken: (step, uint8 [n, H, W, 3]) in order.
    """

    def __init__(self, count: int):
        self._moments = [(i / max(1, count - 1)) ** 2 for i in range(count)]
        self._next = 0
        self.taken: list[tuple[int, np.ndarray]] = []

    def due(self, progress: float) -> bool:
        """Whether a moment has come at this share of the budget, in [0, 1]."""
        return self._next < len(self._moments) and progress >= self._moments[self._next]

    def skip(self, progress: float) -> None:
        """Let pass all moments that have come, so that one strip stands for them."""
        while self.due(progress):
            self._next += 1

    def add(self, step: int, pictures: Any) -> None:
        """Keep what `trainer.strip()` returned at `step`.

        Raises:
            TrainingError: it is not uint8 [n, H, W, 3].
        """
        if isinstance(pictures, torch.Tensor):
            pictures = pictures.detach().cpu().numpy()
        pictures = np.array(pictures)  # a copy: the trainer may use its own again
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[-1] != 3:
            raise TrainingError(
                f"strip() of a trainer returns uint8 pictures [n, H, W, 3]; this one returned "
                f"{pictures.dtype} {list(pictures.shape)}"
            )
        if not self.taken or self.taken[-1][0] < step:
            self.taken.append((step, pictures))

    def state_dict(self) -> dict:
        return {"taken": [(step, torch.from_numpy(pictures)) for step, pictures in self.taken]}

    def load_state_dict(self, state: dict) -> None:
        self.taken = [(step, pictures.numpy()) for step, pictures in state["taken"]]


def write(folder: Path, taken: list[tuple[int, np.ndarray]]) -> None:
    """Write `strips.npz` into `folder`: one array for each strip, named by its step."""
    buffer = BytesIO()
    np.savez_compressed(buffer, **{f"step_{step:08d}": x for step, x in taken})
    write_atomically(folder / NAME, buffer.getvalue())


def read(folder: Path) -> list[tuple[int, np.ndarray]]:
    """The strips of a run: (step, uint8 [n, H, W, 3]) in order of step.

    Raises:
        DataError: there is no whole `strips.npz` in `folder`.
    """
    try:
        with np.load(folder / NAME, allow_pickle=False) as arrays:
            names = sorted(arrays.files)
            return [(int(name.removeprefix("step_")), arrays[name]) for name in names]
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} has no {NAME}: `fit` writes one where the trainer has strip()"
        ) from error
    except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
        raise DataError(
            f"{folder / NAME} is damaged ({error}): resume the run to write it again"
        ) from error
