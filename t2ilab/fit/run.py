"""What a run knows beside its trainer: budget, clock, losses, strips, and when to decide what."""

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING

from t2ilab.errors import UsageError
from t2ilab.fit.losses import Losses, NotFinite
from t2ilab.fit.machine import gather
from t2ilab.fit.strips import Strips

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from t2ilab.fit.interrupts import Interrupts

CHECK_STEPS, CHECK_SECONDS = 50, 0.5  # losses are read at the latest after so many
ROWS = 200  # the history has at least so many rows, where there are so many steps


@dataclass(frozen=True)
class Budget:
    """Steps or minutes, whichever ends first; both are totals, what came before a resume counted.

    Raises:
        UsageError: neither is given, or one is no positive number.
    """

    steps: int | None
    minutes: float | None

    def __post_init__(self) -> None:
        if self.steps is None and self.minutes is None:
            raise UsageError(
                "fit needs a budget: give steps=, minutes=, or both (whichever ends first)"
            )
        whole = isinstance(self.steps, Integral) and not isinstance(self.steps, bool)
        if self.steps is not None and not (whole and self.steps > 0):
            raise UsageError(f"steps={self.steps!r}: give a whole number of at least 1")
        number = isinstance(self.minutes, Real) and not isinstance(self.minutes, bool)
        if self.minutes is not None and not (number and 0 < self.minutes < math.inf):
            raise UsageError(f"minutes={self.minutes!r}: give a number above 0")

    def progress(self, step: int, seconds: float) -> float:
        """The share of the budget that is spent, in [0, 1]."""
        by_steps = step / self.steps if self.steps else 0.0
        by_time = seconds / (60 * self.minutes) if self.minutes else 0.0
        return min(1.0, max(by_steps, by_time))

    def spent(self, step: int, seconds: float) -> str | None:
        """ "steps" or "minutes" when that has run out, else None."""
        if self.steps is not None and step >= self.steps:
            return "steps"
        if self.minutes is not None and seconds >= 60 * self.minutes:
            return "minutes"
        return None

    @property
    def row_every(self) -> int:
        """Steps from one row of the history to the next."""
        return min(CHECK_STEPS, max(1, self.steps // ROWS)) if self.steps else 10


class Run:
    """The state of a run, and its decisions; all processes come to the same ones.

    Attributes:
        step: how many steps are done.
        seconds: time spent so far, earlier parts counted; with several processes as of the last
            agreement, so that it is the same in all.
        stopped: why it ended: "steps", "minutes", "signal"; None while it goes on.
    """

    def __init__(self, budget: Budget, *, strips: int, save_every_s: float, several: bool):
        self.budget, self.save_every_s, self.several = budget, save_every_s, several
        self._parent = os.getppid()
        self.losses, self.strips = Losses(budget.row_every), Strips(strips)
        self.step, self.seconds, self.waited = 0, 0.0, 0.0
        self.stopped: str | None = None
        self.signal: str | None = None
        self._saved = self._checked = (0, 0.0)  # step, seconds
        self._next_check = 1
        self._before, self._since = 0.0, time.perf_counter()

    def start_clock(self) -> None:
        """Count time from now; called after what was before has been loaded."""
        self._before, self._since = self.seconds, time.perf_counter()
        self._saved = self._checked = (self.step, self.seconds)
        self._next_check = self.step + 1
        self.stopped = self.budget.spent(self.step, self.seconds)

    def _clock(self) -> float:
        return self._before + time.perf_counter() - self._since

    @property
    def progress(self) -> float:
        """The share of the budget that is spent, in [0, 1]."""
        return self.budget.progress(self.step, self.seconds)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time spent in this context is time spent waiting for data."""
        began = time.perf_counter()
        yield
        self.waited += time.perf_counter() - began

    def record(self, losses: dict) -> None:
        """One step more is done, with these losses."""
        self.step += 1
        now = self._clock()
        self.losses.add(self.step, now, losses)
        if not self.several:
            self.seconds = now

    def check_due(self, interrupts: "Interrupts") -> bool:
        """Whether all processes should agree on what to do after this step."""
        if self.step >= self._next_check or self.step == self.budget.steps:
            return True
        if self.several:  # they must all do so at one step, so none looks at its own clock
            return False
        waited = self.seconds - self._checked[1] >= min(CHECK_SECONDS, self.save_every_s)
        return bool(waited or interrupts.name or self.budget.spent(self.step, self.seconds))

    def agree(self, fabric: "Fabric", interrupts: "Interrupts") -> NotFinite | None:
        """Read the losses and decide in all processes whether to stop, and when to ask again.

        Returns the first loss of any process that is not finite.
        """
        name = interrupts.name or ("SIGTERM" if self._orphaned() else None)
        reports = gather(fabric, (self.losses.read(), name, self._clock()))
        self.seconds = reports[0][2]
        self.signal = next((name for _, name, _ in reports if name), None)
        self.stopped = self.budget.spent(self.step, self.seconds)
        self.stopped = self.stopped or ("signal" if self.signal else None)
        self._plan()
        return min((bad for bad, _, _ in reports if bad), default=None)

    def _orphaned(self) -> bool:
        """Whether the launcher of several processes was killed, which would leave them running."""
        return self.several and os.getppid() != self._parent

    def _plan(self) -> None:
        """Ask again after half a second or 50 steps, whichever is sooner."""
        steps, seconds = self.step - self._checked[0], self.seconds - self._checked[1]
        often = min(CHECK_SECONDS, self.save_every_s)
        ahead = int(often * steps / seconds) if seconds > 0 else CHECK_STEPS
        if not self.several:  # there the clock is looked at, at every step
            ahead = CHECK_STEPS
        self._next_check = self.step + min(CHECK_STEPS, max(1, ahead))
        self._checked = (self.step, self.seconds)

    @property
    def save_due(self) -> bool:
        """Whether it is time for a checkpoint; true only right after `agree`."""
        rested = self.seconds - self._saved[1] >= self.save_every_s
        return self._checked[0] == self.step and (rested or self.stopped is not None)

    def saved(self) -> None:
        """A checkpoint was written (or could not be): the next one is due some time from now."""
        self._saved = (self.step, self.seconds)

    def state_dict(self) -> dict:
        return {
            "step": self.step,
            "seconds": self._clock(),
            "waited": self.waited,
            "losses": self.losses.state_dict(),
            "strips": self.strips.state_dict(),
        }

    def load_state_dict(self, state: dict) -> None:
        self.step, self.seconds, self.waited = state["step"], state["seconds"], state["waited"]
        self.losses.load_state_dict(state["losses"])
        self.strips.load_state_dict(state["strips"])
        self.strips.skip(self.progress)
