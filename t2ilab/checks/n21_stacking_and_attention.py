"""Exercises of notebook 21: a Gaussian, stages, heads; windows; words and regions."""

import math

import torch
import torch.nn.functional as F

from t2ilab.checks.exercise import Exercise, Wrong
from t2ilab.checks.kit import call, checked, compare, same


def _test_augmented(augmented) -> None:
    both = torch.tensor(
        [[1.0, -2.0, math.log(4.0), 0.0], [0.5, 0.0, math.log(0.25), math.log(9.0)]]
    )
    eps = torch.tensor([[1.0, -1.0], [2.0, 1.0]])
    mu, logvar = both[:, :2], both[:, 2:]
    found = call(augmented, both, eps, shape=(2, 2), reason="As many numbers as eps has.")
    compare(
        found,
        mu + (logvar / 2).exp() * eps,
        slips={
            "exp(log sigma²) is sigma²; eps is multiplied by sigma.": mu + logvar.exp() * eps,
            "log sigma² is not sigma: take the exponential of its half.": (
                mu + logvar * eps,
                mu + logvar / 2 * eps,
            ),
            "mu is the first half of the columns, log sigma² the second.": (
                logvar + (mu / 2).exp() * eps
            ),
            "Every second column is not the first half.": (
                both[:, ::2] + (both[:, 1::2] / 2).exp() * eps
            ),
            "That is the mean: where is eps?": mu,
            "mu is missing: the Gaussian stands around the caption.": (logvar / 2).exp() * eps,
            "The sign of the exponent: that is 1 / sigma.": mu + (-logvar / 2).exp() * eps,
        },
    )


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** A linear layer gives $2n$ numbers for each caption: $\\mu$, and behind it "
        "$\\log \\sigma^2$. Draw $c = \\mu + \\sigma \\odot \\epsilon$."
    ),
    stub='''\
def augmented(both, eps):
    """c = mu + sigma * eps: conditioning augmentation.

    both: [b, 2n], mu in the first n columns, log sigma^2 behind it. eps and c: [b, n].
    """
    n = both.shape[1] // 2
    return ____''',
    answer="both[:, :n] + (both[:, n:] / 2).exp() * eps",
    test=_test_augmented,
    hints=(
        "Which columns are mu? And what is sigma, if log sigma² is given?",
        "sigma = exp(log sigma² / 2), so `(both[:, n:] / 2).exp()`.",
    ),
    mistakes=[
        ("both[:, :n] + both[:, n:].exp() * eps", "is sigma²"),
        ("both[:, :n] + both[:, n:] * eps", "is not sigma"),
        ("both[:, :n] + both[:, n:] / 2 * eps", "is not sigma"),
        ("both[:, n:] + (both[:, :n] / 2).exp() * eps", "first half of the columns"),
        ("both[:, ::2] + (both[:, 1::2] / 2).exp() * eps", "Every second column"),
        ("both[:, :n]", "where is eps"),
        ("(both[:, n:] / 2).exp() * eps", "mu is missing"),
        ("both[:, :n] + (-both[:, n:] / 2).exp() * eps", "1 / sigma"),
        ("both + (both / 2).exp() * torch.cat([eps, eps], 1)", "shape [2, 2]"),
        ("both[:, :n] + (both[:, n:] / 2).exp() * torch.randn(both.shape[0], n)", "small example"),
    ],
    praise="`t2ilab/models/augmentation.py` does the same, with eps = 0 where pictures shall stay.",
)


def _test_joined(joined) -> None:
    h = torch.arange(2 * 3 * 2 * 2).float().view(2, 3, 2, 2)
    c = torch.tensor([[10.0, 20.0], [30.0, 40.0]])
    found = call(
        joined,
        h,
        c,
        shape=(2, 5, 2, 2),
        reason="The numbers of c become channels behind those of h; places stay as they are.",
    )
    everywhere = c[:, :, None, None].expand(2, 2, 2, 2)
    if same(found, torch.cat([everywhere, h], 1)):
        raise Wrong("The condition stands before the features; asked for is behind them.")
    if same(found[:, :3], h) and not same(found[:, 3:], everywhere):
        part = found[:, 3:]
        if same(part[0], part[1]):
            raise Wrong("Each picture has its own condition; both of yours have the same.")
        if same(part.sum((2, 3)), c):
            raise Wrong("The condition stands at one place only: repeat it at every place.")
    compare(
        found, torch.cat([h, everywhere], 1), "It should be h, and c at every place; it is not."
    )


