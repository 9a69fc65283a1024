"""Exercises of notebook 01: maximum likelihood, the divergence, Bayes' posterior."""

import torch

from t2ilab.checks.exercise import Exercise
from t2ilab.checks.kit import call, compare


def _double(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _test_most_likely(most_likely) -> None:
    x = _double([[1, 0, 1], [1, 0, 0], [1, 1, 0], [0, 0, 0]])
    each = {"shape": (3,), "reason": "One probability for each of the 3 pixels."}
    found = call(most_likely, x, 0.0, **each)
    compare(
        found,
        [0.75, 0.25, 0.25],
        "Of 4 pictures 3, 1 and 1 have ink at the three pixels: without smoothing it should be "
        "{right}; yours is {found}.",
        slips={
            "That counts the ink. A probability is the share of the pictures that have it.": x.sum(
                0
            ),
            "That is the probability of white.": 1 - x.mean(0),
        },
    )
    compare(
        call(most_likely, x, 0.5, **each),
        [0.7, 0.3, 0.3],
        "Without smoothing it is right. With half a picture of either kind added it should be "
        "{right}; yours is {found}.",
        slips={
            "The smoothing is not used.": x.mean(0),
            "Half a picture of *either* kind is added: that makes one picture more, in all.": (
                (x.sum(0) + 0.5) / 4.5,
                (x.sum(0) + 0.5) / 4,
            ),
            "The added pictures with ink are missing above the line.": x.sum(0) / 5,
            "That adds to the share. The imagined pictures are added to the *counts*.": (
                (x.mean(0) + 0.5) / 2,
                x.mean(0) + 0.5,
            ),
        },
    )


_MOST_LIKELY = '''\
def most_likely(x, smoothing):
    """The theta [d] that makes the pictures x likeliest, theta_i the probability of ink.

    x: [n, d], 0 or 1.  smoothing: so many pictures with ink at each pixel, and as many
    without, are added to the n that were seen; 0 is the maximum of the likelihood.
    """
    return ____'''


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Pixels are independent coins: which $\\theta$ maximises the likelihood "
        "(eq. 2)? Set the derivative of $\\sum_n x_n \\log \\theta + (1 - x_n) \\log(1 - \\theta)$ "
        "to 0. Then add `smoothing` imagined pictures of either kind."
    ),
    stub=_MOST_LIKELY,
    answer="(x.sum(0) + smoothing) / (len(x) + 2 * smoothing)",
    test=_test_most_likely,
    hints=(
        "With h heads in n throws: h / theta = (n - h) / (1 - theta). Solve for theta.",
        "The share of pictures with ink, each count enlarged: (h + s) / (n + 2 s).",
    ),
    mistakes=[
        ("x.sum(0) + smoothing", "counts the ink"),
        ("x.mean(0)", "smoothing is not used"),
        ("1 - x.mean(0)", "probability of white"),
        ("(x.sum(0) + smoothing) / (len(x) + smoothing)", "either"),
        ("(x.sum(0) + smoothing) / len(x)", "either"),
        ("x.sum(0) / (len(x) + 2 * smoothing)", "above the line"),
        ("(x.mean(0) + smoothing) / (1 + 2 * smoothing)", "adds to the share"),
        ("(x.sum() + smoothing) / (len(x) + 2 * smoothing)", "shape [3]"),
        ("(x.sum(1) + smoothing) / (len(x) + 2 * smoothing)", "shape [3]"),
        ("(x.sum(0) + 2 * smoothing) / (len(x) + 4 * smoothing)", "half a picture"),
        ("(x.sum(0) + 1) / (len(x) + 2)", "without smoothing it should be"),
    ],
    praise="`fit` in `t2ilab/models/mixture.py` does the same, for several components.",
)


def _test_divergence(divergence) -> None:
    p, q = _double([0.5, 0.25, 0.25]), _double([0.25, 0.25, 0.5])
    whole = "The divergence is a sum over the states."
    found = call(divergence, p, q, shape=(), reason=whole)
    r = _double([0.7, 0.2, 0.1])
    found_r = call(divergence, p, r, shape=(), reason=whole)
    terms = p * (p.log() - r.log())
    compare(
        found_r,
        terms.sum(),
        "With p = [0.5, 0.25, 0.25] and q = [0.7, 0.2, 0.1] it should be {right} nats; yours is "
        "{found}.",
        slips={
            "That is D[q || p]: the first distribution weighs the terms.": (
                r * (r.log() - p.log())
            ).sum(),
            "Each term counts with p(x): that sums the logarithms alone.": (
                p.log() - r.log()
            ).sum(),
            "Only the cross-entropy is there: the entropy of p is missing.": -(p * r.log()).sum(),
            "That is the mean over the states: eq. 3 is a sum, and p(x) are the weights.": (
                terms.mean()
            ),
            "That is in bits; nats have the natural logarithm.": terms.sum() / _double(2.0).log(),
        },
    )
    compare(found, (p * (p.log() - q.log())).sum(), "It should be {right} nats; yours is {found}.")
    never = "Where p = 0 a term is 0 log 0 = 0, but 0 * log(0) is nan: see torch.where."
    zero = _double([0.5, 0.5, 0.0])
    compare(
        call(divergence, zero, q, shape=(), finite=never),
        0.5 * _double(2.0).log() + 0.5 * _double(2.0).log(),
        "Where p = 0 a term is 0 log 0 = 0. With p = [0.5, 0.5, 0] and q = [0.25, 0.25, 0.5] it "
        "should be {right}; yours is {found}.",
    )


