"""Exercises of notebook 14: the update, the fall of the divergence, one step of Gibbs sampling."""

import torch

from t2ilab.checks.exercise import Exercise, Wrong
from t2ilab.checks.kit import call, compare, compare_terms, same


def _double(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _test_corrected(corrected) -> None:
    p = _double([0.5, 0.25, 0.25, 0.0])
    h = _double([1.0, 2.0, 4.0, 9.0]).log()  # the ratios q(+|x) / q(-|x)
    each = {"shape": (4,), "reason": "One probability for each of the 4 states."}
    zero = "Where p = 0 log p is -inf: softmax makes 0 of it again; other sums and products do not."
    new = call(corrected, p, h, **each, finite=zero)
    sigmoid = p * h.sigmoid()
    compare(
        new,
        [0.25, 0.25, 0.5, 0.0],
        "With p = [0.5, 0.25, 0.25, 0] and the ratios [1, 2, 4, 9] it should be {right}; yours is "
        "{found}" + (f", which sums to {float(new.sum()):.3f}." if not same(new.sum(), 1) else "."),
        slips={
            "Probabilities sum to 1; yours sum to 2: divide by Z.": p * h.exp(),
            "The old model is missing: what p_t was is multiplied by the ratio, not replaced "
            "by it.": h.softmax(0),
            "It goes the wrong way: where the classifier says 'data' (h > 0) the model has too "
            "little, and must rise.": (p.log() - h).softmax(0),
            "That multiplies by q(+|x). Eq. 2.6 has the ratio of q(+|x) and q(-|x), and h is "
            "its logarithm.": sigmoid / sigmoid.sum(),
            "That multiplies by h, the *logarithm* of the ratio: the ratio itself is exp(h).": p
            * h
            / (p * h).sum(),
            "Softmax takes logarithms: h is one, but p is none yet.": (p + h).softmax(0),
            "Softmax takes logarithms; what you give it are ratios.": (p * h.exp()).softmax(0),
            "Those are logarithms; what is asked for are probabilities.": p.log() + h,
        },
    )
    large = _double([900.0, 900.0])
    safely = (
        "With logits of 900 exp(h) is too large to be written. Add logarithms first, and let "
        "softmax do the rest."
    )
    call(corrected, p[:2], large, finite=safely)


_CORRECTED = '''\
def corrected(p, h):
    """p_{t+1}, from p_t and the classifier's logits h = log q(+|x) - log q(-|x).

    p, h: [states]; p sums to 1, and so should what is returned.
    """
    return ____'''


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Write one correction of the model, $p_{t+1}(x) = \\frac1{Z_t} "
        "\\frac{q(+|x)}{q(-|x)}\\, p_t(x)$, from the logits of the classifier. Logits may be "
        "large, so stay with logarithms as long as you can."
    ),
    stub=_CORRECTED,
    answer="(p.log() + h).softmax(0)",
    test=_test_corrected,
    hints=(
        "The ratio is exp(h). What must the product with p be divided by, so that it sums to 1?",
        "softmax divides exponentials by their sum, safely. The exponential of what is p * exp(h)?",
    ),
    mistakes=[
        ("p * h.exp()", "sum to 1"),
        ("h.softmax(0)", "old model is missing"),
        ("(p.log() - h).softmax(0)", "the wrong way"),
        ("p * h.sigmoid() / (p * h.sigmoid()).sum()", "ratio of q(+|x) and q(-|x)"),
        ("p * h.exp() / (p * h.exp()).sum()", "exp(h) is too large"),
        ("p * h / (p * h).sum()", "*logarithm* of the ratio"),
        ("(p.log() + 2 * h).softmax(0)", "it should be"),
        ("(p * h.exp()).sum()", "shape [4]"),
        ("(p + h).softmax(0)", "p is none yet"),
        ("(p * h.exp()).softmax(0)", "softmax takes logarithms"),
        ("p * h.exp() / (p * h.exp()).mean()", "which sums to 4"),
        ("p.log() + h - (p * h.exp()).sum().log()", "-inf in 1 of 4 values"),
    ],
    praise="`update` in `t2ilab/exact/tu.py` does the same, and returns log Z as well.",
)


