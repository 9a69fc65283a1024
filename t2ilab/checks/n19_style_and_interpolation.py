"""Exercises of notebook 19: the style loss, the path on the sphere, where the middle overtakes."""

import math

import torch

from t2ilab.checks.exercise import Exercise, Wrong, filled
from t2ilab.checks.kit import Spy, call, compare, compare_ends, same


def _test_style_loss(loss) -> None:
    z = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 2.0]])
    phi, shift = torch.tensor([[5.0], [7.0]]), torch.tensor([[0.0, 0.0, 0.0], [2.0, -2.0, 0.0]])
    G, S = Spy(lambda z, phi: torch.cat([z, phi], 1)), Spy(lambda x: x[:, :3] + shift)
    mean = "Take the mean over the pictures of the batch."
    value = call(loss, G, S, z, phi, shape=(), reason=mean)
    if not G.seen:
        raise Wrong("G is not asked: S has to look at the picture that G makes of z and phi.")
    if not G.saw(z, phi):
        raise Wrong("G takes the noise first and the caption's vector second: G(z, phi).")
    if not S.seen:
        raise Wrong("S is not asked: what does it find in the picture that G has made?")
    if not S.saw(torch.cat([z, phi], 1)):
        raise Wrong(
            "S looks at the picture alone, S(x) with x = G(z, phi); yours gets something else."
        )
    compare(
        value,
        4.0,
        "With one right prediction, and one that misses two numbers by 2 each, it should be "
        "(0 + 8) / 2 = 4; yours is {found}.",
        slips={
            "It is divided by the size of z too. Equation 4 sums over z's numbers and takes "
            "the mean over pictures alone.": 8 / 6,
            "It is the distance, not its square: a root too many.": math.sqrt(2),
            "It is the length of all differences; each picture has its own.": math.sqrt(8),
            "The square comes first, for each picture, and then the mean.": 2.0,
            "It is 0 though S is wrong here: errors of opposite sign must not cancel. Square "
            "them first.": 0.0,
            "It is negative: a sum of squares is never that. No minus sign is needed.": -4.0,
        },
        mean_over=(2, "pictures"),
    )
    w = torch.ones(1, requires_grad=True)
    if loss(lambda z, phi: w * z, lambda x: x, z, phi).requires_grad:
        raise Wrong(
            "Right as a number, but its gradient reaches G, which is to stay as it is. Let "
            "G draw under torch.no_grad(), or detach its picture."
        )
    v = torch.ones(1, requires_grad=True)
    if not loss(lambda z, phi: z, lambda x: v * x, z, phi).requires_grad:
        raise Wrong(
            "Right as a number, but no gradient reaches S, which is to learn from it: only G draws "
            "under torch.no_grad()."
        )


_LOSS = '''\
def style_loss(G, S, z, phi):
    """Equation 4: the mean over the batch of || z - S(G(z, phi)) ||^2.

    z: [b, z]; phi: [b, text]; G(z, phi) gives pictures, S(pictures) gives [b, z].
    G is trained already: no gradient may reach it.
    """
    with torch.no_grad():
        x = ____
    return ____'''


_SQUARES = "(z - S(x)).square().sum(1).mean()"

q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Write the loss of the style encoder, equation 4: "
        "$\\mathbb{E}\\,\\lVert z - S(G(z, \\varphi(t)))\\rVert_2^2$. The expectation is the mean "
        "over the batch; $\\lVert\\cdot\\rVert_2^2$ is a sum over the numbers of $z$."
    ),
    stub=_LOSS,
    answer=("G(z, phi)", _SQUARES),
    test=_test_style_loss,
    hints=(
        "Two steps: G draws a picture of z and phi; S looks at the picture, and its answer is "
        "compared with the z that was put in.",
        "The squared length of a difference d is d.square().sum(1), one number a picture; "
        "`.mean()` makes one of all.",
    ),
    mistakes=[
        (("G(phi, z)", _SQUARES), "noise first"),
        (("z", _SQUARES), "G is not asked"),
        (("G(z, phi)", "(z - x[:, :3]).square().sum(1).mean()"), "S is not asked"),
        (("G(z, phi)", _SQUARES.replace("S(x)", "S(z)")), "S looks at the picture"),
        (("G(z, phi)", "F.mse_loss(S(x), z)"), "divided by the size of z"),
        (("G(z, phi)", "(z - S(x)).square().sum()"), "sum over the 2 pictures"),
        (("G(z, phi)", "(z - S(x)).norm(dim=1).mean()"), "a root too many"),
        (("G(z, phi)", "(z - S(x)).norm(dim=1).mean() ** 2"), "the square comes first"),
        (("G(z, phi)", "(z - S(x)).square().sum() / z.shape[1]"), "it should be (0 + 8) / 2"),
        (("G(z, phi)", "(z - S(x)).norm()"), "each picture has its own"),
        (("G(z, phi)", "(z - S(x)).sum(1).mean() ** 2"), "must not cancel"),
        (("G(z, phi)", _SQUARES.replace(".mean()", "")), "one number"),
        (("G(z, phi)", "-" + _SQUARES), "negative"),
        (("G(z, phi)", _SQUARES + ".item()"), "a Python float"),
        (("G(z, phi)", _SQUARES.replace("S(x)", "S(x).detach()")), "no gradient reaches S"),
        (filled(_LOSS, ("G(z, phi)", _SQUARES)).replace("no_grad", "enable_grad"), "reaches G"),
    ],
    praise="`t2ilab/trainers/style.py` divides by the size of z, so that 1 means: nothing found.",
)


