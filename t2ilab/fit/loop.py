"""`fit`: the one loop that all trainers share.

A trainer is one update in plain PyTorch; `fit` does the rest: device, precision, several
processes, a bar, the history of the losses, strips of samples from fixed noise, a budget,
checkpoints, resume, and a stop with a clear message when something goes wrong.

Resume is exact: with a budget in steps, n + m steps give the same weights, bit for bit on a CPU,
as n steps, a kill, and m steps with the same total. (With a budget in minutes the number of steps
depends on the machine; a resume goes on cleanly, along the same learning-rate schedule.)

Several processes train one model when the script that calls `fit` is started by
`fabric run --accelerator cpu --devices 2 script.py` or `torchrun --nproc-per-node 2 script.py`.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from torch import Tensor

from t2ilab.errors import TrainingError, UsageError
from t2ilab.fit import randomness
from t2ilab.fit.ahead import Ahead
from t2ilab.fit.bar import Bar
from t2ilab.fit.folder import Folder
from t2ilab.fit.interrupts import Interrupts
from t2ilab.fit.machine import (
    make_fabric,
    on_first,
    pick_device,
    pick_precision,
    takes_plain_backward,
)
from t2ilab.fit.record import Record
from t2ilab.fit.run import Budget, Run
from t2ilab.fit.state import begin, last_good, save, take_strip

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from jaxtyping import UInt8
    from lightning_fabric import Fabric


@runtime_checkable
class Trainer(Protocol):
    """What `fit` asks of a trainer. Two more members are used where they exist:

    - `strip() -> uint8 [n, H, W, 3]`: pictures from noise that is always the same;
    - `progress`: set before each step to the share of the budget that is spent, in [0, 1], so that
      learning rates can be functions of it.

    Noise comes from `torch.Generator`s that are attributes of the trainer: `fit` saves them, and
    with several processes gives each process noise of its own.
    """

    def setup(self, fabric: "Fabric") -> None:
        """Called once: `self.G, self.opt_G = fabric.setup(self.G, self.opt_G)`, and so on."""

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update with plain `loss.backward()`; returns detached scalars, one for each loss."""

    def state_dict(self) -> dict:
        """All that is needed to go on: networks, optimisers, averages, states of generators."""

    def load_state_dict(self, state: dict) -> None:
        """Take over what `state_dict` returned; called after `setup`."""


@dataclass(frozen=True)
class Fitted:
    """What a run left behind.

    Attributes:
        history: a row per logged step: step (from 1), seconds, and each loss, averaged over the
            steps since the row before. Of the first process where there are several.
        strips: (step, uint8 [n, H, W, 3]) in order; empty where the trainer has no `strip`.
        steps: steps done in all, those before a resume counted; `seconds` likewise.
        out: the folder of the run, or None.
        wait_share: share of the time that was spent waiting for batches, in [0, 1].
        stopped: what ended it: "steps", "minutes", "signal"; in `TrainingError.fitted` "error".
        signal: which one, in any of the processes: "SIGINT", "SIGTERM"; else None.
        device: "cpu", "cuda" or "mps".
        precision: "32-true" or "bf16-mixed".
    """

    history: "pd.DataFrame" = field(repr=False)
    strips: "list[tuple[int, UInt8[np.ndarray, 'n h w 3']]]" = field(repr=False)
    steps: int
    seconds: float
    out: Path | None
    wait_share: float
    stopped: str
    device: str
    precision: str
    signal: str | None = None

    @property
    def last_losses(self) -> dict[str, float]:
        """The last row of the history, without step, seconds and what that row does not have."""
        rows = self.history.drop(columns=["step", "seconds"], errors="ignore").to_dict("records")
        last = rows[-1] if rows else {}
        return {name: round(float(value), 6) for name, value in last.items() if value == value}


