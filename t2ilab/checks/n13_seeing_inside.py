"""Exercises of notebook 13: a step, total variation, the distance of an inversion, octaves."""

import torch
import torch.nn.functional as F

from t2ilab.checks.exercise import Exercise, Wrong

SETUP = "import torch\nimport torch.nn.functional as F"


def _near(a, b) -> bool:
    return torch.allclose(torch.as_tensor(a).float(), torch.as_tensor(b).float(), atol=1e-5)


def _test_step(step) -> None:
    x = torch.tensor([[0.2, -0.4]])
    slope = torch.tensor([[1.0, 3.0]])

    def score(x):
        return (x * slope).sum(1)

    def penalty(x):
        return (x**2).sum(1)

    value = step(x.clone(), score, penalty, 0.5, 0.1)
    right = x + 0.1 * (slope - 0.5 * 2 * x)
    if value.shape != x.shape:
        raise Wrong(
            f"A picture comes out as it went in: shape {list(x.shape)}; yours is "
            f"{list(value.shape)}."
        )
    if _near(value, x + 0.1 * (slope + 0.5 * 2 * x)):
        raise Wrong(
            "The sign of the prior: a penalty is subtracted. You climb towards pictures "
            "that are *less* natural."
        )
    if _near(value, x - 0.1 * (slope - 0.5 * 2 * x)):
        raise Wrong(
            "That goes downhill. The slides subtract the gradient of a *loss*; here a "
            "score is climbed."
        )
    if _near(value, x + 0.1 * (slope - 2 * x)):
        raise Wrong("The weight of the prior is missing.")
    if _near(value, x + 0.1 * slope):
        raise Wrong("The prior is missing: the step is that of the score alone.")
    if _near(value, x + slope - x):
        raise Wrong("The step size lr is missing.")
    if not _near(value, right):
        raise Wrong(
            f"For a small example the new picture should be "
            f"{[round(v, 3) for v in right[0].tolist()]}; yours is "
            f"{[round(v, 3) for v in value.flatten().tolist()]}."
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


def _step(objective: str, new: str = "(x + lr * gradient).detach()") -> str:
    return _STEP.replace("= ____", f"= {objective}").replace("return ____", f"return {new}")


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** One step $I \\leftarrow I + \\eta\\,\\frac{\\partial}{\\partial I}"
        "\\left[s(I) - \\lambda R(I)\\right]$: the whole of this chapter, in two lines."
    ),
    reads=("step",),
    stub=_STEP,
    answer=_step("score(x) - weight * penalty(x)"),
    setup=SETUP,
    test=_test_step,
    hints=(
        "The objective is one number a picture: what is wanted, less what it costs.",
        "score(x) - weight * penalty(x); and then lr times the gradient is added to x.",
    ),
    mistakes=[
        (_step("score(x) + weight * penalty(x)"), "sign of the prior"),
        (_step("score(x) - weight * penalty(x)", "(x - lr * gradient).detach()"), "downhill"),
        (_step("score(x) - penalty(x)"), "weight of the prior is missing"),
        (_step("score(x)"), "prior is missing"),
        (_step("score(x) - weight * penalty(x)", "(x + gradient).detach()"), "lr is missing"),
        (_step("weight * score(x) - penalty(x)"), "small example"),
        (_step("score(x) - weight * penalty(x)", "(lr * gradient).detach()"), "small example"),
    ],
    praise="`inputs.ascent.ascend` is a loop around these lines.",
)


def _test_tv(total_variation) -> None:
    x = torch.tensor([[0.0, 3.0], [4.0, 8.0]])  # 5 at one corner, then 5 down, 4 right, and 0
    try:
        value = torch.as_tensor(total_variation(x, 1.0))
    except RuntimeError as error:
        raise Wrong(
            "The two differences have other shapes. `down` must compare rows, along the "
            "first axis: [h - 1, w] before it is padded."
        ) from error
    if value.shape != ():
        raise Wrong(
            f"One number for the whole picture: the formula is a sum over i and j. Yours "
            f"has the shape {list(value.shape)}."
        )
    if _near(value, 14 / 4):
        raise Wrong("That is the mean over the pixels; the slides have a sum.")
    if _near(value, 25 + 25 + 16):
        raise Wrong(
            "The root is missing: the exponent of the sum of squares is beta / 2, and "
            "with beta = 1 that is a square root."
        )
    if _near(value, 3 + 4 + 5 + 4):
        raise Wrong(
            "You added the lengths of the two differences. The squares are added first, "
            "and the power beta / 2 is taken of their sum."
        )
    if _near(value, 3 * 2**0.5 + 4 * 2**0.5):
        raise Wrong(
            "Both differences run along the same axis: the second one compares row i + 1 "
            "with row i."
        )
    wide = torch.tensor([[0.0, 1.0, 5.0]])
    flat = torch.as_tensor(total_variation(wide, 1.0))
    if not _near(value, 14.0):
        raise Wrong(
            f"For [[0, 3], [4, 8]] and beta = 1 it should be 5 + 5 + 4 = 14; yours is "
            f"{float(value):.3f}. At the bottom and on the right one difference is 0."
        )
    if not _near(flat, 5.0):
        raise Wrong(f"For the row [0, 1, 5] it should be 1 + 4 = 5; yours is {float(flat):.3f}.")
    if not _near(total_variation(x, 2.0), 66.0):
        raise Wrong(
            f"With beta = 2 it should be 25 + 25 + 16 = 66; yours is "
            f"{float(total_variation(x, 2.0)):.3f}: does beta enter?"
        )


