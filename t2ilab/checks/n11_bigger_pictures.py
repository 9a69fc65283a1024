"""Exercises of notebook 11: a pyramid rebuilt, a fade, minibatch deviation, orthogonal filters."""

import torch

from t2ilab.checks.exercise import Exercise
from t2ilab.checks.kit import call, compare, explained
from t2ilab.models.progressive import enlarged
from t2ilab.models.pyramid import down, laplacian, up

SETUP = (
    "import torch\nfrom t2ilab.models.pyramid import down, up\n"
    "from t2ilab.models.progressive import enlarged"
)


def _test_rebuild(rebuild) -> None:
    rng = torch.Generator().manual_seed(0)
    image = torch.randn(1, 1, 8, 8, generator=rng)
    large, middle, small = laplacian(image, 2)
    sides = "small has 2 pixels a side, h_middle 4, h_large 8: what is added has to be as large."
    with explained(RuntimeError, sides, about="size of tensor"):
        found = call(
            rebuild, small, middle, large, shape=(1, 1, 8, 8), reason="The picture is as large as "
            "the last residual: enlarge before each addition.",
        )  # fmt: skip
    compare(
        found,
        image,
        "Of a pyramid of 2, 4 and 8 pixels it should give back the picture; yours is another.",
        slips={
            "The small picture is enlarged, and no residual is added.": up(up(small)),
            "Only the last residual is added; each level has its own.": up(up(small)) + large,
            "Only the first residual is added; each level has its own.": up(up(small) + middle),
            "The residuals are subtracted; they are what is *missing*.": (
                up(up(small) - middle) - large
            ),
            "The small picture is left out: residuals alone are edges.": up(middle) + large,
            "Each pixel is repeated; the pyramid was made with `up`, which goes linearly between "
            "pixels, and it is rebuilt only with the same one.": (
                enlarged(enlarged(small) + middle) + large
            ),
        },
    )


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Rebuild a picture from a pyramid of two levels: the smallest picture, and "
        "the residuals of the two sizes above it."
    ),
    stub='''\
def rebuild(small, h_middle, h_large):
    """The picture [b, c, 4s, 4s].

    small: [b, c, s, s]; residuals h_middle: [b, c, 2s, 2s] and h_large: [b, c, 4s, 4s].
    `up` doubles the side.
    """
    middle = ____
    return ____''',
    answer=("up(small) + h_middle", "up(middle) + h_large"),
    test=_test_rebuild,
    hints=(
        "h was made as the picture less what enlarging the smaller one gives. Solve for it.",
        "middle = up(small) + h_middle, and the same once more.",
    ),
    mistakes=[
        (("up(small)", "up(middle)"), "no residual is added"),
        (("up(small) - h_middle", "up(middle) - h_large"), "are subtracted"),
        (("up(small)", "up(middle) + h_large"), "Only the last"),
        (("up(small) + h_middle", "up(middle)"), "Only the first"),
        (("h_middle", "up(middle) + h_large"), "left out"),
        (("enlarged(small) + h_middle", "enlarged(middle) + h_large"), "repeated"),
        (("up(small) + h_middle", "h_large"), "another"),
        (("small + h_middle", "up(middle) + h_large"), "has to be as large"),
        (("up(small) + h_middle", "middle + h_large"), "has to be as large"),
        (("up(small) + h_middle", "middle"), "yours has the shape [1, 1, 4, 4]"),
    ],
    setup=SETUP,
    praise="`rebuilt` in `t2ilab/models/pyramid.py` takes any number of levels.",
)


def _test_fade(fade) -> None:
    rng = torch.Generator().manual_seed(1)
    old, new = torch.randn(1, 1, 2, 2, generator=rng), torch.randn(1, 1, 4, 4, generator=rng)
    large = enlarged(old)
    sides = "old has 2 pixels a side here, new 4: enlarge the old one before they are mixed."
    with explained(RuntimeError, sides, about="size of tensor"):
        found = call(
            fade, old, new, 0.25, shape=(1, 1, 4, 4), reason="As large as the new picture."
        )
    compare(
        found,
        0.75 * large + 0.25 * new,
        "At alpha = 0.25 yours is another mixture than 3 parts of the old one and 1 of the new.",
        slips={
            "It is turned round: at alpha = 0 only the *old* picture is to be seen.": (
                0.25 * large + 0.75 * new
            ),
            "The old picture is enlarged by `up`, smoothly; growing networks repeat each pixel, "
            "as `enlarged` does.": 0.75 * up(old) + 0.25 * new,
            "The new picture is added in full; it has the weight alpha.": 0.75 * large + new,
            "The old picture keeps its full weight; it has 1 - alpha.": large + 0.25 * new,
            "The new one is made coarse first: it is to bring in the detail.": (
                0.75 * large + 0.25 * enlarged(down(new))
            ),
            "alpha is not used: that is the mean of both.": (large + new) / 2,
            "Both have their full weight; give them 1 - alpha and alpha.": large + new,
            "Only the old picture is left. Is alpha forgotten, or made a whole number?": large,
            "Only the new picture is left; until alpha is 1 the old one is to be seen too.": new,
            "`repeat` lays copies side by side; `enlarged` makes four of each pixel.": (
                0.75 * old.repeat(1, 1, 2, 2) + 0.25 * new
            ),
        },
    )


