"""Exercises of notebook 19: the style loss, the path on the sphere, where the middle overtakes."""

import math

import torch

from t2ilab.checks.exercise import Exercise, Wrong

SETUP = "import torch\nimport torch.nn.functional as F"


class _Spy:
    """Stands for G or S, gives what it is told to and remembers what it was called with."""

    def __init__(self, answer):
        self.answer, self.seen = answer, []

    def __call__(self, *inputs):
        self.seen.append(inputs)
        return self.answer(*inputs)


def _is(seen: list, *wanted: torch.Tensor) -> bool:
    return (
        bool(seen)
        and len(seen[0]) == len(wanted)
        and all(torch.equal(torch.as_tensor(a), b) for a, b in zip(seen[0], wanted, strict=True))
    )


def _test_style_loss(loss) -> None:
    z = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
    phi, shift = torch.tensor([[5.0], [7.0]]), torch.tensor([[0.0, 0.0], [1.0, -1.0]])
    G, S = _Spy(lambda z, phi: torch.cat([z, phi], 1)), _Spy(lambda x: x[:, :2] + shift)
    value = torch.as_tensor(loss(G, S, z, phi))
    if not G.seen:
        raise Wrong("G is not asked: S has to look at the picture that G makes of z and phi.")
    if not _is(G.seen, z, phi):
        raise Wrong("G takes the noise first and the caption's vector second: G(z, phi).")
    if not _is(S.seen, torch.cat([z, phi], 1)):
        raise Wrong(
            "S looks at the picture alone, S(x) with x = G(z, phi); yours gets something else."
        )
    if value.shape != ():
        raise Wrong(
            f"A loss is one number; yours has the shape {list(value.shape)}. Take the mean "
            "over the pictures of the batch."
        )
    found = float(value)
    for expected, words in (
        (
            0.5,
            "is divided by the size of z too. Equation 4 sums over z's numbers and takes the "
            "mean over pictures alone.",
        ),
        (2.0, "is the sum over the batch. The expectation is a mean over its pictures."),
        (math.sqrt(2) / 2, "is the distance, not its square: a root too many."),
        (
            0.0,
            "is 0 though S is wrong here: errors of opposite sign must not cancel. Square "
            "them first.",
        ),
    ):
        if math.isclose(found, expected, abs_tol=1e-5):
            raise Wrong(f"It {words}")
    if found < 0:
        raise Wrong(
            "It is negative: a sum of squares is never that. To be minimised it needs no "
            "minus sign."
        )
    if not math.isclose(found, 1.0, abs_tol=1e-5):
        raise Wrong(
            f"With one right prediction, and one that misses two numbers by 1 each, it "
            f"should be (0 + 2) / 2 = 1; yours is {found:.3f}."
        )
    w = torch.ones(1, requires_grad=True)
    x = torch.as_tensor(loss(_Spy(lambda z, phi: w * z), _Spy(lambda x: x), z, phi))
    if x.requires_grad:
        raise Wrong(
            "Right as a number, but its gradient reaches G, which is to stay as it is. Let "
            "G draw under torch.no_grad(), or detach its picture."
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


def _loss(picture: str, value: str) -> str:
    return _LOSS.replace("____", picture, 1).replace("____", value, 1)


_SQUARES = "(z - S(x)).square().sum(1).mean()"

q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Write the loss of the style encoder, equation 4: "
        "$\\mathbb{E}\\,\\lVert z - S(G(z, \\varphi(t)))\\rVert_2^2$. The expectation is the mean "
        "over the batch; $\\lVert\\cdot\\rVert_2^2$ is a sum over the numbers of $z$."
    ),
    reads=("style_loss",),
    stub=_LOSS,
    answer=_loss("G(z, phi)", _SQUARES),
    setup=SETUP,
    test=_test_style_loss,
    hints=(
        "Two steps: G draws a picture of z and phi; S looks at the picture, and its answer is "
        "compared with the z that was put in.",
        "The squared length of a difference d is d.square().sum(1), one number a picture; "
        "`.mean()` makes one of all.",
    ),
    mistakes=[
        (_loss("G(phi, z)", _SQUARES), "noise first"),
        (_loss("z", _SQUARES), "G is not asked"),
        (_loss("G(z, phi)", _SQUARES.replace("S(x)", "S(z)")), "S looks at the picture"),
        (_loss("G(z, phi)", "F.mse_loss(S(x), z)"), "divided by the size of z"),
        (_loss("G(z, phi)", "(z - S(x)).square().sum()"), "sum over the batch"),
        (_loss("G(z, phi)", "(z - S(x)).norm(dim=1).mean()"), "a root too many"),
        (_loss("G(z, phi)", "(z - S(x)).sum(1).mean() ** 2"), "must not cancel"),
        (_loss("G(z, phi)", _SQUARES.replace(".mean()", "")), "one number"),
        (_loss("G(z, phi)", "-" + _SQUARES), "negative"),
        (
            _loss("G(z, phi)", _SQUARES).replace(
                "with torch.no_grad():", "with torch.enable_grad():"
            ),
            "reaches G",
        ),
    ],
    praise="`t2ilab/trainers/style.py` divides by the size of z, so that 1 means: nothing found.",
)


