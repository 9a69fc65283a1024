"""Exercises: what a learner is told, and the proof of every exercise of the course."""

import json
import random
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from t2ilab.checks import Exercise, Wrong, ____
from t2ilab.checks.blank import NotAttempted, has_blank
from t2ilab.checks.exercise import filled
from t2ilab.checks.kit import call, checked, compare, compare_ends, compare_terms, same, shown
from t2ilab.checks.proof import (
    exercise_modules,
    exercises_of,
    notebook_of,
    notebook_problems,
    prove,
    usual_mistakes,
)
from t2ilab.errors import UsageError

STUB = "def discriminator_loss(real, fake):\n    return F.softplus(____) + ____"
ANSWER = STUB.replace(
    "F.softplus(____) + ____", "F.softplus(-real).mean() + F.softplus(fake).mean()"
)


def judge_loss(loss):
    call(loss, torch.zeros(4), torch.zeros(4), shape=(), reason="Take the mean over the batch.")
    judge_roughly(loss)


def judge_roughly(loss):
    """As a test of an exercise that does not look at what comes back first."""
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
        ({"answer": "def other(): ..."}, "does not define discriminator_loss"),
        ({"mistakes": [(ANSWER, "signs")]}, "mistake 1 should be wrong"),
        ({"mistakes": [(ANSWER.replace(".mean()", ""), "signs")]}, "should be told 'signs'"),
        ({"mistakes": []}, "at least one planted mistake"),
        ({"hints": ("only one", "")}, "two hints"),
        ({"test": judge_roughly}, "the no return should be told"),
        ({"test": judge_roughly}, "the in place should be told"),
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


def test_an_answer_fills_the_blanks_of_its_stub():
    assert filled(STUB, ("-real", "1")) == STUB.replace(
        "F.softplus(____) + ____", "F.softplus(-real) + 1"
    )
    assert filled(STUB, ANSWER) == ANSWER
    with pytest.raises(UsageError, match="1 parts for a stub with 2 blanks"):
        filled(STUB, "-real")


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
    assert run("def f(real, fake):\n    return (real > 0).mean()") == "wrong"  # torch cannot


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


def told(judge, *given, **named) -> str:
    with pytest.raises(Wrong) as error:
        judge(*given, **named)
    return str(error.value)


def test_what_can_go_wrong_anywhere_is_planted_everywhere():
    planted = [title for exercise in Q.values() for title in usual_mistakes(exercise)]
    everywhere = {title for title in planted if planted.count(title) == len(Q)}
    assert everywhere == {
        "no return",
        "no brackets",
        "packed",
        "in place",
        "no function",
        "arguments",
        "an error",
    }
    numbers = len(Q) - 10  # all but lists, words, pairs, and two chains
    assert planted.count("shape") == numbers and planted.count("nan") == numbers - 3
    mistakes = sum(len(exercise.mistakes) for exercise in Q.values())
    print(f"{len(Q)} exercises, {mistakes} mistakes of their own and {len(planted)} usual ones")


def test_what_comes_back_is_looked_at_before_its_value():
    for found, said in (
        (2.0, "a Python float"),
        (np.float32(2), "a numpy number"),
        (np.ones(3), "a numpy array"),
        ([2.0], "a list"),
        ("2", "a text"),
        (torch.nn.Linear(1, 1), "a Linear"),
        (sum, "a function (`sum`"),
    ):
        message = told(checked, found, "`f`", shape=())
        assert (
            message.startswith(f"`f` returns {said}") and "asked for is a torch tensor" in message
        )
    assert "the shape [3, 2]; yours has the shape [2, 3]. Rows and columns" in told(
        checked, torch.ones(2, 3), "`f`", shape=(3, 2)
    )
    assert "nan in 1 of 2" in told(checked, torch.tensor([1, torch.nan]), "`f`")
    assert "-inf in 1 of 2" in told(checked, torch.tensor([1, -torch.inf]), "`f`", finite="Mind it")
    assert "whole numbers" in told(checked, torch.ones(2), "`f`", whole=True)
    assert (
        checked(np.float64(2), "`f`", kind=float) == checked(torch.ones(()), "`f`", kind=float) + 1
    )
    with pytest.raises(NotAttempted):
        checked([____], "`f`")


def test_what_is_right_is_never_a_slip():
    one, two = torch.tensor([1.0, 2.0]), torch.tensor([2.0, 4.0])
    compare(one, one, slips={"never": one})
    compare_terms(3.0, (1.0, {"never": 2.0}), (2.0, {"nor": 1.0}), otherwise="nor that")
    assert (
        told(compare, -one, one)
        == "The sign is turned round: [1, 2] is asked for; yours is [-1, -2]."
    )
    assert told(compare, two, one, mean_over=(2, "pairs")).startswith(
        "That is the sum over the 2 pairs"
    )
    assert told(compare, two, one, slips={"twice": (0, two)}, mean_over=(2, "pairs")) == "twice"
    assert told(compare, torch.eye(2, 2).roll(1), torch.ones(2, 2), "no: {found}").startswith(
        "no: "
    )
    assert "transposed" in told(compare, torch.arange(4).view(2, 2).T, torch.arange(4).view(2, 2))


