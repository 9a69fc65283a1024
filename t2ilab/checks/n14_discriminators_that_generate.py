"""Exercises of notebook 14: the update, the fall of the divergence, one step of Gibbs sampling."""

import math

import torch

from t2ilab.checks.exercise import Exercise, Wrong

SETUP = "import torch"


def _close(a, b) -> bool:
    return torch.allclose(torch.as_tensor(a).double(), b, atol=1e-6)


def _test_corrected(corrected) -> None:
    p = torch.tensor([0.5, 0.25, 0.25, 0.0], dtype=torch.float64)
    odds = torch.tensor([1.0, 2.0, 4.0, 9.0], dtype=torch.float64)  # q(+|x) / q(-|x)
    h = odds.log()
    right = torch.tensor([0.25, 0.25, 0.5, 0.0], dtype=torch.float64)
    new = torch.as_tensor(corrected(p, h))
    if new.shape != p.shape:
        raise Wrong(
            f"For each of the 4 states one probability: shape [4]; yours is {list(new.shape)}."
        )
    if _close(new, h.softmax(0)):
        raise Wrong(
            "The old model is missing: what p_t was is multiplied by the ratio, not replaced by it."
        )
    if not math.isclose(float(new.sum()), 1, abs_tol=1e-6):
        raise Wrong(f"Probabilities sum to 1; yours sum to {float(new.sum()):.3f}: divide by Z.")
    if new[0] > p[0]:
        raise Wrong(
            "It goes the wrong way: where the classifier says 'data' (h > 0) the model "
            "has too little, and must rise."
        )
    sigmoid = p * h.sigmoid()
    if _close(new, sigmoid / sigmoid.sum()):
        raise Wrong(
            "That multiplies by q(+|x). Eq. 2.6 has the ratio of q(+|x) and q(-|x), "
            "and h is its logarithm."
        )
    if not _close(new, right):
        raise Wrong(
            f"With p = {p.tolist()} and the ratios {odds.tolist()} it should be "
            f"{right.tolist()}; yours is {[round(v, 3) for v in new.tolist()]}."
        )
    large = torch.as_tensor(corrected(p[:2], torch.tensor([900.0, 900.0], dtype=torch.float64)))
    if not torch.isfinite(large).all():
        raise Wrong(
            "With logits of 900 it is not finite: exp(900) is too large to be written. "
            "Add logarithms first, and let softmax do the rest."
        )


_CORRECTED = '''\
def corrected(p, h):
    """p_{t+1}, from p_t and the classifier's logits h = log q(+|x) - log q(-|x).

    p, h: [states]; p sums to 1, and so should what is returned.
    """
    return ____'''


def _update(expression: str) -> str:
    return _CORRECTED.replace("____", expression)


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Write one correction of the model, $p_{t+1}(x) = \\frac1{Z_t} "
        "\\frac{q(+|x)}{q(-|x)}\\, p_t(x)$, from the logits of the classifier. Logits may be "
        "large, so stay with logarithms as long as you can."
    ),
    reads=("corrected",),
    stub=_CORRECTED,
    answer=_update("(p.log() + h).softmax(0)"),
    setup=SETUP,
    test=_test_corrected,
    hints=(
        "The ratio is exp(h). What must the product with p be divided by, so that it sums to 1?",
        "softmax divides exponentials by their sum, safely. The exponential of what is p * exp(h)?",
    ),
    mistakes=[
        (_update("p * h.exp()"), "sum to 1"),
        (_update("h.softmax(0)"), "old model is missing"),
        (_update("(p.log() - h).softmax(0)"), "the wrong way"),
        (_update("p * h.sigmoid() / (p * h.sigmoid()).sum()"), "ratio of q(+|x) and q(-|x)"),
        (_update("p * h.exp() / (p * h.exp()).sum()"), "not finite"),
        (_update("(p.log() + 2 * h).softmax(0)"), "it should be"),
        (_update("(p * h.exp()).sum()"), "shape [4]"),
        (_update("(p + h).softmax(0)"), "it should be"),
    ],
    praise="`update` in `t2ilab/trainers/tu.py` does the same, and returns log Z as well.",
)


def _test_fall(fall) -> None:
    data = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    p = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    exact = data.log() - p.log()
    whole = (data * exact).sum()  # the exact classifier takes it all
    h = torch.tensor([0.3, -0.2, 1.0, 0.5], dtype=torch.float64)
    log_z, mean = (p * h.exp()).sum().log(), (data * h).sum()
    value = torch.as_tensor(fall(data, p, h))
    if value.shape != ():
        raise Wrong(
            f"The fall is one number for the whole space; yours has the shape "
            f"{list(value.shape)}: an expectation is a sum over the states."
        )
    if _close(value, mean):
        raise Wrong(
            "Z is missing: exp(h) p does not sum to 1 by itself, and log Z is what that costs."
        )
    if _close(value, mean + log_z):
        raise Wrong("Look at the sign of log Z: p_{t+1} is divided by Z.")
    if _close(value, (p * h).sum() - log_z):
        raise Wrong("The mean of h is taken over the data, for the divergence is: E_data h.")
    if _close(value, -(mean - log_z)):
        raise Wrong("The sign: D before minus D after, positive where the model became better.")
    if _close(value, mean - h.exp().mean().log()) or _close(value, mean - h.exp().sum().log()):
        raise Wrong("Z is the mean of exp(h) under the model: each state counts with its p_t.")
    if _close(value, mean - (data * h.exp()).sum().log()):
        raise Wrong("Z is the sum of exp(h) p_t: the model's probabilities, not the data's.")
    if not _close(value, mean - log_z):
        raise Wrong(
            f"For a made-up h it should be {float(mean - log_z):.4f}; yours is "
            f"{float(value):.4f}. It is E_data h - log Z."
        )
    if not _close(fall(data, p, exact), whole):
        raise Wrong("With the exact classifier the fall should be the whole divergence.")


