"""The exercises of notebook 00: two ways to count obedience, and a way from caption to caption."""

import numpy as np
import torch

from t2ilab.checks import Exercise, Wrong


def test_q1(consistency) -> None:
    read = np.array(["blue", "blue", "red", "blue"])
    share = _number(consistency(read, np.array(["blue", "green", "red", "red"])))
    if share == 2:
        raise Wrong("You counted the pictures that obey. Divide by how many there are: a share.")
    if share in (0.0, 1.0):
        raise Wrong("Of four pictures two obey, and the share is 0.5. Does every picture count?")
    if share != 0.5:
        raise Wrong(f"Of four pictures two obey: the share is 0.5, yours is {share:.3g}.")
    share = _number(consistency(read, read))
    if share != 1:
        raise Wrong("Where all obey the share is 1. Count those that agree, not the others.")


def test_q2(all_right) -> None:
    right = np.array([[True, True], [True, False], [False, True], [False, False]])
    share = _number(all_right(right))
    if share == 0.5:
        raise Wrong(
            "You took the mean over all entries. One wrong attribute spoils its picture: "
            "decide for each picture first."
        )
    if share == 1:
        raise Wrong("Only one picture of four has everything right. Which axis is the pictures?")
    if share != 0.25:
        raise Wrong(f"One of these four pictures has everything right: 0.25, yours is {share:.3g}.")
    share = _number(all_right(np.array([[True, True, True]] * 2 + [[False, False, False]] * 2)))
    if share != 0.5:
        raise Wrong(
            "Two of four pictures have all three attributes right: 0.5. A product of the "
            "three shares holds only where the mistakes are independent."
        )


def test_q3(interpolate) -> None:
    phi_0, phi_1 = torch.tensor([0.0, 2.0, -4.0]), torch.tensor([4.0, 2.0, 8.0])
    path = interpolate(phi_0, phi_1, 5)
    if not isinstance(path, torch.Tensor) or path.shape != (5, 3):
        found = list(path.shape) if isinstance(path, torch.Tensor) else type(path).__name__
        raise Wrong(f"Five steps between vectors of three numbers are [5, 3]; yours: {found}.")
    if torch.allclose(path[0], phi_1) and torch.allclose(path[-1], phi_0):
        raise Wrong("It goes the other way round: begin at phi_0, where beta is 0.")
    if not torch.allclose(path[0], phi_0):
        raise Wrong("At beta = 0 it should be phi_0 itself. Look at the two weights there.")
    if not torch.allclose(path[-1], phi_1):
        raise Wrong("At beta = 1 it should be phi_1 itself: the weights add up to 1 everywhere.")
    if not torch.allclose(path[2], (phi_0 + phi_1) / 2):
        raise Wrong("Half way it should be the mean of the two vectors.")


def _number(value) -> float:
    """The answer as a float, or words about what it is instead."""
    if np.ndim(value) != 0:
        raise Wrong(
            f"The answer is one number for all pictures; yours has the shape "
            f"{list(np.shape(value))}."
        )
    return float(value)


q1 = Exercise(
    name="q1",
    question="""**Exercise 1.** Write *caption consistency* of one attribute: the share of the
pictures of which the attribute is read back as it is stated. `read` and `stated` are arrays of n
words, such as `["blue", "blue", "red"]`.""",
    reads=("consistency",),
    stub='''\
def consistency(read, stated):
    """Arrays of n words -> the share of the n on which they agree, in [0, 1]."""
    return ____''',
    answer='''\
def consistency(read, stated):
    """Arrays of n words -> the share of the n on which they agree, in [0, 1]."""
    return (read == stated).mean()''',
    setup="import numpy as np",
    test=test_q1,
    hints=(
        "`read == stated` compares the arrays word by word: n times True or False.",
        "True counts as 1 and False as 0, so the mean of such an array is a share.",
    ),
    mistakes=[
        ("def consistency(read, stated):\n    return (read == stated).sum()", "a share"),
        ("def consistency(read, stated):\n    return (read == stated).all()", "every picture"),
        ("def consistency(read, stated):\n    return (read != stated).mean()", "not the others"),
        ("def consistency(read, stated):\n    return read == stated", "one number"),
        ("def consistency(read, stated):\n    return read.mean() == stated", "your code stopped"),
    ],
    praise="Guessing one of ten colours would reach 0.1 on average.",
)