def _test_spherical(spherical) -> None:
    a, b = torch.tensor([3.0, 0.0, 0.0]), torch.tensor([0.0, 3.0, 0.0])

    def at(s, end=b):
        between = "Between two vectors of 3 numbers lies one of 3 numbers."
        return call(spherical, a, end, s, shape=(3,), reason=between)

    def on_the_circle(share):  # of a right angle, from a towards b
        angle = share * math.pi / 2
        return 3 * torch.tensor([math.cos(angle), math.sin(angle), 0.0])

    middle = at(0.5)
    norm = f"half-way its norm is {float(middle.norm()):.2f}, while a and b have 3."
    if same(middle, (a + b) / 2, 1e-4) and same(at(0.0), a) and same(at(1.0), b):
        raise Wrong(f"That is the straight line: {norm} On the sphere the norm stays.")
    compare_ends(at(0.0), at(1.0), a, b, ("a", "b"), ("s = 0", "s = 1"))
    if not same(middle.norm(), 3.0, 1e-4):
        raise Wrong(f"Both ends are right, but {norm} On the sphere the norm stays.")
    compare(
        at(1 / 3),
        on_the_circle(1 / 3),
        "The norm is right, but a third of the way should be a third of the angle, here 30 of 90 "
        "degrees: {right}; yours is {found}. (A straight path that is stretched goes too slowly at "
        "the ends.)",
        close=1e-4,
    )
    c = on_the_circle(2 / 3)
    compare_ends(at(0.0, c), at(1.0, c), a, c, ("a", "b, 60 degrees from it,"), ("s = 0", "s = 1"))
    compare(
        at(0.5, c),
        on_the_circle(1 / 3),
        "Half-way between vectors 60 degrees apart it should be {right}; yours is {found}.",
        slips={
            "Right for vectors at a right angle, but not at 60 degrees: w is the angle between a "
            "and b, whatever it is, with cos w = <a, b> / (|a| |b|).": (a + c) / 2**0.5
        },
        close=1e-4,
    )


_SPHERE = '''\
def spherical(a, b, s):
    """The point at the share s of the way from a to b along the sphere, s in [0, 1].

    a, b: noise vectors [z]; w is the angle between them.
    """
    w = torch.acos(F.cosine_similarity(a, b, dim=0))
    return ____'''
_ARC = "(torch.sin((1 - s) * w) * a + torch.sin(s * w) * b) / torch.sin(w)"