_FALL = '''\
def fall_of_divergence(p_data, p, h):
    """D[data || p_t] - D[data || p_{t+1}], in nats, where p_{t+1} = exp(h) p_t / Z.

    p_data, p, h: [states], none of the probabilities 0.
    """
    return ____'''


def _falls(expression: str) -> str:
    return _FALL.replace("____", expression)


q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Write the last line of the proof as code: by how much does one round "
        "lower the divergence?"
    ),
    reads=("fall_of_divergence",),
    stub=_FALL,
    answer=_falls("(p_data * h).sum() - (p * h.exp()).sum().log()"),
    setup=SETUP,
    test=_test_fall,
    hints=(
        "Two terms: the mean of h over the data, and log(1/Z). Over which distribution does "
        "the sum in Z run?",
        "An expectation under p_data is `(p_data * ...).sum()`. Z = sum of p * exp(h).",
    ),
    mistakes=[
        (_falls("(p_data * h).sum()"), "Z is missing"),
        (_falls("(p_data * h).sum() + (p * h.exp()).sum().log()"), "sign of log Z"),
        (_falls("(p * h).sum() - (p * h.exp()).sum().log()"), "over the data"),
        (_falls("(p_data * h).sum() - h.exp().mean().log()"), "counts with its p_t"),
        (_falls("(p_data * h).sum() - h.exp().sum().log()"), "counts with its p_t"),
        (_falls("(p_data * h).sum() - (p_data * h.exp()).sum().log()"), "not the data's"),
        (_falls("(p * h.exp()).sum().log() - (p_data * h).sum()"), "The sign"),
        (_falls("p_data * h - (p * h.exp()).log()"), "one number"),
        (_falls("(p_data * h).sum() - (p * h).sum()"), "made-up"),
    ],
    praise="With the exact classifier it is the whole divergence: nothing is left.",
)


def _test_inked(inked) -> None:
    def log_p(x):
        return 0.8 * x[:, 0] * x[:, 1] + 0.3 * x[:, 0] - 0.5 * x[:, 1]

    x = torch.ones(3, 9, dtype=torch.float64)
    x[1, 1] = x[2, 0] = -1
    right = torch.sigmoid(2 * (0.8 * x[:, 1] + 0.3))
    value = torch.as_tensor(inked(log_p, x.clone(), 0))
    if value.shape != (3,):
        raise Wrong(
            f"For each of the 3 pictures one probability: shape [3]; yours is {list(value.shape)}."
        )
    shifted = torch.as_tensor(inked(lambda one: log_p(one) + 3, x.clone(), 0))
    if not _close(value, shifted.double()):
        raise Wrong(
            "log p is known up to a constant only, and yours changes with it. Compare "
            "the picture with ink and the one without: the constant drops out."
        )
    if _close(value, 1 - right):
        raise Wrong("That is the probability of white: the other way round.")
    if (value > 1).any() or (value < 0).any():
        raise Wrong(
            "A probability lies between 0 and 1. Odds r, of ink against white, are the "
            "probability r / (1 + r): the sigmoid of their logarithm."
        )
    if not _close(value, right):
        raise Wrong(
            f"For a small example it should be "
            f"{[round(v, 3) for v in right.tolist()]}; yours is "
            f"{[round(v, 3) for v in value.tolist()]}."
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


def _gibbs(expression: str) -> str:
    return _INKED.replace("____", expression)


q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** One step of Gibbs sampling: with which probability is pixel `i` inked, "
        "given the eight others? You know $\\log p_t$ only up to a constant: nobody computed Z."
    ),
    reads=("inked",),
    stub=_INKED,
    answer=_gibbs("torch.sigmoid(log_p(ink) - log_p(white))"),
    setup=SETUP,
    test=_test_inked,
    hints=(
        "Given the others there are two pictures left. p(ink) / (p(ink) + p(white)): what "
        "happens to a constant factor?",
        "Divide both by p(ink): 1 / (1 + exp(-(log p(ink) - log p(white)))). That function "
        "has a name.",
    ),
    mistakes=[
        (_gibbs("log_p(ink).exp()"), "up to a constant only"),
        (_gibbs("torch.sigmoid(log_p(ink))"), "up to a constant only"),
        (_gibbs("torch.sigmoid(log_p(white) - log_p(ink))"), "the other way round"),
        (_gibbs("(log_p(ink) - log_p(white)).exp()"), "between 0 and 1"),
        (_gibbs("log_p(ink) - log_p(white)"), "between 0 and 1"),
        (_gibbs("torch.sigmoid(2 * (log_p(ink) - log_p(white)))"), "small example"),
        (_gibbs("torch.sigmoid((log_p(ink) - log_p(white)).sum())"), "shape [3]"),
    ],
    praise="Pixel after pixel, again and again: this draws from p_t, and never asks for Z.",
)
