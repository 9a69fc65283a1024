"""Exercises of notebook 02: the delta of a hidden layer, Adam's first step, transposed sizes."""

import torch

from t2ilab.checks.exercise import Exercise, Wrong
from t2ilab.checks.kit import call, compare


def _test_hidden_delta(hidden_delta) -> None:
    rng = torch.Generator().manual_seed(0)
    z, W2, d2 = (
        torch.randn(*shape, generator=rng, dtype=torch.float64)
        for shape in ((4, 3), (3, 2), (4, 2))
    )
    value = call(
        hidden_delta, d2, W2, z, shape=(4, 3), reason="One number for each unit of each example."
    )
    h = z.tanh()
    right = (d2 @ W2.T) * (1 - h**2)
    compare(
        value,
        right,
        "For a small example it should be {right}; yours is {found}.",
        slips={
            "The slope of tanh is missing: what arrives at h passes through the activation.": (
                d2 @ W2.T
            ),
            "The slope of tanh at z is 1 - tanh(z)², not 1 - z².": (d2 @ W2.T) * (1 - z**2),
            "That multiplies by tanh itself; the chain rule asks for its slope.": (d2 @ W2.T) * h,
            "The sign: W2 carries the error back as it is.": -right,
            "d2 already holds the 1/n of the mean: do not divide again.": right / 4,
            "That is the slope of the sigmoid; the activation here is tanh.": (d2 @ W2.T)
            * z.sigmoid()
            * (1 - z.sigmoid()),
        },
    )


_HIDDEN = '''\
def hidden_delta(d2, W2, z):
    """dL/dz of the hidden layer h = tanh(z), for logits h @ W2 + b2.

    d2: [n, K], dL/dlogits. W2: [H, K]. z: [n, H]. Returns [n, H].
    """
    return ____'''

q1 = Exercise(
    name="q1",
    question="**Exercise 1.** The step of backpropagation: the error of the logits, carried back "
    "to what the hidden units received. Which way does it take through $W_2$, and what does tanh "
    "do to it?",
    stub=_HIDDEN,
    answer="(d2 @ W2.T) * (1 - z.tanh() ** 2)",
    test=_test_hidden_delta,
    hints=(
        "The chain rule in two steps: first dL/dh, through the matrix; then dh/dz, unit by unit.",
        "logits = h @ W2, so dL/dh = d2 @ W2.T. And tanh' = 1 - tanh².",
    ),
    mistakes=[
        ("d2 @ W2.T", "slope of tanh is missing"),
        ("(d2 @ W2.T) * (1 - z ** 2)", "not 1 - z²"),
        ("(d2 @ W2.T) * z.tanh()", "chain rule asks for its slope"),
        ("-(d2 @ W2.T) * (1 - z.tanh() ** 2)", "The sign"),
        ("(d2 @ W2.T) * (1 - z.tanh() ** 2) / len(z)", "already holds the 1/n"),
        ("(d2 @ W2.T) * z.sigmoid() * (1 - z.sigmoid())", "slope of the sigmoid"),
        ("(d2 @ W2.T).sum(0) * (1 - z.tanh().mean(0) ** 2)", "shape [4, 3]"),
        ("(d2 @ W2.T) * (1 - z.tanh())", "small example"),
    ],
    praise="With it a network of any depth can be trained: the same line, layer after layer.",
)


def _test_adam_step(adam_step) -> None:
    g = torch.tensor([0.5, -2.0, 1e-3], dtype=torch.float64)
    m, s, t = 0.1 * g, 0.001 * g**2, 1
    lr, betas, eps = 0.1, (0.9, 0.999), 1e-8
    value = call(
        adam_step, m, s, t, lr, *betas, eps, shape=(3,), reason="A step for each parameter."
    )
    right = -lr * g / (g.abs() + eps)
    raw = -lr * m / (s.sqrt() + eps)
    compare(
        value,
        right,
        "After one gradient g = [0.5, -2, 0.001] the step should be {right}; yours is {found}.",
        slips={
            "The memories began at 0 and are too small at first: divide m by 1 - 0.9^t and s by "
            "1 - 0.999^t.": raw,
            "The sign: downhill, against the gradient.": -right,
            "s holds squares: take the root.": -lr * g / (g**2 + eps),
            "Only m is corrected; s lacks a factor too.": -lr * g / (s.sqrt() + eps),
            "Only s is corrected; m lacks a factor too.": -lr * m / (g.abs() + eps),
            "eps stands outside the root: sqrt(s_hat) + eps.": -lr * g / (g**2 + eps).sqrt(),
            "Right but for eps: that is the quicker form from the end of the paper's section 2, "
            "where eps is another number. Here it is added to sqrt(s_hat).": -lr
            * (1 - betas[1]) ** 0.5
            / (1 - betas[0])
            * m
            / (s.sqrt() + eps),
            "Too little is corrected by *dividing*: 1 - beta^t is below 1.": -lr
            * m
            * (1 - betas[0])
            / ((s * (1 - betas[1])).sqrt() + eps),
        },
    )
    later = call(adam_step, m, s, 3, lr, *betas, eps, shape=(3,))
    if torch.allclose(later, value):
        raise Wrong("For t = 3 yours is the same as for t = 1. The correction fades with t.")
    m_hat, s_hat = m / (1 - betas[0] ** 3), s / (1 - betas[1] ** 3)
    compare(later, -lr * m_hat / (s_hat.sqrt() + eps), "For t = 3: {right}; yours is {found}.")


