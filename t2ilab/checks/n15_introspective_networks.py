"""Exercises of notebook 15: the loss of INNg, the gradient penalty, stopping each picture alone."""

import math

import torch
import torch.nn.functional as F

from t2ilab.checks.exercise import Exercise, Wrong

SETUP = "import torch\nimport torch.nn.functional as F"


def _scalar(value, what: str) -> torch.Tensor:
    value = torch.as_tensor(value)
    if value.shape != ():
        raise Wrong(
            f"{what} is one number: take the mean over the batch; yours has the shape "
            f"{list(value.shape)}."
        )
    return value


def _near(a, b, tolerance: float = 1e-5) -> bool:
    a, b = (float(torch.as_tensor(value).detach()) for value in (a, b))
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)


def _first(x):
    """A critic for the test: the first value of each picture."""
    return x.flatten(1)[:, 0]


def _constant(values) -> torch.Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)


def _test_loss(loss) -> None:
    zero, x, x_m = _constant([0.0, 0.0]), _constant([2.0, 1.0]), _constant([-1.0, 0.5, -3.0])
    real, fake = _first(x), _first(x_m)
    value = _scalar(loss(_first, x, x_m), "A loss")
    right = F.softplus(-real).mean() + F.softplus(fake).mean()
    if _near(value, F.softplus(-real).mean()) or _near(value, F.softplus(fake).mean()):
        raise Wrong(
            "One half is missing: positives are labelled +1 and pseudo-negatives -1, and "
            "both are learned from."
        )
    if _near(value, F.softplus(real).mean() + F.softplus(-fake).mean()):
        raise Wrong(
            "The signs are swapped: this teaches that noise is data. For a positive the "
            "loss falls where f(x) rises."
        )
    if _near(value, F.softplus(-real).mean() + F.softplus(-fake).mean()):
        raise Wrong(
            "Both are labelled positive. The pictures that f has just drawn look like "
            "data to it; that is why it must be told that they are not."
        )
    if _near(value, fake.mean() - real.mean()):
        raise Wrong(
            "That is the Wasserstein loss of section 3. INNg has the cross-entropy: "
            "q(+1|x) is the sigmoid of f(x)."
        )
    if _near(value, F.softplus(-real).sum() + F.softplus(fake).sum()):
        raise Wrong("Take the mean of each, not the sum, or the step grows with the batch.")
    at_zero = _scalar(loss(_first, zero, zero), "A loss")
    if not _near(at_zero, 2 * math.log(2)):
        raise Wrong(
            f"Where the classifier cannot tell (f = 0) it should be 2 ln 2 = 1.386; yours "
            f"is {float(at_zero.detach()):.3f}."
        )
    if not _near(value, right):
        raise Wrong(
            f"For a small example it should be {float(right):.4f}; yours is "
            f"{float(value.detach()):.4f}."
        )
    sure = _scalar(loss(_first, _constant([-200.0]), _constant([200.0])), "A loss")
    if not _near(sure, 400):
        raise Wrong(
            "With scores of 200 it is not finite: the sigmoid has become 0, and its "
            "logarithm is minus infinity. F.softplus does both in one."
        )


_LOSS = '''\
def inng_loss(f, x, x_m):
    """-log q(+1|x) - log q(-1|x_m), a mean of each; q(+1|x) is the sigmoid of f(x).

    f: pictures -> [b]; x: positives; x_m: pseudo-negatives.
    """
    return ____'''


