"""Exercises of notebook 18: mismatched captions, the matching-aware loss, interpolated captions."""

import math

import torch

from t2ilab.checks.exercise import Exercise, Wrong

SETUP = "import torch\nimport torch.nn.functional as F"


def _test_mismatched(mismatched) -> None:
    # Caption 1 is "a bird": it is true of all four pictures.
    fits = torch.tensor([[1, 1, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 1, 0, 1]], dtype=torch.bool)
    rng, pictures = torch.Generator().manual_seed(0), torch.arange(4)
    first = torch.as_tensor(mismatched(fits, rng))
    if first.shape != (4,):
        raise Wrong(
            f"One caption for each of the 4 pictures is shape [4]; yours is {list(first.shape)}."
        )
    if first.dtype.is_floating_point or first.dtype == torch.bool:
        raise Wrong("What is asked for are the numbers of captions: whole numbers.")
    drawn = torch.stack([torch.as_tensor(mismatched(fits, rng)) for _ in range(400)])  # [400, 4]
    fitting = fits[pictures, drawn]
    if fitting.all():
        raise Wrong("Every caption that you draw fits its picture: it is the other way round.")
    if fitting.any():
        raise Wrong(
            "Some of the captions that you draw are true of their picture. To leave out "
            "its own caption is not enough: 'a bird' fits every bird."
        )
    for picture in range(4):
        others = (~fits[picture]).nonzero()[:, 0]
        share = torch.stack([(drawn[:, picture] == other).float().mean() for other in others])
        if (share < 0.5 / len(others)).any():
            raise Wrong(
                "The captions that mismatch a picture should be equally likely; some of "
                "yours come seldom or never."
            )


_MISMATCHED = '''\
def mismatched(fits, rng):
    """For each picture the number of a caption that is not true of it, all such equally likely.

    fits: bool [pictures, captions], True where the caption is true of the picture.
    """
    weights = ____
    return torch.multinomial(weights, 1, generator=rng)[:, 0]  # [pictures]'''

q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Choose a mismatched caption for each picture of a batch. `fits[i, j]` "
        "says whether caption `j` is true of picture `i`. `torch.multinomial(weights, 1)` draws "
        "one column a row, with probabilities proportional to `weights`."
    ),
    reads=("mismatched",),
    stub=_MISMATCHED,
    answer=_MISMATCHED.replace("____", "(~fits).float()"),
    setup=SETUP,
    test=_test_mismatched,
    hints=(
        "A caption that fits must never be drawn: its weight is 0. All others weigh the same.",
        "`~fits` is True where a caption does not fit, and `.float()` makes 1 of True.",
    ),
    mistakes=[
        (_MISMATCHED.replace("____", "fits.float()"), "the other way round"),
        (_MISMATCHED.replace("____", "1 - torch.eye(len(fits))"), "own caption is not enough"),
        (_MISMATCHED.replace("____", "torch.ones(fits.shape)"), "are true of their picture"),
        (
            "def mismatched(fits, rng):\n    return (torch.arange(len(fits)) + 1) % len(fits)",
            "are true of their picture",
        ),
        ("def mismatched(fits, rng):\n    return (~fits).float().argmax(1)", "equally likely"),
        (_MISMATCHED.replace("____", "(~fits).float()").replace("[:, 0]", ""), "shape [4]"),
        (_MISMATCHED.replace("____", "~fits"), "stopped with RuntimeError"),
    ],
    praise="`t2ilab/data/pairs.py` does the same, and can prefer captions that nearly fit.",
)


