"""Exercises of notebook 15: the loss of INNg, the gradient penalty, stopping each picture alone."""

import torch
import torch.nn.functional as F

from t2ilab.checks.exercise import Exercise, Wrong, filled
from t2ilab.checks.kit import SUM, call, compare, compare_terms, terms_apart

_MEAN = {"shape": (), "reason": "Take the mean over the batch."}


def _first(x):
    """A critic for the test: the first value of each picture."""
    return x.flatten(1)[:, 0]


def _constant(values) -> torch.Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1).repeat(1, 1, 2, 2)


def _right_loss(f, x, x_m):
    return F.softplus(-f(x)).mean() + F.softplus(f(x_m)).mean()


def _test_loss(loss) -> None:
    x, x_m = _constant([2.0, -1.0]), _constant([-1.0, 0.5, -3.0])
    real, fake = _first(x), _first(x_m)
    value = call(loss, _first, x, x_m, **_MEAN)
    half = "One half is missing, that of {}: both are learned from."
    positives, negatives = "positives (x, labelled +1)", "pseudo-negatives (x_m, labelled -1)"
    both = (
        "Both are labelled {}. Positives are data; the pictures that f has just drawn look like "
        "data to it, and that is why it must be told that they are not."
    )
    known = {
        "The signs are swapped: this teaches that noise is data. For a positive the loss falls "
        "where f(x) rises.": F.softplus(real).mean() + F.softplus(-fake).mean(),
        both.format("positive"): F.softplus(-real).mean() + F.softplus(-fake).mean(),
        both.format("negative"): F.softplus(real).mean() + F.softplus(fake).mean(),
        "That is the Wasserstein loss of section 3. INNg has the cross-entropy: q(+1|x) is the "
        "sigmoid of f(x).": fake.mean() - real.mean(),
        "Half of what it should be: two means are added, not averaged. Where the classifier "
        "cannot tell (f = 0) it is 2 ln 2.": _right_loss(_first, x, x_m) / 2,
        "Those are the probabilities q; the loss is minus their logarithms.": real.sigmoid().mean()
        + (-fake).sigmoid().mean(),
    }
    names = ["the positives x", "the pseudo-negatives x_m"]
    others = [_constant([0.0, 0.0]), _constant([0.0, 0.0, 0.0])]
    apart = terms_apart(
        lambda a, b: loss(_first, a, b), lambda a, b: _right_loss(_first, a, b), [x, x_m], others
    )
    compare_terms(
        value,
        (F.softplus(-real).mean(), {SUM: F.softplus(-real).sum(), half.format(positives): 0}),
        (F.softplus(fake).mean(), {SUM: F.softplus(fake).sum(), half.format(negatives): 0}),
        slips=known,
        otherwise="For a small example it should be {right}; yours is {found}."
        + (f" Look at the term of {names[apart[0]]}." if len(apart) == 1 else ""),
    )
    both_in_one = (
        "With scores of 200 the sigmoid has become 0, and its logarithm is minus infinity. "
        "F.softplus does both in one."
    )
    sure = call(loss, _first, _constant([-200.0]), _constant([200.0]), finite=both_in_one)
    compare(sure, 400, "With scores of -200 and 200 it should be {right}; yours is {found}.")


