"""Exercises of notebook 13: a step, total variation, the distance of an inversion, octaves."""

import torch
import torch.nn.functional as F

from t2ilab.checks.exercise import Exercise, Wrong
from t2ilab.checks.kit import call, compare, explained, same


def _test_step(step) -> None:
    x, slope = torch.tensor([[0.2, -0.4]]), torch.tensor([[1.0, 3.0]])

    def score(x):
        return (x * slope).sum(1)

    def penalty(x):
        return (x**2).sum(1)

    prior = 0.5 * 2 * x  # the gradient of weight * penalty
    compare(
        call(step, x, score, penalty, 0.5, 0.1, shape=(1, 2), reason="A picture."),
        x + 0.1 * (slope - prior),
        slips={
            "The sign of the prior: a penalty is subtracted. You climb towards pictures that "
            "are *less* natural.": x + 0.1 * (slope + prior),
            "That goes downhill. The slides subtract the gradient of a *loss*; here a score is "
            "climbed.": x - 0.1 * (slope - prior),
            "That goes down the score, and down the penalty: the objective is right for a loss "
            "that adds them. Here a score is climbed: score - weight * penalty, and upwards.": x
            - 0.1 * (slope + prior),
            "The weight of the prior is missing.": x + 0.1 * (slope - 2 * x),
            "The weight belongs to the penalty; yours weighs the score.": x
            + 0.1 * (0.5 * slope - 2 * x),
            "The prior is missing: the step is that of the score alone.": x + 0.1 * slope,
            "The score is missing: the step is that of the prior alone.": x - 0.1 * prior,
            "The step size lr is missing.": x + slope - prior,
            "That is the step alone. Add it to the picture.": 0.1 * (slope - prior),
            "That is the gradient alone. Add lr times it to the picture.": slope - prior,
        },
    )


_STEP = '''\
def step(x, score, penalty, weight, lr):
    """One step of gradient ascent on the pictures x [b, ...], uphill for score and prior together.

    score, penalty: functions of pictures that give one number each; weight: of the penalty.
    """
    x = x.detach().requires_grad_(True)
    objective = ____
    gradient = torch.autograd.grad(objective.sum(), x)[0]
    return ____'''


_UP = "(x + lr * gradient).detach()"

q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** One step $I \\leftarrow I + \\eta\\,\\frac{\\partial}{\\partial I}"
        "\\left[s(I) - \\lambda R(I)\\right]$: the whole of this chapter, in two lines."
    ),
    stub=_STEP,
    answer=("score(x) - weight * penalty(x)", _UP),
    test=_test_step,
    hints=(
        "The objective is one number a picture: what is wanted, less what it costs.",
        "score(x) - weight * penalty(x); and then lr times the gradient is added to x.",
    ),
    mistakes=[
        (("score(x) + weight * penalty(x)", _UP), "sign of the prior"),
        (("score(x) - weight * penalty(x)", "(x - lr * gradient).detach()"), "downhill"),
        (("score(x) + weight * penalty(x)", "(x - lr * gradient).detach()"), "and upwards"),
        (("score(x) - penalty(x)", _UP), "weight of the prior is missing"),
        (("score(x)", _UP), "prior is missing"),
        (("-weight * penalty(x)", _UP), "score is missing"),
        (("score(x) - weight * penalty(x)", "(x + gradient).detach()"), "lr is missing"),
        (("weight * score(x) - penalty(x)", _UP), "weighs the score"),
        (("score(x) - weight * penalty(x)", "(lr * gradient).detach()"), "the step alone"),
        (("score(x) - weight * penalty(x)", "gradient"), "the gradient alone"),
        (("score - weight * penalty", _UP), "in the line `objective = score - weight * penalty`"),
        (("score(x) - weight * penalty(x)", "x + lr * objective"), "small example"),
    ],
    praise="`inputs.ascent.ascend` is a loop around these lines.",
)


def _test_tv(total_variation) -> None:
    one = {"shape": (), "reason": "The formula is a sum over i and j."}
    x = torch.tensor([[0.0, 3.0], [4.0, 8.0]])  # 5 at one corner, then 5 down, 4 right, and 0
    with explained(
        RuntimeError,
        "`right` and `down` must both be [h, w]: `down` compares rows, along the first axis, which "
        "gives [h - 1, w] before it is padded.",
        about="size of tensor",
    ):
        value = call(total_variation, x, 1.0, **one)
    compare(
        value,
        14.0,
        "For [[0, 3], [4, 8]] and beta = 1 it should be 5 + 5 + 4 + 0 = 14; yours is {found}.",
        slips={
            "That is the mean over the pixels; the slides have a sum.": 14 / 4,
            "The root is missing: the exponent of the sum of squares is beta / 2, and with "
            "beta = 1 that is a square root.": 25 + 25 + 16,
            "You added the lengths of the two differences. The squares are added first, and "
            "the power beta / 2 is taken of their sum.": 3 + 4 + 5 + 4,
            "Only `right` enters, twice. Both differences belong to the sum.": 7 * 2**0.5,
            "Only `down` enters, twice. Both differences belong to the sum.": 9 * 2**0.5,
            "Only `right` enters. Both differences belong to the sum.": 7,
            "Only `down` enters. Both differences belong to the sum.": 9,
            "The power is taken of each place, and the sum over all places last.": 66**0.5,
        },
    )
    row = call(total_variation, torch.tensor([[0.0, 1.0, 5.0]]), 1.0, **one)
    compare(row, 5.0, "For the row [0, 1, 5] it should be 1 + 4 = 5; yours is {found}.")
    compare(
        call(total_variation, x, 2.0, **one),
        66.0,
        "With beta = 2 it should be 25 + 25 + 16 = 66; yours is {found}.",
        slips={"With beta = 2 it should be 66, and yours is 14 as before: beta is not used.": 14},
    )


