"""Exercises of notebook 03: the memory cell, one step back in time, perplexity."""

import torch
import torch.nn.functional as F

from t2ilab.checks.exercise import Exercise
from t2ilab.checks.kit import call, compare


def _test_memory(memory) -> None:
    rng = torch.Generator().manual_seed(0)
    i, f, c, g = (torch.rand(3, 2, generator=rng, dtype=torch.float64) for _ in range(4))
    value = call(memory, i, f, c, g, shape=(3, 2), reason="One number a cell.")
    compare(
        value,
        f * c + i * g,
        "For a small example it should be {right}; yours is {found}.",
        slips={
            "The gates are exchanged: f says what is kept of c, i what is let in.": i * c + f * g,
            "That keeps all of c: the forget gate is missing.": c + i * g,
            "That lets in all of g: the input gate is missing.": f * c + g,
            "That is a GRU's way, one gate for both. An LSTM has two.": (
                f * c + (1 - f) * g,
                (1 - i) * c + i * g,
            ),
            "g is a candidate, tanh(...) already: no second tanh.": f * c + i * g.tanh(),
            "That only forgets: what is let in, i * g, is to be added.": f * c,
            "i and f lie in [0, 1] already: no second sigmoid.": f.sigmoid() * c + i.sigmoid() * g,
            "Two parts are to be added: what is kept, and what is let in.": f * c * i * g,
            "tanh comes later, when the cell is read (eq. 11).": (f * c + i * g).tanh(),
        },
    )


_MEMORY = '''\
def memory(i, f, c, g):
    """The new memory cell c' (eq. 9).

    i, f: what the input gate and the forget gate let through, in [0, 1]. c: the old cell.
    g: the candidate, tanh(...). All [b, H]. Returns [b, H].
    """
    return ____'''

q1 = Exercise(
    name="q1",
    question="**Exercise 1.** The heart of an LSTM is one line: what is kept of the memory, and "
    "what is written into it (eq. 9).",
    stub=_MEMORY,
    answer="f * c + i * g",
    test=_test_memory,
    hints=(
        "A gate of 1 lets all through, of 0 nothing. One gate for the old, one for the new.",
        "f * c is what stays.",
    ),
    mistakes=[
        ("i * c + f * g", "gates are exchanged"),
        ("c + i * g", "forget gate is missing"),
        ("f * c + g", "input gate is missing"),
        ("f * c + (1 - f) * g", "An LSTM has two"),
        ("(1 - i) * c + i * g", "An LSTM has two"),
        ("f * c + i * torch.tanh(g)", "no second tanh"),
        ("f * c", "only forgets"),
        ("torch.sigmoid(f) * c + torch.sigmoid(i) * g", "no second sigmoid"),
        ("f * c * i * g", "are to be added"),
        ("torch.tanh(f * c + i * g)", "tanh comes later"),
        ("f * (c + i * g)", "small example"),
    ],
    praise="The derivative of c' by c is f: as long as f is near 1, a gradient passes unharmed.",
)


def _test_step_back(step_back) -> None:
    rng = torch.Generator().manual_seed(0)
    W = torch.randn(4, 4, generator=rng, dtype=torch.float64)
    h = torch.rand(4, generator=rng, dtype=torch.float64) * 1.6 - 0.8
    value = call(
        step_back, W, h, shape=(4, 4), reason="dh'_i / dh_j: a row for each new unit i, a column "
        "for each old unit j.",
    )  # fmt: skip
    slope = 1 - h**2
    compare(
        value,
        slope[:, None] * W,
        "For a small example it should be {right}; yours is {found}.",
        slips={
            "The slope belongs to the *new* unit, which is a row: slope[:, None] * W.": W * slope,
            "The slope of tanh is missing.": W,
            "h(1 - h) is a sigmoid's slope; that of tanh is 1 - h².": (h * (1 - h))[:, None] * W,
            "h' is the value behind tanh already: the slope there is 1 - h'².": (
                1 - h.tanh() ** 2
            )[:, None] * W,
            "Rows and columns are exchanged: W[i, j] leads from unit j to unit i.": (
                (slope[:, None] * W).T,
                slope[:, None] * W.T,
            ),
        },
    )  # fmt: skip


_BACK = '''\
def step_back(W, h):
    """dh'/dh of one step h' = tanh(W h + ...).

    W: [H, H], from the old state to the new. h: [H], the new state h'. Returns [H, H].
    """
    return ____'''