q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 2.** Noise vectors of 100 numbers have norms near $\\sqrt{100} = 10$; half-way "
        "on a straight line between two of them it is about $\\sqrt{50} \\approx 7$, where G was "
        "hardly ever trained. Write the path along the sphere (Shoemake 1985): "
        "$\\dfrac{\\sin((1-s)\\,w)}{\\sin w}\\,a + \\dfrac{\\sin(s\\,w)}{\\sin w}\\,b$."
    ),
    stub=_SPHERE,
    answer=_ARC,
    test=_test_spherical,
    hints=(
        "Which weight should a have at s = 0, and at s = 1? Both weights are sines of a share "
        "of the angle w, divided by sin w.",
        "(torch.sin((1 - s) * w) * a + torch.sin(s * w) * b) / torch.sin(w)",
    ),
    mistakes=[
        ("(1 - s) * a + s * b", "straight line"),
        ("(torch.sin(s * w) * a + torch.sin((1 - s) * w) * b) / torch.sin(w)", "the other way"),
        ("torch.sin((1 - s) * w) * a / 2 + torch.sin(s * w) * b", "s = 0 it should be a"),
        ("(torch.sin((1 - s) * w) * a + torch.sin(0.5 * s * w) * b) / torch.sin(w)", "s = 1"),
        ("a + s * (b - a) / 2", "b is never reached"),
        ("F.normalize((1 - s) * a + s * b, dim=0) * a.norm()", "third of the angle"),
        (
            "torch.cos(torch.tensor(s * 3.14159265 / 2)) * a "
            "+ torch.sin(torch.tensor(s * 3.14159265 / 2)) * b",
            "not at 60 degrees",
        ),
        (
            "torch.sin((1 - s) * w) * a + torch.sin(s * w) * b / torch.sin(w)",
            "At s = 0 it should be a, [3, 0, 0]; yours is [2.598",
        ),
        ("(torch.sin((1 - s) * w) + torch.sin(s * w)) / torch.sin(w)", "the shape [3]"),
        ("(1 - s) ** 2 * a + s ** 2 * b", "half-way its norm"),
        ("(sin((1 - s) * w) * a + sin(s * w) * b) / sin(w)", "NameError"),
        ("(torch.sin((1 - s) * w) * a + torch.sin(s * w) * b) / torch.sin(a - a)", "nan"),
    ],
    praise="At vectors that point the same way sin w is 0: `metrics/paths.py` goes straight there.",
)


def _test_auc(auc) -> None:
    def of(same_pairs, different):
        same_pairs, different = torch.tensor(same_pairs), torch.tensor(different)
        share = "`s > d` compares all with all: the share of all of them."
        return call(auc, same_pairs, different, kind=float, reason=share)

    every = " Compare every same pair with every different pair."
    compare(
        of([0.9, 0.8], [0.1, 0.2, 0.3]),
        1.0,
        "All same pairs score higher than all different ones: it should be 1; yours is {found}."
        + every,
        slips={
            "It should be 1; yours is 0: the comparison is the wrong way round.": 0.0,
            "Of 6 comparisons all are won. Divide by the number of *all* comparisons.": (3.0, 2.0),
        },
        mean_over=(6, "comparisons"),
    )
    compare(
        of([0.9, 0.1], [0.5, 0.5, 0.5, 0.5]),
        0.5,
        "One same pair is above and one below all different pairs: it should be 1/2; yours is "
        "{found}." + every,
    )
    compare(
        of([0.5, 0.5], [0.5]),
        0.5,
        "Where all scores are equal nobody can tell, so it should be 1/2; yours is {found}. A tie "
        "counts one half.",
    )
    compare(
        of([0.9, 0.4, 0.4], [0.4, 0.2]),
        5 / 6,
        "For 0.9, 0.4, 0.4 against 0.4, 0.2 it should be (4 + 2 halves) / 6 = 5/6; yours is "
        "{found}.",
    )


_AUC = '''\
def auc(same, different):
    """The probability that a pair of the same style scores higher than one of different style.

    same: scores [n] of pairs of the same style; different: scores [m]. A tie counts one half.
    """
    s, d = same[:, None], different[None, :]  # [n, 1] and [1, m]: s > d compares all with all
    return ____'''


q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 3.** The area under the ROC curve is a probability: that a pair of the same "
        "style gets a higher cosine than a pair of different style. Compute it from the scores of "
        "both kinds of pairs, without any threshold."
    ),
    stub=_AUC,
    answer="((s > d).float() + 0.5 * (s == d).float()).mean()",
    test=_test_auc,
    hints=(
        "`s > d` is True where a pair of the same style won. What share of all comparisons is "
        "that, and what of those that are even?",
        "The mean of (s > d).float() + 0.5 * (s == d).float().",
    ),
    mistakes=[
        ("(s > d).float().mean()", "A tie counts one half"),
        ("(s >= d).float().mean()", "A tie counts one half"),
        ("((s < d).float() + 0.5 * (s == d).float()).mean()", "wrong way round"),
        ("((s > d).float() + 0.5 * (s == d).float()).sum()", "sum over the 6 comparisons"),
        ("((s > d).float() + 0.5 * (s == d).float()).sum() / len(same)", "*all* comparisons"),
        ("((s > d).float() + 0.5 * (s == d).float()).mean(1)", "one number"),
        ("(same.mean() > different.mean()).float()", "1/2"),
        ("same.mean() - different.mean()", "Compare every same pair"),
        ("(s > d).mean()", "in the line `return (s > d).mean()`"),
    ],
    praise="torchmetrics gets the same number from sorted scores, without comparing all with all.",
)
