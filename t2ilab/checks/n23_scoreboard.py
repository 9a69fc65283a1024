"""Exercises of notebook 23: precision, planted copies, a paired interval, shares in logs."""

import numpy as np
import torch

from t2ilab.checks.exercise import Exercise
from t2ilab.checks.kit import call, compare


def _points(*places: float) -> torch.Tensor:
    return torch.tensor(places)[:, None]


def _test_precision(precision) -> None:
    # Radii of the real ones for k = 1: 1, 1, 3 and 5. For k = 2: 4, 3, 4 and 8.
    real = _points(0.0, 1.0, 4.0, 9.0)
    fake = _points(0.5, 0.9, 12.0, 13.0, 20.0, 30.0, -1.5)
    wanted = {"shape": (), "reason": "It is one share, of all generated pictures."}
    found = call(precision, fake, real, 1, **wanted)
    compare(
        found,
        4 / 7,
        "For a small example with k = 1 it should be {right}; yours is {found}. A ball of a real "
        "picture is as large as the distance to its k-th nearest real neighbour.",
        slips={
            "The nearest of all to a picture is itself, at a distance of 0: with k = 1 your balls "
            "are empty. The k-th *neighbour* is one further on. (Or did you ask for *all* "
            "balls? One is enough.)": 0,
            "That is the share of real pictures whose ball holds a generated one: the coverage. "
            "Ask of each *generated* picture whether some ball holds it.": 3 / 4,
            "That counts each ball in which a picture lies: the density, before it is divided. "
            "For the precision one ball is enough.": 6 / 7,
            "Your balls are too large: the k nearest have the *smallest* distances.": 5 / 7,
            "That is the recall: generated and real pictures have changed places.": 1 / 2,
            "That is how many lie in a ball; divide by the number of generated pictures.": 4.0,
        },
    )
    wide = call(precision, fake, real, 2, **wanted)
    compare(
        wide,
        5 / 7,
        "With k = 2 it should be {right}; yours is {found}.",
        slips={"With k = 2 the balls should be larger than with k = 1: is k used?": 4 / 7},
    )


_PRECISION = '''\
def precision(fake, real, k):
    """The share of generated pictures that lie in the ball of at least one real picture.

    fake: [m, d], real: [n, d], features. A ball reaches to the k-th nearest other real picture.
    """
    across = torch.cdist(fake, real)  # [m, n]
    among = torch.cdist(real, real)  # [n, n], with each one's distance to itself
    radii = ____  # [n]
    inside = ____  # bool [m, n]
    return ____'''

_RADII, _INSIDE = "among.kthvalue(k + 1, dim=1).values", "across <= radii"
_SHARE = "inside.any(1).float().mean()"

q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Write the precision of Kynkäänniemi et al. (2019): the share of generated "
        "pictures that lie in the ball of some real one. The same function gives the recall: how?"
    ),
    stub=_PRECISION,
    answer=(_RADII, _INSIDE, _SHARE),
    test=_test_precision,
    hints=(
        "Of each row of `among` the k-th smallest number is wanted, but the smallest of all is the "
        "distance of a picture to itself.",
        "`among.kthvalue(k + 1, dim=1).values` are the radii; `inside.any(1)` says of each "
        "generated picture whether a ball holds it.",
    ),
    mistakes=[
        (("among.kthvalue(k, dim=1).values", _INSIDE, _SHARE), "is itself"),
        ((_RADII, _INSIDE, "inside.any(0).float().mean()"), "the coverage"),
        ((_RADII, _INSIDE, "inside.float().sum(1).mean()"), "the density"),
        (("among.kthvalue(2, dim=1).values", _INSIDE, _SHARE), "is k used"),
        ((_RADII, _INSIDE, "inside.any(1)"), "one number"),
        ((_RADII, _INSIDE, "inside.any(1).sum()"), "how many"),
        (("among.topk(k + 1, 1).values[:, -1]", _INSIDE, _SHARE), "too large"),
        ((_RADII, _INSIDE, "inside.all(1).float().mean()"), "One is enough"),
        ((_RADII, "across >= radii", _SHARE), "it should be"),
    ],
    praise="It is in `t2ilab/metrics/manifold.py`. The recall is precision(real, fake, k).",
)