_LOSS = '''\
def inng_loss(f, x, x_m):
    """-log q(+1|x) - log q(-1|x_m), a mean of each; q(+1|x) is the sigmoid of f(x).

    f: pictures -> [b]; x: positives; x_m: pseudo-negatives.
    """
    return ____'''


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Write the loss of the classification step: the cross-entropy of positives "
        "and pseudo-negatives, from their scores. Scores may be large."
    ),
    stub=_LOSS,
    answer="F.softplus(-f(x)).mean() + F.softplus(f(x_m)).mean()",
    test=_test_loss,
    hints=(
        "q(-1|x) = 1 - q(+1|x) is the sigmoid of -f(x). Which of the two should be large for x, "
        "and which for x_m?",
        "softplus(-s) = -log sigmoid(s), and it stays finite.",
    ),
    mistakes=[
        ("F.softplus(f(x)).mean() + F.softplus(-f(x_m)).mean()", "signs are swapped"),
        ("F.softplus(-f(x)).mean() + F.softplus(-f(x_m)).mean()", "Both are labelled positive"),
        ("F.softplus(f(x)).mean() + F.softplus(f(x_m)).mean()", "Both are labelled negative"),
        ("F.softplus(-f(x)).mean()", "that of pseudo-negatives"),
        ("F.softplus(f(x_m)).mean()", "that of positives"),
        ("F.softplus(-f(x)).sum() + F.softplus(f(x_m)).sum()", "sum over the batch"),
        ("F.softplus(-f(x)).sum() + F.softplus(f(x_m)).mean()", "sum over the batch"),
        ("F.softplus(-f(x))", "one number"),
        ("(F.softplus(-f(x)).mean() + F.softplus(f(x_m)).mean()).item()", "a Python float"),
        ("f(x_m).mean() - f(x).mean()", "Wasserstein"),
        ("-f(x).sigmoid().log().mean() - f(-x_m).sigmoid().log().mean()", "F.softplus does both"),
        ("(F.softplus(-f(x)).mean() + F.softplus(f(x_m)).mean()) / 2", "2 ln 2"),
        ("f(x).sigmoid().mean() + (1 - f(x_m).sigmoid()).mean()", "minus their logarithms"),
        ("F.softplus(-f(x)).mean() + F.relu(f(x_m)).mean()", "term of the pseudo-negatives"),
    ],
    praise="It is `discriminator_bce` of `t2ilab/losses/adversarial.py`: the discriminator's.",
)


def _test_penalty(penalty) -> None:
    rng = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(3, 2, 2, 2, generator=rng) for _ in range(2))
    share = torch.tensor([0.2, 0.5, 0.9])
    w = torch.full((8,), 8**-0.5, requires_grad=True)  # |w| = 1, over two channels of four pixels

    def of(f):
        return call(penalty, f, real, fake, share, **_MEAN)

    one = of(lambda x: x.flatten(1) @ w)
    compare(
        one,
        0,
        "For a linear f whose weights have the norm 1 it should be 0; yours is {found}. The norm "
        "is over all values of one picture, then 1 is subtracted, and the square is averaged.",
        slips={
            "The norm is over all pixels *and channels* of a picture; yours is taken in each "
            "channel.": (torch.full((4,), 8**-0.5).norm() - 1).square(),
            "The norm is over all *pixels* and channels of a picture; yours is taken at each "
            "pixel.": (torch.full((2,), 8**-0.5).norm() - 1).square(),
            "The norm is that of the whole batch; each picture has one of its own.": (3**0.5 - 1)
            ** 2,
            "For a linear f whose weights have the norm 1 it should be 0. Is 1 subtracted?": 1,
        },
    )
    half = of(lambda x: x.flatten(1) @ (w / 2))
    compare(
        half,
        0.25,
        "For a linear f with |w| = 1/2 it should be 1/4; yours is {found}.",
        slips={
            "A norm of 1/2 costs nothing with you. Here the penalty has two sides: too flat is "
            "as bad as too steep.": 0,
            "You subtract 1 from the *squared* norm: the root comes first.": (0.25 - 1) ** 2,
            "That is the distance of the norm from 1; it should be squared.": 0.5,
            "That is the norm less 1; it should be squared.": -0.5,
        },
        mean_over=(3, "pictures"),
    )
    if not half.requires_grad:
        raise Wrong(
            "The number is right, but it has no gradient with respect to the weights of f, so "
            "nothing can be learned from it: a gradient that is differentiated once more needs "
            "create_graph=True."
        )

    steep = torch.tensor([0.5, 1.0, 2.25])  # each picture has another norm, wherever it is
    compare(
        of(lambda x: x.flatten(1) @ w * steep),
        (steep - 1).square().mean(),
        "Where the norms of 3 pictures are 0.5, 1 and 2.25 it should be {right}; yours is {found}.",
        slips={
            "The mean is taken too early: first (norm - 1)² for each picture, then the mean.": (
                (steep.mean() - 1).square()
            )
        },
    )

    def bowl(x):  # its gradient is x: the penalty tells where it was taken
        return 0.5 * x.flatten(1).square().sum(1)

    def at(place):
        return (place.flatten(1).norm(dim=1) - 1).square().mean()

    s = share.view(-1, 1, 1, 1)
    alone = "The gradient is taken {} alone; it belongs in between."
    compare(
        of(bowl),
        at(s * real + (1 - s) * fake),
        "The gradient is taken at another place than x = share · real + (1 - share) · fake.",
        slips={
            alone.format("at the made pictures"): at(fake),
            alone.format("at the real pictures"): at(real),
            "The two ends changed places: at share = 1 x should be the real picture.": at(
                (1 - s) * real + s * fake
            ),
            "The gradient is taken half-way, always; each pair has a share of its own.": at(
                (real + fake) / 2
            ),
            "The gradient is taken at the sum; weigh both by their shares.": at(real + fake),
        },
    )