q2 = Exercise(
    name="q2",
    question="**Exercise 2.** Put the condition beside the features, the same at every place.",
    stub='''\
def joined(h, c):
    """Features with the condition beside them at every place.

    h: [b, k, s, s], c: [b, n]; returns [b, k + n, s, s].
    """
    return ____''',
    answer="torch.cat([h, c[:, :, None, None].expand(-1, -1, *h.shape[2:])], 1)",
    test=_test_joined,
    hints=(
        "c has no places: give it two more dimensions of size 1, and repeat them to the side of h.",
        "`c[:, :, None, None].expand(-1, -1, *h.shape[2:])`, then `torch.cat` along the channels.",
    ),
    mistakes=[
        (
            "torch.cat([c[:, :, None, None].expand(-1, -1, *h.shape[2:]), h], 1)",
            "before the features",
        ),
        ("torch.cat([h, c[:1, :, None, None].expand(len(h), -1, *h.shape[2:])], 1)", "its own"),
        (
            "torch.cat([h, F.pad(c[:, :, None, None], (0, h.shape[3] - 1, 0, h.shape[2] - 1))], 1)",
            "one place only",
        ),
        ("h + c.sum(1)[:, None, None, None]", "shape [2, 5, 2, 2]"),
        ("torch.cat([h, h[:, :2] * 0 + c.mean()], 1)", "its own"),
        ("torch.cat([h, 2 * c[:, :, None, None].expand(-1, -1, *h.shape[2:])], 1)", "it is not"),
    ],
    praise="Convolutions behind it may now treat a red wing and a blue one differently everywhere.",
)


def _test_head_loss(head_loss) -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.5, 0.0], [0.0, 3.0, 1.0], [-1.0, 0.0, 2.0]])
    stated = torch.tensor([0, -1, 2, 1])
    known = stated >= 0
    found = call(head_loss, logits, stated, shape=(), reason="One number: a mean.")
    each = F.cross_entropy(logits[known], stated[known], reduction="none")
    of_all = F.cross_entropy(logits, stated % 3, reduction="none")
    compare(
        found,
        each.mean(),
        slips={
            "Divide by the number of captions that state it, not by all: silent ones would make "
            "the loss small.": each.sum() / 4,
            "That is the sum; take the mean over the captions that state it.": each.sum(),
            "A silent caption counts as if it had stated a value (-1 is the last one, or becomes "
            "0).": (of_all.mean(), F.cross_entropy(logits, stated.clamp(min=0))),
            "The sign: a loss is to be made small.": -each.mean(),
        },
    )
    silent = torch.full((4,), -1)
    nothing = "Where no caption states it the mean is over nothing, 0 / 0: the loss should be 0."
    value = call(head_loss, logits, silent, shape=(), finite=nothing)
    compare(value, 0, "Where no caption states it the loss should be 0; yours is {found}.")


_HEAD = '''\
def head_loss(logits, stated):
    """-log p(value), the mean over the pictures whose caption states it; 0 where none does.

    logits: [b, values]; stated: int [b], the value, or -1 where the caption says nothing.
    """
    known = stated >= 0
    return ____'''

