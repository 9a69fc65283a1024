"""The runs that are kept: metrics.json as a schema has it, sealed by its digest, found again."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from t2ilab.errors import DataError
from t2ilab.files import write_json
from t2ilab.schemas import decode, read, to_dict
from t2ilab.schemas.runs import Metrics, Run

LARGEST = 2**28  # bytes of a metrics.json; it may hold many arrays
NAME, FAILED = "metrics.json", "error.txt"


def seal(folder: Path, run: Run) -> None:
    """Add to a folder's metrics.json how it was run; from now on it is a finished run.

    Raises:
        DataError: what the notebook wrote is no metrics.json.
    """
    path = folder / NAME
    metrics = replace(read(path, Metrics, largest=LARGEST), run=run)
    metrics = decode(json.dumps(to_dict(metrics)), Metrics, path)  # as it will be read
    sealed = replace(metrics, run=replace(metrics.run, digest=_digest(metrics)))
    write_json(path, to_dict(sealed))


def finished_run(folder: Path) -> Metrics | None:
    """What a folder says of its run; None where it has not finished.

    Raises:
        DataError: its metrics.json is damaged, or was changed after the run.
    """
    if not (folder / NAME).is_file():
        return None
    metrics = read(folder / NAME, Metrics, largest=LARGEST)
    if metrics.run is None or metrics.recorded is None:  # broke off; never called lab.finish()
        return None
    if metrics.run.digest not in (None, _digest(metrics)):
        raise DataError(f"{folder / NAME} was changed after the run: its digest is another one.")
    return metrics


@dataclass(frozen=True)
class Below:
    """The runs below a folder: the finished ones, oldest first; the folders of those that broke
    off or failed, unless the same has finished since; and what is wrong with damaged ones."""

    finished: dict[Path, Metrics]
    unfinished: list[Path]
    damaged: list[str]

    @property
    def by_hash(self) -> dict[str, Path]:
        """Of each hash the folder of its newest finished run."""
        return {metrics.run.hash: path for path, metrics in self.finished.items()}


def runs_below(folder: Path, pattern: str = "**/") -> Below:
    """Look at every metrics.json and error.txt; what was run by hand in Jupyter does not count."""
    found, damaged = {}, []
    unfinished = {path.parent for path in folder.glob(f"{pattern}{FAILED}")}
    for path in folder.glob(f"{pattern}{NAME}"):
        try:
            if metrics := finished_run(path.parent):
                found[path.parent] = metrics
            elif not path.parent.name.startswith("by-hand-"):
                unfinished.add(path.parent)
        except DataError as error:
            damaged.append(str(error))
    by_time = sorted(found.items(), key=lambda one: (one[1].run.finished, one[0].name))
    hashes = {metrics.run.hash for metrics in found.values()}
    lost = [path for path in unfinished if hashes.isdisjoint(path.name.split("-"))]
    return Below(dict(by_time), sorted(lost), sorted(damaged))


def _digest(metrics: Metrics) -> str:
    """Of all but the digest itself. (Fields that are not given do not count: older files keep
    theirs when the schema grows.)"""
    plain = to_dict(replace(metrics, run=replace(metrics.run, digest=None)))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
