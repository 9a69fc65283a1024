"""Finished runs as one table: a row a run, or the mean over seeds with its standard deviation.

What is left out is said in print: damaged runs, failed ones, values that are no finite numbers.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2ilab.errors import DataError, UsageError, choose
from t2ilab.paths import runs_dir, user_path
from t2ilab.runs.kept import runs_below
from t2ilab.runs.notebook import find_notebook
from t2ilab.schemas.runs import Metrics

if TYPE_CHECKING:
    from pandas import DataFrame

REPEATED = "SEED"  # runs that differ in this alone are repetitions of one experiment
NAMED = 5  # of many, so many are named


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
        by: parameters to group by. A row is then a group of `n` runs, with three columns for each
            metric: its mean, `METRIC ±`, its standard deviation (n - 1), and `METRIC n`, of how
            many runs (those whose number is there and finite). Of runs with the same parameters
            the newest counts.
        metrics: which recorded numbers; by default all.
        where: keep only runs with these values of their parameters, {"PROFILE": "laptop"}.

    Raises:
        DataError: there is no finished run.
        UsageError: an unknown parameter or metric; a group would mix other things than seeds.
    """
    below = runs_below(_folder(source))
    for words in below.damaged:
        print(f"left out: {words}")
    if below.unfinished:
        print(f"left out, not finished: {_some([path.name for path in below.unfinished])}")
    found = below.finished
    if not found:
        raise DataError(f"no finished runs of {source} yet: t2ilab run makes one")
    parameters = _names(one.run.parameters for one in found.values())
    recorded = _Recorded.of(found, taken=("run", "notebook", "seconds", "n", *parameters))
    wanted = _checked("metric", metrics, recorded.names)
    rows = _select(list(found.items()), where or {}, parameters)
    if by is not None:
        by = _checked("parameter", by, parameters)
        return _grouped(rows, by, wanted, parameters, recorded, asked=metrics is not None)
    return _frame([_row(path, one, parameters, wanted, recorded) for path, one in rows])


def readable(frame: "DataFrame") -> "DataFrame":
    """A grouped table as text: "0.912 ± 0.013" in one column a metric; "(2 of 3)" where not all
    runs of the group have a number."""
    text = frame.copy()
    for metric in [name for name in frame if {f"{name} ±", f"{name} n", "n"} <= set(frame)]:
        spread = f"{metric} ±"
        numbers = zip(frame[metric], frame[spread], frame[f"{metric} n"], frame["n"], strict=True)
        text[metric] = [_shown(*one) for one in numbers]
        text = text.drop(columns=[spread, f"{metric} n"])
    return text


def _shown(mean: float, spread: float, n: int, of: int) -> str:
    text = "-" if not n else f"{mean:.4g}" if n == 1 else f"{mean:.4g} ± {spread:.2g}"
    return text if n == of else f"{text} ({n} of {of})"


def _folder(source: str | int | Path) -> Path:
    path = user_path(str(source), "folder")
    if path.is_dir() and not str(source).isdigit():
        return path
    return runs_dir() / find_notebook(source).stem


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _names(dicts: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for one in dicts for name in one))


@dataclass(frozen=True)
class _Recorded:
    """What each run has recorded, flat, under names that stand for nothing else in the table."""

    values: dict[Path, dict[str, Any]]
    names: list[str]

    @classmethod
    def of(cls, found: Mapping[Path, Metrics], taken: Sequence[str]) -> "_Recorded":
        flat = {path: _flat(one.recorded) for path, one in found.items()}
        for values in flat.values():
            for name in [name for name in values if name in taken]:
                values[f"recorded.{name}"] = values.pop(name)
        return cls(flat, _names(flat.values()))

    def number(self, path: Path, metric: str) -> float | None:
        """A finite number; None for anything else, true and false included."""
        value = self.values[path].get(metric)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        return float(value) if math.isfinite(value) else None

    def numbers(self, paths: list[Path], metrics: list[str]) -> tuple[list[str], list[str]]:
        """Those of `metrics` that can be averaged, and those that are text, lists and the like."""
        others = []
        for metric in metrics:
            there = [path for path in paths if self.values[path].get(metric) is not None]
            if there and all(self.number(path, metric) is None for path in there):
                others.append(metric)
        return [name for name in metrics if name not in others], others


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        name = prefix + name
        flat |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def _row(
    path: Path, one: Metrics, parameters: list[str], metrics: list[str], recorded: _Recorded
) -> dict[str, Any]:
    about = {"run": path.name, "notebook": one.run.notebook}
    about |= {name: one.run.parameters.get(name) for name in parameters}
    values = recorded.values[path]
    return {**about, "seconds": one.run.seconds, **{name: values.get(name) for name in metrics}}