q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** Write the cross-entropy of one attribute's head. Where the caption says "
        "nothing (`-1`) any value is right."
    ),
    stub=_HEAD,
    answer=(
        "F.cross_entropy(logits[known], stated[known], reduction='sum') / known.sum().clamp(min=1)"
    ),
    test=_test_head_loss,
    hints=(
        "Leave the silent ones out of the sum and of the count. And if all are silent?",
        "`F.cross_entropy(..., reduction='sum')` of the rows that are known, divided by their "
        "number or 1.",
    ),
    mistakes=[
        ("F.cross_entropy(logits[known], stated[known])", "0 / 0"),
        (
            "F.cross_entropy(logits[known], stated[known], reduction='sum') / len(stated)",
            "not by all",
        ),
        ("F.cross_entropy(logits[known], stated[known], reduction='sum')", "That is the sum"),
        ("F.cross_entropy(logits, stated % logits.shape[1])", "as if it had stated"),
        ("F.cross_entropy(logits, stated.clamp(min=0))", "as if it had stated"),
        (
            "-F.cross_entropy(logits[known], stated[known], reduction='sum') "
            "/ known.sum().clamp(min=1)",
            "The sign",
        ),
        (
            "F.cross_entropy(logits[known], stated[known], reduction='none')",
            "one number",
        ),
        ("F.cross_entropy(logits[known], stated[known]) if known.any() else logits.sum()",
         "loss should be 0; yours"),
    ],
    praise="At logits 0 it is ln K, for every attribute of K values that is stated at all.",
)  # fmt: skip


def _test_read(read_at) -> None:
    u = torch.tensor([0.0, 1.0, 5.0, 2.0])
    x = torch.tensor([1.0, 1.25, 2.5, -0.5, 3.75, 9.0])
    right = torch.tensor([1.0, 2.0, 3.5, 0.0, 0.5, 0.0])
    d = x[:, None] - torch.arange(4)
    found = call(read_at, u, x, shape=(6,), reason="One value for each place.")
    compare(
        found,
        right,
        "For u = 0, 1, 5, 2 read at 1, 1.25, 2.5, -0.5, 3.75 and 9 it should be {right}; yours is "
        "{found}.",
        slips={
            "Weights below 0 pull in pixels that are far away: the kernel ends at 0.": (
                (1 - d.abs()) @ u
            ),
            "max(0, 1 - d) without | |: a pixel to the right of x counts more and more.": (
                (1 - d).clamp(min=0) @ u
            ),
            "That is |d| itself: near pixels must count most, 1 - |d|.": (
                d.abs() @ u,
                d.abs().clamp(max=1) @ u,
            ),
            "That is the nearest pixel: no gradient with respect to x comes through that.": (
                torch.tensor([1.0, 1.0, 5.0, 0.0, 2.0, 2.0]),
                torch.tensor([1.0, 1.0, 2.0, 0.0, 2.0, 2.0]),
            ),
        },
    )


_READ = '''\
def read_at(u, x):
    """V_i = sum_m u_m k(x_i - m), k(d) = max(0, 1 - |d|): a row of pixels read between them.

    u: [w], pixel m lies at m; x: [n], in pixels. Returns [n].
    """
    return ____'''


q4 = Exercise(
    name="q4",
    question=(
        "**Exercise 4.** Read a row of pixels at places between them, by the kernel of the "
        "spatial transformer. Every pixel has a weight for every place; most are 0."
    ),
    stub=_READ,
    answer="(1 - (x[:, None] - torch.arange(len(u))).abs()).clamp(min=0) @ u",
    test=_test_read,
    hints=(
        "x[:, None] - torch.arange(len(u)) is d for all places and pixels, [n, w].",
        "(1 - d.abs()).clamp(min=0) is the matrix of weights; a product with u sums over m.",
    ),
    mistakes=[
        ("(1 - (x[:, None] - torch.arange(len(u))).abs()) @ u", "the kernel ends at 0"),
        ("(1 - (x[:, None] - torch.arange(len(u)))).clamp(min=0) @ u", "without | |"),
        ("(x[:, None] - torch.arange(len(u))).abs() @ u", "near pixels must count most"),
        ("u[x.round().long().clamp(0, len(u) - 1)]", "the nearest pixel"),
        ("(1 - (x[:, None] - torch.arange(len(u))).abs()).clamp(min=0) * u", "One value for each"),
    ],
    praise="With a row of weights for x and one for y it is the sampler, V = K_y U K_xᵀ.",
)