def _test_fall(fall) -> None:
    data, p = _double([0.1, 0.2, 0.3, 0.4]), _double([0.4, 0.3, 0.2, 0.1])
    h = _double([0.3, -0.2, 1.0, 0.5])
    mean, z = (data * h).sum(), (p * h.exp()).sum()
    whole = "The fall is of the whole space: an expectation is a sum over the states."
    value = call(fall, data, p, h, shape=(), reason=whole)
    over_the_data = "The mean of h is taken over the data, for the divergence is: E_data h."
    weighed = "Z is the mean of exp(h) under the model: each state counts with its p_t."
    compare_terms(
        value,
        (
            mean,
            {
                over_the_data: ((p * h).sum(), h.mean()),
                "E_data h is a sum over the states: p_data are the weights.": (data * h).mean(),
                "The sign of E_data h: it is the gain, and counts positively.": -mean,
                "E_data h is missing.": 0,
            },
        ),
        (
            -z.log(),
            {
                "Z is missing: exp(h) p does not sum to 1 by itself; log Z is what that costs.": 0,
                "Look at the sign of log Z: p_{t+1} is divided by Z.": z.log(),
                "The logarithm of Z is missing.": -z,
                weighed: (-h.exp().mean().log(), -h.exp().sum().log()),
                "Z is the sum of exp(h) p_t: the model's probabilities, not the data's.": -(
                    data * h.exp()
                )
                .sum()
                .log(),
                "Z sums p_t exp(h), and its logarithm is taken last. You sum p_t h.": -(
                    p * h
                ).sum(),
                "The logarithm is taken of the sum, not summed.": -(p * h.exp()).log().sum(),
            },
        ),
        slips={
            "The sign: D before minus D after, positive where the model became better.": -(
                mean - z.log()
            )
        },
        otherwise="For a made-up h it should be {right}; yours is {found}. It is E_data h - log Z.",
    )
    exact = data.log() - p.log()
    compare(
        fall(data, p, exact),
        (data * exact).sum(),
        "With the exact classifier the fall should be the whole divergence.",
    )


_FALL = '''\
def fall_of_divergence(p_data, p, h):
    """D[data || p_t] - D[data || p_{t+1}], in nats, where p_{t+1} = exp(h) p_t / Z.

    p_data, p, h: [states], none of the probabilities 0.
    """
    return ____'''


q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Write the last line of the proof as code: by how much does one round "
        "lower the divergence?"
    ),
    stub=_FALL,
    answer="(p_data * h).sum() - (p * h.exp()).sum().log()",
    test=_test_fall,
    hints=(
        "Two terms: the mean of h over the data, and log(1/Z). Over which distribution does "
        "the sum in Z run?",
        "An expectation under p_data is `(p_data * ...).sum()`. Z = sum of p * exp(h).",
    ),
    mistakes=[
        ("(p_data * h).sum()", "Z is missing"),
        ("(p_data * h).sum() + (p * h.exp()).sum().log()", "sign of log Z"),
        ("(p * h).sum() - (p * h.exp()).sum().log()", "over the data"),
        ("h.mean() - (p * h.exp()).sum().log()", "over the data"),
        ("(p_data * h).mean() - (p * h.exp()).sum().log()", "a sum over the states"),
        ("(p_data * h).sum() - h.exp().mean().log()", "counts with its p_t"),
        ("(p_data * h).sum() - h.exp().sum().log()", "counts with its p_t"),
        ("(p_data * h).sum() - (p_data * h.exp()).sum().log()", "not the data's"),
        ("(p_data * h).sum() - (p * h.exp()).sum()", "logarithm of Z is missing"),
        ("(p_data * h).sum() - (p * h.exp()).log().sum()", "of the sum, not summed"),
        ("(p * h.exp()).sum().log() - (p_data * h).sum()", "The sign: D before"),
        ("p_data * h - (p * h.exp()).log()", "one number"),
        ("(p_data * h).sum() - (p * h).sum()", "You sum p_t h"),
        ("(p * h).sum()", "E_data h. Z is missing"),
        ("(p_data * h).sum() - (p * h.exp()).sum().log2()", "made-up"),
        ("(p_data * (h - (p * h.exp()).sum().log())).sum().item()", "a Python float"),
    ],
    praise="With the exact classifier it is the whole divergence: nothing is left.",
)