_DIVERGENCE = '''\
def divergence(p, q):
    """D[p || q] in nats (eq. 3).  p, q: [states], each sums to 1; p may hold zeros."""
    return ____'''


q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Write eq. 3 as code, in nats. Where $P(x) = 0$ the term is 0, for "
        "$t \\log t \\to 0$."
    ),
    stub=_DIVERGENCE,
    answer="torch.where(p > 0, p * (p.log() - q.log()), 0.0).sum()",
    test=_test_divergence,
    hints=(
        "An expectation under p is `(p * ...).sum()`. What does your line give where p is 0?",
        "torch.where(p > 0, p * (p.log() - q.log()), 0.0) holds the terms.",
    ),
    mistakes=[
        ("(q * (q.log() - p.log())).sum()", "D[q || p]"),
        ("(p * (p.log() - q.log())).sum()", "0 * log(0) is nan"),
        ("(p.log() - q.log()).sum()", "sums the logarithms"),
        ("-(p * q.log()).sum()", "cross-entropy"),
        ("(p * (p.log() - q.log())).mean()", "eq. 3 is a sum"),
        ("torch.where(p > 0, p * (p.log2() - q.log2()), 0.0).sum()", "in bits"),
        ("torch.where(p > 0, p * (q.log() - p.log()), 0.0).sum()", "sign is turned round"),
        ("p * (p.log() - q.log())", "one number"),
        ("(p - q).abs().sum() / 2", "it should be"),
        ("(p * ((p + 0.01) / q).log()).sum()", "it should be"),
    ],
    praise="`kl` in `t2ilab/exact/divergences.py` does the same; chapter 14 counts in it.",
)


def _test_posterior(posterior) -> None:
    log_likelihood = _double([[0.2, 0.1, 0.7], [0.5, 0.5, 0.25]]).log()
    prior = _double([0.5, 0.25, 0.25])
    joint = log_likelihood.exp() * prior
    each = {"shape": (2, 3), "reason": "A probability for each picture (row) and class (column)."}
    found = call(posterior, log_likelihood, prior, **each)
    right = joint / joint.sum(1, keepdim=True)
    compare(
        found,
        right,
        "For two pictures and three classes it should be {right}; yours is {found}.",
        slips={
            "The prior is missing: that is right only where all classes are equally frequent.": (
                log_likelihood.softmax(1)
            ),
            "Each row should sum to 1: divide by the evidence p(x).": joint,
            "The sum in p(x) runs over the classes, so each *row* sums to 1; in yours the columns "
            "do.": joint / joint.sum(0),
            "That divides by a sum over pictures and classes; p(x) is of one picture.": joint
            / joint.sum(),
            "Those are logarithms; what is asked for are probabilities.": (
                right.log(),
                joint.log(),
            ),
            "Softmax takes logarithms: the prior is none yet.": (log_likelihood + prior).softmax(1),
            "The prior is divided by; Bayes' rule multiplies by it.": (
                log_likelihood - prior.log()
            ).softmax(1),
        },
    )
    small = "A picture of many pixels has log p(x|y) of -1000 or less, and exp of it is 0: 0 / 0. "
    call(
        posterior,
        log_likelihood - 2000,
        prior,
        **each,
        finite=small + "Add logarithms, and let softmax do the rest.",
    )


_POSTERIOR = '''\
def posterior(log_likelihood, prior):
    """p(y|x) [n, classes], from log p(x|y) [n, classes] and p(y) [classes] (eq. 4)."""
    return ____'''


q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** Bayes' rule (eq. 4) for all pictures at once. The likelihood of a "
        "picture is a product of many numbers below 1: stay with logarithms as long as you can."
    ),
    stub=_POSTERIOR,
    answer="(log_likelihood + prior.log()).softmax(1)",
    test=_test_posterior,
    hints=(
        "The evidence p(x) is the sum over y of p(x|y) p(y): what makes each row sum to 1.",
        "softmax(1) of log p(x, y). What is log p(x, y), given log p(x|y) and p(y)?",
    ),
    mistakes=[
        ("log_likelihood.softmax(1)", "prior is missing"),
        ("log_likelihood.exp() * prior", "divide by the evidence"),
        ("(log_likelihood + prior.log()).softmax(0)", "the columns"),
        ("(log_likelihood + prior).softmax(1)", "prior is none yet"),
        ("(log_likelihood - prior.log()).softmax(1)", "divided by"),
        ("(log_likelihood + prior.log()).log_softmax(1)", "those are logarithms"),
        ("log_likelihood + prior.log()", "those are logarithms"),
        (
            "log_likelihood.exp() * prior / (log_likelihood.exp() * prior).sum(1, keepdim=True)",
            "0 / 0",
        ),
        ("log_likelihood.exp() * prior / (log_likelihood.exp() * prior).sum()", "of one picture"),
        ("(log_likelihood + prior.log()).argmax(1)", "shape [2, 3]"),
        ("(2 * log_likelihood + prior.log()).softmax(1)", "two pictures"),
    ],
    praise="A generative model has become a classifier.",
)