_PENALTY = '''\
def penalty(f, real, fake, share):
    """E (|grad f(x)| - 1)^2 at x = share * real + (1 - share) * fake.

    real, fake: [b, c, h, w]; share: [b], one for each pair; f: pictures -> [b].
    """
    share = share.view(-1, 1, 1, 1)
    x = (____).detach().requires_grad_(True)
    gradient, = torch.autograd.grad(f(x).sum(), x, create_graph=____)
    return ____'''


_PLACE = "share * real + (1 - share) * fake"
_SQUARE = "(gradient.flatten(1).norm(dim=1) - 1).square().mean()"

q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Write the gradient penalty. Where is the gradient taken, what must be "
        "remembered so that the penalty itself can be differentiated, and over what is the norm?"
    ),
    stub=_PENALTY,
    answer=(_PLACE, "True", _SQUARE),
    test=_test_penalty,
    hints=(
        "The place lies between a real and a made picture. The penalty is a function of a "
        "gradient, and will be differentiated by the weights.",
        "`gradient.flatten(1)` is [b, all values of a picture]: `.norm(dim=1)` of it is one "
        "number a picture.",
    ),
    mistakes=[
        ((_PLACE, "True", _SQUARE.replace("1", "2", 1).replace("=1", "=2")), "each channel"),
        ((_PLACE, "True", "(gradient.norm(dim=1) - 1).square().mean()"), "at each pixel"),
        ((_PLACE, "True", "(gradient.norm() - 1).square()"), "the whole batch"),
        ((_PLACE, "True", "gradient.flatten(1).norm(dim=1).square().mean()"), "Is 1 subtracted"),
        ((_PLACE, "False", _SQUARE), "create_graph=True"),
        ((_PLACE, "True", _SQUARE + ".detach()"), "create_graph=True"),
        ((_PLACE, "True", _SQUARE + ".item()"), "a Python float"),
        (("fake", "True", _SQUARE), "at the made pictures"),
        (("real", "True", _SQUARE), "at the real pictures"),
        (("(real + fake) / 2", "True", _SQUARE), "half-way, always"),
        (("(1 - share) * real + share * fake", "True", _SQUARE), "changed places"),
        ((_PLACE, "True", _SQUARE.replace(".square", ".clamp(min=0).square")), "two sides"),
        ((_PLACE, "True", _SQUARE.removesuffix(".mean()")), "one number"),
        ((_PLACE, "True", _SQUARE.replace("mean", "sum")), "sum over the 3 pictures"),
        ((_PLACE, "True", _SQUARE.replace("square()", "abs()")), "it should be squared"),
        (
            (_PLACE, "True", "(gradient.flatten(1).square().sum(1) - 1).square().mean()"),
            "*squared* norm",
        ),
        (
            (_PLACE, "True", "(gradient.flatten(1).norm(dim=1).mean() - 1).square()"),
            "mean is taken too early",
        ),
        ((f"({_PLACE}).mean(0)", "True", _SQUARE), "Your code stopped"),
    ],
    praise="It is `gradient_penalty` of `t2ilab/losses/wasserstein.py`.",
)


