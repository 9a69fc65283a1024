"""`run.json`: what makes a run the run that it is, so that a resume cannot become another one."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from t2ilab import schemas
from t2ilab.errors import TrainingError, UsageError
from t2ilab.files import write_json
from t2ilab.provenance import about
from t2ilab.schemas.training import RunFile

NAME = "run.json"


class Stopped(TrainingError):
    """A signal came before there was anything to go on from; `signal`: its name, or None."""

    def __init__(self, message: str, signal: str | None):
        super().__init__(message)
        self.signal = signal


@dataclass(frozen=True)
class Record:
    """The options of a run and a fingerprint of its data, plain values both.

    Attributes:
        options: name -> value.
        data: name -> number or text.
        free: names of the options that a resume may change.
        device: on which it trains.
    """

    options: dict[str, Any] = field(default_factory=dict)
    data: dict[str, int | str] = field(default_factory=dict)
    free: tuple[str, ...] = ()
    device: str = "cpu"

    def plain(self) -> dict[str, dict]:
        return {"options": dict(self.options), "data": dict(self.data)}

    def write(self, folder: Path) -> None:
        """Write `run.json`, with the code and the machine; OSError where the disk is full."""
        write_json(folder / NAME, self.plain() | about(self.device))

    def see_same(self, before: dict | None, folder: Path | None) -> None:
        """Refuse to go on from a checkpoint of another run, or with other data.

        Args:
            before: what `plain` gave when the checkpoint was written, or None.

        Raises:
            UsageError: names what differs.
        """
        if before is None:
            return
        then, now = before["options"], self.options
        for name in sorted({*then, *now} - set(self.free)):
            if then.get(name) != now.get(name):
                was, option = then.get(name, "not given"), name.replace("_", "-")
                option = "the system" if name == "system" else f"--{option}"
                raise UsageError(
                    f"the run in {folder} began with {option} {was}, not "
                    f"{now.get(name, 'without it')}: give what it began with, or begin another "
                    "run in another folder."
                )
        for name, was in before["data"].items():
            if self.data.get(name) != was:
                raise UsageError(
                    f"the run in {folder} began with other data: its {name} was {was}, and is "
                    f"{self.data.get(name)} now. Give the data of then, or begin another run."
                )


def read(folder: Path) -> dict[str, Any]:
    """The options of the run in `folder`; empty where it has no record.

    Raises:
        UsageError: there is no such folder.
        DataError: the record is damaged.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder} to resume from: check the path.")
    if not (folder / NAME).exists():
        return {}
    advice = f"{NAME} is damaged: remove it, and give all options again."
    return dict(schemas.read(folder / NAME, RunFile, advice=advice).options)