def _test_copied(copied) -> None:
    usual = torch.linspace(1.0, 101.0, 101)  # the quantile q of these is 1 + 100 q
    some = torch.cat([torch.full((4,), 5.0), torch.full((16,), 60.0)])
    wanted = {"shape": (), "reason": "It is one share."}
    found = call(copied, some, usual, 0.1, **wanted)
    compare(
        found,
        (0.2 - 0.1) / 0.9,
        "Where 4 of 20 lie nearer than one in ten new pictures does, it should be {right}; yours "
        "is {found}.",
        slips={
            "That is the share that lies too near. Of new pictures a share q lies there too: the "
            "copies are what is left over, p = c + (1 - c) q, solved for c.": 0.2,
            "Nearly: p = c + (1 - c) q. The new pictures are a share 1 - c, so p - q must be "
            "divided by 1 - q.": 0.1,
            "That is the share of pictures that lie *farther* away than the limit.": (0.8, 7 / 9),
        },
    )
    none = call(copied, torch.full((10,), 60.0), usual, 0.1, **wanted)
    compare(
        none,
        0.0,
        "Where no picture lies too near it should be {right}; yours is {found}.",
        slips={"A share is not negative: where fewer lie there than usual, take 0.": -0.1 / 0.9},
    )


_COPIED = '''\
def copied(distance, usual, q):
    """An estimate of the share c of copies among pictures.

    distance: [n], of each picture to its nearest training picture; usual: [m], the same of new
    real pictures. A picture is too near if it is nearer than a share q of the new ones.
    """
    limit = ____
    p = ____  # the share of pictures that are too near: c + (1 - c) q
    return ____'''

_LIMIT, _P = "torch.quantile(usual, q)", "(distance < limit).float().mean()"
_C = "((p - q) / (1 - q)).clamp(min=0)"

q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Estimate the share of copies. Of new pictures a share q is too near by "
        "definition; solve for what is left over."
    ),
    stub=_COPIED,
    answer=(_LIMIT, _P, _C),
    test=_test_copied,
    hints=(
        "A share c of the pictures are copies, and all of these are too near. Of the others, a "
        "share 1 - c, only q are.",
        "p = c + (1 - c) q, so c = (p - q) / (1 - q), at least 0. The limit is "
        "`torch.quantile(usual, q)`.",
    ),
    mistakes=[
        ((_LIMIT, _P, "p"), "solved for c"),
        ((_LIMIT, _P, "(p - q).clamp(min=0)"), "divided by 1 - q"),
        ((_LIMIT, _P, "(p - q) / (1 - q)"), "not negative"),
        ((_LIMIT, "(distance > limit).float().mean()", _C), "farther"),
        ((_LIMIT, "(distance < limit).float()", _C), "one number"),
    ],
    praise="It is `copied` of `t2ilab/metrics/memorisation.py`.",
)


def _test_interval(interval) -> None:
    a = torch.tensor([1.0, 1.0, 0.0, 1.0])
    b = torch.tensor([1.0, 0.0, 0.0, 0.0])
    chosen = torch.tensor([[0, 0, 0, 1], [1, 1, 1, 0], [0, 1, 2, 3], [2, 2, 3, 3], [0, 0, 1, 1]])
    found = call(interval, a, b, chosen, shape=(2,), reason="Give the lower and the upper end.")
    means = (a - b)[chosen].mean(1)
    ends = torch.tensor([0.025, 0.975])
    compare(
        found,
        torch.quantile(means, ends),
        "For a small example it should be {right}; yours is {found}.",
        slips={
            "The ends have changed places: first the lower, then the upper one.": (
                torch.quantile(means, ends.flip(0))
            ),
            "Those are the ends for `a` alone; the difference of both is asked for.": (
                torch.quantile(a[chosen].mean(1), ends)
            ),
            "The sign is turned round: it is the mean of a minus that of b.": torch.quantile(
                -means, ends
            ),
            "Those are the quantiles of single captions, not of the means over drawn ones.": (
                torch.quantile(a - b, ends)
            ),
            "The mean is taken over the drawings; each drawing has a mean of its own.": (
                torch.quantile((a - b)[chosen].mean(0), ends)
            ),
            "Those are the 5 % and the 95 % quantile; between them lie 90 %.": torch.quantile(
                means, torch.tensor([0.05, 0.95])
            ),
            "That is the least and the greatest; 95 % of the means lie between the quantiles "
            "0.025 and 0.975.": torch.stack([means.min(), means.max()]),
        },
    )


