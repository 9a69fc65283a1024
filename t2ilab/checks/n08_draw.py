"""Exercises of notebook 08: where the filters lie, a stroke, what it costs."""

import torch

from t2ilab.checks.exercise import Exercise, Wrong
from t2ilab.checks.kit import call, compare, compare_terms, same


def _double(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _test_centres(centres) -> None:
    g, delta = _double([4.5, 2.0]), _double([2.0, 0.5])
    each = {"shape": (2, 4), "reason": "A row of 4 centres for each of the 2 windows."}
    found = call(centres, g, delta, 4, **each)
    steps, d = _double([-1.5, -0.5, 0.5, 1.5]), delta[:, None]
    right = g[:, None] + steps * d
    compare(
        found,
        right,
        "For g = [4.5, 2], delta = [2, 0.5] and 4 filters it should be {right}; yours is {found}.",
        slips={
            "i counts from 0 there, and the whole window lies one stride too low: that is the "
            "bug of the public ports. In eq. 19 i is 1, 2, ..., N.": right - d,
            "The middle of 1, 2, ..., N is (N + 1)/2: besides N/2, the half has to go off too.": (
                right + 0.5 * d
            ),
            "The half has the wrong sign: i - N/2 - 1/2 is 0 on average, yours is 1.": right + d,
            "The filters run the wrong way: the first has the smallest centre.": right.flip(1),
            "i counts from 0 there, and the half is missing: half a stride too low. In eq. 19 i is "
            "1, 2, ..., N, and i - N/2 - 1/2 is 0 on average.": right - 0.5 * d,
            "The stride is missing: neighbours lie delta apart.": g[:, None] + steps,
            "Neighbours lie delta apart, not 1/delta: multiply by the stride.": (
                g[:, None] + steps / d
            ),
            "g is the middle of the window. In yours it stands at its beginning: N/2 and 1/2 go "
            "off i.": (right + 1.5 * d, right + 2.5 * d),
            "The centre of the window, g, is missing.": (steps * d,),
        },
    )
    odd = call(centres, g, delta, 3)
    if not same(odd[:, 1] if odd.ndim == 2 and odd.shape[1] == 3 else odd, g):
        raise Wrong("With an odd number of filters the middle one lies at g; yours does not.")


_CENTRES = '''\
def centres(g, delta, n):
    """mu_i of n filters along one axis, i = 1, ..., n; eq. 19 and 20.

    g: [b], middle of the window, in pixels, the first being 1.  delta: [b], the stride.
    Returns [b, n].
    """
    i = ____
    return ____'''


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Where do the centres of the filters lie? Write "
        "$\\mu_i = g + (i - N/2 - 0.5)\\,\\delta$ for a whole batch of windows at once. Mind where "
        "$i$ begins."
    ),
    stub=_CENTRES,
    answer=("torch.arange(1, n + 1)", "g[:, None] + (i - n / 2 - 0.5) * delta[:, None]"),
    test=_test_centres,
    hints=(
        "The mean of all i - N/2 - 1/2 must be 0, or the window is not centred. Is it, if i "
        "begins at 0?",
        "torch.arange(1, n + 1) is [n]; g[:, None] and delta[:, None] are [b, 1].",
    ),
    mistakes=[
        (("torch.arange(n)", "g[:, None] + (i - n / 2 - 0.5) * delta[:, None]"), "public ports"),
        (("torch.arange(1, n + 1)", "g[:, None] + (i - n / 2) * delta[:, None]"), "the half has"),
        (
            ("torch.arange(1, n + 1)", "g[:, None] + (i - n / 2 + 0.5) * delta[:, None]"),
            "wrong sign",
        ),
        (
            ("torch.arange(1, n + 1)", "g[:, None] - (i - n / 2 - 0.5) * delta[:, None]"),
            "wrong way",
        ),
        (("torch.arange(1, n + 1)", "g[:, None] + (i - n / 2 - 0.5)"), "stride is missing"),
        (("torch.arange(n)", "g[:, None] + (i - n / 2) * delta[:, None]"), "half a stride"),
        (("torch.arange(1, n + 1)", "g[:, None] + i * delta[:, None]"), "at its beginning"),
        (("torch.arange(n)", "g[:, None] + i * delta[:, None]"), "at its beginning"),
        (
            ("torch.arange(1, n + 1)", "g[:, None] + (i - n / 2 - 0.5) / delta[:, None]"),
            "not 1/delta",
        ),
        (("torch.arange(1, n + 1)", "(i - n / 2 - 0.5) * delta[:, None]"), "g, is missing"),
        (("torch.arange(1, n + 1)", "g + (i - n / 2 - 0.5) * delta"), "your code stopped"),
        (("torch.arange(1, n + 1)", "g[:, None] + (i - n // 2 - 0.5) * delta"), "code stopped"),
        (
            ("torch.arange(1, n + 1)", "g[:, None] + (i - n // 2 - 0.5) * delta[:, None]"),
            "odd number",
        ),
        (
            ("torch.arange(1, n + 1)", "(g + (i[:, None] - n / 2 - 0.5) * delta)"),
            "Rows and columns",
        ),
    ],
    praise="An odd window has a filter at g; an even one has two around it.",
)