_TV = '''\
def total_variation(x, beta):
    """Sum over i, j of ((x[i,j+1] - x[i,j])² + (x[i+1,j] - x[i,j])²)^(beta/2).

    x: [h, w]. What lies beyond the border differs by 0.
    """
    right = F.pad(x[:, 1:] - x[:, :-1], (0, 1))  # [h, w]: the last column has no neighbour
    down = F.pad(____, (0, 0, 0, 1))  # [h, w]: nor has the last row
    return ____'''


def _tv(value: str, down: str = "x[1:] - x[:-1]") -> str:
    return _TV.replace("F.pad(____", f"F.pad({down}").replace("return ____", f"return {value}")


q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Write the total variation of the slides, with its exponent $\\beta$. "
        "Compute it by hand first for the picture $\\begin{pmatrix}0 & 3\\\\ 4 & 8\\end{pmatrix}$ "
        "and $\\beta = 1$."
    ),
    reads=("total_variation",),
    stub=_TV,
    answer=_tv("((right**2 + down**2) ** (beta / 2)).sum()"),
    setup=SETUP,
    test=_test_tv,
    hints=(
        "Rows are the first axis: x[1:] are all rows but the first. Which rows is it compared "
        "with?",
        "Squares of both differences, added; to the power beta / 2; then the sum over all pixels.",
    ),
    mistakes=[
        (_tv("((right**2 + down**2) ** beta).sum()"), "root is missing"),
        (_tv("((right**2 + down**2) ** (beta / 2)).mean()"), "mean over the pixels"),
        (
            _tv("((right**2 + down**2) ** (beta / 2)).sum()", "x[:, 1:] - x[:, :-1]"),
            "along the first axis",
        ),
        (_tv("((right**2 + right**2) ** (beta / 2)).sum()"), "same axis"),
        (_tv("(right.abs() ** beta + down.abs() ** beta).sum()"), "squares are added first"),
        (_tv("(right**2 + down**2).sqrt().sum()"), "does beta enter"),
        (_tv("(right**2 + down**2) ** (beta / 2)"), "One number"),
        (_tv("((right**2 + down**2) ** (beta / 2)).sum()", "x[1:] + x[:-1]"), "should be 5 + 5"),
    ],
    praise="`inputs.priors.total_variation` does the same for a batch, channel by channel.",
)


def _test_score(score) -> None:
    phi_0 = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    phi = torch.tensor([[3.0, 9.0], [1.0, 2.0]])
    value = torch.as_tensor(score(phi, phi_0))
    if value.shape != (2,):
        raise Wrong(
            f"One number for each of the 2 pictures: shape [2]; yours is "
            f"{list(value.shape)}. Sum over the units of a picture, not over pictures."
        )
    right = torch.tensor([-1.0, -4.0])
    if _near(value, -right):
        raise Wrong(
            "The sign: a score is climbed, and what is climbed should be high where the "
            "representations are near."
        )
    if _near(value, [-25.0, -4.0]):
        raise Wrong(
            "It is not divided by |phi_0|²: deep layers with large numbers would weigh "
            "more against the same prior."
        )
    if _near(value, [-5.0, -4.0]):
        raise Wrong(
            "Divided by the length |phi_0|, not by its square: 10 times larger "
            "representations would give another score."
        )
    if _near(value, -right.abs().sqrt()):
        raise Wrong(
            "That is the length of the difference; the paper squares it (and its gradient "
            "then vanishes at the target)."
        )
    if _near(value, -torch.tensor([25 / 90, 4 / 5])):
        raise Wrong(
            "Divide by the representation that is wanted, phi_0, which stays; phi changes "
            "with every step, and the climb could win by making it large."
        )
    if not _near(value, right):
        raise Wrong(
            f"For phi = {phi.tolist()} and phi_0 = {phi_0.tolist()} it should be "
            f"[-1, -4]; yours is {[round(v, 3) for v in value.tolist()]}."
        )
    maps = torch.ones(2, 3, 2, 2)
    if torch.as_tensor(score(2 * maps, maps)).shape != (2,) or not _near(
        score(2 * maps, maps), [-1.0, -1.0]
    ):
        raise Wrong("A layer of feature maps [b, c, h, w] must work as well: flatten(1) first.")


