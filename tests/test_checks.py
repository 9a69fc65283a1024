"""Exercises: what a learner is told, and the proof of every exercise of the course."""

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from t2ilab.checks import Exercise, Wrong, ____
from t2ilab.checks.blank import NotAttempted, has_blank
from t2ilab.checks.proof import (
    exercise_modules,
    exercises_of,
    notebook_of,
    notebook_problems,
    prove,
)
from t2ilab.errors import UsageError

STUB = "def discriminator_loss(real, fake):\n    return F.softplus(____) + ____"
ANSWER = STUB.replace(
    "F.softplus(____) + ____", "F.softplus(-real).mean() + F.softplus(fake).mean()"
)


def judge_loss(loss):
    zero, two = torch.zeros(4), torch.full((4,), 2.0)
    if loss(zero, zero).shape != ():
        raise Wrong("A loss is one number: take the mean over the batch.")
    if not loss(two, zero) <= loss(zero, zero) <= loss(zero, two):
        raise Wrong("Look at the signs: it should fall when real logits rise.")
    if not torch.isclose(loss(zero, zero), 2 * torch.log(torch.tensor(2.0))):
        raise Wrong("At logits of 0 it should be 2 ln 2.")


EXAMPLE = Exercise(
    name="q1",
    question="Write the loss of the **discriminator** on logits.",
    reads=("discriminator_loss",),
    stub=STUB,
    answer=ANSWER,
    setup="import torch\nimport torch.nn.functional as F",
    test=judge_loss,
    hints=("Real pictures should get large logits.", "softplus(-x) = -log sigmoid(x)"),
    mistakes=[
        (ANSWER.replace(".mean()", ""), "mean over the batch"),
        (ANSWER.replace("-real", "real").replace("(fake)", "(-fake)"), "signs"),
        (ANSWER.replace(" + F.softplus(fake).mean()", ""), "2 ln 2"),
        (ANSWER.replace("F.softplus(fake)", "F.softpluss(fake)"), "stopped with AttributeError"),
    ],
    praise="It is 2 ln 2 where D cannot tell.",
)

MODULES = exercise_modules()
ALL = [
    pytest.param(exercise, name, id=f"{module.__name__.split('.')[-1]}.{name}")
    for module in MODULES
    for name, exercise in exercises_of(module).items()
]


@pytest.mark.parametrize(("exercise", "name"), [pytest.param(EXAMPLE, "q1", id="example"), *ALL])
def test_solution_passes_stub_does_not_and_mistakes_get_the_hint_that_fits(exercise, name):
    assert exercise.name == name
    prove(exercise)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.split(".")[-1])
def test_the_notebook_holds_the_stubs_of_its_exercises(module):
    assert exercises_of(module)
    assert notebook_problems(notebook_of(module), exercises_of(module)) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"stub": ANSWER}, "the stub should be not attempted"),
        ({"stub": "1 / 0  # ____"}, "the stub does not run: ZeroDivisionError"),
        ({"answer": ANSWER.replace("-real", "real")}, "the solution should be correct"),
        ({"answer": "other = 1"}, "does not define discriminator_loss"),
        ({"mistakes": [(ANSWER, "signs")]}, "mistake 1 should be wrong"),
        ({"mistakes": [(ANSWER.replace(".mean()", ""), "signs")]}, "should be told 'signs'"),
        ({"mistakes": []}, "at least one planted mistake"),
        ({"hints": ("only one", "")}, "two hints"),
    ],
)
def test_the_proof_fails_for_an_exercise_that_is_not_right(change, problem):
    with pytest.raises(AssertionError, match=problem):
        prove(replace(EXAMPLE, **change))


def test_check_finds_the_answer_where_it_is_called(capsys):
    def check_here():
        EXAMPLE.check()

    check_here()
    assert capsys.readouterr().out == (
        "q1: not attempted yet. Run the cell that defines discriminator_loss.\n"
    )

    def discriminator_loss(real, fake):
        return torch.nn.functional.softplus(torch.cat([-real, fake])).mean() * 2

    EXAMPLE.check()
    assert capsys.readouterr().out == "q1: Correct. It is 2 ln 2 where D cannot tell.\n"
    EXAMPLE.check(discriminator_loss)
    assert "Correct" in capsys.readouterr().out
    with pytest.raises(UsageError, match="q1 reads discriminator_loss"):
        EXAMPLE.check(1, 2)