_ADAM = '''\
def adam_step(m, s, t, lr, beta1, beta2, eps):
    """What Adam adds to theta in its step t = 1, 2, ...

    m, s: the running means of g and of g², begun at 0 and updated with this step's g.
    """
    return ____'''

_RIGHT = "-lr * m / (1 - beta1 ** t) / ((s / (1 - beta2 ** t)).sqrt() + eps)"
q2 = Exercise(
    name="q2",
    question="**Exercise 2.** Adam's step (Kingma and Ba, Algorithm 1). After one step the running "
    "means hold a tenth of $g$ and a thousandth of $g^2$: correct both for what they lack.",
    stub=_ADAM,
    answer=_RIGHT,
    test=_test_adam_step,
    hints=(
        "How much of all the weight 1 has been given out after t steps? m holds 1 - beta1^t of it.",
        "m_hat = m / (1 - beta1**t), s_hat likewise; the step is -lr * m_hat / (sqrt(s_hat) + "
        "eps).",
    ),
    mistakes=[
        ("-lr * m / (s.sqrt() + eps)", "too small at first"),
        (_RIGHT[1:], "The sign"),
        ("-lr * m / (1 - beta1 ** t) / (s / (1 - beta2 ** t) + eps)", "take the root"),
        ("-lr * m / (1 - beta1 ** t) / (s.sqrt() + eps)", "Only m is corrected"),
        ("-lr * m / ((s / (1 - beta2 ** t)).sqrt() + eps)", "Only s is corrected"),
        ("-lr * m / (1 - beta1 ** t) / (s / (1 - beta2 ** t) + eps).sqrt()", "outside the root"),
        ("-lr * (1 - beta2 ** t) ** 0.5 / (1 - beta1 ** t) * m / (s.sqrt() + eps)", "quicker form"),
        ("-lr * m * (1 - beta1 ** t) / ((s * (1 - beta2 ** t)).sqrt() + eps)", "by *dividing*"),
        ("-lr * m / (1 - beta1) / ((s / (1 - beta2)).sqrt() + eps)", "fades with t"),
    ],
    praise="The first step is lr for every parameter, however large its gradient is.",
)


def _test_size(transposed_size) -> None:
    n = torch.tensor([4, 5, 7])
    for k, s, p in ((4, 2, 1), (3, 2, 0), (3, 1, 1)):
        value = call(
            transposed_size, n, k, s, p, shape=(3,), reason="One size for each of the 3 pictures."
        )
        slips = {
            "That is the size after a convolution; asked for is the way back.": (n + 2 * p - k) // s
            + 1,
            "The padding is taken away on both sides: twice.": (n - 1) * s - p + k,
            "The padding of the convolution is cut off here, not added.": (n - 1) * s + 2 * p + k,
            "n footprints lie n - 1 strides apart, not n.": n * s - 2 * p + k,
            "The last footprint is as wide as the kernel.": (n - 1) * s - 2 * p,
        }
        compare(
            value,
            (n - 1) * s - 2 * p + k,
            f"For n = [4, 5, 7], kernel {k}, stride {s}, padding {p} it should be {{right}}; "
            "yours is {found}.",
            slips=slips,
        )


_SIZE = '''\
def transposed_size(n, kernel, stride, padding):
    """Pixels a side that a transposed convolution makes of n, which may be a tensor."""
    return ____'''

q3 = Exercise(
    name="q3",
    question="**Exercise 3.** Each pixel of the small picture paints a footprint as large as the "
    "kernel; the footprints lie `stride` apart, and `padding` pixels are cut off at each edge. How "
    "large is the picture?",
    stub=_SIZE,
    answer="(n - 1) * stride + kernel - 2 * padding",
    test=_test_size,
    hints=(
        "Where does the last footprint begin, and how wide is it?",
        "It begins at (n - 1) * stride and is `kernel` wide; then cut 2 * padding.",
    ),
    mistakes=[
        ("(n + 2 * padding - kernel) // stride + 1", "after a convolution"),
        ("(n - 1) * stride + kernel - padding", "twice"),
        ("(n - 1) * stride + kernel + 2 * padding", "not added"),
        ("n * stride + kernel - 2 * padding", "n - 1 strides"),
        ("(n - 1) * stride - 2 * padding", "as wide as the kernel"),
        ("n * stride", "it should be"),
    ],
    praise="4, 2, 1 (kernel, stride, padding) doubles exactly: the choice of DCGAN.",
)
