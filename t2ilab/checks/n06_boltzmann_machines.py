"""Exercises of notebook 06: the free energy, the gradient, and where its second mean comes from."""

import torch
import torch.nn.functional as F

from t2ilab.checks.exercise import Exercise, Wrong
from t2ilab.checks.kit import call, compare, compare_terms, same


def _double(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _test_free_energy(free_energy) -> None:
    v = _double([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    W = _double([[0.5, -1.0], [2.0, 0.3], [-0.7, 1.2]])
    a, b = _double([0.4, -0.9, 0.2]), _double([0.1, -0.6])
    each = {"shape": (2,), "reason": "One number for each row of v: sum over the hidden units."}
    value = call(free_energy, v, W, a, b, **each)
    inputs, visible = v @ W + b, v @ a
    softplus = F.softplus(inputs).sum(1)
    compare_terms(
        value,
        (
            -visible,
            {
                "The sign of v'a: it stands in the energy with a minus.": visible,
                "v'a is missing: it does not depend on h, and stays as it is.": 0,
            },
        ),
        (
            -softplus,
            {
                "The sign of the hidden part: F is minus a logarithm.": softplus,
                "The hidden part is missing.": 0,
                "b is missing: a hidden unit receives v'W + b.": -F.softplus(v @ W).sum(1),
                "P(h = 1 | v) is the sigmoid; the sum over h = 0 and h = 1 gives 1 + exp(input), "
                "and its logarithm is the softplus.": -torch.sigmoid(inputs).sum(1),
                "A hidden unit may be 0 as well: the sum has the term exp(0) = 1.": -inputs.sum(1),
                "The logarithm of a product is a sum over the hidden units.": (
                    -F.softplus(inputs.sum(1)),
                    -F.softplus(inputs).mean(1),
                ),
            },
        ),
        otherwise="For two made-up pictures it should be {right}; yours is {found}.",
    )
    safely = "With inputs of 900 exp is too large to be written: F.softplus is safe."
    call(free_energy, v, W, a, _double([900.0, 900.0]), finite=safely)


_FREE_ENERGY = '''\
def free_energy(v, W, a, b):
    """F(v) = -log sum_h exp(-E(v, h)) of each row of v.

    v: [n, D]; W: [D, K]; a: [D]; b: [K]. Returns [n].
    """
    return ____'''


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Sum out the hidden units: $F(v) = -\\log \\sum_h e^{-E(v, h)}$. There are "
        "$2^K$ terms in the sum, and your line needs $K$. Inputs may be large."
    ),
    stub=_FREE_ENERGY,
    answer="-(v @ a) - F.softplus(v @ W + b).sum(1)",
    test=_test_free_energy,
    hints=(
        "Given v, the exponential of -E is a product over the hidden units. What is the sum of one "
        "factor over h_j = 0 and h_j = 1?",
        "Each unit contributes log(1 + exp(input)), which is F.softplus(v @ W + b). v'a stays.",
    ),
    mistakes=[
        ("(v @ a) - F.softplus(v @ W + b).sum(1)", "sign of v'a"),
        ("-F.softplus(v @ W + b).sum(1)", "v'a is missing"),
        ("-(v @ a) + F.softplus(v @ W + b).sum(1)", "sign of the hidden part"),
        ("-(v @ a) - F.softplus(v @ W).sum(1)", "b is missing"),
        ("-(v @ a) - torch.sigmoid(v @ W + b).sum(1)", "softplus"),
        ("-(v @ a) - (v @ W + b).sum(1)", "may be 0 as well"),
        ("-(v @ a) - F.softplus((v @ W + b).sum(1))", "product is a sum"),
        ("-(v @ a) - F.softplus(v @ W + b).mean(1)", "product is a sum"),
        ("-(v @ a) - (1 + (v @ W + b).exp()).log().sum(1)", "softplus is safe"),
        ("-(v @ a) - F.softplus(v @ W + b).sum()", "made-up"),
        ("-(v @ a)[:, None] - F.softplus(v @ W + b)", "shape [2]"),
    ],
    praise="-F(v) is log p(v), but for log Z.",
)


def _test_gradient(gradient) -> None:
    v_data = _double([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    h_data = _double([[0.9, 0.2, 0.4], [0.1, 0.8, 0.5], [0.3, 0.3, 0.7], [0.6, 0.1, 0.2]])
    v_model, h_model = (
        _double([[0.0, 1.0], [1.0, 1.0]]),
        _double([[0.7, 0.6, 0.1], [0.2, 0.9, 0.8]]),
    )
    each = {"shape": (2, 3), "reason": "One number for each weight."}
    value = call(gradient, v_data, h_data, v_model, h_model, **each)
    data, model = v_data.T @ h_data, v_model.T @ h_model
    compare(
        value,
        data / 4 - model / 2,
        "With 4 pictures and 2 samples it should be {right}; yours is {found}.",
        slips={
            "The sign: this is the gradient of +log p. The data come with a plus (their energy "
            "falls), the model's samples with a minus.": model / 2 - data / 4,
            "Those are sums. There are 4 pictures and 2 samples: with sums the data would count "
            "twice. Divide each by its own number of rows.": data - model,
            "The negative phase is missing: without it all weights grow for ever.": data / 4,
            "The positive phase is missing.": -model / 2,
            "Both are divided by the same number; each has its own number of rows.": (
                (data - model) / 4,
                (data - model) / 2,
            ),
            "That is <v><h>, a product of means. Asked for is the mean of the products: how often "
            "both are on *together*.": torch.outer(v_data.mean(0), h_data.mean(0))
            - torch.outer(v_model.mean(0), h_model.mean(0)),
            "The two phases are added; they pull in opposite directions.": data / 4 + model / 2,
        },
    )


_GRADIENT = '''\
def gradient_of_W(v_data, h_data, v_model, h_model):
    """<v h>_data - <v h>_model, the gradient of the mean log p(v) by W.

    v_data: [n, D]; h_data: [n, K], P(h | v_data); v_model, h_model: the same, of m samples.
    Returns [D, K].
    """
    return ____'''


q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Write the update's direction for the weights: uphill in $\\log p$. There "
        "may be more pictures than samples, or fewer."
    ),
    stub=_GRADIENT,
    answer="v_data.T @ h_data / len(v_data) - v_model.T @ h_model / len(v_model)",
    test=_test_gradient,
    hints=(
        "How often is pixel i on together with unit j, in the data, and in the model's dreams?",
        "`v.T @ h` sums v_i h_j over the rows; divide each by its own number of rows. Uphill: data "
        "minus model.",
    ),
    mistakes=[
        ("v_model.T @ h_model / len(v_model) - v_data.T @ h_data / len(v_data)", "The sign"),
        ("v_data.T @ h_data - v_model.T @ h_model", "Those are sums"),
        ("v_data.T @ h_data / len(v_data)", "negative phase is missing"),
        ("-v_model.T @ h_model / len(v_model)", "positive phase is missing"),
        ("(v_data.T @ h_data - v_model.T @ h_model) / len(v_data)", "same number"),
        (
            "torch.outer(v_data.mean(0), h_data.mean(0)) - "
            "torch.outer(v_model.mean(0), h_model.mean(0))",
            "product of means",
        ),
        ("v_data.T @ h_data / len(v_data) + v_model.T @ h_model / len(v_model)", "are added"),
        ("h_data.T @ v_data / len(v_data) - h_model.T @ v_model / len(v_model)", "changed places"),
        ("v_data.T @ h_data - v_model.T @ h_model / len(v_model)", "it should be"),
    ],
    praise="`likelihood_gradient` in `t2ilab/trainers/rbm.py` does the same for W, a and b.",
)


def _turned(v: torch.Tensor) -> torch.Tensor:
    """In the place of a Gibbs step: pixels move on by one, so that steps can be counted."""
    return v.roll(1, dims=1)


def _test_negative_phase(negative_phase) -> None:
    v, chains = torch.eye(8)[:2].double(), 1 - torch.eye(8)[:3].double()
    asked = {"kind": tuple, "reason": "the samples, and the chains"}
    found = {}
    for method in ("pcd", "cd"):
        both = call(negative_phase, v, chains, method, 3, _turned, **asked)
        if len(both) != 2 or not all(isinstance(one, torch.Tensor) for one in both):
            raise Wrong("Return two tensors: the samples, and the chains for the next update.")
        found[method] = both
    _judge_samples("PCD", found["pcd"][0], chains, {"the data": v})
    if same(found["pcd"][1], chains):
        raise Wrong(
            "PCD's chains are to go on from where this update leaves them; yours are handed back "
            "as they came. The next update would begin at the same place again."
        )
    if not same(found["pcd"][1], found["pcd"][0]):
        raise Wrong("With PCD the chains of the next update are the samples of this one.")
    _judge_samples("CD", found["cd"][0], v, {"the chains": chains})
    if not same(found["cd"][1], chains):
        raise Wrong("CD does not use the chains: hand them back as they came.")


def _judge_samples(name: str, samples, start, others) -> None:
    """Whether these are three steps away from where they should begin."""
    if same(samples, start.roll(3, 1)):
        return
    for what, other in others.items():
        if any(same(samples, other.roll(n, 1)) for n in range(8)):
            right = "the data" if name == "CD" else "its chains"
            raise Wrong(f"{name} begins at {right}; yours began at {what}.")
    for n in (0, 1, 2, 4, 5, 6, 7):
        if same(samples, start.roll(n, 1)):
            raise Wrong(f"With k = 3 there are three Gibbs steps; {name} took {n} here.")
    raise Wrong(f"{name}'s samples are not the {len(start)} rows it begins with, k steps later.")


_NEGATIVE_PHASE = '''\
def negative_phase(v_data, chains, method, k, step):
    """Samples for the second mean, and the chains as the next update will find them.

    v_data: [n, D]; chains: [m, D], as the last update left them; method: "cd" or "pcd";
    step(v): v after one Gibbs step. CD leaves the chains alone. Returns (samples, chains).
    """
    v = ____
    for _ in range(k):
        v = ____
    return v, ____'''


_BEGIN, _KEPT = 'v_data if method == "cd" else chains', 'chains if method == "cd" else v'

q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** Now the samples. CD begins at the data, in every update; PCD has chains "
        "of its own that go on from update to update. Both take $k$ Gibbs steps."
    ),
    stub=_NEGATIVE_PHASE,
    answer=(_BEGIN, "step(v)", _KEPT),
    test=_test_negative_phase,
    hints=(
        "Only two things differ between CD and PCD: where v begins, and what is kept for the next "
        "update.",
        '`a if method == "cd" else b` says both. CD begins at v_data and keeps the chains as '
        "they are; PCD begins at the chains and keeps v.",
    ),
    mistakes=[
        (("v_data", "step(v)", _KEPT), "PCD begins at its chains"),
        (("chains", "step(v)", _KEPT), "CD begins at the data"),
        (('chains if method == "cd" else v_data', "step(v)", _KEPT), "begins at its chains"),
        ((_BEGIN, "v", _KEPT), "three Gibbs steps"),
        ((_BEGIN, "step(v_data)", _KEPT), "yours began at the data"),
        ((_BEGIN, 'step(chains) if method == "pcd" else step(v)', _KEPT), "three Gibbs steps"),
        ((_BEGIN, "step(v)", "chains"), "as they came"),
        ((_BEGIN, "step(v)", 'v_data if method == "pcd" else chains'), "samples of this one"),
        ((_BEGIN, "step(v)", "v"), "CD does not use the chains"),
        ((_BEGIN, "step(step(v))", _KEPT), "took 6 here"),
    ],
    praise="That is all that contrastive and persistent contrastive divergence differ in.",
)
