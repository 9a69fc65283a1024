"""The runs that are kept: metrics.json as a schema has it, sealed by its digest, found again."""

import hashlib
import json
from pathlib import Path

from msgspec.structs import replace

from t2ilab.errors import DataError
from t2ilab.files import write_json
from t2ilab.schemas import read, to_dict
from t2ilab.schemas.runs import Metrics, Run

NAME = "metrics.json"


def seal(folder: Path, run: Run) -> None:
    """Add to a folder's metrics.json how it was run; from now on it is a finished run.

    Raises:
        DataError: what the notebook wrote is no metrics.json.
    """
    metrics = replace(read(folder / NAME, Metrics), run=run)
    write_json(folder / NAME, to_dict(replace(metrics, run=replace(run, digest=_digest(metrics)))))


def finished_run(folder: Path) -> Metrics | None:
    """What a folder says of its run; None where it has not finished.

    Raises:
        DataError: its metrics.json is damaged, or was changed after the run.
    """
    if not (folder / NAME).is_file():
        return None
    metrics = read(folder / NAME, Metrics)
    if metrics.run is None or metrics.recorded is None:  # broke off; never called lab.finish()
        return None
    if metrics.run.digest not in (None, _digest(metrics)):
        raise DataError(f"{folder / NAME} was changed after the run: its digest is another one.")
    return metrics


def runs_below(folder: Path, pattern: str = "**/") -> tuple[dict[Path, Metrics], list[str]]:
    """The finished runs below a folder, oldest first; and what is wrong with damaged ones."""
    found, damaged = {}, []
    for path in folder.glob(f"{pattern}{NAME}"):
        try:
            if metrics := finished_run(path.parent):
                found[path.parent] = metrics
        except DataError as error:
            damaged.append(str(error))
    by_time = sorted(found.items(), key=lambda one: (one[1].run.finished, one[0].name))
    return dict(by_time), sorted(damaged)


def _digest(metrics: Metrics) -> str:
    """Of all but the digest itself. (Fields that are not given do not count: older files keep
    theirs when the schema grows.)"""
    plain = to_dict(replace(metrics, run=replace(metrics.run, digest=None)))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