q2 = Exercise(
    name="q2",
    question="""**Exercise 2.** A picture obeys its caption only if *everything* that is stated is
right. `right` is an array of truth values with a row for each picture and a column for each stated
attribute. Write the share of the pictures that obey.""",
    reads=("all_right",),
    stub='''\
def all_right(right):
    """bool [n, attributes] -> the share of the n pictures with every attribute right."""
    return ____''',
    answer='''\
def all_right(right):
    """bool [n, attributes] -> the share of the n pictures with every attribute right."""
    return right.all(axis=1).mean()''',
    setup="import numpy as np",
    test=test_q2,
    hints=(
        "First one truth value for each picture, then the share of the pictures.",
        "`right.all(axis=1)` looks along the attributes of each picture.",
    ),
    mistakes=[
        ("def all_right(right):\n    return right.mean()", "spoils its picture"),
        ("def all_right(right):\n    return right.all(axis=0).mean()", "yours is 0"),
        ("def all_right(right):\n    return right.any(axis=1).mean()", "yours is 0.75"),
        ("def all_right(right):\n    return right.mean(axis=0).prod()", "independent"),
        ("def all_right(right):\n    return right.all(axis=1)", "one number"),
    ],
    praise="It is never larger than the smallest share of a single attribute.",
)

q3 = Exercise(
    name="q3",
    question=r"""**Exercise 3.** The average is half way. Write the whole way in even steps:
row $k$ is $(1-\beta_k)\,\varphi_0 + \beta_k\,\varphi_1$, with $\beta$ from 0 to 1.""",
    reads=("interpolate",),
    stub='''\
def interpolate(phi_0, phi_1, steps):
    """Two vectors [text] -> [steps, text], from phi_0 to phi_1 in even steps."""
    beta = ____  # from 0 to 1 in even steps, [steps, 1]
    return (1 - beta) * ____ + beta * ____''',
    answer='''\
def interpolate(phi_0, phi_1, steps):
    """Two vectors [text] -> [steps, text], from phi_0 to phi_1 in even steps."""
    beta = torch.linspace(0, 1, steps)[:, None]  # from 0 to 1 in even steps, [steps, 1]
    return (1 - beta) * phi_0 + beta * phi_1''',
    setup="import torch",
    test=test_q3,
    hints=(
        "`torch.linspace` makes even steps, [steps]; give them a second axis of length 1.",
        "`torch.linspace(0, 1, steps)[:, None]`; where it is 0, all the weight is on phi_0.",
    ),
    mistakes=[
        (
            "def interpolate(phi_0, phi_1, steps):\n    b = torch.linspace(0, 1, steps)[:, None]\n"
            "    return b * phi_0 + (1 - b) * phi_1",
            "other way round",
        ),
        (
            "def interpolate(phi_0, phi_1, steps):\n    b = torch.linspace(0, 1, steps)[:, None]\n"
            "    return phi_0 + b * phi_1",
            "add up to 1",
        ),
        (
            "def interpolate(phi_0, phi_1, steps):\n    b = torch.linspace(0, 1, steps)\n"
            "    return (1 - b) * phi_0 + b * phi_1",
            "your code stopped",
        ),
        (
            "def interpolate(phi_0, phi_1, steps):\n    b = torch.linspace(0, 1, steps)[None]\n"
            "    return ((1 - b) * phi_0[:, None] + b * phi_1[:, None])",
            "[5, 3]; yours: [3, 5]",
        ),
        (
            "def interpolate(phi_0, phi_1, steps):\n"
            "    b = torch.linspace(0, 1, steps)[:, None] ** 2\n"
            "    return (1 - b) * phi_0 + b * phi_1",
            "half way",
        ),
    ],
    praise="`torch.lerp` does the same.",
)
