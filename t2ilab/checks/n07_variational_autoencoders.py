"""Exercises of notebook 07: the KL in closed form, a sample with a gradient, the bound of k."""

import math

import torch

from t2ilab.checks.exercise import Exercise, Wrong
from t2ilab.checks.kit import call, compare, compare_terms, same

SETUP = "import math\nimport numpy as np\nimport torch\nimport torch.nn.functional as F"


def _test_kl(kl) -> None:
    mu = torch.tensor([[0.0, 1.0, 2.0], [0.5, 0.0, -1.0]])
    logvar = torch.tensor([[0.0, -1.0, 1.0], [0.4, 0.2, -2.0]])
    each = {
        "shape": (2,),
        "reason": "One KL for each of the 2 pictures: sum over the numbers of z.",
    }
    found = call(kl, mu, logvar, **each)
    squares, variance, logs = mu.square().sum(1), logvar.exp().sum(1), logvar.sum(1)
    ones = torch.full((2,), 3.0)
    twice = squares + variance - logs - ones
    compare_terms(
        found,
        (
            0.5 * squares,
            {
                "mu² is missing: a q far from 0 costs something.": 0 * squares,
                "mu counts squared.": 0.5 * mu.sum(1),
            },
        ),
        (
            0.5 * variance,
            {
                "sigma² is exp(logvar); where is it?": 0 * variance,
                "exp(logvar / 2) is sigma; the KL holds sigma².": 0.5 * (logvar / 2).exp().sum(1),
                "exp(logvar) is sigma² already; yours is squared once more.": (
                    0.5 * (2 * logvar).exp().sum(1)
                ),
                "exp(-logvar) is 1/sigma²; the KL holds sigma².": 0.5 * (-logvar).exp().sum(1),
            },
        ),
        (
            -0.5 * logs,
            {
                "- log sigma² is missing: a narrow q costs something.": 0 * logs,
                "The sign of log sigma²: a narrow q costs more.": 0.5 * logs,
                "logvar is log sigma² already; it counts once.": (-logs, -0.25 * logs),
            },
        ),
        (
            -0.5 * ones,
            {
                "The -1 is missing: at mu = 0, sigma = 1 the KL should be 0.": 0 * ones,
                "The sign of the 1: at mu = 0, sigma = 1 the KL should be 0.": 0.5 * ones,
                "The -1 belongs to each number of z, so it stands within the sum.": (
                    -ones / 6,
                    -ones / 3,
                ),
            },
        ),
        slips={
            "The factor 1/2 is missing.": twice,
            "The sign: that is -KL, and a KL is never negative.": -0.5 * twice,
            "That is the mean over the numbers of z. They are independent, so their KLs add up.": (
                twice / 6
            ),
        },
        otherwise="For a small example it should be {right}; yours is {found}.",
    )


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Write $D_{KL}(\\mathcal N(\\mu, \\sigma^2) \\,\\|\\, \\mathcal N(0, 1)) = "
        "\\frac12 \\sum_j (\\mu_j^2 + \\sigma_j^2 - \\log \\sigma_j^2 - 1)$. The network gives "
        "$\\log \\sigma^2$, so that any number is allowed."
    ),
    stub='''\
def kl_to_prior(mu, logvar):
    """KL(N(mu, exp(logvar)) || N(0, I)) in nats, of each picture.

    mu, logvar: [pictures, numbers of z]; returns [pictures].
    """
    return ____''',
    answer="0.5 * (mu.square() + logvar.exp() - logvar - 1).sum(1)",
    test=_test_kl,
    hints=(
        "Four terms for each number of z. Which of them is logvar, and which its exponential?",
        "sigma² = logvar.exp(). Sum over dimension 1, and take the half.",
    ),
    mistakes=[
        ("(mu.square() + logvar.exp() - logvar - 1).sum(1)", "factor 1/2"),
        ("-0.5 * (mu.square() + logvar.exp() - logvar - 1).sum(1)", "never negative"),
        ("0.5 * (mu.square() + logvar.exp() - logvar - 1)", "shape [2]"),
        ("0.5 * (mu.square() + logvar.exp() - logvar - 1).mean(1)", "their KLs add up"),
        ("0.5 * (mu.square() + (logvar / 2).exp() - logvar - 1).sum(1)", "is sigma"),
        ("0.5 * (mu.square() + logvar.exp() - logvar).sum(1)", "The -1 is missing"),
        ("0.5 * (logvar.exp() - logvar - 1).sum(1)", "mu² is missing"),
        ("0.5 * (mu.square() + logvar.exp() + logvar - 1).sum(1)", "sign of log sigma²"),
        ("0.5 * (mu + logvar.exp() - logvar - 1).sum(1)", "mu counts squared"),
        ("0.5 * (mu.square() + logvar.exp() ** 2 - logvar - 1).sum(1)", "squared once more"),
        ("0.5 * (mu.square() + (-logvar).exp() - logvar - 1).sum(1)", "is 1/sigma²"),
        ("0.5 * (mu.square() + logvar.exp() - 2 * logvar - 1).sum(1)", "it counts once"),
        ("0.5 * (mu.square() + logvar.exp() - logvar / 2 - 1).sum(1)", "it counts once"),
        ("0.5 * (mu.square() + logvar.exp() - logvar + 1).sum(1)", "sign of the 1"),
        ("0.5 * (mu.square() + logvar.exp() - logvar).sum(1) - 1", "within the sum"),
        ("0.5 * ((mu.square() + logvar.exp() - logvar).sum(1) - 1)", "within the sum"),
        ("0.5 * (mu.square() + logvar.square() - logvar - 1).sum(1)", "small example"),
    ],
    setup=SETUP,
    praise="`gaussian_kl` in `t2ilab/losses/variational.py` is the same, number by number.",
)