def _test_climb(climb) -> None:
    def total(x):  # each step of lr 1/16 adds exactly 1 to it
        return 2 * x.flatten(1).sum(1)

    until, start = torch.tensor([0.0, 2.0, 100.0]), torch.zeros(3, 1, 2, 2)
    wanted = {"shape": (3, 1, 2, 2), "reason": "As many pictures come out as go in."}
    end = call(climb, total, start, until, 1 / 16, 5, **wanted)
    scores = total(end.detach())
    one_more = "A picture whose score is *at* its threshold is done; yours takes one more step."
    if (scores < 0).any():
        raise Wrong("The scores fall: it climbs, so the gradient is added.")
    compare(
        scores,
        [0, 2, 5],
        "With thresholds of 0, 2 and 100, and 5 steps of 1, the scores should end at 0, 2 and 5; "
        "yours end at {found}.",
        slips={
            "Nothing has moved. A picture climbs while its score is *below* its threshold; the "
            "thresholds of the test are 0, 2 and 100, one for each picture.": [0, 0, 0],
            "All pictures climbed to the end. Each has a threshold of its own, and one that "
            "has reached it must not move while the others go on.": [5, 5, 5],
            one_more: [1, 3, 5],
            "Each step replaces the picture: it is added to x[climbing].": [0, 1, 1],
            "Each value goes by the sign alone; the step is lr times the gradient.": [0, 2, 2.5],
            "The step is the whole gradient: it is multiplied by lr.": [0, 16, 80],
        },
    )


_CLIMB = '''\
def climb_until(f, x, until, lr, steps):
    """x + lr * gradient of f(x), each picture until its score is at least its own threshold.

    x: [n, c, h, w]; until: [n]; f: pictures -> [n].
    """
    x = x.clone()
    for _ in range(steps):
        x.requires_grad_(True)
        scores = f(x)
        gradient, = torch.autograd.grad(scores.sum(), x)
        x = x.detach()
        climbing = ____  # bool [n]: who takes this step?
        x[climbing] = ____
    return x'''


_WHO, _ADD = "scores < until", "x[climbing] + lr * gradient[climbing]"

q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** Stop each picture for itself: one that has reached its threshold stays as "
        "it is, while the others climb on."
    ),
    stub=_CLIMB,
    answer=(_WHO, _ADD),
    test=_test_climb,
    hints=(
        "`scores` and `until` both have one number for each picture. Compare them.",
        "`x[climbing]` is only some of the pictures, so only some of the gradients belong to "
        "them: `gradient[climbing]`.",
    ),
    mistakes=[
        (("scores > until", _ADD), "Nothing has moved"),
        (("scores <= until", _ADD), "one more step"),
        (("scores < 100 + 0 * until", _ADD), "must not move"),
        (("(scores < until).any().expand(len(x))", _ADD), "must not move"),
        (("scores < until.mean()", _ADD), "must not move"),
        (("scores < until.min()", _ADD), "Nothing has moved"),
        ((_WHO, "x[climbing] - lr * gradient[climbing]"), "scores fall"),
        ((_WHO, "x[climbing] + lr * gradient"), "Your code stopped"),
        ((_WHO, "lr * gradient[climbing]"), "is added to x[climbing]"),
        ((_WHO, "x[climbing] + gradient[climbing]"), "multiplied by lr"),
        ((_WHO, "x[climbing] + lr * gradient[climbing].sign()"), "by the sign alone"),
        ((_WHO, "x[climbing] + lr * gradient[climbing] / 4"), "should end at"),
        (
            filled(_CLIMB, (_WHO, _ADD))
            .replace("    x = x.clone()", "")
            .replace("    return x", ""),
            "returns nothing",
        ),
    ],
    praise="`ascend` does the same, and no longer computes what is done.",
)
