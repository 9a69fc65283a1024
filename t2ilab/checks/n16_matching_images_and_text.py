"""Exercises of notebook 16: hinges, R@K by facts, its ceiling by partners, the logistic loss."""

import torch
import torch.nn.functional as F

from t2ilab.checks.exercise import Exercise
from t2ilab.checks.kit import call, compare

# ------------------------------------------------------------------------------- 1: the constraint


def _test_violations(violations) -> None:
    d = torch.tensor([[0.5, 0.9, 0.4], [0.3, 0.6, 0.8], [1.0, 0.2, 0.7]])
    wrong = torch.tensor([[0, 1, 1], [1, 0, 1], [0, 1, 0]]).bool()
    m, own = 0.1, d.diagonal()
    right = (m + own[:, None] - d).relu() * wrong
    found = call(
        violations, d, wrong, m, shape=(3, 3), reason="A row a picture, a column a caption."
    )
    alone = torch.eye(3).bool()
    compare(
        found,
        right,
        "For a small table it should be {right}; yours is {found}.",
        slips={
            "Each row needs the distance to its own caption: `own` must be a column, [b, 1]; as a "
            "row it is subtracted caption by caption.": (m + own[None] - d).relu() * wrong,
            "The mask is missing: a true caption of another picture is not wrong, and nothing may "
            "push it away.": (
                (m + own[:, None] - d).relu(),
                (m + own[:, None] - d).relu() * ~alone,
            ),
            "The mask is turned round: what counts is what is wrong.": (
                (m + own[:, None] - d).relu() * ~wrong
            ),
            "The signs are swapped: it costs where the wrong caption is *nearer* than its own "
            "caption and the margin.": (
                (m + d - own[:, None]).relu() * wrong,
                (d - own[:, None] - m).relu() * wrong,
            ),
            "The margin has the wrong sign: the wrong caption must be farther by m.": (
                (own[:, None] - d - m).relu() * wrong
            ),
            "The margin is missing.": (own[:, None] - d).relu() * wrong,
            "Below 0 it must be 0: a caption that is far enough costs nothing, and is worth "
            "nothing.": (m + own[:, None] - d) * wrong,
        },
    )


_VIOLATIONS = '''\
def violations(d, wrong, m):
    """max(0, m + d(x_i, y_i) - d(x_i, y_k)) where caption k is wrong for picture i, else 0: [b, b].

    d: [b, b], the distance of picture i (row) and caption k (column), its own on the diagonal;
    wrong: bool [b, b]; m: the margin.
    """
    own = ____  # [b, 1]: from each picture to its own caption
    return ____'''

_OWN, _HINGE = "d.diagonal()[:, None]", "(m + own - d).relu() * wrong"

q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Write the constraint as a hinge: what each wrong caption costs each "
        "picture. A caption that is true of the picture is not wrong, whoever's it is."
    ),
    stub=_VIOLATIONS,
    answer=(_OWN, _HINGE),
    test=_test_violations,
    hints=(
        "The picture's own caption has to be nearer than the wrong one, by m. What is left of the "
        "inequality when everything is brought to one side?",
        "`d.diagonal()` has the distances to the own captions, [b]; `[:, None]` makes a column of "
        "it. `.relu()` is max(0, ·), and multiplying by `wrong` leaves the others 0.",
    ),
    mistakes=[
        (("d.diagonal()[None]", _HINGE), "must be a column"),
        (("d.diagonal()", _HINGE), "must be a column"),
        ((_OWN, "(m + own - d).relu()"), "mask is missing"),
        ((_OWN, "(m + own - d).relu() * ~wrong"), "turned round"),
        ((_OWN, "(m + d - own).relu() * wrong"), "signs are swapped"),
        ((_OWN, "(own - d - m).relu() * wrong"), "margin has the wrong sign"),
        ((_OWN, "(own - d).relu() * wrong"), "margin is missing"),
        ((_OWN, "(m + own - d) * wrong"), "Below 0"),
        ((_OWN, "((m + own - d).relu() * wrong).mean()"), "the shape [3, 3]"),
    ],
    praise="It is the inside of `constraint` in `losses/embedding.py`, which all four share.",
)

# ------------------------------------------------------------------------------------- 2: recall


