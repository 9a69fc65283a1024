"""Exercises of notebook 18: mismatched captions, the matching-aware loss, interpolated captions."""

import torch
import torch.nn.functional as F

from t2ilab.checks.exercise import Exercise, Wrong, filled
from t2ilab.checks.kit import (
    SUM,
    call,
    compare,
    compare_ends,
    compare_terms,
    explained,
    same,
    terms_apart,
)


def _test_mismatched(mismatched) -> None:
    # Caption 1 is "a bird": it is true of all four pictures.
    fits = torch.tensor([[1, 1, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 1, 0, 1]], dtype=torch.bool)
    rng, pictures = torch.Generator().manual_seed(0), torch.arange(4)

    def numbers():
        one_each = "The number of one caption for each of the 4 pictures."
        return call(mismatched, fits, rng, shape=(4,), reason=one_each, whole=True)

    with explained(
        RuntimeError, "Weights are numbers, not truth values: `.float()`.", about="Bool"
    ):
        first = numbers()
    if first.min() < 0 or first.max() > 3:
        raise Wrong(f"4 captions have the numbers 0 to 3; yours are {first.tolist()}.")
    drawn = torch.stack([numbers() for _ in range(400)]).long()  # [400, 4]
    fitting = fits[pictures, drawn]
    if fitting.all():
        raise Wrong("Every caption that you draw fits its picture: it is the other way round.")
    if fitting.any():
        own = "" if (drawn == pictures).any() else " To leave out its own caption is not enough:"
        raise Wrong(
            "Some of the captions that you draw are true of their picture."
            f"{own or ' Mind caption 1:'} 'a bird' fits every bird."
        )
    for picture in range(4):
        others = (~fits[picture]).nonzero()[:, 0]
        share = torch.stack([(drawn[:, picture] == other).float().mean() for other in others])
        if (share < 0.7 / len(others)).any():
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
    stub=_MISMATCHED,
    answer="(~fits).float()",
    test=_test_mismatched,
    hints=(
        "A caption that fits must never be drawn: its weight is 0. All others weigh the same.",
        "`~fits` is True where a caption does not fit, and `.float()` makes 1 of True.",
    ),
    mistakes=[
        ("fits.float()", "the other way round"),
        ("1 - torch.eye(len(fits))", "own caption is not enough"),
        ("torch.ones(fits.shape)", "are true of their picture"),
        (
            "def mismatched(fits, rng):\n    return (torch.arange(len(fits)) + 1) % len(fits)",
            "are true of their picture",
        ),
        ("def mismatched(fits, rng):\n    return (~fits).float().argmax(1)", "equally likely"),
        ("(~fits).float() * torch.tensor([1.0, 1.0, 3.0, 9.0])", "equally likely"),
        (filled(_MISMATCHED, "(~fits).float()").replace("[:, 0]", ""), "shape [4]"),
        (filled(_MISMATCHED, "(~fits).float()").replace("[:, 0]", "[:, 0] + 1"), "numbers 0 to 3"),
        (
            filled(_MISMATCHED, "(~fits).float()").replace("[:, 0]", ".float()[:, 0]"),
            "whole numbers",
        ),
        ("~fits", "not truth values"),
        ("fits.logical_not_().float()", "was changed in place"),
    ],
    praise="`t2ilab/data/pairs.py` does the same, and can prefer captions that nearly fit.",
)


def _right_loss(s_r, s_w, s_f):
    """-log D for real pairs, half of -log(1 - D) for each kind of false ones."""
    return F.softplus(-s_r).mean() + 0.5 * (F.softplus(s_w).mean() + F.softplus(s_f).mean())