def _test_written(written) -> None:
    rng = torch.Generator().manual_seed(0)
    patch = torch.randn(2, 3, 3, generator=rng, dtype=torch.float64)
    over_y = torch.rand(2, 3, 5, generator=rng, dtype=torch.float64).softmax(-1)
    over_x = torch.rand(2, 3, 6, generator=rng, dtype=torch.float64).softmax(-1)
    gamma = _double([2.0, 0.5])
    down, by = over_y.mT, gamma[:, None, None]
    right = down @ patch @ over_x / by
    found = call(
        written,
        patch,
        over_y,
        over_x,
        gamma,
        shape=(2, 5, 6),
        reason="F_Y has a column for each row of the picture, F_X one for each of its columns.",
    )
    off = float((found.detach() - right).abs().max())
    compare(
        found,
        right,
        f"For two small windows your stroke is off by up to {off:.2g} (the right one goes up to "
        f"{float(right.abs().max()):.2g}): `over_y` is turned and stands on the left, `over_x` on "
        "the right, and gamma divides.",
        slips={
            "The intensity: what reading multiplies by gamma, writing divides by it.": (
                right * by * by
            ),
            "gamma is missing: the stroke is divided by the intensity.": right * by,
            "The patch is transposed: its rows belong to F_Y.": down @ patch.mT @ over_x / by,
            "Divide by gamma once: here it is divided twice.": right / by,
            "Each window has a gamma of its own; yours takes their mean.": right
            * by
            / gamma.mean(),
            "Divide by gamma; yours takes it off.": right * by - by,
        },
    )


_WRITTEN = '''\
def written(patch, over_y, over_x, gamma):
    """The stroke that a patch makes on the canvas; eq. 29.

    patch: [b, N, N].  over_y: F_Y, [b, N, height].  over_x: F_X, [b, N, width].
    gamma: [b].  Returns [b, height, width].
    """
    return ____'''


q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Reading is $\\gamma\\, F_Y\\, x\\, F_X^\\top$: from picture to patch. "
        "Write the way back, from patch to picture: its transpose, divided by $\\gamma$."
    ),
    stub=_WRITTEN,
    answer="over_y.mT @ patch @ over_x / gamma[:, None, None]",
    test=_test_written,
    hints=(
        "Go by the shapes: [height, N] times [N, N] times [N, width].",
        "`.mT` transposes the last two axes of a batch of matrices; gamma[:, None, None] is "
        "[b, 1, 1].",
    ),
    mistakes=[
        ("over_y.mT @ patch @ over_x * gamma[:, None, None]", "writing divides"),
        ("over_y.mT @ patch @ over_x", "gamma is missing"),
        ("over_y.mT @ patch.mT @ over_x / gamma[:, None, None]", "patch is transposed"),
        ("over_y.mT @ patch @ over_x / gamma[:, None, None] ** 2", "divided twice"),
        ("over_x.mT @ patch @ over_y / gamma[:, None, None]", "shape [2, 5, 6]"),
        ("over_y @ patch @ over_x.mT / gamma[:, None, None]", "your code stopped"),
        ("over_y.mT @ patch @ over_x / gamma", "your code stopped"),
        ("(over_y.mT @ patch @ over_x / gamma[:, None, None]).sum(0)", "shape [2, 5, 6]"),
        ("over_y.mT @ patch @ over_x / gamma.mean()", "gamma of its own"),
        ("over_y.mT @ patch @ over_x - gamma[:, None, None]", "takes it off"),
        ("over_y.mT @ patch.tanh() @ over_x / gamma[:, None, None]", "two small windows"),
    ],
    praise="Each number of the patch paints a soft dot; a stroke is the sum of N x N of them.",
)