_INTERVAL = '''\
def interval(a, b, chosen):
    """95 % of the bootstrap's differences mean(a) - mean(b): the lower and the upper end, [2].

    a, b: [n], 1 where caption k was obeyed, else 0; chosen: [times, n], captions drawn anew.
    """
    means = ____  # [times]: the difference, in each drawing, with captions paired
    return torch.quantile(means, ____)'''

q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** Write the interval of the difference of two systems on the same captions. "
        "Captions are drawn with replacement, and caption k of both together."
    ),
    stub=_INTERVAL,
    answer=("(a - b)[chosen].mean(1)", "torch.tensor([0.025, 0.975])"),
    test=_test_interval,
    hints=(
        "`(a - b)[chosen]` is [times, n]: in each row the differences of the captions that were "
        "drawn.",
        "The mean of each row, then the quantiles 0.025 and 0.975 of the means.",
    ),
    mistakes=[
        (("a[chosen].mean(1)", "torch.tensor([0.025, 0.975])"), "`a` alone"),
        (("(b - a)[chosen].mean(1)", "torch.tensor([0.025, 0.975])"), "turned round"),
        (("(a - b)[chosen].mean(0)", "torch.tensor([0.025, 0.975])"), "over the drawings"),
        (("a - b", "torch.tensor([0.025, 0.975])"), "single captions"),
        (("(a - b)[chosen].mean(1)", "torch.tensor([0.05, 0.95])"), "lie 90 %"),
        (("(a - b)[chosen].mean(1)", "torch.tensor([0.0, 1.0])"), "least and the greatest"),
        (("(a - b)[chosen].mean(1)", "torch.tensor([0.975, 0.025])"), "first the lower"),
        (("(a - b)[chosen].mean(1)", "0.025"), "lower and the upper"),
    ],
    praise="It is `paired_interval` of `t2ilab/metrics/scoreboard.py`.",
)


def _test_share(log_share) -> None:
    scores, of_data = np.array([1.0, 2.0, 4.0, 16.0]), 16.0
    found = call(
        log_share, scores, of_data, kind=np.ndarray, shape=(4,), reason="One for each score."
    )
    compare(
        found,
        np.array([0.0, 0.25, 0.5, 1.0]),
        "For scores of 1, 2, 4 and 16, where the data has 16, it should be {right}; yours is "
        "{found}.",
        slips={
            "That is the share of the score itself. A score of 1 says nothing at all, and has a "
            "share above 0 there.": scores / of_data,
            "That is the logarithm of the share. Take both logarithms first, then the share.": (
                np.log(scores / of_data)
            ),
            "The logarithm is right; divide it by that of the data's score.": np.log(scores),
            "The data's score needs its logarithm too.": np.log(scores) / of_data,
        },
    )


_LOG_SHARE = '''\
def log_share(scores, of_data):
    """How much of the information that the data's pictures carry about their classes is there.

    scores: [n], Inception scores, each exp of an information in nats; of_data: that of the data.
    """
    return ____'''

q4 = Exercise(
    name="q4",
    question=(
        "**Exercise 4.** The Inception score is the exponential of an information: exp I(picture; "
        "class). Write the share of the *information*."
    ),
    stub=_LOG_SHARE,
    answer="np.log(scores) / np.log(of_data)",
    test=_test_share,
    hints=(
        "A score of 1 is no information, and should have the share 0.",
        "The information is the logarithm of the score; of both.",
    ),
    mistakes=[
        ("scores / of_data", "share of the score itself"),
        ("np.log(scores / of_data)", "logarithm of the share"),
        ("np.log(scores)", "divide it by"),
        ("np.log(scores) / of_data", "needs its logarithm too"),
    ],
    praise="It compares across worlds with different numbers of classes; the plain share does not.",
)