def _test_matching_aware(loss) -> None:
    logits = torch.tensor([[1.1, -0.4, 2.3], [0.2, 0.9, -1.3], [-0.7, 1.6, 0.5]])  # of 3 pairs each
    mean = "A loss is one number: take the mean over the batch."
    value = call(loss, *logits.unbind(), shape=(), reason=mean)
    real, wrong, fake = F.softplus(logits * torch.tensor([[-1.0], [1.0], [1.0]])).mean(1)
    turned = F.softplus(logits * torch.tensor([[1.0], [-1.0], [-1.0]])).mean(1)
    halves = (
        "The two kinds of false pairs count one half each, so that together they weigh as much as "
        "the true ones: at logits 0 the loss is 2 ln 2, yours is more."
    )
    names = ("real pairs s_r", "mismatched pairs s_w", "fake pairs s_f")
    apart = [names[i] for i in terms_apart(loss, _right_loss, logits.unbind(), logits.flip(1) + 1)]
    compare_terms(
        value,
        (
            real,
            {
                "Look at the sign of the real pairs: with their logits it should fall.": turned[0],
                SUM: 3 * real,
                "The real pairs do not count yet.": 0,
            },
        ),
        (
            wrong / 2,
            {
                halves: wrong,
                "Look at the sign of the mismatched term: a real picture with a wrong caption is "
                "to be called false, like a fake one.": turned[1] / 2,
                "The mismatched pairs do not count yet: that would be GAN, not GAN-CLS.": 0,
                SUM: 3 * wrong / 2,
            },
        ),
        (
            fake / 2,
            {
                halves: fake,
                "Look at the sign of the fake pairs: the loss rises with their logits.": turned[2]
                / 2,
                "The fake pairs do not count yet.": 0,
                SUM: 3 * fake / 2,
            },
        ),
        slips={
            "The mismatched pairs do not count yet: that would be GAN, not GAN-CLS.": real + fake,
            "Every sign is turned round: D would learn to call real pairs false.": turned[0]
            + (turned[1] + turned[2]) / 2,
            "That is what D is to make *large*; a loss is to be made "
            "small: the formula begins with a minus.": -(real + (wrong + fake) / 2),
            f"{SUM} {halves}": 3 * (real + wrong + fake),
            "The three terms do not weigh the same: 1, 1/2 and 1/2.": (real + wrong + fake) / 3,
        },
        otherwise="For a small example it should be {right}; yours is {found}: compare "
        f"{' and '.join(f'the term of the {name}' for name in apart) or 'it'} with Algorithm 1.",
    )
    sure = torch.full((4,), 400.0)
    safely = (
        "With logits of 400 log(sigmoid(s)) rounds to log(0). softplus(-s) is the same number, "
        "computed safely."
    )
    value = call(loss, -sure, sure, sure, finite=safely)
    compare(value, 800, "With logits of 400, all of them wrong, it should be {right}, not {found}.")


_LOSS = '''\
def matching_aware(s_r, s_w, s_f):
    """The discriminator's loss of GAN-CLS, to be minimised.

    s_r, s_w, s_f: logits [b] of real, wrong and fake pairs; D = sigmoid(s).
    """
    return ____'''
_RIGHT = "F.softplus(-s_r).mean() + 0.5 * (F.softplus(s_w).mean() + F.softplus(s_f).mean())"


q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Write the matching-aware loss of the discriminator on logits, the mean "
        "over the batch of $-\\log D(x, t) - \\tfrac12[\\log(1 - D(x, \\hat t\\,)) + "
        "\\log(1 - D(\\hat x, t))]$."
    ),
    stub=_LOSS,
    answer=_RIGHT,
    test=_test_matching_aware,
    hints=(
        "Start from `discriminator_loss` above: it has the real term and the fake term. What is "
        "a mismatched pair called, true or false? How much may all false pairs weigh together?",
        "softplus(-s) = -log D and softplus(s) = -log(1 - D). One term with weight 1, two with "
        "weight 1/2, each with `.mean()`.",
    ),
    mistakes=[
        (_RIGHT.replace("(s_w)", "(-s_w)"), "sign of the mismatched"),
        (_RIGHT.replace("0.5 * ", ""), "one half each"),
        (_RIGHT.replace(".mean()", ""), "mean over the batch"),
        (_RIGHT.replace("mean", "sum"), "sum over the batch"),
        ("F.softplus(-s_r).mean() + F.softplus(s_f).mean()", "do not count"),
        ("F.softplus(-s_r).mean() + 0.5 * F.softplus(s_f).mean()", "that would be GAN"),
        ("0.5 * (F.softplus(s_w).mean() + F.softplus(s_f).mean())", "real pairs do not count"),
        (_RIGHT.replace("-s_r", "s_r"), "sign of the real pairs"),
        (_RIGHT.replace("(s_f)", "(-s_f)"), "sign of the fake pairs"),
        (
            _RIGHT.replace("-s_r", "s_r").replace("(s_w)", "(-s_w)"),
            "fall. Look at the sign of the m",
        ),
        (
            _RIGHT.replace("-s_r", "s_r").replace("(s_", "(-s_").replace("(-s_r", "(s_r"),
            "every sign",
        ),
        (f"-({_RIGHT})", "begins with a minus"),
        (
            _RIGHT.replace("s_r", "S").replace("s_w", "s_r").replace("S", "s_w"),
            "the term of the real pairs s_r and the term of the mismatched pairs s_w",
        ),
        (
            "-(torch.sigmoid(s_r).log() + 0.5 * ((1 - torch.sigmoid(s_w)).log() "
            "+ (1 - torch.sigmoid(s_f)).log())).mean()",
            "log(sigmoid(s)) rounds",
        ),
        (
            "F.softplus(-s_r).mean() + 0.9 * F.softplus(s_w).mean() + 0.5 * F.softplus(s_f).mean()",
            "compare the term of the mismatched pairs s_w with",
        ),
        (f"({_RIGHT}).item()", "a Python float"),
    ],
    praise="It is 2 ln 2 where D cannot tell, as for a plain GAN.",
)