q2 = Exercise(
    name="q2",
    question="**Exercise 2.** How does one step of an RNN pass a gradient back? Write the "
    "matrix of derivatives of the new state by the old one.",
    stub=_BACK,
    answer="(1 - h**2)[:, None] * W",
    test=_test_step_back,
    hints=(
        "The chain rule, unit by unit: the slope of tanh at the new unit i, times W[i, j].",
        "tanh' = 1 - tanh², and h is tanh(...) already. A row for each new unit: [:, None].",
    ),
    mistakes=[
        ("W * (1 - h**2)", "belongs to the *new* unit"),
        ("W", "slope of tanh is missing"),
        ("(h * (1 - h))[:, None] * W", "a sigmoid's slope"),
        ("(1 - h.tanh() ** 2)[:, None] * W", "behind tanh already"),
        ("((1 - h**2)[:, None] * W).T", "exchanged"),
        ("(1 - h**2)[:, None] * W.T", "exchanged"),
        ("W @ (1 - h**2)", "shape [4]"),
        ("torch.diag(1 - h) @ W", "small example"),
    ],
    praise="A gradient that goes k steps back is a product of k such matrices.",
)


def _test_perplexity(perplexity) -> None:
    rng = torch.Generator().manual_seed(0)
    logits, said = torch.randn(6, 5, generator=rng), torch.randint(5, (6,), generator=rng)
    there = torch.tensor([True, True, False, True, True, False])
    value = call(perplexity, logits, said, there, shape=(), reason="One number for all words.")
    nats = F.cross_entropy(logits, said, reduction="none")
    mean = nats[there].mean()
    compare(
        value,
        mean.exp(),
        "For a small example it should be {right}; yours is {found}.",
        slips={
            "That is the cross-entropy in nats; the perplexity is e to its power.": mean,
            "Logits are no log p yet: F.cross_entropy makes them so, F.nll_loss does not.": (
                F.nll_loss(logits[there], said[there]).exp()
            ),
            "Take the mean of log p, and not the log of the mean of p.": (
                1 / (-nats[there]).exp().mean()
            ),
            "2 to its power: cross-entropy is in nats here, so the base is e.": 2**mean,
            "exp of *minus* it: cross-entropy is -log p, and has its sign already.": (-mean).exp(),
            "The padding counts too: only where `there` is true is a word.": nats.mean().exp(),
            "The sum of the nats, not their mean over the words.": nats[there].sum().exp(),
            "The mean over all places, also those without a word.": ((nats * there).mean().exp()),
            "The mean of the perplexities: take the mean of the nats first, then exp.": (
                nats[there].exp().mean()
            ),
        },
    )


_PERPLEXITY = '''\
def perplexity(logits, said, there):
    """exp of the mean cross-entropy of a word, in nats.

    logits: [N, words]. said: [N], the words that came. there: bool [N], false where a sentence is
    over. Returns a tensor of one number.
    """
    return ____'''

q3 = Exercise(
    name="q3",
    question="**Exercise 3.** Among how many words does a model hesitate? Perplexity is e to the "
    "power of the mean cross-entropy of a word.",
    stub=_PERPLEXITY,
    answer="F.cross_entropy(logits[there], said[there]).exp()",
    test=_test_perplexity,
    hints=(
        "F.cross_entropy gives the mean of -log p(said) in nats, of those that you hand it.",
        "logits[there] and said[there] leave the padding out.",
    ),
    mistakes=[
        ("F.cross_entropy(logits[there], said[there])", "cross-entropy in nats"),
        ("F.nll_loss(logits[there], said[there]).exp()", "no log p yet"),
        (
            "1 / logits[there].softmax(1)[torch.arange(4), said[there]].mean()",
            "not the log of the mean",
        ),
        ("2 ** F.cross_entropy(logits[there], said[there])", "base is e"),
        ("torch.exp(-F.cross_entropy(logits[there], said[there]))", "its sign already"),
        ("F.cross_entropy(logits, said).exp()", "padding counts too"),
        ("F.cross_entropy(logits[there], said[there], reduction='sum').exp()", "not their mean"),
        (
            "(F.cross_entropy(logits, said, reduction='none') * there).mean().exp()",
            "also those without a word",
        ),
        (
            "F.cross_entropy(logits[there], said[there], reduction='none').exp().mean()",
            "mean of the nats first",
        ),
        ("F.cross_entropy(logits[there], said[there], reduction='none').exp()", "shape [4]"),
    ],
    praise="Who guesses among all words alike has as large a perplexity as there are words.",
)