def _test_ways(ways) -> None:
    box = torch.tensor([0.25, 0.5, 0.75, 0.75])
    found = call(ways, box, kind=tuple, reason="two triples, crop and paste")
    if len(found) != 2 or any(len(one) != 3 for one in found):
        raise Wrong("Return two triples: (s, t_x, t_y) that crops, and the one that pastes.")
    crop, paste = (torch.tensor([float(v) for v in one]) for one in found)
    right = torch.tensor([0.5, 0.0, 0.25])
    compare(
        crop,
        right,
        "For the box 0.25, 0.5, 0.75, 0.75 cropping should be {right}; yours is {found}.",
        slips={
            "That s is half of it: the picture goes from -1 to 1, two units, and so does the "
            "frame. A box as wide as the picture has s = 1.": torch.tensor([0.25, 0.0, 0.25]),
            "The middle is given in shares, from 0 to 1; t is counted from -1 to 1.": (
                torch.tensor([0.5, 0.5, 0.625])
            ),
            "The square is as wide as the *longer* side, or a part of the bird is cut off.": (
                torch.tensor([0.25, 0.0, 0.25])
            ),
            "t is the middle of the box, not its corner.": torch.tensor([0.5, -0.5, 0.0]),
        },
    )
    compare(
        paste,
        torch.tensor([2.0, 0.0, -0.5]),
        "Cropping is right. Pasting should be {right}; yours is {found}. Solve x = s x' + t for "
        "x'.",
        slips={
            "Pasting is not cropping once more: a place of the picture is looked up in the frame, "
            "so the transformation is turned round.": right,
            "t must be divided by s as well: x' = (x - t) / s = x / s - t / s.": torch.tensor(
                [2.0, 0.0, -0.25]
            ),
            "The sign of t: x' = (x - t) / s.": torch.tensor([2.0, 0.0, 0.5]),
        },
    )


_WAYS = '''\
def both_ways(box):
    """(s, t_x, t_y) of eq. 7 that crops the square about a box, and the one that pastes into it.

    box: [4], left, top, right, bottom in shares of the side. The square is as wide as the longer
    side of the box; places in pictures and frames go from -1 to 1.
    """
    left, top, right, bottom = box.tolist()
    s = ____
    t_x, t_y = ____
    return (s, t_x, t_y), ____'''


q5 = Exercise(
    name="q5",
    question=(
        "**Exercise 5.** A box is given. Which θ = (s, t) lets the discriminator crop the square "
        "about it, and which one lets the generator paste a frame there?"
    ),
    stub=_WAYS,
    answer=(
        "max(right - left, bottom - top)",
        "left + right - 1, top + bottom - 1",
        "(1 / s, -t_x / s, -t_y / s)",
    ),
    test=_test_ways,
    hints=(
        "The middle of the box in shares is m = (left + right) / 2; counted from -1 to 1 it is "
        "2 m - 1. A box as wide as the picture has s = 1.",
        "Cropping looks up x = s x' + t. Pasting asks the other way: x' = (x - t) / s.",
    ),
    mistakes=[
        (
            (
                "max(right - left, bottom - top) / 2",
                "left + right - 1, top + bottom - 1",
                "(1 / s, -t_x / s, -t_y / s)",
            ),
            "s is half of it",
        ),
        (
            (
                "max(right - left, bottom - top)",
                "(left + right) / 2, (top + bottom) / 2",
                "(1 / s, -t_x / s, -t_y / s)",
            ),
            "given in shares",
        ),
        (
            (
                "max(right - left, bottom - top)",
                "left + right - 1, top + bottom - 1",
                "(s, t_x, t_y)",
            ),
            "not cropping once more",
        ),
        (
            (
                "max(right - left, bottom - top)",
                "left + right - 1, top + bottom - 1",
                "(1 / s, -t_x, -t_y)",
            ),
            "divided by s as well",
        ),
        (
            (
                "max(right - left, bottom - top)",
                "left + right - 1, top + bottom - 1",
                "(1 / s, t_x / s, t_y / s)",
            ),
            "The sign of t",
        ),
    ],
    praise="Both are one function in `models/sampler.py`: `square`, and its `inverse`.",
)


