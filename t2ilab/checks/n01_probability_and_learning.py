"""Exercises of notebook 01: the likelihood of pixels, the divergence, Bayes' rule."""

import torch

from t2ilab.checks.exercise import Exercise
from t2ilab.checks.kit import call, compare


def _double(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _test_likelihood(log_likelihood) -> None:
    x, theta = _double([[1.0, 0, 1], [0, 0, 1]]), _double([0.9, 0.2, 0.6])
    each = {"shape": (2,), "reason": "One number for each of the 2 pictures."}
    terms = x * theta.log() + (1 - x) * (1 - theta).log()
    compare(
        call(log_likelihood, theta, x, **each),
        terms.sum(1),
        "For theta = [0.9, 0.2, 0.6] and the pictures 101 and 001 it should be {right}; yours is "
        "{found}.",
        slips={
            "Only inked pixels count in yours. A white pixel says something as well: it has the "
            "probability 1 - theta.": (x * theta.log()).sum(1),
            "Independent pixels: their probabilities are multiplied, so the logarithms are added, "
            "and not averaged.": terms.mean(1),
            "That is the likelihood. Asked for is its logarithm, which stays a number of "
            "reasonable size with 64 pixels.": terms.sum(1).exp(),
            "Ink and white are exchanged.": (x * (1 - theta).log() + (1 - x) * theta.log()).sum(1),
            "The logarithm is taken of the sum of probabilities; probabilities of independent "
            "pixels are multiplied.": (x * theta + (1 - x) * (1 - theta)).sum(1).log(),
            "The sign: a log-likelihood is a logarithm of a probability, so it is negative.": -(
                terms.sum(1)
            ),
        },
    )


_LIKELIHOOD = '''\
def log_likelihood(theta, x):
    """log L(theta | x) of each picture, in nats (eq. 1).

    theta: [D], the probability of ink of each pixel. x: [n, D] of 0 and 1. Returns [n].
    """
    return ____'''

_RIGHT = "(x * theta.log() + (1 - x) * (1 - theta).log()).sum(1)"
q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** The likelihood of independent pixels. A picture has the probability "
        "$\\prod_i \\theta_i^{x_i} (1 - \\theta_i)^{1 - x_i}$; write its logarithm."
    ),
    stub=_LIKELIHOOD,
    answer=_RIGHT,
    test=_test_likelihood,
    hints=(
        "The logarithm turns the product into a sum over the pixels. What is the logarithm of "
        "theta to the power x?",
        "An inked pixel adds log theta, a white one log(1 - theta): weigh them with x and 1 - x, "
        "and sum over dimension 1.",
    ),
    mistakes=[
        ("(x * theta.log()).sum(1)", "Only inked pixels"),
        ("(x * theta.log() + (1 - x) * (1 - theta).log()).mean(1)", "not averaged"),
        (f"{_RIGHT}.exp()", "That is the likelihood"),
        ("(x * (1 - theta).log() + (1 - x) * theta.log()).sum(1)", "exchanged"),
        ("(x * theta + (1 - x) * (1 - theta)).sum(1).log()", "are multiplied"),
        (f"-{_RIGHT}", "The sign"),
        ("(x * theta.log() + (1 - x) * (1 - theta).log()).sum()", "shape [2]"),
        ("(x * theta.log2() + (1 - x) * (1 - theta).log2()).sum(1)", "it should be"),
    ],
    praise="`BernoulliMixture.log_joint` in `t2ilab/models/bernoulli.py` is this, as a product of "
    "matrices, for several theta at once.",
)


def _test_divergence(divergence) -> None:
    p, q = _double([0.5, 0.25, 0.25, 0.0]), _double([0.25, 0.25, 0.25, 0.25])
    one = {"shape": (), "reason": "One number: a sum over the sample space."}
    pair = _double([0.9, 0.1]), _double([0.6, 0.4])
    a, b = pair
    compare(
        call(divergence, a, b, **one),
        (a * (a / b).log()).sum(),
        "For P = [0.9, 0.1] and Q = [0.6, 0.4] it should be {right}; yours is {found}.",
        slips={
            "The two are exchanged: the logarithm is weighed by P, the first one.": (
                b * (b / a).log()
            ).sum(),
            "That is the sign of Q against P: P stands above in the fraction.": (
                a * (b / a).log()
            ).sum(),
            "The logarithms are not weighed: each state counts with its P.": (a / b).log().sum(),
            "A sum, not a mean: P are the weights already.": (a * (a / b).log()).mean(),
            "That is the cross-entropy of P and Q; the entropy of P is missing.": -(
                a * b.log()
            ).sum(),
        },
    )
    zero = (
        "A state that never occurs (P = 0) adds nothing, but 0 · log 0 is nan for a computer. "
        "Leave such states out, for instance with torch.where or by p[p > 0]."
    )
    value = call(divergence, p, q, finite=zero, **one)
    compare(value, 0.5 * _double(2.0).log(), "With a state of P = 0: {right}; yours is {found}.")