def _loss(expression: str) -> str:
    return _LOSS.replace("____", expression)


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Write the loss of the classification step: the cross-entropy of positives "
        "and pseudo-negatives, from their scores. Scores may be large."
    ),
    reads=("inng_loss",),
    stub=_LOSS,
    answer=_loss("F.softplus(-f(x)).mean() + F.softplus(f(x_m)).mean()"),
    setup=SETUP,
    test=_test_loss,
    hints=(
        "q(-1|x) = 1 - q(+1|x) is the sigmoid of -f(x). Which of the two should be large for x, "
        "and which for x_m?",
        "softplus(-s) = -log sigmoid(s), and it stays finite.",
    ),
    mistakes=[
        (_loss("F.softplus(f(x)).mean() + F.softplus(-f(x_m)).mean()"), "signs are swapped"),
        (_loss("F.softplus(-f(x)).mean() + F.softplus(-f(x_m)).mean()"), "Both are labelled"),
        (_loss("F.softplus(-f(x)).mean()"), "One half is missing"),
        (_loss("F.softplus(f(x_m)).mean()"), "One half is missing"),
        (_loss("F.softplus(-f(x)).sum() + F.softplus(f(x_m)).sum()"), "not the sum"),
        (_loss("F.softplus(-f(x))"), "one number"),
        (_loss("f(x_m).mean() - f(x).mean()"), "Wasserstein"),
        (_loss("-f(x).sigmoid().log().mean() - f(-x_m).sigmoid().log().mean()"), "not finite"),
        (_loss("(F.softplus(-f(x)).mean() + F.softplus(f(x_m)).mean()) / 2"), "2 ln 2"),
    ],
    praise="It is `discriminator_bce` of `t2ilab/losses/adversarial.py`: the discriminator's.",
)


def _test_penalty(penalty) -> None:
    rng = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(3, 2, 2, 2, generator=rng) for _ in range(2))
    share = torch.tensor([0.2, 0.5, 0.9])
    w = torch.full((8,), 8**-0.5, requires_grad=True)  # |w| = 1, over two channels of four pixels
    one = _scalar(penalty(lambda x: x.flatten(1) @ w, real, fake, share), "The penalty")
    if not one.requires_grad:
        raise Wrong(
            "It has no gradient with respect to the weights of f, so nothing can be "
            "learned from it: a gradient that is differentiated once more needs "
            "create_graph=True."
        )
    channels = (torch.full((4,), 8**-0.5).norm() - 1).square()
    if _near(one, channels):
        raise Wrong(
            "The norm is over all pixels *and channels* of a picture; yours is taken in "
            "each channel."
        )
    if not _near(one, 0):
        raise Wrong(
            "For a linear f whose weights have the norm 1 it should be 0; yours is "
            f"{float(one.detach()):.3f}. The norm is over all values of one picture, then "
            "1 is subtracted, and the square is averaged over pictures."
        )
    half = _scalar(penalty(lambda x: x.flatten(1) @ (w / 2), real, fake, share), "The penalty")
    if _near(half, 0):
        raise Wrong(
            "A norm of 1/2 costs nothing with you. Here the penalty has two sides: too "
            "flat is as bad as too steep."
        )
    if not _near(half, 0.25):
        raise Wrong(
            f"For a linear f with |w| = 1/2 it should be 1/4; yours is {float(half.detach()):.3f}."
        )

    def bowl(x):  # its gradient is x: the penalty tells where it was taken
        return 0.5 * x.flatten(1).square().sum(1)

    def at(x):
        return (x.flatten(1).norm(dim=1) - 1).square().mean()

    s = share.view(-1, 1, 1, 1)
    value = penalty(bowl, real, fake, share)
    for where, x in (("at the made pictures", fake), ("at the real pictures", real)):
        if _near(value, at(x)):
            raise Wrong(
                f"The gradient is taken {where} alone; it belongs in between, at share · "
                "real + (1 - share) · fake."
            )
    if not _near(value, at(s * real + (1 - s) * fake)):
        raise Wrong(
            "The place is another one: x = share · real + (1 - share) · fake, one share "
            "for each picture."
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


def _penalised(
    place: str = "share * real + (1 - share) * fake",
    graph: str = "True",
    value: str = "(gradient.flatten(1).norm(dim=1) - 1).square().mean()",
) -> str:
    source = _PENALTY
    for part in (place, graph, value):
        source = source.replace("____", part, 1)
    return source


q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Write the gradient penalty. Where is the gradient taken, what must be "
        "remembered so that the penalty itself can be differentiated, and over what is the norm?"
    ),
    reads=("penalty",),
    stub=_PENALTY,
    answer=_penalised(),
    setup=SETUP,
    test=_test_penalty,
    hints=(
        "The place lies between a real and a made picture. The penalty is a function of a "
        "gradient, and will be differentiated by the weights.",
        "`gradient.flatten(1)` is [b, all values of a picture]: `.norm(dim=1)` of it is one "
        "number a picture.",
    ),
    mistakes=[
        (_penalised(value="(gradient.flatten(2).norm(dim=2) - 1).square().mean()"), "each channel"),
        (_penalised(value="(gradient.norm(dim=1) - 1).square().mean()"), "should be 0"),
        (_penalised(value="(gradient.norm() - 1).square()"), "should be 0"),
        (_penalised(graph="False"), "create_graph=True"),
        (_penalised(place="fake"), "at the made pictures"),
        (_penalised(place="real"), "at the real pictures"),
        (_penalised(place="(real + fake) / 2"), "another one"),
        (_penalised(place="(1 - share) * real + share * fake"), "another one"),
        (
            _penalised(value="(gradient.flatten(1).norm(dim=1) - 1).clamp(min=0).square().mean()"),
            "two sides",
        ),
        (_penalised(value="(gradient.flatten(1).norm(dim=1) - 1).square()"), "one number"),
        (
            _penalised(value="(gradient.flatten(1).square().sum(1) - 1).square().mean()"),
            "should be 1/4",
        ),
    ],
    praise="It is `gradient_penalty` of `t2ilab/losses/wasserstein.py`.",
)