def _test_inked(inked) -> None:
    def log_p(x):
        return 0.8 * x[:, 0] * x[:, 1] + 0.3 * x[:, 0] - 0.5 * x[:, 1]

    x = torch.ones(3, 9, dtype=torch.float64)
    x[1, 1] = x[2, 0] = -1
    each = {"shape": (3,), "reason": "One probability for each of the 3 pictures."}
    odds = 2 * (0.8 * x[:, 1] + 0.3)  # their logarithm
    value = call(inked, log_p, x, 0, **each)
    right = torch.sigmoid(odds)
    if not same(value, right):
        shifted = call(inked, lambda one: log_p(one) + 3, x, 0, **each)
        if not same(value, shifted):
            raise Wrong(
                "log p is known up to a constant only, and yours changes with it. Compare the "
                "picture with ink and the one without: the constant drops out."
            )
    compare(
        value,
        right,
        "For a small example it should be {right}; yours is {found}."
        + (" A probability lies between 0 and 1." if value.max() > 1 or value.min() < 0 else ""),
        slips={
            "That is the probability of white: the other way round.": 1 - right,
            "A probability lies between 0 and 1. Those are odds r, of ink against white; the "
            "probability is r / (1 + r), the sigmoid of their logarithm.": odds.exp(),
            "A probability lies between 0 and 1. Those are the log odds of ink against white; "
            "which function makes a probability of them?": odds,
        },
    )


_INKED = '''\
def inked(log_p, x, i):
    """The probability that pixel i is inked, given all other pixels.

    log_p: pictures [b, 9] of -1 and 1 to log p(x) [b], up to a constant.
    x: pictures [b, 9]; what their pixel i is at present does not matter.
    """
    ink, white = x.clone(), x.clone()
    ink[:, i], white[:, i] = 1, -1
    return ____'''


q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** One step of Gibbs sampling: with which probability is pixel `i` inked, "
        "given the eight others? You know $\\log p_t$ only up to a constant: nobody computed Z."
    ),
    stub=_INKED,
    answer="torch.sigmoid(log_p(ink) - log_p(white))",
    test=_test_inked,
    hints=(
        "Given the others there are two pictures left. p(ink) / (p(ink) + p(white)): what "
        "happens to a constant factor?",
        "Divide both by p(ink): 1 / (1 + exp(-(log p(ink) - log p(white)))). That function "
        "has a name.",
    ),
    mistakes=[
        ("log_p(ink).exp()", "up to a constant only"),
        ("torch.sigmoid(log_p(ink))", "up to a constant only"),
        ("log_p(ink) / (log_p(ink) + log_p(white))", "up to a constant only"),
        ("torch.sigmoid(log_p(white) - log_p(ink))", "the other way round"),
        ("(log_p(ink) - log_p(white)).exp()", "those are odds"),
        ("log_p(ink) - log_p(white)", "the log odds"),
        ("torch.sigmoid(2 * (log_p(ink) - log_p(white)))", "small example"),
        ("torch.sigmoid((log_p(ink) - log_p(white)).sum())", "shape [3]"),
        ("torch.sigmoid(log_p(ink[i]) - log_p(white[i]))", "your code stopped"),
        ("torch.sigmoid(ink - white)", "shape [3]"),
    ],
    praise="Pixel after pixel, again and again: this draws from p_t, and never asks for Z.",
)