def _test_recall(recall) -> None:
    scores = torch.tensor(
        [[0.5, 0.9, 0.1], [0.2, 0.1, 0.7], [0.3, 0.8, 0.6], [0.1, 0.2, 0.9], [0.4, 0.3, 0.2]]
    )
    hit = torch.tensor([[1, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1], [1, 0, 0]]).bool()
    how = dict(shape=(), reason="The share is a mean over the pictures.")
    one = call(recall, scores, hit, 1, **how)
    worst = scores.argsort(1)
    compare(
        one,
        0.6,
        "Of five pictures three have a true caption at the first place: it should be {right}; "
        "yours is {found}.",
        slips={
            "That is the share among the *worst* captions: larger scores are better.": (
                hit.gather(1, worst[:, :1]).any(1).float().mean()
            ),
            "That is how many, not which share.": 3,
        },
    )
    two = call(recall, scores, hit, 2, **how)
    best = (-scores).argsort(1)[:, :2]
    compare(
        two,
        0.8,
        "With the two best captions it should be {right}; yours is {found}.",
        slips={
            "One hit among the k is enough (any), and a second one counts no more.": (
                hit.gather(1, best).float().mean(),
                hit.gather(1, best).float().sum(1).mean(),
            ),
            "All of the k need not be hits: one is enough (any).": (
                hit.gather(1, best).all(1).float().mean()
            ),
            "That is the share of the first place alone: is k used?": 0.6,
        },
    )
    compare(
        call(recall, scores, hit, 3, **how),
        1,
        "With all captions it should be {right}; yours is {found}.",
    )


_RECALL = '''\
def recall(scores, hit, k):
    """R@k: the share of pictures of which at least one of the k best captions is a hit.

    scores: [n, m], larger where picture and caption fit; hit: bool [n, m].
    """
    best = ____  # [n, k]: which captions are the k best
    found = ____  # [n, k]: are they hits?
    return ____'''

_BEST, _FOUND = "scores.topk(k, 1).indices", "hit.gather(1, best)"

q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Write R@K for pictures that look for captions. What counts as a hit is "
        "given, so the same function serves both kinds: by partners and by facts."
    ),
    stub=_RECALL,
    answer=(_BEST, _FOUND, "found.any(1).float().mean()"),
    test=_test_recall,
    hints=(
        "`scores.topk(k, 1)` has `.values` and `.indices`. With the indices you look up `hit`, row "
        "by row.",
        "`hit.gather(1, best)` is [n, k]; a picture counts if any of its k is a hit.",
    ),
    mistakes=[
        (("scores.argsort(1)[:, :k]", _FOUND, "found.any(1).float().mean()"), "*worst*"),
        ((_BEST, _FOUND, "found.float().mean()"), "any"),
        ((_BEST, _FOUND, "found.all(1).float().mean()"), "one is enough"),
        ((_BEST, _FOUND, "found.float().sum(1).mean()"), "any"),
        ((_BEST, _FOUND, "found.any(1).float().sum()"), "which share"),
        ((_BEST, _FOUND, "found.any(1)"), "mean over the pictures"),
        (("scores.topk(1, 1).indices", _FOUND, "found.any(1).float().mean()"), "is k used"),
        ((_BEST, "hit[:, :k]", "found.any(1).float().mean()"), "three have a true caption"),
    ],
    praise="`metrics/matching.py` does the same, both ways, for K = 1, 5 and 10.",
)

# ------------------------------------------------------------------------------------ 3: ceiling


def _test_ceiling(ceiling) -> None:
    fits = torch.tensor([[1, 0, 0, 0], [0, 1, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1]]).bool()
    how = dict(shape=(), reason="The expectation is a mean over the pictures.")
    one = call(ceiling, fits, 1, **how)
    compare(
        one,
        (1 + 1 / 3 + 1 / 3 + 1 / 4) / 4,
        "Pictures with 1, 3, 3 and 4 true captions: it should be {right}; yours is {found}.",
        slips={
            "The mean is taken too early: first 1 over the number of true captions, for each "
            "picture, then the mean.": 1 / fits.sum(1).float().mean(),
            "Captions are counted over pictures (columns). For each *picture*, a row, the true "
            "captions are counted.": (1 / fits.sum(0).float()).mean(),
            "That is the share of pairs that are true. How likely is it that one drawn among a "
            "picture's true captions is its own?": fits.float().mean(),
            "A perfect model does find a true caption always; but its own is only one of them.": 1,
        },
    )
    compare(
        call(ceiling, fits, 2, **how),
        (1 + 2 / 3 + 2 / 3 + 2 / 4) / 4,
        "With two guesses it should be {right}; yours is {found}.",
        slips={
            "A chance is never above 1: with more guesses than true captions it is found surely.": (
                (2 / fits.sum(1)).mean()
            ),
            "With k guesses the chance is k times as large.": (1 / fits.sum(1)).mean(),
        },
    )


