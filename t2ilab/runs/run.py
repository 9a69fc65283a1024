"""One run of a notebook as an experiment, by papermill, in a folder of its own.

A run lies in `runs/<notebook>/<time>-<hash>/`: the executed notebook, its figures, what else it
writes into OUT, and `metrics.json`. The hash stands for the notebook's code, all its parameters,
and the package with its data. `lab.finish()` writes `metrics.json`, which gets its part "run" last
of all; only then does a run count as finished.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t2ilab import __version__, environment
from t2ilab.errors import T2ILabError, UsageError, choose, unknown
from t2ilab.files import new_folder, read_json, write_atomically
from t2ilab.paths import runs_dir, user_path
from t2ilab.provenance import DIGITS, package_digest
from t2ilab.runs import kept
from t2ilab.runs.notebook import Book, find_notebook, read_book, strip_widgets
from t2ilab.schemas.runs import Run


@dataclass(frozen=True)
class Plan:
    """A run that has been checked: the notebook, every parameter but OUT, what it overrides."""

    notebook: Path
    parameters: dict[str, Any]
    changed: dict[str, Any]
    takes_out: bool
    hash: str


def plan(
    notebook: str | int | Path,
    *,
    profile: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Plan:
    """Check everything that `run` is given, without running.

    Raises:
        UsageError: an unknown notebook, parameter, profile or device; a value of a wrong type; a
            damaged notebook.
    """
    return plan_of(read_book(find_notebook(notebook)), profile=profile, parameters=parameters)


def plan_of(book: Book, *, profile: str | None, parameters: Mapping[str, Any] | None) -> Plan:
    """As `plan`, of a notebook that has been read."""
    declared, given = book.declared, dict(parameters or {})
    if "OUT" in given:
        raise UsageError("OUT is made by the run; say where runs go with out=... (--out)")
    if profile is None and "PROFILE" in declared:
        profile = environment.profile()
    if profile is not None:
        given.setdefault("PROFILE", profile)
    values = {name: one.parse(one.default) for name, one in declared.items() if name != "OUT"}
    for name, value in given.items():
        if name not in values:
            raise UsageError(unknown("parameter", name, values, listed=values))
        values[name] = declared[name].given(value)
    for name, choices in (("PROFILE", environment.PROFILES), ("DEVICE", environment.DEVICES)):
        if name in values:
            choose(name.lower(), values[name], choices)
    changed = {name: v for name, v in values.items() if v != declared[name].default}
    return Plan(book.path, values, changed, "OUT" in declared, _hash(book, values))


def run(
    notebook: str | int | Path,
    *,
    profile: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    show: bool = True,
) -> Path:
    """Execute a notebook with other parameters; returns the folder of the run.

    Args:
        notebook: its number, name or path.
        profile: "smoke", "laptop" or "gpu"; None for T2ILAB_PROFILE, or else the notebook's own.
            A PROFILE among the parameters wins.
        parameters: values by name; text is read as the type that the notebook declares.
        out: where the folder `<time>-<hash>` is made; by default `runs/<notebook>`.
        show: whether to draw a progress bar.

    Raises:
        UsageError: an unknown name or a wrong value, before anything is run.
        T2ILabError: a cell failed, or none called `lab.finish()`; names it, and the executed
            notebook, which is kept.
    """
    return execute(plan(notebook, profile=profile, parameters=parameters), out=out, show=show)


def execute(planned: Plan, *, out: str | Path | None = None, show: bool = True) -> Path:
    """Execute a plan; as `run`."""
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{planned.hash}"
    folder = new_folder(folder_of_runs(planned.notebook, out), name)
    began = time.time()
    try:
        try:
            _papermill(planned, folder, show)
        finally:
            _strip(folder / planned.notebook.name)
        _finish(planned, folder, round(time.time() - began, 1))
    except T2ILabError as error:
        (folder / kept.FAILED).write_text(f"{error}\n", "utf-8", errors="backslashreplace")
        raise
    return folder


def folder_of_runs(notebook: Path, out: str | Path | None) -> Path:
    """Where the runs of a notebook are made."""
    return user_path(out, "--out").resolve() if out else runs_dir() / notebook.stem


def _hash(book: Book, values: dict[str, Any]) -> str:
    text = json.dumps(
        [__version__, package_digest(), book.path.stem, book.code, values], sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def _finish(planned: Plan, folder: Path, seconds: float) -> None:
    """Make it a finished run, if the notebook called `lab.finish()`."""
    if not (folder / kept.NAME).is_file():
        raise T2ILabError(
            f"{planned.notebook.stem} ran to its end, but wrote no {kept.NAME}, so it does not "
            "count as finished: begin it with lab = start(PROFILE, SEED, DEVICE, OUT), OUT being "
            "a parameter, and end it with lab.finish()\n"
            f"The executed notebook: {_relative(folder / planned.notebook.name)}"
        )
    run = Run(
        notebook=planned.notebook.stem,
        hash=planned.hash,
        parameters=planned.parameters,
        finished=time.strftime("%Y-%m-%dT%H:%M:%S"),
        seconds=seconds,
    )
    kept.seal(folder, run)


def _papermill(planned: Plan, folder: Path, show: bool) -> None:
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    from t2ilab.runs.kernel import ThisPython

    path, target = planned.notebook, folder / planned.notebook.name
    out = {"OUT": str(folder)} if planned.takes_out else {}
    for attempt in (1, 2):
        try:
            papermill.execute_notebook(
                str(path),
                str(target),
                parameters={**planned.changed, **out},
                kernel_name="python3",
                language="python",
                cwd=str(path.parent),
                progress_bar=show,
                start_timeout=180,
                kernel_manager_class=ThisPython,
            )
            return
        except PapermillExecutionError as error:
            raise _failed_cell(path, target, error) from error
        except OSError as error:
            raise T2ILabError(f"{path.stem} cannot be run: {error}") from error
        except DeadKernelError as error:
            raise T2ILabError(
                f"{path.stem}: the kernel died: it was killed, most often for lack of memory.\n"
                f"The notebook as far as it got: {_relative(target)}"
            ) from error
        except RuntimeError as error:
            if not str(error).startswith("Kernel d"):  # "didn't respond", "died before replying"
                raise
            if attempt == 2:  # once is a machine that was too busy
                raise T2ILabError(f"{path.stem}: no kernel came up: {error}") from error


def _failed_cell(path: Path, target: Path, error: Any) -> T2ILabError:
    lines = [line for line in error.source.splitlines() if line.strip()]
    begins = lines[0].strip() if lines else ""
    kind = UsageError if error.ename in ("UsageError", "CaptionError") else T2ILabError
    return kind(
        f"{path.stem}: cell [{error.exec_count}], which begins '{begins}', stopped with "
        f"{error.ename}: {error.evalue}\nThe notebook as far as it got: {_relative(target)}"
    )


def _strip(executed: Path) -> None:
    notebook = read_json(executed)
    if notebook is not None:
        strip_widgets(notebook)
        write_atomically(executed, json.dumps(notebook, indent=1).encode() + b"\n")


def _relative(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
