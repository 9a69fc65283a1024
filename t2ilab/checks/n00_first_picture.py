"""The exercises of notebook 00: two ways to count obedience, and a way from caption to caption."""

import numpy as np
import torch

from t2ilab.checks import Exercise
from t2ilab.checks.kit import call, compare, compare_ends


def _test_consistency(consistency) -> None:
    read = np.array(["blue", "blue", "red", "blue"])
    stated = np.array(["blue", "blue", "red", "red"])
    compare(
        call(consistency, read, stated, kind=float),
        0.75,
        "Of four pictures three obey: the share is 0.75, yours is {found}.",
        slips={
            "That is the share of those that do *not* obey. Count those that agree.": 0.25,
            "Of four pictures three obey, yours is 0. Asked whether *every* picture obeys?": 0,
            "Of four pictures three obey, yours is 1. Compare word by word, each at its place.": 1,
        },
        mean_over=(4, "pictures"),
    )
    compare(
        call(consistency, read[:2], stated[:2], kind=float),
        1,
        "Where both of two pictures obey the share is 1; yours is {found}. Divide by how many "
        "there are, not by a fixed number.",
    )


def _test_all_right(all_right) -> None:
    rows = [[1, 1, 1], [1, 1, 1], [1, 0, 1], [0, 0, 0], [0, 1, 1], [0, 0, 1]]
    right = np.array(rows, dtype=bool)
    two_of_six = "Two of these six pictures have all three attributes right: 0.333"
    compare(
        call(all_right, right, kind=float, reason="First one truth value a picture, then a share."),
        1 / 3,
        f"{two_of_six}; yours is {{found}}.",
        slips={
            "You took the mean over all entries. One wrong attribute spoils its picture: "
            "decide for each picture first.": right.mean(),
            "Two pictures obey, but of six: you divided by the number of attributes.": 2 / 3,
            "Yours is the share with *any* attribute right. All of them must be.": 5 / 6,
            f"{two_of_six}. A product of the three shares holds only where the mistakes are "
            "independent.": right.mean(0).prod(),
            f"{two_of_six}; yours is 0. Do you ask whether all *pictures* have an attribute "
            "right? The rows are the pictures: look along each row.": 0,
        },
        mean_over=(6, "pictures"),
    )


def _test_interpolate(interpolate) -> None:
    phi_0, phi_1 = torch.tensor([0.0, 2.0, -4.0]), torch.tensor([4.0, 2.0, 8.0])
    path = call(interpolate, phi_0, phi_1, 5, shape=(5, 3), reason="A row for each of the 5 steps.")
    compare_ends(path[0], path[-1], phi_0, phi_1, ("phi_0", "phi_1"))
    compare(
        path[1:4, 0],
        [1.0, 2.0, 3.0],
        "Both ends are right, but the steps are not even: the first number should go 0, 1, 2, 3, "
        "4; between the ends yours has {found}.",
    )


q1 = Exercise(
    name="q1",
    question="""**Exercise 1.** Write *caption consistency* of one attribute: the share of the
pictures of which the attribute is read back as it is stated. `read` and `stated` are arrays of n
words, such as `["blue", "blue", "red"]`.""",
    stub='''\
def consistency(read, stated):
    """Arrays of n words -> the share of the n on which they agree, in [0, 1]."""
    return ____''',
    answer="(read == stated).mean()",
    test=_test_consistency,
    hints=(
        "`read == stated` compares the arrays word by word: n times True or False.",
        "True counts as 1 and False as 0, so the mean of such an array is a share.",
    ),
    mistakes=[
        ("(read == stated).sum()", "sum over the 4 pictures"),
        ("(read == stated).all()", "*every* picture"),
        ("(read != stated).mean()", "do *not* obey"),
        ("np.isin(read, stated).mean()", "at its place"),
        ("(read == stated).sum() / 4", "not by a fixed number"),
        ("read == stated", "one number"),
        ("(read == stated).mean", "brackets"),
        ("read.mean() == stated", "in the line `return read.mean() == stated`"),
    ],
    praise="Guessing one of ten colours would reach 0.1 on average.",
)

q2 = Exercise(
    name="q2",
    question="""**Exercise 2.** A picture obeys its caption only if *everything* that is stated is
right. `right` is an array of truth values with a row for each picture and a column for each stated
attribute. Write the share of the pictures that obey.""",
    stub='''\
def all_right(right):
    """bool [n, attributes] -> the share of the n pictures with every attribute right."""
    return ____''',
    answer="right.all(axis=1).mean()",
    test=_test_all_right,
    hints=(
        "First one truth value for each picture, then the share of the pictures.",
        "`right.all(axis=1)` looks along the attributes of each picture.",
    ),
    mistakes=[
        ("right.mean()", "spoils its picture"),
        ("right.all(axis=1).sum()", "sum over the 6 pictures"),
        ("right.all(axis=1).sum() / right.shape[1]", "number of attributes"),
        ("right.all(axis=0).mean()", "the rows are the pictures"),
        ("right.all()", "along each row"),
        ("right.any(axis=1).mean()", "*any* attribute"),
        ("right.mean(axis=0).prod()", "independent"),
        ("right.all(axis=1)", "truth value a picture"),
        ("right[:, 0].mean()", "yours is 0.5"),
    ],
    praise="It is never larger than the smallest share of a single attribute.",
)

q3 = Exercise(
    name="q3",
    question=r"""**Exercise 3.** The average is half way. Write the whole way in even steps:
row $k$ is $(1-\beta_k)\,\varphi_0 + \beta_k\,\varphi_1$, with $\beta$ from 0 to 1.""",
    stub='''\
def interpolate(phi_0, phi_1, steps):
    """Two vectors [text] -> [steps, text], from phi_0 to phi_1 in even steps."""
    beta = ____  # from 0 to 1 in even steps, [steps, 1]
    return (1 - beta) * ____ + beta * ____''',
    answer=("torch.linspace(0, 1, steps)[:, None]", "phi_0", "phi_1"),
    test=_test_interpolate,
    hints=(
        "`torch.linspace` makes even steps, [steps]; give them a second axis of length 1.",
        "`torch.linspace(0, 1, steps)[:, None]`; where it is 0, all the weight is on phi_0.",
    ),
    mistakes=[
        (("torch.linspace(0, 1, steps)[:, None]", "phi_1", "phi_0"), "other way round"),
        (("torch.arange(steps)[:, None] / steps", "phi_0", "phi_1"), "phi_1 is never reached"),
        (
            ("(torch.arange(steps)[:, None] + 1) / steps", "phi_0", "phi_1"),
            "phi_0 is never reached",
        ),
        (("torch.linspace(0, 1, steps)[:, None]", "phi_0", "phi_0"), "it should be phi_1"),
        (("torch.linspace(0, 1, steps)", "phi_0", "phi_1"), "your code stopped"),
        (("torch.linspace(0, 1, steps)[:, None] ** 2", "phi_0", "phi_1"), "not even"),
        (
            ("torch.linspace(0, 1, steps)", "phi_0[:, None]", "phi_1[:, None]"),
            "rows and columns changed places",
        ),
        (("torch.linspace(0, 1, steps + 1)[:, None]", "phi_0", "phi_1"), "shape [6, 3]. A row for"),
        (("0.5", "phi_0", "phi_1"), "a row for each"),
    ],
    praise="`torch.lerp` does the same.",
)
