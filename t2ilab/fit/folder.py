"""The folder of a run: claimed by one run at a time, never taken over by accident."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import Timeout

from t2ilab.durable import remove_leftovers
from t2ilab.errors import TrainingError, UsageError
from t2ilab.files import write_csv
from t2ilab.fit import checkpoint, strips
from t2ilab.fit.record import NAME as RECORD
from t2ilab.fit.record import Record
from t2ilab.locks import holder, locked, sign
from t2ilab.paths import user_path

if TYPE_CHECKING:
    import pandas as pd
    from filelock import BaseFileLock

HISTORY = "history.csv"
LOCK = "lock"
PREPARED = "prepared"  # a sub-folder that may be there before training begins: what it needs


class Folder:
    """Where a run keeps `checkpoint.pt`, `history.csv` and `strips.npz`; a lock while it runs.

    Args:
        path: the folder, made if it is missing; None: nothing is kept.
        resume: go on from the checkpoint in it.
    """

    def __init__(self, path: str | Path | None, *, resume: bool):
        if path is None and resume:
            raise UsageError("resume=True needs out=, the folder of the run to go on with")
        self.path = None if path is None else user_path(path, "out")
        self.resume = resume
        self._lock: BaseFileLock | None = None
        self._strips_written = -1

    def claim(self) -> None:
        """Lock the folder and see that it holds what it should.

        Raises:
            UsageError: `path` is a file, or there is nothing to resume.
            TrainingError: another run writes there; or it holds something and `resume` is off; or
                it cannot be written to.
        """
        if self.path is None:
            return
        if self.resume and not self.path.exists():
            raise UsageError(
                f"there is no folder {self.path} to resume from: check the path, or start "
                f"without resume"
            )
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"out={self.path} is a file; a run needs a folder: give another name")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = locked(self.path / LOCK, timeout=0)
        except Timeout:
            raise TrainingError(
                f"another run is writing to {self.path} ({holder(self.path / LOCK)}). Wait for it, "
                "stop it, or give this run another folder."
            ) from None
        except OSError as error:
            raise TrainingError(
                f"cannot write into {self.path}: {error.strerror or error}. Make room there, or "
                f"give another folder."
            ) from error
        sign(self.path / LOCK)
        try:
            remove_leftovers(self.path)
            self._check_content()
        except BaseException:
            self.release()
            raise

    def see_free(self) -> None:
        """Raise what `claim` would raise, without keeping the folder."""
        self.claim()
        self.release()

    def _check_content(self) -> None:
        names = sorted({x.name for x in self.path.iterdir()} - {LOCK, f"{LOCK}.soft", PREPARED})
        if self.resume and names and checkpoint.NAME not in names:
            listed = ", ".join(names[:5])
            raise UsageError(
                f"{self.path} holds no {checkpoint.NAME} to resume from, but {listed}: check the "
                f"path, or give an empty folder without resume"
            )
        if names and not self.resume:
            way = "resume=True (on the command line --resume) goes on from there; or "
            way = way if checkpoint.NAME in names else ""
            raise TrainingError(
                f"{self.path} is not empty ({', '.join(names[:5])}), and nothing in it was "
                f"touched: {way}give another folder"
            )

    def read(self) -> dict | None:
        """The checkpoint to go on from, or None."""
        return checkpoint.read(self.path) if self.path is not None and self.resume else None

    def write(self, state: dict, history: "pd.DataFrame", taken: list) -> None:
        """Write the checkpoint, then the files that are only for reading by others.

        Raises:
            checkpoint.CannotWrite: the disk is full or the folder gone.
        """
        if self.path is None:
            return
        checkpoint.write(self.path, state)
        try:
            write_csv(self.path / HISTORY, history)
            if taken and len(taken) != self._strips_written:
                strips.write(self.path, taken)
                self._strips_written = len(taken)
        except OSError as error:
            raise checkpoint.CannotWrite(
                f"wrote the checkpoint, but not {HISTORY} and {strips.NAME} in {self.path}: "
                f"{error.strerror or error}. Make room on the disk."
            ) from error

    def note(self, record: Record | None) -> None:
        """Write `run.json`; there is a checkpoint already.

        Raises:
            checkpoint.CannotWrite: the disk is full or the folder gone.
        """
        if self.path is None or record is None:
            return
        try:
            record.write(self.path)
        except OSError as error:
            raise checkpoint.CannotWrite(
                f"could not write {self.path / RECORD}: {error.strerror or error}. Make room on "
                "the disk."
            ) from error

    def release(self) -> None:
        """Let another run have the folder."""
        if self._lock is None:
            return
        if os.name != "nt":  # Windows deletes no open file
            for path in (self.path / LOCK, self.path / f"{LOCK}.soft"):
                path.unlink(missing_ok=True)
        self._lock.release()
        self._lock = None
