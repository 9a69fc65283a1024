"""Exercises of notebook 22: the loss of eq. 4.1, an energy that is told a caption, AND OR NOT."""

import torch
import torch.nn.functional as F

from t2ilab.checks.exercise import Exercise
from t2ilab.checks.kit import SUM, call, compare

_MEAN = {"shape": (), "reason": "Take the mean over the pairs."}


def _test_loss(loss) -> None:
    f, z = torch.tensor([2.0, -1.0, 0.5, 3.0]), torch.tensor([1.0, -1.0, -1.0, 1.0])
    value = call(loss, f, z, **_MEAN)
    compare(
        value,
        F.softplus(-z * f).mean(),
        "For scores of 2, -1, 0.5 and 3, and z of 1, -1, -1 and 1, it should be {right}; yours is "
        "{found}.",
        slips={
            "The sign of z is turned round: a pair that matches should score high.": F.softplus(
                z * f
            ).mean(),
            "z is not used: pairs that do not match (z = -1) are learned the other way.": (
                F.softplus(-f).mean()
            ),
            SUM: F.softplus(-z * f).sum(),
        },
    )
    compare(
        call(loss, torch.zeros(3), torch.tensor([1.0, -1.0, 1.0]), **_MEAN),
        torch.tensor(2.0).log(),
        "Where all scores are 0 it should be ln 2 = {right}; yours is {found}.",
    )
    sure = "exp overflows for a score of -200: F.softplus(a) is log(1 + exp(a)), and stays finite."
    compare(
        call(loss, torch.tensor([-200.0]), torch.tensor([1.0]), finite=sure),
        200,
        "For a score of -200 of a pair that matches it should be {right}; yours is {found}.",
    )


_LOSS = '''\
def matching_loss(f, z):
    """Eq. 4.1, a mean: log(1 + exp(-z f)); z is 1 where picture and text match, -1 where not.

    f: [n], scores of pairs; z: [n].
    """
    return ____'''

q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Write the loss of eq. 4.1 from the scores of pairs, as a mean over the "
        "pairs. Scores may be large."
    ),
    stub=_LOSS,
    answer="F.softplus(-z * f).mean()",
    test=_test_loss,
    hints=(
        "For z = 1 the loss falls as f rises, for z = -1 as f falls.",
        "F.softplus(a) is log(1 + exp(a)), and stays finite for a large a.",
    ),
    mistakes=[
        ("F.softplus(z * f).mean()", "turned round"),
        ("F.softplus(-f).mean()", "z is not used"),
        ("F.softplus(-z * f).sum()", "sum over the batch"),
        ("(1 + (-z * f).exp()).log().mean()", "overflows"),
        ("F.softplus(-z * f)", "one number"),
    ],
    praise="At a score of 0 a pair costs ln 2, whatever its z.",
)


def _test_joined(joined) -> None:
    a, b = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])
    ends = {"shape": (3, 2), "reason": "Three energies of two pictures."}
    found = call(joined, a, b, 0.5, **ends)
    right = torch.stack([a + b, torch.logaddexp(a, b), -0.5 * a])
    for row, word, slips in (
        (
            0,
            "AND",
            {
                "AND multiplies densities; the energies are their logarithms, so they are added.": (
                    a * b
                ),
                "That is the larger one, which is nearly OR. AND wants both: the sum.": a.maximum(
                    b
                ),
            },
        ),
        (
            1,
            "OR",
            {
                "The larger one alone is the limit of OR; the densities are added: logsumexp.": (
                    a.maximum(b)
                ),
                "OR adds densities, not their logarithms: logsumexp.": a + b,
            },
        ),
        (
            2,
            "NOT",
            {
                "The sign is missing: NOT wants as little of it as can be.": 0.5 * a,
                "The weight alpha is missing.": -a,
            },
        ),
    ):
        compare(
            found[row],
            right[row],
            f"{word} should be {{right}} for energies of 1, -2 and 0.5, 3; yours is {{found}}.",
            slips=slips,
        )


_JOINED = '''\
def joined(a, b, alpha):
    """Energies of "a AND b", "a OR b" and "NOT a", from those of a and b: [3, n].

    a, b: [n], the log densities of two phrases; alpha: the weight of NOT.
    """
    both = ____
    either = ____
    neither = ____
    return torch.stack([both, either, neither])'''

_AND, _OR, _NOT = "a + b", "torch.logaddexp(a, b)", "-alpha * a"

q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Join two phrases: p(a|x) p(b|x) for AND, p(a|x) + p(b|x) for OR, "
        "1 / p(a|x)^α for NOT. You are given the logarithms."
    ),
    stub=_JOINED,
    answer=(_AND, _OR, _NOT),
    test=_test_joined,
    hints=(
        "The logarithm of a product is a sum; that of a sum of exponentials has a name.",
        "torch.logaddexp(a, b) is log(exp(a) + exp(b)).",
    ),
    mistakes=[
        (("a * b", _OR, _NOT), "so they are added"),
        (("a.maximum(b)", _OR, _NOT), "AND wants both"),
        ((_AND, "a.maximum(b)", _NOT), "limit of OR"),
        ((_AND, "a + b", _NOT), "not their logarithms"),
        ((_AND, _OR, "alpha * a"), "sign is missing"),
        ((_AND, _OR, "-a"), "alpha is missing"),
    ],
    praise="`And`, `Or` and `Not` of `t2ilab/inputs/concepts.py` take any number of phrases.",
)