_TV = '''\
def total_variation(x, beta):
    """Sum over i, j of ((x[i,j+1] - x[i,j])² + (x[i+1,j] - x[i,j])²)^(beta/2).

    x: [h, w]. What lies beyond the border differs by 0.
    """
    right = F.pad(x[:, 1:] - x[:, :-1], (0, 1))  # [h, w]: the last column has no neighbour
    down = F.pad(____, (0, 0, 0, 1))  # [h, w]: nor has the last row
    return ____'''


_DOWN, _LENGTHS = "x[1:] - x[:-1]", "(right**2 + down**2) ** (beta / 2)"

q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Write the total variation of the slides, with its exponent $\\beta$. "
        "Compute it by hand first for the picture $\\begin{pmatrix}0 & 3\\\\ 4 & 8\\end{pmatrix}$ "
        "and $\\beta = 1$."
    ),
    stub=_TV,
    answer=(_DOWN, f"({_LENGTHS}).sum()"),
    test=_test_tv,
    hints=(
        "Rows are the first axis: x[1:] are all rows but the first. Which rows is it compared "
        "with?",
        "Squares of both differences, added; to the power beta / 2; then the sum over all pixels.",
    ),
    mistakes=[
        ((_DOWN, "((right**2 + down**2) ** beta).sum()"), "root is missing"),
        ((_DOWN, "(right**2 + down**2).sum()"), "root is missing"),
        ((_DOWN, f"({_LENGTHS}).mean()"), "mean over the pixels"),
        (("x[:, 1:] - x[:, :-1]", f"({_LENGTHS}).sum()"), "along the first axis"),
        ((_DOWN, "((right**2 + right**2) ** (beta / 2)).sum()"), "`right` enters, twice"),
        ((_DOWN, "(down**2) .sum(1).sqrt().sum()"), "should be 5 + 5"),
        ((_DOWN, "((right**2) ** (beta / 2)).sum()"), "Only `right` enters. Both"),
        ((_DOWN, "(right.abs() ** beta + down.abs() ** beta).sum()"), "squares are added first"),
        ((_DOWN, "(right**2 + down**2).sqrt().sum()"), "beta is not used"),
        ((_DOWN, "(right**2 + down**2).sum() ** (beta / 2)"), "power is taken of each"),
        ((_DOWN, _LENGTHS), "sum over i and j"),
        (("x[1:] + x[:-1]", f"({_LENGTHS}).sum()"), "should be 5 + 5"),
        (("x[:-1] - x[1:]", f"({_LENGTHS}).sum().item()"), "a Python float"),
    ],
    praise="`inputs.priors.total_variation` does the same for a batch, channel by channel.",
)


def _test_score(score) -> None:
    phi_0 = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    phi = torch.tensor([[3.0, 9.0], [1.0, 2.0]])
    right = torch.tensor([-1.0, -4.0])
    one_each = "One number a picture: sum over the units of a picture, not over pictures."
    compare(
        call(score, phi, phi_0, shape=(2,), reason=one_each),
        right,
        "For phi = [[3, 9], [1, 2]] and phi_0 = [[3, 4], [1, 0]] it should be [-1, -4]; yours is "
        "{found}.",
        slips={
            "The sign: a score is climbed, and what is climbed should be high where the "
            "representations are near.": -right,
            "It is not divided by |phi_0|²: deep layers with large numbers would weigh more "
            "against the same prior.": [-25.0, -4.0],
            "Divided by the length |phi_0|, not by its square: 10 times larger representations "
            "would give another score.": [-5.0, -4.0],
            "That is the length of the difference; the paper squares it (and its gradient then "
            "vanishes at the target).": -right.abs().sqrt(),
            "Divide by the representation that is wanted, phi_0, which stays; phi changes with "
            "every step, and the climb could win by making it large.": [-25 / 90, -4 / 5],
            "The difference is averaged over the units; it should be summed, as |.|².": right / 2,
            "|phi_0|² is averaged over the units; it should be summed.": 2 * right,
        },
    )
    maps = torch.ones(2, 3, 2, 2)
    feature_maps = "A layer of feature maps [b, c, h, w] must work as well: flatten(1) first."
    with explained(RuntimeError, feature_maps, about="size of tensor"):
        found = call(score, 2 * maps, maps, shape=(2,), reason=feature_maps)
    compare(found, [-1.0, -1.0], "For feature maps [2, 3, 2, 2] it should be {right}, not {found}.")