def _test_sample(sample) -> None:
    mu, logvar = torch.tensor([[1.0, -2.0]]), torch.tensor([[-2.0, 2.0]])
    epsilon = torch.tensor([[0.5, 1.0]])
    each = {
        "shape": (1, 2),
        "reason": "One z for each epsilon.",
        "finite": "log sigma² may be negative, and has no root then: sigma is exp(logvar / 2).",
    }
    found = call(sample, mu, logvar, epsilon, **each)
    if not same(found, call(sample, mu, logvar, epsilon, **each)):
        raise Wrong(
            "Two calls with the same epsilon give two different z: you draw noise of your own. The "
            "noise comes in as epsilon; nothing is drawn here."
        )
    right = mu + (logvar / 2).exp() * epsilon
    compare(
        found,
        right,
        "For a small example it should be {right}; yours is {found}.",
        slips={
            "That multiplies epsilon by sigma²: its samples have the variance sigma⁴. The slide "
            "makes this slip; sigma is asked for, exp(logvar / 2).": mu + logvar.exp() * epsilon,
            "That multiplies epsilon by log sigma²; sigma is exp(logvar / 2).": (
                mu + logvar * epsilon,
                mu + logvar / 2 * epsilon,
            ),
            "mu is missing: the samples lie around 0.": right - mu,
            "sigma is missing: every q would have the variance 1.": mu + epsilon,
            "epsilon is missing: that is no sample.": (mu + (logvar / 2).exp(), mu),
            "The sign of log sigma²: that divides by sigma.": mu + epsilon / (logvar / 2).exp(),
            "Its distribution is right, for -epsilon is noise as well; but eq. 3 adds.": (
                2 * mu - right
            ),
            "exp(logvar) / 2 is half of sigma²; the half belongs to logvar, before exp.": (
                mu + logvar.exp() / 2 * epsilon
            ),
            "sigma stretches the noise, and nothing else: mu stays as it is.": (
                epsilon + (logvar / 2).exp() * mu,
                (mu + epsilon) * (logvar / 2).exp(),
            ),
        },
    )
    a, b = mu.clone().requires_grad_(), logvar.clone().requires_grad_()
    z = sample(a, b, epsilon)
    slopes = torch.autograd.grad(z.sum(), (a, b), allow_unused=True) if z.requires_grad else (None,)
    if any(one is None for one in slopes):
        raise Wrong(
            "The value is right, but no gradient reaches both mu and logvar. Do not detach them, "
            "and draw nothing yourself: the noise comes in as epsilon."
        )


q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Make a sample of $q = \\mathcal N(\\mu, \\sigma^2)$ out of noise "
        "$\\epsilon \\sim \\mathcal N(0, 1)$, so that a gradient passes through it to $\\mu$ and "
        "to $\\log \\sigma^2$."
    ),
    stub='''\
def reparameterised(mu, logvar, epsilon):
    """z ~ N(mu, exp(logvar)), differentiable by mu and logvar; all of one shape."""
    sigma = ____
    return ____''',
    answer=("(0.5 * logvar).exp()", "mu + sigma * epsilon"),
    test=_test_sample,
    hints=(
        "Move and stretch the noise. What must it be multiplied by, so that its variance is "
        "sigma²?",
        "sigma = sqrt(exp(logvar)) = exp(logvar / 2); then mu + sigma * epsilon.",
    ),
    mistakes=[
        (("logvar.exp()", "mu + sigma * epsilon"), "variance sigma⁴"),
        (("logvar", "mu + sigma * epsilon"), "log sigma²"),
        (("0.5 * logvar", "mu + sigma * epsilon"), "log sigma²"),
        (("(0.5 * logvar).exp()", "sigma * epsilon"), "mu is missing"),
        (("(0.5 * logvar).exp()", "mu + epsilon"), "sigma is missing"),
        (("(0.5 * logvar).exp()", "mu + sigma"), "epsilon is missing"),
        (("(-0.5 * logvar).exp()", "mu + sigma * epsilon"), "divides by sigma"),
        (("(0.5 * logvar).exp().detach()", "mu + sigma * epsilon"), "no gradient reaches"),
        (("(0.5 * logvar).exp()", "(mu + sigma * epsilon).detach()"), "no gradient reaches"),
        (("(0.5 * logvar).exp()", "mu + sigma * torch.randn_like(mu)"), "noise of your own"),
        (("logvar.sqrt()", "mu + sigma * epsilon"), "has no root"),
        (("(0.5 * logvar).exp()", "mu - sigma * epsilon"), "eq. 3 adds"),
        (("0.5 * logvar.exp()", "mu + sigma * epsilon"), "before exp"),
        (("(0.5 * logvar).exp()", "(mu + epsilon) * sigma"), "stretches the noise"),
        (("(2 * logvar).exp()", "mu + sigma * epsilon"), "small example"),
    ],
    setup=SETUP,
    praise="The noise has no parameters, so it does not stand in the gradient's way.",
)