def _frame(rows: list[dict[str, Any]]) -> "DataFrame":
    """A frame with columns of numbers, except where a large int would lose digits as a float."""
    import pandas as pd

    frame = pd.DataFrame(rows, dtype=object)
    for name in frame:
        if not any(isinstance(value, int) and abs(value) > 2**53 for value in frame[name]):
            frame[name] = frame[name].infer_objects()
    return frame


def _checked(kind: str, names: str | Sequence[str] | None, choices: list[str]) -> list[str]:
    if names is None:
        return choices
    names = [names] if isinstance(names, str) else list(dict.fromkeys(names))
    for name in names:
        choose(kind, name, choices)
    return names


def _select(
    runs: list[tuple[Path, Metrics]], where: Mapping[str, Any], parameters: list[str]
) -> list[tuple[Path, Metrics]]:
    for name in _checked("parameter", list(where), parameters):
        runs = [x for x in runs if str(x[1].run.parameters.get(name)) == str(where[name])]
    if not runs:
        raise DataError(f"no finished run has {', '.join(f'{k}={v}' for k, v in where.items())}")
    return runs


def _grouped(
    runs: list[tuple[Path, Metrics]],
    by: list[str],
    metrics: list[str],
    parameters: list[str],
    recorded: _Recorded,
    *,
    asked: bool,
) -> "DataFrame":
    """A row a group; see `table`."""
    groups: dict[tuple[str, ...], list[tuple[Path, Metrics]]] = {}
    for path, one in _newest(runs):
        groups.setdefault(_key(one, by), []).append((path, one))
    for group in groups.values():
        _see_alike(group, [name for name in parameters if name not in (*by, REPEATED)])
    averaged, others = recorded.numbers([path for path, _ in runs], metrics)
    if others and asked:
        raise UsageError(f"{_some(others)}: no number, so there is no mean of it; leave out `by`")
    if others:
        print(f"not averaged, for they are no numbers: {', '.join(others)}")
    rows = []
    for group in groups.values():
        row = {name: group[0][1].run.parameters.get(name) for name in by} | {"n": len(group)}
        for metric in averaged:
            row |= _summary(metric, [recorded.number(path, metric) for path, _ in group])
        rows.append(row)
    _say_missing([path for group in groups.values() for path, _ in group], averaged, recorded)
    _say_mixed(groups.values())
    return _sorted(_frame(rows), by)


def _say_missing(paths: list[Path], metrics: list[str], recorded: _Recorded) -> None:
    for metric in metrics:
        if missing := [path.name for path in paths if recorded.number(path, metric) is None]:
            print(f"{metric}: no finite number in {_some(missing)}, of {len(paths)} runs")


def _say_mixed(groups: Iterable[list[tuple[Path, Metrics]]]) -> None:
    """Say where runs of different code stand in one group."""
    codes = [{x.package.digest if x.package else "unknown" for _, x in group} for group in groups]
    if mixed := set().union(*(code for code in codes if len(code) > 1)):
        names = ", ".join(sorted(mixed))
        print(f"runs of {len(mixed)} versions of the package are averaged together: {names}")


def _newest(runs: list[tuple[Path, Metrics]]) -> Iterable[tuple[Path, Metrics]]:
    """Of runs of the same notebook with the same parameters the newest."""
    return {
        (one.run.notebook, _key(one, sorted(one.run.parameters))): (path, one) for path, one in runs
    }.values()


def _key(one: Metrics, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{name}={one.run.parameters.get(name)!r}" for name in names)


def _see_alike(group: list[tuple[Path, Metrics]], others: list[str]) -> None:
    """Refuse to average over what is no repetition."""
    for name in ("notebook", *others):
        values = {
            str(one.run.notebook if name == "notebook" else one.run.parameters.get(name))
            for _, one in group
        }
        if len(values) > 1:
            last = sorted(values)[-1]
            raise UsageError(
                f"runs that differ in {name} would be averaged together: add {name} to `by`, or "
                f"keep one value of it with `where` ({name}={last})"
            )


def _summary(metric: str, values: list[float | None]) -> dict[str, float]:
    import numpy as np

    there = np.array([value for value in values if value is not None])
    mean = there.mean() if len(there) else math.nan
    spread = there.std(ddof=1) if len(there) > 1 else math.nan
    return {metric: mean, f"{metric} ±": spread, f"{metric} n": len(there)}


def _sorted(frame: "DataFrame", by: list[str]) -> "DataFrame":
    """By the groups' parameters: numbers by size, all else as text."""

    def rank(column: Any) -> Any:
        return column.astype(str) if column.dtype == object else column

    return frame.sort_values(by, key=rank, ignore_index=True) if by else frame
