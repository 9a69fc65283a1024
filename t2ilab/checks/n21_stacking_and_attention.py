"""Exercises of notebook 21: a Gaussian around a caption, two stages, heads for attributes."""

import math

import torch
import torch.nn.functional as F

from t2ilab.checks.exercise import Exercise, Wrong
from t2ilab.checks.kit import call, compare, same


def _test_augmented(augmented) -> None:
    both = torch.tensor(
        [[1.0, -2.0, math.log(4.0), 0.0], [0.5, 0.0, math.log(0.25), math.log(9.0)]]
    )
    eps = torch.tensor([[1.0, -1.0], [2.0, 1.0]])
    mu, logvar = both[:, :2], both[:, 2:]
    found = call(augmented, both, eps, shape=(2, 2), reason="As many numbers as eps has.")
    compare(
        found,
        mu + (logvar / 2).exp() * eps,
        slips={
            "exp(log sigma²) is sigma²; eps is multiplied by sigma.": mu + logvar.exp() * eps,
            "log sigma² is not sigma: take the exponential of its half.": (
                mu + logvar * eps,
                mu + logvar / 2 * eps,
            ),
            "mu is the first half of the columns, log sigma² the second.": (
                logvar + (mu / 2).exp() * eps
            ),
            "Every second column is not the first half.": (
                both[:, ::2] + (both[:, 1::2] / 2).exp() * eps
            ),
            "That is the mean: where is eps?": mu,
            "mu is missing: the Gaussian stands around the caption.": (logvar / 2).exp() * eps,
            "The sign of the exponent: that is 1 / sigma.": mu + (-logvar / 2).exp() * eps,
        },
    )


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** A linear layer gives $2n$ numbers for each caption: $\\mu$, and behind it "
        "$\\log \\sigma^2$. Draw $c = \\mu + \\sigma \\odot \\epsilon$."
    ),
    stub='''\
def augmented(both, eps):
    """c = mu + sigma * eps: conditioning augmentation.

    both: [b, 2n], mu in the first n columns, log sigma^2 behind it. eps and c: [b, n].
    """
    n = both.shape[1] // 2
    return ____''',
    answer="both[:, :n] + (both[:, n:] / 2).exp() * eps",
    test=_test_augmented,
    hints=(
        "Which columns are mu? And what is sigma, if log sigma² is given?",
        "sigma = exp(log sigma² / 2), so `(both[:, n:] / 2).exp()`.",
    ),
    mistakes=[
        ("both[:, :n] + both[:, n:].exp() * eps", "is sigma²"),
        ("both[:, :n] + both[:, n:] * eps", "is not sigma"),
        ("both[:, :n] + both[:, n:] / 2 * eps", "is not sigma"),
        ("both[:, n:] + (both[:, :n] / 2).exp() * eps", "first half of the columns"),
        ("both[:, ::2] + (both[:, 1::2] / 2).exp() * eps", "Every second column"),
        ("both[:, :n]", "where is eps"),
        ("(both[:, n:] / 2).exp() * eps", "mu is missing"),
        ("both[:, :n] + (-both[:, n:] / 2).exp() * eps", "1 / sigma"),
        ("both + (both / 2).exp() * torch.cat([eps, eps], 1)", "shape [2, 2]"),
        ("both[:, :n] + (both[:, n:] / 2).exp() * torch.randn(both.shape[0], n)", "small example"),
    ],
    praise="`t2ilab/models/augmentation.py` does the same, with eps = 0 where pictures shall stay.",
)


def _test_joined(joined) -> None:
    h = torch.arange(2 * 3 * 2 * 2).float().view(2, 3, 2, 2)
    c = torch.tensor([[10.0, 20.0], [30.0, 40.0]])
    found = call(
        joined,
        h,
        c,
        shape=(2, 5, 2, 2),
        reason="The numbers of c become channels behind those of h; places stay as they are.",
    )
    everywhere = c[:, :, None, None].expand(2, 2, 2, 2)
    if same(found, torch.cat([everywhere, h], 1)):
        raise Wrong("The condition stands before the features; asked for is behind them.")
    if same(found[:, :3], h) and not same(found[:, 3:], everywhere):
        part = found[:, 3:]
        if same(part[0], part[1]):
            raise Wrong("Each picture has its own condition; both of yours have the same.")
        if same(part.sum((2, 3)), c):
            raise Wrong("The condition stands at one place only: repeat it at every place.")
    compare(
        found, torch.cat([h, everywhere], 1), "It should be h, and c at every place; it is not."
    )