_SCORE = '''\
def score(phi, phi_0):
    """-|phi - phi_0|² / |phi_0|² of each picture; phi, phi_0: [b, ...] -> [b]."""
    return ____'''


def _score(expression: str) -> str:
    return _SCORE.replace("____", expression)


_DIFFERENCE = "(phi - phi_0).flatten(1).square().sum(1)"
_WANTED = "phi_0.flatten(1).square().sum(1)"

q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** What does an inversion climb? Write the score: minus the squared "
        "distance of the representations, divided by the squared length of the one that is "
        "wanted."
    ),
    reads=("score",),
    stub=_SCORE,
    answer=_score(f"-{_DIFFERENCE} / {_WANTED}"),
    setup=SETUP,
    test=_test_score,
    hints=(
        "flatten(1) makes one row of numbers of each picture. What is summed, and over which axis?",
        "The same sum of squares twice: of phi - phi_0, and of phi_0. And which way is up?",
    ),
    mistakes=[
        (_score(f"{_DIFFERENCE} / {_WANTED}"), "The sign"),
        (_score(f"-{_DIFFERENCE}"), "not divided"),
        (_score(f"-{_DIFFERENCE} / {_WANTED}.sqrt()"), "not by its square"),
        (_score(f"-({_DIFFERENCE} / {_WANTED}).sqrt()"), "the length of the difference"),
        (_score(f"-{_DIFFERENCE} / phi.flatten(1).square().sum(1)"), "which stays"),
        (_score("-((phi - phi_0) ** 2).sum() / (phi_0**2).sum()"), "shape [2]"),
        (_score("-((phi - phi_0) ** 2).sum(1) / (phi_0**2).sum(1)"), "flatten(1)"),
        (
            _score("-((phi - phi_0).flatten(1) ** 2).mean(1) / (phi_0.flatten(1) ** 2).sum(1)"),
            "should be [-1, -4]",
        ),
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
    sizes = [(2, 2), (4, 4)]
    try:
        value = dreamed(picture, sizes, climb, resize)
    except RuntimeError as error:
        raise Wrong(
            "Pictures of two sizes met in one sum: at each octave compare with the "
            "picture of that size, `base`."
        ) from error
    if value.shape != picture.shape:
        raise Wrong(
            f"The last octave has the size of the picture, {list(picture.shape)}; yours "
            f"is {list(value.shape)}."
        )
    if _near(value, picture + 1):
        raise Wrong("What the smaller octaves dreamed is lost: nothing was carried over.")
    if _near(seen[1], picture + resize(seen[0] + 1, (4, 4))):
        raise Wrong(
            "You carry the whole picture over, and the next octave adds it to the picture "
            "again. Only the detail goes on: what was added."
        )
    if _near(seen[1], picture - 1):
        raise Wrong("The sign: the detail is what came out, less what was there before.")
    if not _near(value, picture + 2):
        raise Wrong(
            "With a climb that adds 1 everywhere, two octaves should add 2; yours adds "
            f"{float((value - picture).mean()):.2f}."
        )
    value = dreamed(picture, [(2, 2), (3, 3), (4, 4)], climb, resize)
    if not _near(value, picture + 3):
        raise Wrong(
            "Three octaves that add 1 each should add 3: the detail is all that was added "
            "so far, not only by the last octave."
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


def _dream(expression: str) -> str:
    return _DREAM.replace("____", expression)


q4 = Exercise(
    name="q4",
    question=(
        "**Exercise 4.** What is carried over from one octave to the next? One line is missing."
    ),
    reads=("dreamed",),
    stub=_DREAM,
    answer=_dream("climbed - base"),
    setup=SETUP,
    test=_test_dream,
    hints=(
        "The picture itself comes back, sharp, at each size. What else must survive?",
        "All that was dreamed so far: the difference between what came out and the picture of "
        "that size.",
    ),
    mistakes=[
        (_dream("climbed"), "carry the whole picture"),
        (_dream("climbed - picture"), "two sizes met"),
        (_dream("base - climbed"), "The sign"),
        (_dream("detail"), "nothing was carried over"),
        (_dream("climbed - (base + resize(detail, size))"), "all that was added"),
    ],
    praise="`inputs.octaves.octaves` is this loop, with the box around it.",
)
