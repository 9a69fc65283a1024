"""What CI proves of every exercise: the solution passes, the stub does not, mistakes are caught."""

import json
import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

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

    The stub runs, and counts as not attempted; the solution passes; every planted mistake is
    found wrong, in words that fit it.

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
            verdict = _judge(exercise, source, title)
        except Exception as error:
            problems.append(f"the {title} does not run: {type(error).__name__}: {error}")
            continue
        if verdict.status != status:
            problems.append(f"the {title} should be {status}, but: {verdict.message}")
        elif expected.lower() not in verdict.message.lower():
            problems.append(f"the {title} should be told '{expected}', but: {verdict.message}")
    assert not problems, f"{exercise.name}: " + "\n".join(problems)


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


def _judge(exercise: Exercise, source: str, title: str) -> Verdict:
    namespace: dict[str, Any] = {"__name__": "__main__", "____": ____}
    run_cell(exercise.setup, namespace, title=f"{exercise.name} setup")
    run_cell(source, namespace, title=f"{exercise.name} {title}")
    missing = [name for name in exercise.reads if name not in namespace]
    if missing:
        raise NameError(f"it does not define {missing[0]}")
    return exercise.verdict(*(namespace[name] for name in exercise.reads))


def _without_checks(source: str) -> str:
    """A cell's text without the lines at its end that only call `checks.something`."""
    lines = source.strip().splitlines()
    while lines and re.match(r"(#\s*)?checks\.|\s*$", lines[-1]):
        lines.pop()
    return "\n".join(lines).strip()