def _test_spherical(spherical) -> None:
    a, b = torch.tensor([3.0, 0.0, 0.0]), torch.tensor([0.0, 3.0, 0.0])
    ends = [torch.as_tensor(spherical(a, b, s)) for s in (0.0, 1.0)]
    if ends[0].shape != a.shape:
        raise Wrong(
            f"Between two vectors of shape [3] lies one of shape [3]; yours is "
            f"{list(ends[0].shape)}."
        )
    if torch.allclose(ends[0], b, atol=1e-5) and torch.allclose(ends[1], a, atol=1e-5):
        raise Wrong("At s = 0 it should be a, at s = 1 it should be b; yours goes the other way.")
    if not (torch.allclose(ends[0], a, atol=1e-5) and torch.allclose(ends[1], b, atol=1e-5)):
        raise Wrong("At s = 0 it should be a, and at s = 1 it should be b.")
    middle = torch.as_tensor(spherical(a, b, 0.5))
    if torch.allclose(middle, (a + b) / 2, atol=1e-4):
        raise Wrong(
            f"That is the straight line: half-way its norm is {float(middle.norm()):.2f}, "
            "while a and b have 3. On the sphere the norm stays."
        )
    if not math.isclose(float(middle.norm()), 3.0, abs_tol=1e-3):
        raise Wrong(
            f"Half-way its norm is {float(middle.norm()):.2f}; a and b have 3, and on the "
            "sphere the norm stays."
        )
    third = torch.as_tensor(spherical(a, b, 1 / 3))
    expected = 3 * torch.tensor([math.cos(math.pi / 6), math.sin(math.pi / 6), 0.0])
    if not torch.allclose(third, expected, atol=1e-3):
        raise Wrong(
            "The norm is right, but a third of the way should be a third of the angle: "
            "here 30 of 90 degrees. A straight path that is stretched goes too slowly at "
            "the ends."
        )
    c = torch.tensor([0.5, math.sqrt(0.75), 0.0]) * 3  # 60 degrees from a
    if not torch.allclose(
        torch.as_tensor(spherical(a, c, 0.5)),
        3 * torch.tensor([math.cos(math.pi / 6), 0.5, 0.0]),
        atol=1e-3,
    ):
        raise Wrong(
            "Right for vectors at a right angle, but not at 60 degrees: w is the angle "
            "between a and b, whatever it is, with cos w = <a, b> / (|a| |b|)."
        )


_SPHERE = '''\
def spherical(a, b, s):
    """The point at the share s of the way from a to b along the sphere, s in [0, 1].

    a, b: noise vectors [z]; w is the angle between them.
    """
    w = torch.acos(F.cosine_similarity(a, b, dim=0))
    return ____'''
_ARC = "(torch.sin((1 - s) * w) * a + torch.sin(s * w) * b) / torch.sin(w)"


def _sphere(expression: str) -> str:
    return _SPHERE.replace("____", expression)