q2 = Exercise(
    name="q2",
    question="**Exercise 2.** Put the condition beside the features, the same at every place.",
    stub='''\
def joined(h, c):
    """Features with the condition beside them at every place.

    h: [b, k, s, s], c: [b, n]; returns [b, k + n, s, s].
    """
    return ____''',
    answer="torch.cat([h, c[:, :, None, None].expand(-1, -1, *h.shape[2:])], 1)",
    test=_test_joined,
    hints=(
        "c has no places: give it two more dimensions of size 1, and repeat them to the side of h.",
        "`c[:, :, None, None].expand(-1, -1, *h.shape[2:])`, then `torch.cat` along the channels.",
    ),
    mistakes=[
        (
            "torch.cat([c[:, :, None, None].expand(-1, -1, *h.shape[2:]), h], 1)",
            "before the features",
        ),
        ("torch.cat([h, c[:1, :, None, None].expand(len(h), -1, *h.shape[2:])], 1)", "its own"),
        (
            "torch.cat([h, F.pad(c[:, :, None, None], (0, h.shape[3] - 1, 0, h.shape[2] - 1))], 1)",
            "one place only",
        ),
        ("h + c.sum(1)[:, None, None, None]", "shape [2, 5, 2, 2]"),
        ("torch.cat([h, h[:, :2] * 0 + c.mean()], 1)", "its own"),
        ("torch.cat([h, 2 * c[:, :, None, None].expand(-1, -1, *h.shape[2:])], 1)", "it is not"),
    ],
    praise="Convolutions behind it may now treat a red wing and a blue one differently everywhere.",
)


def _test_head_loss(head_loss) -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.5, 0.0], [0.0, 3.0, 1.0], [-1.0, 0.0, 2.0]])
    stated = torch.tensor([0, -1, 2, 1])
    known = stated >= 0
    found = call(head_loss, logits, stated, shape=(), reason="One number: a mean.")
    each = F.cross_entropy(logits[known], stated[known], reduction="none")
    of_all = F.cross_entropy(logits, stated % 3, reduction="none")
    compare(
        found,
        each.mean(),
        slips={
            "Divide by the number of captions that state it, not by all: silent ones would make "
            "the loss small.": each.sum() / 4,
            "That is the sum; take the mean over the captions that state it.": each.sum(),
            "A silent caption counts as if it had stated a value (-1 is the last one, or becomes "
            "0).": (of_all.mean(), F.cross_entropy(logits, stated.clamp(min=0))),
            "The sign: a loss is to be made small.": -each.mean(),
        },
    )
    silent = torch.full((4,), -1)
    nothing = "Where no caption states it the mean is over nothing, 0 / 0: the loss should be 0."
    value = call(head_loss, logits, silent, shape=(), finite=nothing)
    compare(value, 0, "Where no caption states it the loss should be 0; yours is {found}.")


_HEAD = '''\
def head_loss(logits, stated):
    """-log p(value), the mean over the pictures whose caption states it; 0 where none does.

    logits: [b, values]; stated: int [b], the value, or -1 where the caption says nothing.
    """
    known = stated >= 0
    return ____'''

q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** Write the cross-entropy of one attribute's head. Where the caption says "
        "nothing (`-1`) any value is right."
    ),
    stub=_HEAD,
    answer=(
        "F.cross_entropy(logits[known], stated[known], reduction='sum') / known.sum().clamp(min=1)"
    ),
    test=_test_head_loss,
    hints=(
        "Leave the silent ones out of the sum and of the count. And if all are silent?",
        "`F.cross_entropy(..., reduction='sum')` of the rows that are known, divided by their "
        "number or 1.",
    ),
    mistakes=[
        ("F.cross_entropy(logits[known], stated[known])", "0 / 0"),
        (
            "F.cross_entropy(logits[known], stated[known], reduction='sum') / len(stated)",
            "not by all",
        ),
        ("F.cross_entropy(logits[known], stated[known], reduction='sum')", "That is the sum"),
        ("F.cross_entropy(logits, stated % logits.shape[1])", "as if it had stated"),
        ("F.cross_entropy(logits, stated.clamp(min=0))", "as if it had stated"),
        (
            "-F.cross_entropy(logits[known], stated[known], reduction='sum') "
            "/ known.sum().clamp(min=1)",
            "The sign",
        ),
        (
            "F.cross_entropy(logits[known], stated[known], reduction='none')",
            "one number",
        ),
        ("F.cross_entropy(logits[known], stated[known]) if known.any() else logits.sum()",
         "loss should be 0; yours"),
    ],
    praise="At logits 0 it is ln K, for every attribute of K values that is stated at all.",
)  # fmt: skip