def test_ends_are_named_one_at_a_time():
    a, b, names = torch.zeros(2), torch.tensor([4.0, 8.0]), ("a", "b")
    compare_ends(a, b, a, b, names)
    assert "the other way round" in told(compare_ends, b, a, a, b, names)
    assert told(compare_ends, a, 0.75 * b, a, b, names) == (
        "b is never reached: at beta = 1 yours lies at 0.75 of the way from a to b."
    )
    assert told(compare_ends, a, 2 * b, a, b, names) == (
        "At beta = 1 it should be b, [4, 8]; yours is [8, 16]."
    )
    assert "a is never reached: at beta = 0" in told(compare_ends, 0.25 * b, b, a, b, names)


def test_numbers_are_shown_short():
    assert shown(torch.tensor(2.0)) == "2" and shown(1 / 3) == "0.333" and shown(-0.0001) == "0"
    assert shown([[1.0, 10.05], [2.5, -0.0]]) == "[[1, 10.05], [2.5, 0]]"
    assert same(1.0, torch.tensor(1.0)) and not same([1.0], 1.0) and not same(np.nan, np.nan)


Q = {f"{m.__name__.split('.')[-1][:3]}.{n}": e for m in MODULES for n, e in exercises_of(m).items()}
PARTS = {  # each part: what is right, and what is wrong with the words for it
    "n18.q2": (
        "{} + {} + {}",
        [
            "F.softplus(-s_r).mean()",
            ("F.softplus(s_r).mean()", "sign of the real"),
            ("0", "real pairs do not"),
        ],
        [
            "F.softplus(s_w).mean() / 2",
            ("F.softplus(-s_w).mean() / 2", "sign of the mismatched"),
            ("0", "mismatched pairs do not count"),
        ],
        [
            "F.softplus(s_f).mean() / 2",
            ("F.softplus(-s_f).mean() / 2", "sign of the fake"),
            ("0", "fake pairs do not count"),
        ],
    ),
    "n15.q1": (
        "{} + {}",
        [
            "F.softplus(-f(x)).mean()",
            ("0", "that of positives"),
            ("F.relu(-f(x)).mean()", "the positives x"),
        ],
        [
            "F.softplus(f(x_m)).mean()",
            ("0", "that of pseudo-negatives"),
            ("F.relu(f(x_m)).mean()", "the pseudo-negatives x_m"),
        ],
    ),
    "n14.q2": (
        "{} - {}",
        [
            "(p_data * h).sum()",
            ("(p * h).sum()", "mean of h is taken over"),
            ("0", "E_data h is missing"),
        ],
        [
            "(p * h.exp()).sum().log()",
            ("0", "Z is missing"),
            ("h.exp().sum().log()", "Z is the mean of exp(h)"),
            ("(p * h.exp()).sum()", "logarithm of Z is missing"),
        ],
    ),
    "n12.q1": (
        "{}, {}",
        [
            '-F.cross_entropy(logits, targets, reduction="none")',
            ('F.cross_entropy(logits, targets, reduction="none")', "sign of the first"),
            ('-F.cross_entropy(logits, labels, reduction="none")', "the first leads"),
            ("-F.cross_entropy(logits, targets)", "`towards` should return"),
        ],
        [
            'F.cross_entropy(logits, labels, reduction="none")',
            ('-F.cross_entropy(logits, labels, reduction="none")', "sign of the second"),
            ('F.cross_entropy(logits, targets, reduction="none")', "the second leads"),
            ("F.cross_entropy(logits, labels)", "`away` should return"),
        ],
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_hint_never_blames_a_part_that_is_right(name):
    frame, *parts = PARTS[name]
    exercise, judged = Q[name], 0
    head = exercise.stub.split("return")[0]
    ways = [[(part[0], None), *part[1:]] for part in parts]
    for way in product(*ways):
        source = f"{head}return {frame.format(*(text for text, _ in way))}"
        status, message = exercise.verdict(*defined(exercise, source))
        wrong = {words for _, words in way if words}
        if not wrong:
            assert status == "correct", message
            continue
        judged += 1
        assert status == "wrong"
        innocent = [part for part, (_, words) in zip(ways, way, strict=True) if not words]
        blamed = [w for part in innocent for _, w in part if w and w.lower() in message.lower()]
        assert not blamed, (source, message)
        assert len(wrong) > 1 or wrong.pop().lower() in message.lower(), (source, message)
    assert judged >= 8


def defined(exercise, source):
    namespace = {"__name__": "__main__"}
    exec(exercise.setup + "\n" + source, namespace)
    return [namespace[name] for name in exercise.reads]


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


def test_what_follows_an_exercise_uses_the_answer_where_it_is_right(capsys):
    from t2ilab.checks.n02_networks_and_gradients import q1

    ours = object()
    right = lambda d2, W2, z: (d2 @ W2.T) * (1 - z.tanh() ** 2)  # noqa: E731
    assert q1.use(right, otherwise=ours) is right
    assert q1.use(lambda d2, W2, z: d2 @ W2.T, otherwise=ours) is ours
    assert q1.use(lambda d2, W2, z: ____, otherwise=ours) is ours
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[-2] for line in said] == ["your", "our", "our"]