_SCORE = '''\
def score(phi, phi_0):
    """-|phi - phi_0|² / |phi_0|² of each picture; phi, phi_0: [b, ...] -> [b]."""
    return ____'''


_DIFFERENCE = "(phi - phi_0).flatten(1).square().sum(1)"
_WANTED = "phi_0.flatten(1).square().sum(1)"

q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** What does an inversion climb? Write the score: minus the squared "
        "distance of the representations, divided by the squared length of the one that is "
        "wanted."
    ),
    stub=_SCORE,
    answer=f"-{_DIFFERENCE} / {_WANTED}",
    test=_test_score,
    hints=(
        "flatten(1) makes one row of numbers of each picture. What is summed, and over which axis?",
        "The same sum of squares twice: of phi - phi_0, and of phi_0. And which way is up?",
    ),
    mistakes=[
        (f"{_DIFFERENCE} / {_WANTED}", "The sign"),
        (f"-{_DIFFERENCE}", "not divided"),
        (f"-{_DIFFERENCE} / {_WANTED}.sqrt()", "not by its square"),
        (f"-({_DIFFERENCE} / {_WANTED}).sqrt()", "the length of the difference"),
        (f"-{_DIFFERENCE} / phi.flatten(1).square().sum(1)", "which stays"),
        ("-((phi - phi_0) ** 2).sum() / (phi_0**2).sum()", "shape [2]"),
        ("-((phi - phi_0) ** 2).sum(1) / (phi_0**2).sum(1)", "flatten(1)"),
        (f"-{_DIFFERENCE.replace('sum', 'mean')} / {_WANTED}", "averaged over the units"),
        (f"-{_DIFFERENCE} / {_WANTED.replace('sum', 'mean')}", "|phi_0|² is averaged"),
        (f"-{_DIFFERENCE.replace('sum', 'mean')} / {_WANTED.replace('sum', 'mean')} / 3", "[-1"),
        (f"-{_DIFFERENCE} / {_WANTED}[:, None]", "the shape [2]"),
    ],
    praise="`inputs.inversion.nearness` is this score: 0 is the same, -1 is as far as nothing.",
)


def _test_dream(dreamed) -> None:
    def resize(x, size):
        return F.interpolate(x, size, mode="nearest") if x.shape[2:] != size else x

    def climb(x):
        seen.append(x.clone())
        return x + 1.0

    seen: list[torch.Tensor] = []
    picture = torch.arange(16.0).reshape(1, 1, 4, 4)
    with explained(
        RuntimeError,
        "Pictures of two sizes met in one sum: at each octave compare with the picture of that "
        "size, `base`.",
        about="size of tensor",
    ):
        value = call(dreamed, picture, [(2, 2), (4, 4)], climb, resize, shape=(1, 1, 4, 4))
    if same(value, picture + 1):
        raise Wrong("What the smaller octaves dreamed is lost: nothing was carried over.")
    if same(seen[1], picture + resize(seen[0] + 1, (4, 4))):
        raise Wrong(
            "You carry the whole picture over, and the next octave adds it to the picture "
            "again. Only the detail goes on: what was added."
        )
    if same(seen[1], picture + resize(seen[0], (4, 4))):
        raise Wrong("You carry the picture of that size over. Only what was *added* goes on.")
    if same(seen[1], picture - 1):
        raise Wrong("The sign: the detail is what came out, less what was there before.")
    compare(
        value,
        picture + 2,
        "With a climb that adds 1 everywhere, two octaves should add 2; yours adds "
        f"{float((value - picture).mean()):.2f} in the mean.",
    )
    compare(
        dreamed(picture, [(2, 2), (3, 3), (4, 4)], climb, resize),
        picture + 3,
        "Three octaves that add 1 each should add 3: the detail is all that was added so far, not "
        "only by the last octave.",
    )


_DREAM = '''\
def dreamed(picture, sizes, climb, resize):
    """DeepDream's octaves, from small to large; the last size is that of `picture` [b, c, h, w].

    climb: pictures to pictures, an ascent; resize(x, size): pictures of another size.
    """
    detail = torch.zeros_like(picture)
    for size in sizes:
        base = resize(picture, size)
        climbed = climb(base + resize(detail, size))
        detail = ____
    return climbed'''


q4 = Exercise(
    name="q4",
    question=(
        "**Exercise 4.** What is carried over from one octave to the next? One line is missing."
    ),
    stub=_DREAM,
    answer="climbed - base",
    test=_test_dream,
    hints=(
        "The picture itself comes back, sharp, at each size. What else must survive?",
        "All that was dreamed so far: the difference between what came out and the picture of "
        "that size.",
    ),
    mistakes=[
        ("climbed", "carry the whole picture"),
        ("base", "picture of that size over"),
        ("climbed - picture", "two sizes met"),
        ("base - climbed", "The sign"),
        ("detail", "nothing was carried over"),
        ("climbed - (base + resize(detail, size))", "all that was added"),
        ("detail + climbed", "two sizes met"),
        ("(climbed - base) / 2", "should add 2; yours adds 1.5"),
    ],
    praise="`inputs.octaves.octaves` is this loop, with the box around it.",
)