def _test_word_score(word_score) -> None:
    cosines, real = torch.tensor([0.8, 0.2, -0.4, 0.9]), torch.tensor([True, True, True, False])
    found = call(word_score, cosines, real, 5.0, kind=float, reason="One score.")
    some = cosines[real]
    power = (5 * some).exp()
    compare(
        found,
        power.mean().log() / 5,
        "For cosines of 0.8, 0.2 and -0.4, a pad behind them and gamma2 = 5 it should be {right}; "
        "yours is {found}.",
        slips={
            "1/gamma2 is missing, as in the authors' code: the score grows with gamma2.": (
                power.mean().log()
            ),
            "The pad counts as a word: take the real ones only.": (
                ((5 * cosines).exp().mean().log() / 5),
                ((5 * cosines).exp() * real).mean().log() / 5,
                (5 * cosines * real).exp().mean().log() / 5,
            ),
            "That is the sum over words: a longer caption scores higher, whatever is seen.": (
                power.sum().log() / 5
            ),
            "That is the plain mean: gamma2 lets the words that fit best count most.": some.mean(),
            "That is the largest one, the limit for a large gamma2.": some.max(),
        },
    )
    compare(
        call(word_score, torch.full((7,), 0.5), torch.ones(7, dtype=torch.bool), 3.0, kind=float),
        0.5,
        "Where all seven words have a cosine of 0.5 it should be {right}; yours is {found}.",
    )


q6 = Exercise(
    name="q6",
    question=(
        "**Exercise 6.** The score of a caption for a picture from the cosines of its words, eq. "
        "10, as a mean over the $T$ real words: $R = \\frac{1}{\\gamma_2} \\log \\frac{1}{T} "
        "\\sum_i \\exp(\\gamma_2 \\cos_i)$."
    ),
    stub='''\
def word_score(cosines, real, gamma2):
    """R of one picture and one caption, a soft maximum over its real words.

    cosines: [words], cos(c_i, e_i), pads included; real: bool [words], False at pads.
    """
    return ____''',
    answer="(gamma2 * cosines[real]).exp().mean().log() / gamma2",
    test=_test_word_score,
    hints=(
        "`cosines[real]` are those of the real words. Then: exponential, mean, logarithm.",
        "`(gamma2 * cosines[real]).exp().mean().log()`, and the power 1/gamma2 in front of it.",
    ),
    mistakes=[
        ("(gamma2 * cosines[real]).exp().mean().log()", "1/gamma2 is missing"),
        ("(gamma2 * cosines).exp().mean().log() / gamma2", "pad counts"),
        ("(gamma2 * cosines * real).exp().mean().log() / gamma2", "pad counts"),
        ("(gamma2 * cosines[real]).exp().sum().log() / gamma2", "longer caption"),
        ("cosines[real].mean()", "plain mean"),
        ("cosines[real].max()", "limit for a large gamma2"),
    ],
    praise="`word_scores` of `t2ilab/losses/damsm.py` does it for all pairs of a batch at once.",
)


def _test_attend(attend) -> None:
    rng = torch.Generator().manual_seed(0)
    h, e = torch.randn(2, 4, 3, generator=rng), torch.randn(2, 5, 3, generator=rng)
    real = torch.tensor([[True, True, False, False, False], [True] * 5])
    c, b = call(attend, h, e, real, kind=tuple, reason="c and b")
    scores = h @ e.transpose(1, 2)
    right = scores.masked_fill(~real[:, None], -math.inf).softmax(2)
    checked(b, "b", shape=(2, 4, 5), reason="A share for each place and word.")
    checked(c, "c", shape=(2, 4, 3), reason="A vector for each place.")
    compare(
        b,
        right,
        "b is not the softmax over the real words.",
        slips={
            "Pads get attention: set their scores to -inf before the softmax.": scores.softmax(2),
            "The pads are set to 0 after the softmax: the rest no longer sums to 1.": (
                scores.softmax(2) * real[:, None]
            ),
            "A score of 0 is no pad: exp(0) is 1. Set it to -inf.": (
                (scores * real[:, None]).softmax(2)
            ),
            "That is a softmax over places; each place divides its attention among words.": (
                scores.masked_fill(~real[:, None], -math.inf).softmax(1).nan_to_num(0.0),
                scores.softmax(1),
            ),
        },
    )
    compare(c, right @ e, "c should be the mean of the words e, weighted by b; it is not.")