def _test_climb(climb) -> None:
    def total(x):  # each step of lr 0.25 adds exactly 1 to it
        return x.flatten(1).sum(1)

    until = torch.tensor([0.0, 2.0, 100.0])
    start = torch.zeros(3, 1, 2, 2)
    end = climb(total, start, until, 0.25, 5)
    if tuple(getattr(end, "shape", ())) != (3, 1, 2, 2):
        raise Wrong("Pictures go in, and as many pictures of the same shape come out.")
    scores = total(end.detach())
    if (scores < 0).any():
        raise Wrong("The scores fall: it climbs, so the gradient is added.")
    if not scores.any():
        raise Wrong(
            "Nothing has moved. A picture climbs while its score is *below* its "
            "threshold; the thresholds of the test are 0, 2 and 100, one for each picture."
        )
    if scores.tolist() == [5, 5, 5]:
        raise Wrong(
            "All pictures climbed to the end. Each has a threshold of its own, and one "
            "that has reached it must not move while the others go on."
        )
    if scores.tolist() == [1, 3, 5]:
        raise Wrong(
            "A picture whose score is *at* its threshold is done; yours takes one more step."
        )
    if scores[0] == 0 and scores[2] == 0:
        raise Wrong("The comparison is the wrong way round: who is below climbs on.")
    if scores.tolist() != [0, 2, 5]:
        raise Wrong(
            f"With thresholds of 0, 2 and 100, and 5 steps of 1, the scores should end at "
            f"0, 2 and 5; yours end at {[round(v, 2) for v in scores.tolist()]}."
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


def _climbs(
    who: str = "scores < until", step: str = "x[climbing] + lr * gradient[climbing]"
) -> str:
    return _CLIMB.replace("____", who, 1).replace("____", step, 1)


q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** Stop each picture for itself: one that has reached its threshold stays as "
        "it is, while the others climb on."
    ),
    reads=("climb_until",),
    stub=_CLIMB,
    answer=_climbs(),
    setup=SETUP,
    test=_test_climb,
    hints=(
        "`scores` and `until` both have one number for each picture. Compare them.",
        "`x[climbing]` is only some of the pictures, so only some of the gradients belong to "
        "them: `gradient[climbing]`.",
    ),
    mistakes=[
        (_climbs("scores > until"), "Nothing has moved"),
        (_climbs("scores <= until"), "one more step"),
        (_climbs("scores < 100 + 0 * until"), "must not move"),
        (_climbs("(scores < until).any().expand(len(x))"), "must not move"),
        (_climbs("scores < until.mean()"), "must not move"),
        (_climbs("scores < until.min()"), "Nothing has moved"),
        (_climbs(step="x[climbing] - lr * gradient[climbing]"), "scores fall"),
        (_climbs(step="x[climbing] + lr * gradient"), "Your code stopped"),
        (_climbs(step="x[climbing] + lr * gradient[climbing].sign() / 2"), "should end at"),
    ],
    praise="`ascend` does the same, and no longer computes what is done.",
)