def _test_interpolated(interpolated) -> None:
    phi = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 4.0], [0.0, 8.0]])
    first, second = phi[:2], phi[2:]

    def at(beta):
        between = (
            "From 4 captions come 2 points, each between one of the first half and one of the "
            "second."
        )
        return call(interpolated, phi, beta, shape=(2, 2), reason=between)

    if same(at(0.0), at(1.0)) and (same(at(1.0), first) or same(at(1.0), second)):
        raise Wrong(
            "Between a caption and itself there is nothing new: take phi_1 from the first half of "
            "the batch and phi_2 from the second half."
        )
    compare_ends(at(0.0), at(1.0), second, first, ("phi_2", "phi_1"))
    compare(
        at(0.25),
        [[0.25, 3.0], [0.5, 6.0]],
        "Right at both ends, but with beta = 1/4 it should be a quarter of phi_1 and three "
        "quarters of phi_2, {right}; yours is {found}.",
    )


_BETWEEN = '''\
def interpolated(phi, beta):
    """Points between captions: beta * phi_1 + (1 - beta) * phi_2, for GAN-INT.

    phi: [2n, text]; phi_1 is its first half and phi_2 its second. Returns [n, text].
    """
    return ____'''


def _between(expression: str) -> str:
    return filled(_BETWEEN, expression).replace("return ", "n = len(phi) // 2\n    return ")


q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** Write the interpolated captions of eq. 3 for a batch of `2n` caption "
        "vectors: the first `n` are $\\phi_1$, the others $\\phi_2$."
    ),
    stub=_BETWEEN,
    answer=_between("beta * phi[:n] + (1 - beta) * phi[n:]"),
    test=_test_interpolated,
    hints=(
        "Cut the batch in two: `phi[:n]` and `phi[n:]`. What should be left at beta = 1?",
        "A weighted mean of the two halves with the weights beta and 1 - beta.",
    ),
    mistakes=[
        (_between("(1 - beta) * phi[:n] + beta * phi[n:]"), "other way round"),
        (_between("beta * phi[:n] + (1 - beta) * phi[:n]"), "a caption and itself"),
        (_between("beta * (phi[:n] + phi[n:])"), "beta = 0 it should be phi_2"),
        (_between("beta * phi[:n] + phi[n:]"), "beta = 1 it should be phi_1"),
        (_between("(phi[:n] + phi[n:]) / 2"), "never reached"),
        (_between("beta * phi + (1 - beta) * phi.flip(0)"), "one of the first half"),
        (_between("beta * phi[::2] + (1 - beta) * phi[1::2]"), "beta = 0 it should be phi_2"),
        (_between("phi[:n] if beta >= 0.5 else phi[n:]"), "three quarters"),
        (_between("torch.lerp(phi[n:], phi[:n], round(beta * 2) / 2)"), "three quarters"),
    ],
    praise="No picture belongs to these points, so only the generator sees them.",
)