def _test_matching_aware(loss) -> None:
    zero, two, log2 = torch.zeros(4), torch.full((4,), 2.0), math.log(2.0)
    value = torch.as_tensor(loss(zero, zero, zero))
    if value.shape != ():
        raise Wrong("A loss is one number: take the mean over the batch.")
    if not loss(two, zero, zero) < value:
        raise Wrong("Look at the real pairs: the loss should fall when their logits rise.")
    if not loss(zero, zero, two) > value:
        raise Wrong("Look at the fake pairs: the loss should rise with their logits.")
    change = loss(zero, two, zero) - value
    if change == 0:
        raise Wrong("The mismatched pairs do not count yet: that would be GAN, not GAN-CLS.")
    if change < 0:
        raise Wrong(
            "Look at the sign of the mismatched term: a real picture with a wrong caption "
            "is to be called false, like a fake one."
        )
    if torch.isclose(value, torch.tensor(3 * log2)):
        raise Wrong(
            "At logits 0 it should be 2 ln 2; yours is 3 ln 2. The two kinds of false "
            "pairs count one half each, so that together they weigh as much as the true "
            "ones."
        )
    if not torch.isclose(value, torch.tensor(2 * log2)):
        raise Wrong(
            f"At logits 0 it should be 2 ln 2 = {2 * log2:.3f}; yours is {float(value):.3f}."
        )
    # D = 3/4 for real, 1/2 for wrong, 1/4 for fake: -ln(3/4) - (ln(1/2) + ln(3/4)) / 2
    three = torch.full((4,), math.log(3.0))
    expected = torch.tensor(-1.5 * math.log(0.75) + 0.5 * log2)
    if not torch.isclose(torch.as_tensor(loss(three, zero, -three)), expected):
        raise Wrong(
            "Right at logits 0, but not at D = 3/4, 1/2, 1/4 for real, wrong and fake "
            "pairs: compare each term with Algorithm 1."
        )
    if not math.isfinite(float(loss(-200 * two, 200 * two, 200 * two))):
        raise Wrong(
            "With logits of 400 it is not finite: log(sigmoid(s)) rounds to log(0). "
            "softplus(-s) is the same number, computed safely."
        )


_LOSS = '''\
def matching_aware(s_r, s_w, s_f):
    """The discriminator's loss of GAN-CLS, to be minimised.

    s_r, s_w, s_f: logits [b] of real, wrong and fake pairs; D = sigmoid(s).
    """
    return ____'''
_RIGHT = "F.softplus(-s_r).mean() + 0.5 * (F.softplus(s_w).mean() + F.softplus(s_f).mean())"


def _loss(expression: str) -> str:
    return _LOSS.replace("____", expression)


q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Write the matching-aware loss of the discriminator on logits, the mean "
        "over the batch of $-\\log D(x, t) - \\tfrac12[\\log(1 - D(x, \\hat t\\,)) + "
        "\\log(1 - D(\\hat x, t))]$."
    ),
    reads=("matching_aware",),
    stub=_LOSS,
    answer=_loss(_RIGHT),
    setup=SETUP,
    test=_test_matching_aware,
    hints=(
        "Start from `discriminator_loss` above: it has the real term and the fake term. What is "
        "a mismatched pair called, true or false? How much may all false pairs weigh together?",
        "softplus(-s) = -log D and softplus(s) = -log(1 - D). One term with weight 1, two with "
        "weight 1/2, each with `.mean()`.",
    ),
    mistakes=[
        (_loss(_RIGHT.replace("(s_w)", "(-s_w)")), "sign of the mismatched"),
        (_loss(_RIGHT.replace("0.5 * ", "")), "one half each"),
        (_loss(_RIGHT.replace(".mean()", "")), "mean over the batch"),
        (_loss("F.softplus(-s_r).mean() + F.softplus(s_f).mean()"), "do not count"),
        (_loss(_RIGHT.replace("-s_r", "s_r")), "real pairs"),
        (_loss(_RIGHT.replace("(s_f)", "(-s_f)")), "fake pairs"),
        (_loss(_RIGHT.replace("s_r", "S").replace("s_w", "s_r").replace("S", "s_w")), "real pairs"),
        (
            _loss(
                "-(torch.sigmoid(s_r).log() + 0.5 * ((1 - torch.sigmoid(s_w)).log() "
                "+ (1 - torch.sigmoid(s_f)).log())).mean()"
            ),
            "not finite",
        ),
        (
            _loss(
                _RIGHT.replace("0.5 * (F.softplus(s_w)", "(0.9 * F.softplus(s_w)").replace(
                    "+ F.softplus(s_f)", "+ 0.1 * F.softplus(s_f)"
                )
            ),
            "compare each term",
        ),
    ],
    praise="It is 2 ln 2 where D cannot tell, as for a plain GAN.",
)