q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Noise vectors of 100 numbers have norms near $\\sqrt{100} = 10$; half-way "
        "on a straight line between two of them it is about $\\sqrt{50} \\approx 7$, where G was "
        "hardly ever trained. Write the path along the sphere (Shoemake 1985): "
        "$\\dfrac{\\sin((1-s)\\,w)}{\\sin w}\\,a + \\dfrac{\\sin(s\\,w)}{\\sin w}\\,b$."
    ),
    reads=("spherical",),
    stub=_SPHERE,
    answer=_sphere(_ARC),
    setup=SETUP,
    test=_test_spherical,
    hints=(
        "Which weight should a have at s = 0, and at s = 1? Both weights are sines of a share "
        "of the angle w, divided by sin w.",
        "(torch.sin((1 - s) * w) * a + torch.sin(s * w) * b) / torch.sin(w)",
    ),
    mistakes=[
        (_sphere("(1 - s) * a + s * b"), "straight line"),
        (
            _sphere(
                _ARC.replace("(1 - s) * w", "X")
                .replace("s * w", "(1 - s) * w")
                .replace("X", "s * w")
            ),
            "the other way",
        ),
        (
            _sphere(
                _ARC.replace(" / torch.sin(w)", "")
                .replace("torch.sin(w)", "1")
                .replace("w)", "w / 2)")
            ),
            "s = 0",
        ),
        (_sphere("F.normalize((1 - s) * a + s * b, dim=0) * a.norm()"), "third of the angle"),
        (
            _sphere("torch.cos(s * math.pi / 2) * a + torch.sin(s * math.pi / 2) * b").replace(
                "math.pi", "torch.tensor(3.14159265)"
            ),
            "not at 60 degrees",
        ),
        (_sphere("(torch.sin((1 - s) * w) + torch.sin(s * w)) / torch.sin(w)"), "shape"),
        (_sphere("(1 - s) ** 2 * a + s ** 2 * b"), "Half-way its norm"),
    ],
    praise="At vectors that point the same way sin w is 0: `metrics/paths.py` goes straight there.",
)


def _test_auc(auc) -> None:
    def of(same, different):
        return float(torch.as_tensor(auc(torch.tensor(same), torch.tensor(different))))

    high = of([0.9, 0.8], [0.1, 0.2, 0.3])
    if math.isclose(high, 0.0, abs_tol=1e-6):
        raise Wrong(
            "All same pairs score higher than all different ones, so it should be 1; yours "
            "is 0: the comparison is the wrong way round."
        )
    if math.isclose(high, 6.0, abs_tol=1e-6):
        raise Wrong("That counts the comparisons that are won; a probability is their share.")
    if not math.isclose(high, 1.0, abs_tol=1e-6):
        raise Wrong(
            f"All same pairs score higher than all different ones: it should be 1; yours "
            f"is {high:.3f}. Compare every same pair with every different pair."
        )
    half = of([0.9, 0.1], [0.5, 0.5, 0.5, 0.5])
    if not math.isclose(half, 0.5, abs_tol=1e-6):
        raise Wrong(
            f"One same pair is above and one below all different pairs: it should be 1/2; "
            f"yours is {half:.3f}. Compare every same pair with every different pair."
        )
    tied = of([0.5, 0.5], [0.5])
    if not math.isclose(tied, 0.5, abs_tol=1e-6):
        raise Wrong(
            f"Where all scores are equal nobody can tell, so it should be 1/2; yours is "
            f"{tied:.3f}. A tie counts one half."
        )
    mixed = of([0.9, 0.4, 0.4], [0.4, 0.2])
    if not math.isclose(mixed, 5 / 6, abs_tol=1e-6):
        raise Wrong(
            f"For 0.9, 0.4, 0.4 against 0.4, 0.2 it should be (4 + 2 halves) / 6 = 5/6; "
            f"yours is {mixed:.3f}."
        )


_AUC = '''\
def auc(same, different):
    """The probability that a pair of the same style scores higher than one of different style.

    same: scores [n] of pairs of the same style; different: scores [m]. A tie counts one half.
    """
    s, d = same[:, None], different[None, :]  # [n, 1] and [1, m]: s > d compares all with all
    return ____'''


def _auc(expression: str) -> str:
    return _AUC.replace("____", expression)


q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** The area under the ROC curve is a probability: that a pair of the same "
        "style gets a higher cosine than a pair of different style. Compute it from the scores of "
        "both kinds of pairs, without any threshold."
    ),
    reads=("auc",),
    stub=_AUC,
    answer=_auc("((s > d).float() + 0.5 * (s == d).float()).mean()"),
    setup=SETUP,
    test=_test_auc,
    hints=(
        "`s > d` is True where a pair of the same style won. What share of all comparisons is "
        "that, and what of those that are even?",
        "The mean of (s > d).float() + 0.5 * (s == d).float().",
    ),
    mistakes=[
        (_auc("(s > d).float().mean()"), "A tie counts one half"),
        (_auc("(s >= d).float().mean()"), "A tie counts one half"),
        (_auc("((s < d).float() + 0.5 * (s == d).float()).mean()"), "wrong way round"),
        (_auc("((s > d).float() + 0.5 * (s == d).float()).sum()"), "their share"),
        (_auc("(same.mean() > different.mean()).float()"), "1/2"),
        (_auc("same.mean() - different.mean()"), "Compare every same pair"),
    ],
    praise="torchmetrics gets the same number from sorted scores, without comparing all with all.",
)