_DIVERGENCE = '''\
def divergence(p, q):
    """KL(P || Q), in nats (eq. 3); states with P = 0 add nothing.

    p, q: [states], probabilities.
    """
    return ____'''

q2 = Exercise(
    name="q2",
    question="**Exercise 2.** The Kullback-Leibler divergence, $KL(P\\|Q) = \\sum_i P(x_i) \\log "
    "\\frac{P(x_i)}{Q(x_i)}$. Mind states that $P$ never visits.",
    stub=_DIVERGENCE,
    answer="(p[p > 0] * (p[p > 0] / q[p > 0]).log()).sum()",
    test=_test_divergence,
    hints=(
        "A mean under P of the logarithm of P/Q: `(p * ...).sum()`. What does the computer make "
        "of 0 * log 0?",
        "Keep the states with p > 0: `p[p > 0]` and `q[p > 0]`.",
    ),
    mistakes=[
        ("(p * (p / q).log()).sum()", "adds nothing"),
        ("(q * (q / p).log()).sum()", "exchanged"),
        ("(p[p > 0] * (q[p > 0] / p[p > 0]).log()).sum()", "sign of Q against P"),
        ("(p[p > 0] / q[p > 0]).log().sum()", "not weighed"),
        ("(p[p > 0] * (p[p > 0] / q[p > 0]).log()).mean()", "A sum, not a mean"),
        ("-(p * q.log()).sum()", "cross-entropy"),
        ("p * (p / q).log()", "One number"),
        ("(p[p > 0] * (p[p > 0] / q[p > 0]).log2()).sum()", "it should be"),
    ],
    praise="`kl` in `t2ilab/exact/divergences.py` is the same, for many pairs at once.",
)


def _test_posterior(posterior) -> None:
    log_likelihood = _double([[-900.0, -901.0, -903.0], [-1.0, -1.0, -2.0]])
    prior = _double([0.2, 0.3, 0.5])
    shape = {"shape": (2, 3), "reason": "One probability for each of 2 pictures and 3 classes."}
    safely = (
        "exp(-900) is 0 for a computer, and 0 / 0 is nan. Add the logarithm of the prior first, "
        "and let softmax divide."
    )
    value = call(posterior, log_likelihood, prior, finite=safely, **shape)
    joint = log_likelihood + prior.log()
    compare(
        value,
        joint.softmax(1),
        "With the log-likelihoods [[-900, -901, -903], [-1, -1, -2]] and the prior "
        "[0.2, 0.3, 0.5] it should be {right}; yours is {found}.",
        slips={
            "The prior is missing: that is right only where all classes are equally "
            "frequent.": log_likelihood.softmax(1),
            "The prior is a probability and the likelihood a logarithm: add log prior.": (
                log_likelihood + prior
            ).softmax(1),
            "The evidence P(x) sums over the classes, not over the pictures: dimension 1.": (
                joint.softmax(0)
            ),
            "Those are logarithms; asked for are probabilities.": joint.log_softmax(1),
        },
    )


_POSTERIOR = '''\
def posterior(log_likelihood, prior):
    """P(y | x) by Bayes' rule (eq. 4).

    log_likelihood: [n, K], log P(x | y) of n pictures. prior: [K], P(y). Returns [n, K].
    """
    return ____'''

q3 = Exercise(
    name="q3",
    question="**Exercise 3.** Bayes' rule: from what each class says of a picture to what the "
    "picture says of the class, $P(y|x) = P(x|y)\\,P(y) / P(x)$. Log-likelihoods of large pictures "
    "are numbers like −900.",
    stub=_POSTERIOR,
    answer="(log_likelihood + prior.log()).softmax(1)",
    test=_test_posterior,
    hints=(
        "The numerator in logarithms is a sum. The evidence is the sum of the numerators over "
        "all classes: which function divides exponentials by their sum?",
        "softmax over dimension 1 of log P(x|y) + log P(y).",
    ),
    mistakes=[
        ("log_likelihood.softmax(1)", "prior is missing"),
        ("(log_likelihood + prior).softmax(1)", "add log prior"),
        ("(log_likelihood + prior.log()).softmax(0)", "not over the pictures"),
        ("(log_likelihood + prior.log()).log_softmax(1)", "asked for are probabilities"),
        (
            "log_likelihood.exp() * prior / (log_likelihood.exp() * prior).sum(1, keepdim=True)",
            "exp(-900) is 0",
        ),
        ("(log_likelihood - prior.log()).softmax(1)", "it should be"),
        ("(log_likelihood + prior.log()).softmax(1).max(1).values", "3 classes"),
    ],
    praise="`BernoulliMixture.posterior` does this, and adds up components of one class.",
)