def test_an_error_of_the_learner_is_told_with_its_line(capsys):
    namespace = {"__name__": "__main__", "torch": torch}
    exec("def discriminator_loss(real, fake):\n    return real @ torch.ones(3)", namespace)
    EXAMPLE.check(namespace["discriminator_loss"])
    out = capsys.readouterr().out
    assert out.startswith("q1: Not yet. Your code stopped with RuntimeError:")


def test_hints_are_graded_and_the_solution_is_shown(capsys):
    exercise = replace(EXAMPLE)
    for expected in ("hint 1 of 2", "hint 2 of 2", "hint 2 of 2"):
        exercise.hint()
        assert expected in capsys.readouterr().out
    exercise.hint(1)
    assert "Real pictures" in capsys.readouterr().out
    with pytest.raises(UsageError, match="hints 1 to 2"):
        exercise.hint(3)
    exercise.solution()
    assert capsys.readouterr().out.strip() == ANSWER


@pytest.mark.parametrize(
    "use",
    [
        lambda x: ____,
        lambda x: x * ____ + 1,
        lambda x: torch.stack([x, ____]),
        lambda x: np.exp(____),
        lambda x: ____(x)[0].mean() ** 2,
        lambda x: -____ @ x <= 3,
    ],
)
def test_a_blank_stays_a_blank_whatever_is_done_with_it(use):
    assert use(torch.ones(2)) is ____
    assert f"{____:.3f} {____}" == "____ ____"


@pytest.mark.parametrize("use", [bool, len, list, float, int, np.asarray])
def test_nothing_is_decided_on_a_blank(use):
    with pytest.raises(NotAttempted):
        use(____)


def test_a_blank_is_found_in_values_functions_and_classes():
    class Net(torch.nn.Module):
        def forward(self, x):
            return [____ for _ in x]

    def outer():
        return lambda: ____

    found = [____, [1, ____], {"a": ____}, outer, Net, Net(), Net().forward, torch.no_grad()(outer)]
    assert all(map(has_blank, found))
    assert not any(map(has_blank, [1, "____", torch.ones(2), torch.nn.Linear(1, 1), len, dict]))


def test_not_implemented_is_no_attempt_but_a_library_that_cannot_is_an_error():
    def run(source):
        namespace = {"__name__": "__main__", "torch": torch}
        exec(source, namespace)
        return EXAMPLE.verdict(namespace["f"]).status

    assert run("def f(real, fake):\n    raise NotImplementedError") == "not attempted"
    assert run("def f(real, fake):\n    return torch.nn.Module()(real)") == "wrong"


def test_a_check_leaves_the_notebooks_random_numbers_alone():
    def drawing(real, fake):
        return torch.rand(()) + random.random() + np.random.rand()

    def three():
        return torch.rand(()).item(), random.random(), np.random.rand()

    seeds = (torch.manual_seed, random.seed, np.random.seed)
    for seed in seeds:
        seed(5)
    expected = three()
    for seed in seeds:
        seed(5)
    EXAMPLE.verdict(drawing)
    assert three() == expected


def write_notebook(path: Path, *sources: str) -> Path:
    cells = [{"cell_type": "code", "source": source.splitlines(True)} for source in sources]
    path.write_text(json.dumps({"cells": cells}))
    return path


def test_a_notebook_must_hold_the_stub_letter_for_letter(tmp_path):
    start = "from t2ilab.checks import ____\nimport torch"
    exercises = {"q1": EXAMPLE}
    good = write_notebook(tmp_path / "a.ipynb", start, STUB + "\n\nchecks.q1.check()")
    assert notebook_problems(good, exercises) == []
    apart = write_notebook(tmp_path / "b.ipynb", start, STUB, "checks.q1.check(loss)")
    assert notebook_problems(apart, exercises) == []
    other = write_notebook(tmp_path / "c.ipynb", STUB.replace("real", "true"), "checks.q1.check()")
    assert len(notebook_problems(other, exercises)) == 2
    unchecked = write_notebook(tmp_path / "d.ipynb", STUB)
    assert "q1.check() is not called" in notebook_problems(unchecked, exercises)[0]