def _test_kl(kl_of_stroke) -> None:
    mu = _double([[0.5, -1.0, 2.0], [0.0, 0.3, -0.7]])
    log_sigma = _double([[0.2, -0.4, 0.1], [-1.0, 0.5, 0.25]])
    found = call(
        kl_of_stroke,
        mu,
        log_sigma,
        shape=(2,),
        reason="One number of nats a picture: the sum over its latents.",
    )
    square, variance = 0.5 * mu.square().sum(1), 0.5 * (2 * log_sigma).exp().sum(1)
    half = torch.full((2,), -0.5, dtype=torch.float64)
    compare_terms(
        found,
        (square, {"mu^2 is missing.": 0 * square, "mu counts squared.": 0.5 * mu.sum(1)}),
        (
            variance,
            {
                "sigma^2 is missing.": 0 * variance,
                "sigma^2 is exp(2 log sigma); yours is sigma.": 0.5 * log_sigma.exp().sum(1),
                "sigma^2 is exp(2 log sigma); yours is 2 sigma.": log_sigma.exp().sum(1),
                "sigma^2 is exp(2 log sigma); yours is the root of sigma.": (
                    0.5 * (log_sigma / 2).exp().sum(1)
                ),
                "sigma^2 is not (log sigma)^2: take the exponential.": (
                    0.5 * log_sigma.square().sum(1)
                ),
            },
        ),
        (
            -log_sigma.sum(1),
            {
                "The sign of the logarithm: a narrow q says more, and costs more.": log_sigma.sum(
                    1
                ),
                "log sigma^2 is 2 log sigma; yours counts it once.": -0.5 * log_sigma.sum(1),
                "The logarithm of sigma is missing.": 0 * variance,
                "log sigma^2 is 2 log sigma, not (log sigma)^2.": -0.5 * log_sigma.square().sum(1),
                "log sigma^2 is 2 log sigma; the network gives log sigma, not sigma.": (
                    -0.5 * log_sigma.square().log().sum(1)
                ),
            },
        ),
        (
            3 * half,
            {
                "The constant is -1/2 for *each latent*. Yours is -1/2 for the whole stroke, as in "
                "the paper, whose formula is right for one latent.": half,
                "The constant belongs to each latent: it stands within the sum.": 2 * half,
                "The constant is missing: at mu = 0 and sigma = 1 nothing is told, and it costs "
                "nothing.": 0 * half,
                "The sign of the constant: at mu = 0 and sigma = 1 all must cancel.": -3 * half,
            },
        ),
        slips={
            "That is the mean over the latents; they add up.": (
                square + variance - log_sigma.sum(1) + 3 * half
            )
            / 3,
            "The factor 1/2 is missing.": 2 * (square + variance - log_sigma.sum(1) + 3 * half),
        },
        otherwise="For two small q it should be {right} nats; yours is {found}.",
    )


_KL = '''\
def kl_of_stroke(mu, log_sigma):
    """KL(N(mu, sigma^2) || N(0, 1)) in nats, for one stroke of each picture.

    mu, log_sigma: [b, latents].  Returns [b].
    """
    return ____'''


q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** What does one stroke cost? For each latent it is "
        "$\\frac12 (\\mu^2 + \\sigma^2 - \\log \\sigma^2 - 1)$, and the latents are independent. "
        "The network gives $\\log \\sigma$."
    ),
    stub=_KL,
    answer="0.5 * (mu.square() + (2 * log_sigma).exp() - 2 * log_sigma - 1).sum(1)",
    test=_test_kl,
    hints=(
        "Write it for one latent first. Then: what is the KL of independent latents together?",
        "sigma^2 = exp(2 log_sigma). Take the sum over axis 1 of everything, the -1 included.",
    ),
    mistakes=[
        (
            "0.5 * (mu.square() + (2 * log_sigma).exp() - 2 * log_sigma).sum(1) - 0.5",
            "for *each latent*",
        ),
        ("0.5 * (mu.square() + (2 * log_sigma).exp() - 2 * log_sigma).sum(1)", "constant is miss"),
        (
            "0.5 * (mu.square() + (2 * log_sigma).exp() - 2 * log_sigma + 1).sum(1)",
            "sign of the constant",
        ),
        (
            "0.5 * (mu.square() + (2 * log_sigma).exp() - 2 * log_sigma).sum(1) - 1",
            "within the sum",
        ),
        ("0.5 * (mu.square() + log_sigma.exp() - 2 * log_sigma - 1).sum(1)", "yours is sigma"),
        (
            "0.5 * (mu.square() + log_sigma.exp() ** 2 - log_sigma ** 2 - 1).sum(1)",
            "not (log sigma)^2",
        ),
        ("0.5 * (mu.square() + log_sigma ** 2 - 2 * log_sigma - 1).sum(1)", "take the exponential"),
        (
            "0.5 * (mu.square() + 2 * log_sigma.exp() - 2 * log_sigma - 1).sum(1)",
            "yours is 2 sigma",
        ),
        (
            "0.5 * (mu.square() + log_sigma.exp() ** 2 - torch.log(log_sigma**2) - 1).sum(1)",
            "gives log sigma, not",
        ),
        ("0.5 * (mu.square() + (2 * log_sigma).exp() - log_sigma - 1).sum(1)", "counts it once"),
        ("0.5 * (mu.square() + (2 * log_sigma).exp() + 2 * log_sigma - 1).sum(1)", "narrow q"),
        ("0.5 * ((2 * log_sigma).exp() - 2 * log_sigma - 1).sum(1)", "mu^2 is missing"),
        ("(mu.square() + (2 * log_sigma).exp() - 2 * log_sigma - 1).sum(1)", "1/2 is missing"),
        (
            "0.5 * (mu.square() + (2 * log_sigma).exp() - 2 * log_sigma - 1).mean(1)",
            "mean over the latents",
        ),
        ("0.5 * (mu.square() + (2 * log_sigma).exp() - 2 * log_sigma - 1).sum()", "shape [2]"),
        ("0.5 * (mu.square() + (2 * log_sigma).exp() - 2 * log_sigma - 1)", "shape [2]"),
        (
            "0.5 * (mu.square() + (2 * log_sigma).exp() - 2 * log_sigma.exp().log2() - 1).sum(1)",
            "two small q",
        ),
    ],
    praise="It is 0 where q is the prior: nothing was told, nothing is paid.",
)