def _test_interpolated(interpolated) -> None:
    phi = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 4.0], [0.0, 8.0]])
    first, second = phi[:2], phi[2:]
    half = torch.as_tensor(interpolated(phi.clone(), 0.5))
    if half.shape != first.shape:
        raise Wrong(
            f"From 4 captions come 2 points between captions, shape [2, 2]; yours has "
            f"shape {list(half.shape)}."
        )
    at_one, at_zero = (torch.as_tensor(interpolated(phi.clone(), b)) for b in (1.0, 0.0))
    if torch.allclose(at_one, second) and torch.allclose(at_zero, first):
        raise Wrong(
            "With beta = 1 it should be the first caption, phi_1; yours is the second: "
            "beta stands at the wrong place."
        )
    if torch.allclose(half, first) or torch.allclose(half, second):
        raise Wrong(
            "Between a caption and itself there is nothing new: take phi_1 from the first "
            "half of the batch and phi_2 from the second half."
        )
    if not (torch.allclose(at_one, first) and torch.allclose(at_zero, second)):
        raise Wrong(
            "With beta = 1 only phi_1 should be left, and with beta = 0 only phi_2: the "
            "two weights are beta and 1 - beta."
        )
    quarter = torch.tensor([[0.25, 3.0], [0.5, 6.0]])
    if not torch.allclose(torch.as_tensor(interpolated(phi, 0.25)), quarter):
        raise Wrong(
            "Right at both ends, but with beta = 1/4 it should be a quarter of phi_1 and "
            "three quarters of phi_2."
        )


_BETWEEN = '''\
def interpolated(phi, beta):
    """Points between captions: beta * phi_1 + (1 - beta) * phi_2, for GAN-INT.

    phi: [2n, text]; phi_1 is its first half and phi_2 its second. Returns [n, text].
    """
    return ____'''


def _between(expression: str) -> str:
    return _BETWEEN.replace("return ____", f"n = len(phi) // 2\n    return {expression}")


q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** Write the interpolated captions of eq. 3 for a batch of `2n` caption "
        "vectors: the first `n` are $\\phi_1$, the others $\\phi_2$."
    ),
    reads=("interpolated",),
    stub=_BETWEEN,
    answer=_between("beta * phi[:n] + (1 - beta) * phi[n:]"),
    setup=SETUP,
    test=_test_interpolated,
    hints=(
        "Cut the batch in two: `phi[:n]` and `phi[n:]`. What should be left at beta = 1?",
        "A weighted mean of the two halves with the weights beta and 1 - beta.",
    ),
    mistakes=[
        (_between("(1 - beta) * phi[:n] + beta * phi[n:]"), "beta stands at the wrong place"),
        (_between("beta * phi[:n] + (1 - beta) * phi[:n]"), "a caption and itself"),
        (_between("beta * (phi[:n] + phi[n:])"), "the two weights are"),
        (_between("(phi[:n] + phi[n:]) / 2"), "the two weights are"),
        (_between("beta * phi + (1 - beta) * phi.flip(0)"), "shape"),
        (_between("phi[:n] if beta >= 0.5 else phi[n:]"), "a caption and itself"),
        (_between("torch.lerp(phi[n:], phi[:n], round(beta * 2) / 2)"), "three quarters"),
    ],
    praise="No picture belongs to these points, so only the generator sees them.",
)
