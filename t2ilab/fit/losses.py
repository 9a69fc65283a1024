"""The losses of a run: read now and then, never at every step, and never left unread when bad."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from t2ilab.errors import TrainingError

if TYPE_CHECKING:
    import pandas as pd


class NotFinite(NamedTuple):
    """The first loss that is not a number."""

    step: int
    name: str
    value: float

    def __str__(self) -> str:
        return f"the loss '{self.name}' became {self.value} at step {self.step}"


class Losses:
    """Keeps what `step` returned as tensors, and turns them into rows of numbers on demand.

    A row is written at every step divisible by `every`, and holds the mean over the steps since
    the row before it. Reading waits for the device, hence `read` is called seldom.
    """

    def __init__(self, every: int):
        self.every = every
        self.rows: list[dict[str, float]] = []
        self._unread: list[tuple[int, float, dict[str, torch.Tensor]]] = []
        self._window: list[dict[str, float]] = []  # steps that were read but are in no row yet

    def add(self, step: int, seconds: float, losses: dict[str, Any]) -> None:
        """Note the losses of one step (counted from 1), without reading them.

        Raises:
            TrainingError: something that is no dict of scalars.
        """
        if not isinstance(losses, dict):
            raise TrainingError(
                f"step(batch) of a trainer returns a dict of scalar tensors, one for each "
                f"loss; this one returned {type(losses).__name__}"
            )
        kept = {}
        for name, value in losses.items():
            value = torch.as_tensor(value).detach()
            if value.numel() != 1:
                raise TrainingError(
                    f"step(batch) returned '{name}' of shape {list(value.shape)}; losses are "
                    f"scalars: return its mean"
                )
            kept[str(name)] = value.reshape(()).float()
        self._unread.append((step, seconds, kept))

    def read(self) -> NotFinite | None:
        """Read all that was added; returns the first loss that is not finite, None if all are."""
        unread, self._unread = self._unread, []
        flat = [value for _, _, losses in unread for value in losses.values()]
        numbers = iter(_to_list(flat))
        for step, seconds, losses in unread:
            values = {name: next(numbers) for name in losses}
            for name, value in values.items():
                if not math.isfinite(value):
                    return NotFinite(step, name, value)
            self._window.append({"step": step, "seconds": seconds, **values})
            if step % self.every == 0:
                self.rows.append(_mean(self._window))
                self._window = []
        return None

    def latest(self) -> dict[str, float]:
        """The losses of the last row, or of the steps since it where there are any."""
        newest = _mean(self._window) if self._window else (self.rows[-1] if self.rows else {})
        return {name: value for name, value in newest.items() if name not in ("step", "seconds")}

    def frame(self) -> "pd.DataFrame":
        """A row per logged step: step, seconds, and each loss; empty cells where one is absent."""
        import pandas as pd

        rows = self.rows + ([_mean(self._window)] if self._window else [])
        return pd.DataFrame(rows if rows else {"step": [], "seconds": []}).astype({"step": int})

    def state_dict(self) -> dict:
        return {"rows": list(self.rows), "window": list(self._window)}

    def load_state_dict(self, state: dict) -> None:
        self.rows, self._window, self._unread = list(state["rows"]), list(state["window"]), []


def _to_list(scalars: list[torch.Tensor]) -> list[float]:
    """The numbers in scalar tensors, with one transfer where they lie on one device."""
    if len({value.device for value in scalars}) > 1:
        return [value.item() for value in scalars]
    return torch.stack(scalars).tolist() if scalars else []


def _mean(window: list[dict[str, float]]) -> dict[str, float]:
    """Each loss averaged over the steps that have it; step and seconds are the last ones."""
    names = dict.fromkeys(name for values in window for name in values)
    row = {}
    for name in names:
        present = [values[name] for values in window if name in values]
        row[name] = sum(present) / len(present)
    return row | {"step": window[-1]["step"], "seconds": window[-1]["seconds"]}