def _test_bound(bound) -> None:
    log_w = torch.tensor([[1.0, -2.0], [3.0, -2.0], [0.0, 1.0], [2.0, 0.5]])
    each = {"shape": (2,), "reason": "One bound for each of the 2 pictures: k is the first axis."}
    found = call(bound, log_w, **each)
    right = log_w.logsumexp(0) - math.log(4)
    compare(
        found,
        right,
        "For k = 4 it should be {right}; yours is {found}.",
        slips={
            "- log k is missing: the weights are averaged, not added up. Without it the number "
            "rises with k for no merit, and is no bound.": log_w.logsumexp(0),
            "log k is taken off, not added.": log_w.logsumexp(0) + math.log(4),
            "That is the mean of the logarithms, the ELBO. Asked for is the logarithm of the mean "
            "weight.": log_w.mean(0),
            "That is divided by k after the logarithm: log (1/k sum w) = log sum w - log k.": (
                log_w.logsumexp(0) / 4
            ),
            "Those are mean weights; the logarithm is missing.": log_w.exp().mean(0),
            "k, not log k, is taken off.": log_w.logsumexp(0) - 4,
            "k is the number of samples, the first axis; yours is not.": (
                log_w.logsumexp(0) - math.log(2),
                log_w.logsumexp(0) - math.log(8),
            ),
            "The weights are divided by k, not their logarithms.": (
                (log_w / 4).logsumexp(0),
                (log_w - math.log(4)).sum(0),
            ),
            "That is the largest log w alone; the others count as well.": (
                log_w.amax(0),
                log_w.amax(0) - math.log(4),
            ),
        },
    )
    three = call(bound, log_w[:3], **each)
    compare(
        three,
        log_w[:3].logsumexp(0) - math.log(3),
        "For k = 4 it is right; for k = 3 it should be {right}; yours is {found}.",
        slips={
            "For k = 4 it is right, for k = 3 not: is a 4 written there? k is len(log_w).": (
                log_w[:3].logsumexp(0) - math.log(4)
            )
        },
    )
    small = (
        "Weights of pictures are like exp(-900), which is 0 in a computer. Use logsumexp, which "
        "takes out the largest first."
    )
    far = call(bound, torch.full((3, 2), -900.0), **each, finite=small)
    compare(far, torch.full((2,), -900.0), small)


q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** Write one estimate of $\\mathcal L_k = \\mathbb E\\,[\\log \\frac1k "
        "\\sum_{i=1}^k w_i]$ from $\\log w_i$."
    ),
    stub='''\
def bound_of_k(log_w):
    """log of the mean importance weight, of each picture.

    log_w: [k, pictures], log p(x, z_i) - log q(z_i|x); returns [pictures].
    """
    return ____''',
    answer="log_w.logsumexp(0) - math.log(len(log_w))",
    test=_test_bound,
    hints=(
        "log (1/k sum w) = log sum w - log k, and w = exp(log w).",
        "`log_w.logsumexp(0)` is the first term; k is `len(log_w)`.",
    ),
    mistakes=[
        ("log_w.logsumexp(0)", "log k is missing"),
        ("log_w.logsumexp(0) + math.log(len(log_w))", "not added"),
        ("log_w.mean(0)", "the ELBO"),
        ("log_w.exp().mean(0).log()", "exp(-900)"),
        ("log_w.exp().mean(0)", "logarithm is missing"),
        ("log_w.logsumexp(0) / len(log_w)", "after the logarithm"),
        ("log_w.logsumexp(0) - len(log_w)", "k, not log k"),
        ("log_w.logsumexp(1) - math.log(log_w.shape[1])", "k is the first axis"),
        ("log_w.logsumexp(0) - math.log(4)", "is a 4 written there"),
        ("log_w.logsumexp(0) - math.log(log_w.shape[1])", "number of samples"),
        ("log_w.logsumexp(0) - math.log(log_w.numel())", "number of samples"),
        ("(log_w / len(log_w)).logsumexp(0)", "not their logarithms"),
        ("log_w.amax(0)", "largest log w alone"),
        ("log_w.logsumexp(0) - math.log2(len(log_w))", "For k = 4"),
    ],
    setup=SETUP,
    praise="With k = 1 it is the ELBO. `importance_bound` is the same.",
)