q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** A level is faded in: mix the picture that the old level makes with that "
        "of the new one, which has twice the side. `enlarged` repeats each pixel."
    ),
    stub='''\
def fade(old, new, alpha):
    """What is shown at alpha in [0, 1]; old: [b, c, s, s], new: [b, c, 2s, 2s]."""
    return ____''',
    answer="(1 - alpha) * enlarged(old) + alpha * new",
    test=_test_fade,
    hints=(
        "Both have to be of one size. What should be seen at alpha = 0, and what at 1?",
        "(1 - alpha) times enlarged(old), plus alpha times new.",
    ),
    mistakes=[
        ("alpha * enlarged(old) + (1 - alpha) * new", "turned round"),
        ("(1 - alpha) * up(old) + alpha * new", "smoothly"),
        ("(1 - alpha) * enlarged(old) + new", "added in full"),
        ("enlarged(old) + alpha * new", "full weight"),
        ("(1 - alpha) * enlarged(old) + alpha * enlarged(down(new))", "made coarse"),
        ("(enlarged(old) + new) / 2", "not used"),
        ("enlarged(old) + new", "Both have their full weight"),
        ("(1 - int(alpha)) * enlarged(old) + int(alpha) * new", "a whole number"),
        ("new", "Only the new"),
        ("(1 - alpha) * old.repeat(1, 1, 2, 2) + alpha * new", "side by side"),
        ("(1 - alpha) * old + alpha * new", "before they are mixed"),
        ("(1 - alpha) * old + alpha * down(new)", "yours has the shape [1, 1, 2, 2]"),
        ("(1 - alpha**2) * enlarged(old) + alpha**2 * new", "another mixture"),
    ],
    setup=SETUP,
    praise="Both networks of `t2ilab/models/progressive.py` do it, and the trainer to the data.",
)


def _test_deviation(deviation) -> None:
    rng = torch.Generator().manual_seed(2)
    spread = torch.tensor([1.0, 3.0]).view(1, 2, 1, 1)
    h = spread * torch.randn(3, 2, 1, 2, generator=rng)
    found = call(deviation, h, shape=(), reason="One number for the whole batch.")
    of_each = h.std(0, unbiased=False)  # [channels, rows, columns]
    compare(
        found,
        of_each.mean(),
        slips={
            "That is the deviation of all numbers together; pictures are to be compared at each "
            "channel and place: h.std(0).": (h.std(unbiased=False), h.std()),
            "The deviation is taken over channels; compare the *pictures*, dimension 0.": (
                h.std(1, unbiased=False).mean()
            ),
            "The deviation is taken over places; compare the *pictures*, dimension 0.": (
                h.std((2, 3), unbiased=False).mean(),
                h.std((0, 2, 3), unbiased=False).mean(),
            ),
            "The deviation is taken within each picture; compare the *pictures*, dimension 0.": (
                h.std((1, 2, 3), unbiased=False).mean()
            ),
            "Each channel and place has its own mean: h.mean(0), not h.mean().": (
                (h - h.mean()).square().mean(0).sqrt().mean()
            ),
            "That is the mean of absolute differences; square, take the mean, then the root.": (
                (h - h.mean(0)).abs().mean()
            ),
            "The squares are summed; divide by the number of pictures before the root.": (
                (h - h.mean(0)).square().sum(0).sqrt().mean()
            ),
            "That is the mean of variances; take the root of each before the mean.": (
                of_each.square().mean(),
                h.var(0).mean(),
            ),
            "The root is taken after the mean: mean of deviations, not root of mean variance.": (
                of_each.square().mean().sqrt()
            ),
            "h.std divides by n - 1 unless unbiased=False; here it is divided by n.": (
                h.std(0).mean()
            ),
            "The deviations are summed; take their mean.": of_each.sum(),
            "Channels and places are averaged first: what differs between pictures cancels.": (
                h.mean((1, 2, 3)).std(unbiased=False),
                h.mean((1, 2, 3)).std(),
            ),
        },
    )