q7 = Exercise(
    name="q7",
    question=(
        "**Exercise 7.** Attention of places over words, eq. 3. Captions of a batch differ in "
        "length; pads must get nothing."
    ),
    stub='''\
def attend(h, e, real):
    """c [b, places, n], what each place is told, and b [b, places, words], by which words.

    h: [b, places, n]; e: [b, words, n], words in the same space; real: bool [b, words].
    """
    scores = h @ e.transpose(1, 2)  # [b, places, words]
    b = ____
    c = ____
    return c, b''',
    answer=('scores.masked_fill(~real[:, None], float("-inf")).softmax(2)', "b @ e"),
    test=_test_attend,
    hints=(
        "A pad with a score of -inf gets exp(-inf) = 0. `real[:, None]` is [b, 1, words].",
        '`scores.masked_fill(~real[:, None], float("-inf"))`, then softmax over dimension 2.',
    ),
    mistakes=[
        (("scores.softmax(2)", "b @ e"), "Pads get attention"),
        (("scores.softmax(2) * real[:, None]", "b @ e"), "no longer sums to 1"),
        (("(scores * real[:, None]).softmax(2)", "b @ e"), "is no pad"),
        (("scores.softmax(1)", "b @ e"), "over places"),
        (
            ('scores.masked_fill(~real[:, None], float("-inf")).softmax(2)', "b.softmax(2) @ e"),
            "weighted by b",
        ),
    ],
    praise="In the public code picture i got the pads of other captions (AttnGAN, issue 93).",
)


def _test_found_first(found_first) -> None:
    scores = torch.tensor([[2.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [3.0, 3.0, 3.0]])
    found = call(found_first, scores, kind=float, reason="One share.")
    compare(
        found,
        (1 + 1 / 2 + 0 + 1 / 3) / 4,
        "Four pictures, whose own caption is alone at the top, shares it with one, is below it, "
        "and shares it with two: it should be {right}; yours is {found}.",
        slips={
            "argmax takes the first of the best, and the own caption stands first: who gives all "
            "captions one score gets 100 %.": 3 / 4,
            "A tie is no win and no loss: of t best ones each counts 1/t.": 1 / 4,
            "That is a sum; take the mean over the pictures.": 1 + 1 / 2 + 1 / 3,
        },
    )


q8 = Exercise(
    name="q8",
    question=(
        "**Exercise 8.** R-precision: the share of pictures whose own caption, in column 0, scores "
        "highest; where $t$ captions share the highest score, it counts $1/t$."
    ),
    stub='''\
def found_first(scores):
    """The share of rows in which column 0 is the largest, ties shared. scores: [n, captions]."""
    best = scores == scores.amax(1, keepdim=True)
    return ____''',
    answer="(best[:, 0] / best.sum(1)).mean()",
    test=_test_found_first,
    hints=(
        "`best[:, 0]` says whether the own caption is among the best, `best.sum(1)` how many are.",
        "Divide one by the other, and take the mean over the pictures.",
    ),
    mistakes=[
        ("(scores.argmax(1) == 0).float().mean()", "argmax takes the first"),
        ("best[:, 0].float().mean()", "argmax takes the first"),
        ("(best[:, 0] & (best.sum(1) == 1)).float().mean()", "no win and no loss"),
        ("(best[:, 0] / best.sum(1)).sum()", "a sum"),
    ],
    praise="`r_precision` of `t2ilab/metrics/one_off.py` is the same.",
)
