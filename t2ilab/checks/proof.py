"""What CI proves of every exercise: the solution passes, the stub does not, mistakes are caught."""

import inspect
import json
import re
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from t2ilab.checks.blank import ____
from t2ilab.checks.exercise import Exercise, Verdict, run_cell
from t2ilab.paths import NOTEBOOKS

_UNFINISHED = re.compile(r"\b____\b|NotImplementedError")


def exercise_modules() -> list[ModuleType]:
    """The modules `t2ilab.checks.nNN_name`, in the order of their notebooks."""
    here = Path(__file__).parent
    names = sorted(m.name for m in iter_modules([str(here)]) if re.match(r"n\d\d_", m.name))
    return [import_module(f"t2ilab.checks.{name}") for name in names]


def exercises_of(module: Any) -> dict[str, Exercise]:
    """The exercises of a module by the name they have there."""
    return {name: value for name, value in vars(module).items() if isinstance(value, Exercise)}


def notebook_of(module: ModuleType) -> Path:
    """The notebook that a module of exercises belongs to."""
    return NOTEBOOKS / f"{module.__name__.rsplit('.', 1)[-1][1:]}.ipynb"


def prove(exercise: Exercise) -> None:
    """Prove one exercise three ways.

    The stub runs, and counts as not attempted; the solution passes; every planted mistake, and
    every one of `usual_mistakes`, is found wrong, in words that fit it.

    Raises:
        AssertionError: with a sentence for each thing that is not so.
    """
    problems = _text_problems(exercise)
    cells = [("stub", exercise.stub, "not attempted", "not attempted yet")]
    cells += [("solution", exercise.answer, "correct", "Correct")]
    for number, (source, expected) in enumerate(exercise.mistakes, start=1):
        cells.append((f"mistake {number}", source, "wrong", expected))
    for title, source, status, expected in cells:
        try:
            verdict = exercise.verdict(*_defined(exercise, source, title))
        except Exception as error:
            problems.append(f"the {title} does not run: {type(error).__name__}: {error}")
            continue
        problems += _verdict_problems(title, verdict, status, expected)
    if not problems:
        for title, (answer, expected) in usual_mistakes(exercise).items():
            problems += _verdict_problems(title, exercise.verdict(answer), "wrong", expected)
    assert not problems, f"{exercise.name}: " + "\n".join(problems)


def usual_mistakes(exercise: Exercise) -> dict[str, tuple[Any, str]]:
    """What can go wrong in any exercise: title -> an answer with it, and words that must be said.

    Each does what the solution does, but for one thing.
    """
    name, solved = exercise.reads[0], _defined(exercise, exercise.answer, "solution")[0]
    given, found = _first_call(exercise, solved)
    names = list(inspect.signature(solved).parameters)
    changed = next(k for k, one in enumerate(given) if isinstance(one, (Tensor, np.ndarray, list)))

    def but(change):
        return wraps(solved)(lambda *given: change(solved(*given)))

    def in_place(*given):
        found, one = solved(*given), given[changed]
        one.clear() if isinstance(one, list) else one.__setitem__(..., 7)
        return found

    made = {
        "no return": (but(lambda found: None), f"`{name}` returns nothing (None)"),
        "no brackets": (but(lambda found: solved), "are the brackets of its call missing?"),
        "packed": (but(lambda found: {"found": found}), f"`{name}` returns a dict"),
        "in place": (wraps(solved)(in_place), f"`{names[changed]}` was changed in place"),
        "no function": (3, "its name now stands for an int"),
        "arguments": (lambda: found, f"called with {len(given)} arguments"),
    }
    source = f"def {name}({', '.join(names)}):\n    return no_such_name"
    line = "NameError: name 'no_such_name' is not defined, in the line `return no_such_name`"
    made["an error"] = (_defined(exercise, source, "error")[0], line)
    if isinstance(found, (Tensor, np.ndarray, np.generic)):
        made["shape"] = (but(lambda found: found[None]), f"yours has the shape {[1, *found.shape]}")
        if torch.as_tensor(found).is_floating_point():
            made["nan"] = (but(lambda found: found * float("nan")), f"`{name}` returns nan")
            made["inf"] = (but(lambda found: found * 0 + float("inf")), f"`{name}` returns inf")
    if isinstance(found, Tensor) and found.ndim:
        made["numpy"] = (but(lambda found: found.detach().numpy()), "returns a numpy array")
    return made


def _first_call(exercise: Exercise, solved: Callable) -> tuple[tuple, Any]:
    """The arguments that the test calls the solution with first, and what it returns."""
    seen = []

    def noting(*given):
        seen.append((given, solved(*given)))
        return seen[-1][1]

    exercise.test(wraps(solved)(noting))
    return seen[0]


def notebook_problems(notebook: Path, exercises: dict[str, Exercise]) -> list[str]:
    """How a notebook departs from its exercises; empty where it does not.

    Every cell with a `____` must be the stub of an exercise, letter for letter (lines at its end
    that call `checks.` apart); every exercise must have its cell, and be checked there or below.
    """
    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    stubs = [_without_checks(source) for source in sources]
    known = {exercise.stub.strip() for exercise in exercises.values()}
    problems = []
    for stub in stubs:
        unfinished = re.sub(r"^from t2ilab\.checks import .*$", "", stub, flags=re.MULTILINE)
        if _UNFINISHED.search(unfinished) and stub not in known:
            problems.append(f"no exercise has this stub: {stub.splitlines()[0]} ...")
    for name, exercise in exercises.items():
        if exercise.stub.strip() not in stubs:
            problems.append(f"{name}: no cell holds its stub as it is written in the module")
            continue
        below = "\n".join(sources[stubs.index(exercise.stub.strip()) :])
        if not re.search(rf"\b{re.escape(name)}\.check\(", below):
            problems.append(f"{name}: {name}.check() is not called at or below its stub")
    return problems


def _text_problems(exercise: Exercise) -> list[str]:
    problems = []
    if not exercise.question.strip() or len(exercise.hints) != 2 or not all(exercise.hints):
        problems.append("a question and two hints are needed")
    if not exercise.mistakes:
        problems.append("at least one planted mistake is needed")
    if not _UNFINISHED.search(exercise.stub):
        problems.append("the stub has neither ____ nor NotImplementedError")
    if _UNFINISHED.search(exercise.answer):
        problems.append("the solution still has ____ or NotImplementedError")
    return problems


def _verdict_problems(title: str, verdict: Verdict, status: str, expected: str) -> list[str]:
    if verdict.status != status:
        return [f"the {title} should be {status}, but: {verdict.message}"]
    if expected.lower() not in verdict.message.lower():
        return [f"the {title} should be told '{expected}', but: {verdict.message}"]
    return []


def _defined(exercise: Exercise, source: str, title: str) -> list[Any]:
    """The values of the names that the exercise reads, after its setup and a cell."""
    namespace: dict[str, Any] = {"__name__": "__main__", "____": ____}
    run_cell(exercise.setup, namespace, title=f"{exercise.name} setup")
    run_cell(source, namespace, title=f"{exercise.name} {title}")
    missing = [name for name in exercise.reads if name not in namespace]
    if missing:
        raise NameError(f"it does not define {missing[0]}")
    return [namespace[name] for name in exercise.reads]


def _without_checks(source: str) -> str:
    """A cell's text without the lines at its end that only call `checks.something`."""
    lines = source.strip().splitlines()
    while lines and re.match(r"(#\s*)?checks\.|\s*$", lines[-1]):
        lines.pop()
    return "\n".join(lines).strip()