_CEILING = '''\
def ceiling(fits, k):
    """R@k by partners of a model that knows all facts, and guesses among the true captions.

    fits: bool [n, m], caption j is true of picture i.
    """
    true = ____  # [n]: how many captions are true of each picture
    return ____'''

_TRUE, _CHANCE = "fits.sum(1)", "(k / true).clamp(max=1).mean()"

q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** A model knows of every caption whether it is true of a picture, and "
        "guesses evenly which of the true ones is the picture's own. How high is its R@K by "
        "partners, in expectation?"
    ),
    stub=_CEILING,
    answer=(_TRUE, _CHANCE),
    test=_test_ceiling,
    hints=(
        "With five true captions and one guess, how likely is the right one? With two guesses? "
        "With seven?",
        "`(k / true)` is the chance while it is below 1; `.clamp(max=1)` holds it there.",
    ),
    mistakes=[
        ((_TRUE, "k / true.float().mean()"), "too early"),
        (("fits.sum(0)", _CHANCE), "columns"),
        ((_TRUE, "fits.float().mean()"), "share of pairs"),
        ((_TRUE, "(k / true).mean()"), "never above 1"),
        ((_TRUE, "(1 / true).clamp(max=1).mean()"), "k times as large"),
        ((_TRUE, "(k / true).clamp(min=1).mean()"), "only one of them"),
        ((_TRUE, "(k / true).clamp(max=1)"), "mean over the pictures"),
    ],
    praise="Divide R@K by it, and 1 means: as good as facts allow.",
)

# ----------------------------------------------------------------------------------- 4: logistic


def _test_logistic(logistic) -> None:
    f, z = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1.0, -1.0, -1.0])
    how = dict(shape=(), reason="Take the mean over the pairs.")
    value = call(logistic, f, z, **how)
    right = F.softplus(-z * f).mean()
    compare(
        value,
        right,
        "For three pairs it should be {right}; yours is {found}.",
        slips={
            "The sign is wrong: a pair that fits (z = 1) should cost little where f is large.": (
                F.softplus(z * f).mean()
            ),
            "z is left out: a pair that does not fit should have a small f.": (
                F.softplus(-f).mean(),
                F.softplus(f).mean(),
            ),
            "That is the probability of the wrong answer; the loss is minus the logarithm of that "
            "of the right one.": (-z * f).sigmoid().mean(),
            "1 is missing below the logarithm.": (-z * f).mean(),
        },
        mean_over=(3, "pairs"),
    )
    words = (
        "exp(200) is more than a float32 holds: F.softplus(x) is ln(1 + exp x), and stays finite."
    )
    sure = call(logistic, torch.tensor([-200.0]), torch.tensor([1.0]), finite=words, **how)
    compare(sure, 200, "With f = -200 and z = 1 it should be {right}; yours is {found}.")


_LOGISTIC = '''\
def logistic(f, z):
    """Mean of ln(1 + exp(-z f)); f: logits [b]; z: [b], 1 where the caption fits, else -1."""
    return ____'''

q4 = Exercise(
    name="q4",
    question=(
        "**Exercise 4.** Write the logistic loss of the similarity network. Logits may be large."
    ),
    stub=_LOGISTIC,
    answer="F.softplus(-z * f).mean()",
    test=_test_logistic,
    hints=(
        "ln(1 + exp(x)) has a name in `torch.nn.functional`, and a version that does not overflow.",
        "`F.softplus(x)`, with x = -z f, and its mean.",
    ),
    mistakes=[
        ("F.softplus(z * f).mean()", "sign is wrong"),
        ("F.softplus(-f).mean()", "z is left out"),
        ("(1 + (-z * f).exp()).log().mean()", "F.softplus"),
        ("F.softplus(-z * f).sum()", "sum over the 3 pairs"),
        ("(-z * f).sigmoid().mean()", "minus the logarithm"),
        ("F.softplus(-z * f)", "mean over the pairs"),
        ("F.softplus(-z * f).mean().item()", "a Python float"),
        ("F.binary_cross_entropy_with_logits(f, (z + 1) / 2, reduction='sum')", "sum over"),
    ],
    praise="At f = 0 it is ln 2. `losses/similarity.py` weighs both kinds of pairs alike.",
)