q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** Minibatch deviation: how different are the pictures of a batch? The "
        "standard deviation over the pictures (divided by their number, not by one less) at each "
        "channel and place, then the mean of all these."
    ),
    stub='''\
def deviation(h):
    """One number; h: feature maps of a batch, [b, c, rows, columns]."""
    of_each = ____  # [c, rows, columns]
    return ____''',
    answer=("h.std(0, unbiased=False)", "of_each.mean()"),
    test=_test_deviation,
    hints=(
        "Which dimension counts the pictures? Compare them at one channel and place first.",
        "h.std(0, unbiased=False), then .mean().",
    ),
    mistakes=[
        (("h", "of_each.std(unbiased=False)"), "all numbers together"),
        (("h.std(1, unbiased=False)", "of_each.mean()"), "over channels"),
        (("h.std((2, 3), unbiased=False)", "of_each.mean()"), "over places"),
        (("h.flatten(1).std(1, unbiased=False)", "of_each.mean()"), "within each picture"),
        (("(h - h.mean()).square().mean(0)", "of_each.sqrt().mean()"), "its own mean"),
        (("(h - h.mean(0)).abs().mean(0)", "of_each.mean()"), "absolute differences"),
        (("(h - h.mean(0)).square().sum(0)", "of_each.sqrt().mean()"), "squares are summed"),
        (("h.var(0)", "of_each.mean()"), "mean of variances"),
        (("h.var(0, unbiased=False)", "of_each.mean()"), "mean of variances"),
        (("h.var(0, unbiased=False)", "of_each.mean().sqrt()"), "after the mean"),
        (("h.std(0)", "of_each.mean()"), "divides by n - 1"),
        (("h.std(0, unbiased=False)", "of_each.sum()"), "are summed"),
        (("h.mean((1, 2, 3))", "of_each.std(unbiased=False)"), "cancels"),
        (("h.std(0, unbiased=False)", "of_each"), "yours has the shape [2, 1, 2]"),
        (("h.std(0, unbiased=False)", "of_each.max()"), "small example"),
    ],
    setup=SETUP,
    praise="`minibatch_deviation` in `t2ilab/models/progressive.py` does it in groups of four.",
)


def _test_orthogonal(orthogonal) -> None:
    w = torch.tensor([[1.0, 2.0, 0.0], [0.5, -1.0, 2.0], [3.0, 0.0, 1.0], [-1.0, 1.0, 1.0]])
    found = call(orthogonal, w, shape=(), reason="The penalty is one number.")
    products, of_inputs = w @ w.T, w.T @ w
    off = products - torch.diag(products.diagonal())
    off_inputs = of_inputs - torch.diag(of_inputs.diagonal())
    compare(
        found,
        off.square().sum(),
        slips={
            "That is |W W^T - I|², eq. 2: it also wants each filter to have length 1. Eq. 3 takes "
            "the diagonal out.": (products - torch.eye(4)).square().sum(),
            "The diagonal counts in yours: filters would be pulled to 0. Multiply by 1 - I.": (
                products.square().sum()
            ),
            "W^T W compares inputs; filters are the *rows* here, so W W^T.": (
                off_inputs.square().sum()
            ),
            "Each pair counts once in yours; in the Frobenius norm twice.": off.square().sum() / 2,
            "That is the norm; the penalty is its square.": off.norm(),
            "The products are summed with their signs: opposite ones cancel. Square each.": (
                off.sum()
            ),
            "The absolute values are summed; the penalty sums squares.": off.abs().sum(),
            "The penalty is a sum; yours is the mean of all entries.": off.square().mean(),
            "Square each product, then sum; yours is the square of the sum.": off.sum().square(),
            "⊙ multiplies entry by entry (`*`); yours is a matrix product (`@`).": (
                (products @ (1 - torch.eye(4))).square().sum()
            ),
            "That is the sum of squared weights: no filter meets another. W W^T is `w @ w.T`.": (
                w.square().sum()
            ),
        },
    )


q4 = Exercise(
    name="q4",
    question=(
        "**Exercise 4.** Orthogonal regularisation, eq. 3 of BigGAN without β: the sum of squares "
        "of $W W^\\top \\odot (1 - I)$, for a weight whose rows are the filters."
    ),
    stub='''\
def orthogonal(w):
    """|W W^T ⊙ (1 - I)|², one number; w: [filters, inputs]."""
    products = ____  # [filters, filters]
    others = 1 - torch.eye(len(w))
    return ____''',
    answer=("w @ w.T", "(products * others).square().sum()"),
    test=_test_orthogonal,
    hints=(
        "Entry (i, j) of W W^T is the scalar product of filters i and j. Which ones are to be 0?",
        "products = w @ w.T; multiply by others, square, sum.",
    ),
    mistakes=[
        (("w @ w.T", "(products - torch.eye(len(w))).square().sum()"), "eq. 2"),
        (("w @ w.T", "products.square().sum()"), "The diagonal counts"),
        (("w.T @ w", "(products * (1 - torch.eye(len(products)))).square().sum()"), "W^T W"),
        (("w @ w.T", "(products * others).triu().square().sum()"), "counts once"),
        (("w @ w.T", "(products * others).norm()"), "its square"),
        (("w @ w.T", "(products * others).sum()"), "cancel"),
        (("w @ w.T", "(products * others).abs().sum()"), "absolute values"),
        (("w @ w.T", "(products * others).square().mean()"), "is a sum"),
        (("w @ w.T", "(products * others).sum().square()"), "square of the sum"),
        (("w @ w.T", "(products @ others).square().sum()"), "matrix product"),
        (("w", "products.square().sum()"), "no filter meets"),
        (("w @ w.T", "(products * others).square().sum(1)"), "yours has the shape [4]"),
        (("w @ w.T", "(products * torch.eye(len(w))).square().sum()"), "small example"),
    ],
    setup=SETUP,
    praise="`orthogonal` in `t2ilab/losses/orthogonal.py` is the same.",
)
