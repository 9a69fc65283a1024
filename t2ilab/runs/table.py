"""Finished runs as one table: a row a run, or the mean over seeds with its standard deviation."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2ilab.errors import DataError, UsageError
from t2ilab.files import read_json, runs_dir
from t2ilab.runs.notebook import find_notebook, unknown

if TYPE_CHECKING:
    from pandas import DataFrame

REPEATED = "SEED"  # runs that differ in this alone are repetitions of one experiment


def table(
    source: str | int | Path,
    *,
    by: str | Sequence[str] | None = None,
    metrics: str | Sequence[str] | None = None,
    where: Mapping[str, Any] | None = None,
) -> "DataFrame":
    """The finished runs of a notebook, or all those below a folder, oldest first.

    Args:
        source: a notebook (number, name, path), or a folder.
        by: parameters to group by. A row is then a group, with `n` runs and for each metric its
            mean and, as `METRIC ±`, its standard deviation (n - 1); of runs with the same
            parameters the newest counts.
        metrics: which recorded numbers; by default all.
        where: keep only runs with these values of their parameters, {"PROFILE": "laptop"}.

    Raises:
        DataError: there is no finished run.
        UsageError: an unknown parameter or metric; a group would mix other things than seeds.
    """
    import pandas as pd

    found = _finished_below(_folder(source))
    if not found:
        raise DataError(f"no finished runs of {source} yet: t2ilab run makes one")
    parameters = _names(run["run"]["parameters"] for run in found)
    recorded = _names(_flat(run.get("recorded", {})) for run in found)
    rows = pd.DataFrame([_row(run, parameters, recorded) for run in found])
    rows = _select(rows, where or {}, parameters)
    wanted = _checked("metric", metrics, recorded)
    if by is not None:
        return _grouped(rows, _checked("parameter", by, parameters), wanted, parameters)
    return rows[["run", "notebook", *parameters, "seconds", *wanted]]


def readable(frame: "DataFrame") -> "DataFrame":
    """A grouped table as text: "0.912 ± 0.013" in one column a metric."""
    text = frame.copy()
    for spread in [column for column in frame if str(column).endswith(" ±")]:
        metric = str(spread)[:-2]
        pairs = zip(frame[metric], frame[spread], strict=True)
        text[metric] = [f"{m:.4g}" if s != s else f"{m:.4g} ± {s:.2g}" for m, s in pairs]
        text = text.drop(columns=spread)
    return text


def _folder(source: str | int | Path) -> Path:
    path = Path(str(source)).expanduser()
    if path.is_dir() and not str(source).isdigit():
        return path
    return runs_dir() / find_notebook(source).stem


def _finished_below(folder: Path) -> list[dict[str, Any]]:
    runs = []
    for path in folder.rglob("metrics.json"):
        run = read_json(path)
        if run and "run" in run:  # its last part: without it the run goes on, or broke off
            runs.append({**run, "folder": path.parent.name})
    return sorted(runs, key=lambda run: (run["run"]["finished"], run["folder"]))


def _names(dicts: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for one in dicts for name in one))


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        flat |= (
            _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
        )
    return flat


def _row(run: dict[str, Any], parameters: list[str], recorded: list[str]) -> dict[str, Any]:
    values = _flat(run.get("recorded", {}))
    about = {"run": run["folder"], "notebook": run["run"]["notebook"]}
    about |= {name: run["run"]["parameters"].get(name) for name in parameters}
    return {**about, "seconds": run["run"]["seconds"], **{n: values.get(n) for n in recorded}}


def _checked(kind: str, names: str | Sequence[str] | None, choices: list[str]) -> list[str]:
    if names is None:
        return choices
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        if name not in choices:
            raise UsageError(unknown(kind, name, choices, listed=choices))
    return names


def _select(rows: "DataFrame", where: Mapping[str, Any], parameters: list[str]) -> "DataFrame":
    for name in _checked("parameter", list(where), parameters):
        rows = rows[[str(value) == str(where[name]) for value in rows[name]]]
    if rows.empty:
        raise DataError(f"no finished run has {', '.join(f'{k}={v}' for k, v in where.items())}")
    return rows.reset_index(drop=True)


def _grouped(
    rows: "DataFrame", by: list[str], metrics: list[str], parameters: list[str]
) -> "DataFrame":
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    texts = rows[["notebook", *parameters]].astype(str)
    newest = ~texts.duplicated(keep="last")
    rows, texts = rows[newest], texts[newest]
    for name in [c for c in texts if c not in (*by, REPEATED)]:
        if (texts.groupby(by)[name].nunique() > 1).any():
            raise UsageError(
                f"runs that differ in {name} would be averaged together: add {name} to `by`, or "
                f"keep one value of it with `where` ({name}={texts[name].iloc[-1]})"
            )
    numbers = rows[metrics].infer_objects()
    kept = [m for m in metrics if is_numeric_dtype(numbers[m]) and not is_bool_dtype(numbers[m])]
    keys = [texts[name] if rows[name].dtype == object else rows[name] for name in by]
    groups = numbers[kept].groupby(keys, sort=True)
    result = groups.size().rename("n").to_frame()
    for metric in kept:
        result[metric] = groups[metric].mean()
        result[f"{metric} ±"] = groups[metric].std(ddof=1)
    return result.reset_index()