def fit(
    trainer: Trainer,
    batches: Callable[[int], dict[str, Tensor]],
    *,
    steps: int | None = None,
    minutes: float | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    device: str = "auto",
    precision: str = "auto",
    seed: int = 0,
    strips: int = 20,
    save_every_s: float = 60,
    show: bool = True,
    fabric: "Fabric | None" = None,
    record: Record | None = None,
) -> Fitted:
    """Train until the budget is spent.

    Ctrl-C and SIGTERM end the run after the present step, with a checkpoint, and `fit` returns
    with `stopped == "signal"` (a second Ctrl-C raises KeyboardInterrupt). A script that must not
    go on after that has to look at `stopped`.

    Args:
        trainer: owns networks and optimisers; see `Trainer`. A second call with the same trainer
            goes on with its present weights.
        batches: step (from 0) -> dict of tensors, a function of the step alone. It is called in a
            thread, one step ahead. With several processes `batches.shard(rank, world_size)` gives
            each its part; without it they take turns: each step uses one batch for each process.
        steps, minutes: the budget, whichever ends first; totals, what came before a resume counted.
        out: folder for `checkpoint.pt`, `history.csv`, `strips.npz`; empty or missing unless
            `resume`. None: nothing is written.
        resume: go on from the checkpoint in `out`; where `out` is empty, begin.
        device: "auto" (cuda, mps, cpu: the first that there is), "cpu", "cuda", "mps".
        precision: "32-true", "bf16-mixed", or "auto": bf16 where `device` computes it natively.
        seed: of the global generators while the run lasts (dropout); they are given back unchanged.
        strips: how many strips to take, dense at the start.
        save_every_s: seconds from one checkpoint to the next.
        show: whether to draw a bar.
        fabric: a launched Fabric to use; `device` and `precision` are then not looked at.
        record: the options that make the run what it is, and the fingerprint of its data: kept in
            `run.json` and in the checkpoint, so that a resume as another run is refused.

    Raises:
        UsageError: a wrong budget, device, precision or folder.
        TrainingError: a loss that is not finite (the last good checkpoint is untouched); a folder
            in use or not empty; a damaged checkpoint, or one of another trainer; a full disk.
            Where training had begun, its `fitted` holds what there is until then.
    """
    run_budget = Budget(steps, minutes)
    fabric = _set_up(trainer, fabric, device, precision)
    batches = _share(batches, fabric)
    if record is not None:
        record = replace(record, device=fabric.device.type)
    run = Run(run_budget, strips=strips, save_every_s=save_every_s, several=fabric.world_size > 1)
    folder = Folder(out, resume=resume)
    on_first(fabric, folder.claim)
    try:
        with randomness.untouched(fabric.device), Interrupts() as interrupts:
            keep = partial(save, fabric, trainer, run, folder, record)
            begin(fabric, trainer, run, folder, seed, record)
            if run.step == 0:
                take_strip(fabric, trainer, run)
                keep()
            on_first(fabric, partial(folder.note, record))
            run.start_clock()
            ahead = Ahead(batches, first=run.step, last=steps, pin=fabric.device.type == "cuda")
            with Bar(run, show=show and fabric.is_global_zero) as bar, ahead:
                while run.stopped is None:
                    with run.waiting():
                        batch = fabric.to_device(ahead.take(run.step))
                    if hasattr(trainer, "progress"):
                        trainer.progress = run.progress
                    run.record(trainer.step(batch))
                    if run.check_due(interrupts):
                        _stop_if_bad(run.agree(fabric, interrupts), folder)
                        bar.show(run)
                    take_strip(fabric, trainer, run)
                    if run.save_due:
                        keep()
    except TrainingError as error:
        error.fitted = _fitted(run, fabric, folder, "error")
        raise
    finally:
        folder.release()
    _say_how_to_go_on(run, fabric, folder)
    return _fitted(run, fabric, folder, run.stopped)


def _set_up(trainer: Any, fabric: "Fabric | None", device: str, precision: str) -> "Fabric":
    """The Fabric to run on; the trainer is set up on it, unless an earlier call of `fit` did."""
    before = getattr(trainer, "_fit_fabric", None)
    if before is not None:
        wanted = (pick_device(device), pick_precision(precision, pick_device(device)))
        if fabric not in (None, before) or (fabric is None and wanted != _machine(before)):
            raise UsageError(
                f"this trainer was set up on {' in '.join(_machine(before))} by an earlier call "
                f"of fit and cannot move: make a new one"
            )
        return before
    fabric = fabric or make_fabric(device=device, precision=precision)
    if not takes_plain_backward(fabric):
        raise UsageError(
            "this Fabric wants fabric.backward(loss), and trainers call loss.backward(): give one "
            "made by t2ilab.fit.machine.make_fabric, or leave fabric= out"
        )
    trainer.setup(fabric)
    if fabric.world_size > 1 and getattr(fabric, "_models_setup", 1) == 0:
        raise TrainingError(
            "setup(fabric) of this trainer passes no network to fabric.setup, so several "
            "processes would train several models: use one process"
        )
    trainer._fit_fabric = fabric
    return fabric


def _machine(fabric: "Fabric") -> tuple[str, str]:
    """Device and precision."""
    return fabric.device.type, getattr(fabric.strategy.precision, "precision", "32-true")


def _share(batches: Any, fabric: "Fabric") -> Callable[[int], dict[str, Tensor]]:
    """This process's part of the batches."""
    if not callable(batches):
        raise UsageError(
            f"batches is a function, step -> dict of tensors; this is {type(batches).__name__}"
        )
    if fabric.world_size == 1:
        return batches
    if hasattr(batches, "shard"):
        return batches.shard(fabric.global_rank, fabric.world_size)
    return lambda step: batches(step * fabric.world_size + fabric.global_rank)


def _stop_if_bad(bad: Any, folder: Folder) -> None:
    if bad is not None:
        raise TrainingError(f"{bad}, and training was stopped{last_good(folder)}")


def _say_how_to_go_on(run: Run, fabric: "Fabric", folder: Folder) -> None:
    """After a signal: where things are, and how to go on. On stderr, whatever `show` is."""
    if run.stopped != "signal" or not fabric.is_global_zero:
        return
    where = f"stopped by {run.signal} after step {run.step}"
    if folder.path is None:
        words = f"{where}; no folder was given, so nothing was saved: the trainer has the weights"
    else:
        words = (
            f"{where}; the checkpoint is in {folder.path}. To go on, make the same call with "
            f"resume=True (on the command line: --resume {folder.path})"
        )
    print(words, file=sys.stderr)


def _fitted(run: Run, fabric: "Fabric", folder: Folder, stopped: str | None) -> Fitted:
    device, precision = _machine(fabric)
    return Fitted(
        history=run.losses.frame(),
        strips=list(run.strips.taken),
        steps=run.step,
        seconds=run.seconds,
        out=folder.path,
        stopped=str(stopped),
        device=device,
        wait_share=min(1.0, run.waited / run.seconds) if run.seconds else 0.0,
        precision=precision,
        signal=run.signal,
    )
