"""`run.json`: the options of a training run, kept in its folder: a resume needs nothing else."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from t2ilab import __version__
from t2ilab.errors import DataError, T2ILabError, UsageError

NAME = "run.json"
FREE = ("minutes", "steps", "device", "root")  # what a resume may change
_LOOK_S = 0.1  # seconds between looks at the folder


def read_record(folder: Path) -> dict[str, Any]:
    """The options of the run in `folder`; empty where it has no record.

    Raises:
        UsageError: there is no such folder.
        DataError: the record is damaged.
    """
    from t2ilab.files import read_json

    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder} to resume from: check the path.")
    if not (folder / NAME).exists():
        return {}
    options = (read_json(folder / NAME) or {}).get("options")
    if not isinstance(options, dict):
        raise DataError(f"{folder / NAME} is damaged: remove it, and give all options again.")
    return options


def take_up(folder: Path, given: dict[str, Any]) -> dict[str, Any]:
    """The recorded options of the run in `folder`, with what is given now in their place.

    Raises:
        UsageError: something is given that would make it another run.
    """
    recorded = read_record(folder)
    for name, value in given.items() if recorded else ():
        if name not in FREE and value != recorded.get(name):
            option = "the system" if name == "system" else f"--{name}"
            then = recorded.get(name, "not given")
            raise UsageError(
                f"the run in {folder} began with {option} {then}, not {value}: leave "
                "it out, or begin another run in another folder."
            )
    if "steps" in given or "minutes" in given:  # a new budget takes the place of the whole old one
        recorded = {k: v for k, v in recorded.items() if k not in ("steps", "minutes")}
    return recorded | given


@contextlib.contextmanager
def recording(
    folder: Path, options: dict[str, Any], *, resume: bool
) -> Iterator[Callable[[], None]]:
    """Write the record as soon as the run has begun, since it may be killed at any moment.

    Before its first checkpoint `fit` wants the folder empty, and a folder that is refused must be
    left as it is: so the record is written once there is a checkpoint and this process holds the
    folder's lock. Yields a function that writes it at once, for a run that has ended well.
    """
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_S):
            if _is_ours(folder):
                with contextlib.suppress(T2ILabError):  # of a full disk `fit` speaks
                    _write(folder, options)
                return

    begun = _has_checkpoint(folder)
    watcher = threading.Thread(target=watch, daemon=True)
    if resume or not begun:
        watcher.start()
    try:
        yield lambda: _write(folder, options)
    finally:
        over.set()
        if watcher.is_alive():
            watcher.join()


def _has_checkpoint(folder: Path) -> bool:
    return (folder / "checkpoint.pt").exists()


def _is_ours(folder: Path) -> bool:
    from t2ilab.files import read_json

    return (read_json(folder / "lock") or {}).get("pid") == os.getpid() and _has_checkpoint(folder)


def _write(folder: Path, options: dict[str, Any]) -> None:
    from t2ilab.files import write_json

    try:
        write_json(folder / NAME, {"options": options, "versions": {"t2ilab": __version__}})
    except OSError as error:
        raise T2ILabError(
            f"could not write {folder / NAME}: {error.strerror or error}. Make room on the disk."
        ) from error
