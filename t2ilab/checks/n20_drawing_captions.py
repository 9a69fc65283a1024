"""Exercises of notebook 20: a caption backwards, the weights of its words, a stroke's cost."""

import torch

from t2ilab.checks.exercise import Exercise, Wrong
from t2ilab.checks.kit import call, compare, compare_terms, same


def _double(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _test_backwards(backwards) -> None:
    numbers = torch.tensor([[5, 3, 8, 0, 0], [2, 9, 4, 7, 6], [3, 0, 0, 0, 0]])
    found = call(
        backwards,
        numbers,
        shape=(3, 5),
        whole=True,
        reason="Every caption keeps its place, and its length.",
    )
    right = torch.tensor([[8, 3, 5, 0, 0], [6, 7, 4, 9, 2], [3, 0, 0, 0, 0]])
    ends = numbers.flip(1)
    compare(
        found,
        right,
        "For the three captions it should be {right}; yours is {found}.",
        slips={
            "That reverses the batch: the second LSTM then reads *other captions*, and forwards. "
            "It is what `y[::-1]` does in the authors' code, where words and captions are the "
            "axes in that order.": numbers.flip(0),
            "The pads now stand in front: the LSTM reads them first, and a caption's vectors "
            "depend on how far it was padded. Only the words turn round.": ends,
            "The batch is reversed, and the pads stand in front.": ends.flip(0),
            "Nothing is turned round.": numbers,
            "The first word went to the end and the rest kept their order.": torch.tensor(
                [[3, 8, 5, 0, 0], [9, 4, 7, 6, 2], [3, 0, 0, 0, 0]]
            ),
        },
    )


_BACKWARDS = '''\
def backwards(numbers):
    """Captions with their words in reverse order; what pads them stays behind.

    numbers: int64 [b, L], the words' numbers; 0 pads, and stands behind the words.  Returns [b, L].
    """
    lengths = (numbers > 0).sum(1, keepdim=True)  # [b, 1]
    k = torch.arange(numbers.shape[1])  # [L]
    return ____'''


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** The second LSTM reads a caption backwards. Turn the words of every "
        "caption of a batch round, and leave the pads where they are."
    ),
    stub=_BACKWARDS,
    answer="numbers.gather(1, torch.where(k < lengths, lengths - 1 - k, k))",
    test=_test_backwards,
    hints=(
        "`numbers.flip(1)` turns the pads round as well. At place k < length the word "
        "length - 1 - k is wanted, and behind that place k itself.",
        "`torch.where(k < lengths, lengths - 1 - k, k)` is [b, L]: which place each one is taken "
        "from. `numbers.gather(1, places)` takes it.",
    ),
    mistakes=[
        ("numbers.flip(0)", "reverses the batch"),
        ("numbers.flip(1)", "pads now stand in front"),
        ("numbers.flip(0, 1)", "and the pads stand in front"),
        ("numbers.clone()", "Nothing is turned round"),
        ("numbers.gather(1, torch.where(k < lengths - 1, k + 1, torch.where(k < lengths, 0, k)))",
         "kept their order"),
        ("numbers.gather(0, torch.where(k < lengths, lengths - 1 - k, k))", "your code stopped"),
        ("numbers.flip(1).double()", "whole numbers are asked for"),
        ("numbers.flip(1)[:, :3]", "shape [3, 5]"),
        ("numbers.gather(1, torch.where(k < lengths, lengths - 1 - k, 0))", "three captions"),
    ],
    praise="Both LSTMs now read one caption, whoever stands beside it in the batch.",
)  # fmt: skip


def _test_weights(weights) -> None:
    e = _double([[1.0, -0.5, 2.0, 0.3], [0.2, 0.7, -1.0, 5.0]])
    known = torch.tensor([[True, True, True, True], [True, True, False, False]])
    found = call(
        weights,
        e,
        known,
        shape=(2, 4),
        reason="A row of weights for each caption, one for each place.",
        finite="softmax of a row that is all minus infinity is nan: take ~known, the pads.",
    )
    right = e.masked_fill(~known, -torch.inf).softmax(1)
    plain, exp = e.softmax(1), e.exp()
    compare(
        found,
        right,
        "For two small captions it should be {right}; yours is {found}.",
        slips={
            "Pads get a weight: they must have none, whatever e says of them.": plain,
            "The weights of a caption's words do not sum to 1: the pads were taken out after the "
            "softmax, and took their share with them.": plain * known,
            "That is the softmax over the batch: the words of one caption share a weight of 1.": (
                e.softmax(0),
                e.masked_fill(~known, -1e9).softmax(0),
            ),
            "A pad's e was set to 0, and exp(0) is 1: before the softmax it must be minus "
            "infinity.": (e * known).softmax(1),
            "That is exp(e) without the division by its sum over the words.": (exp, exp * known),
            "Every word weighs the same there; e is not used.": known
            / known.sum(1, keepdim=True).double(),
            "The words were masked, and the pads kept.": e[:1]
            .masked_fill(known[:1], -1e9)
            .softmax(1)
            .expand(2, -1),
        },
    )
    if not same(call(weights, e + 1000, known), right):
        raise Wrong(
            "With e larger by 1000 everywhere the weights should be the same; yours overflow. "
            "`softmax` takes the largest off first."
        )


_WEIGHTS = '''\
def weights(e, known):
    """alpha: how much each word of a caption weighs at this stroke.

    e: [b, L], how well each word fits what is drawn so far.  known: bool [b, L], False at pads.
    Returns [b, L], 0 at pads, each row's sum 1.
    """
    return ____'''


q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** From how well each word fits, $e_k$, to its weight: "
        "$\\alpha_k = \\exp(e_k) / \\sum_j \\exp(e_j)$, the sum over the *words* of this caption."
    ),
    stub=_WEIGHTS,
    answer="e.masked_fill(~known, -torch.inf).softmax(1)",
    test=_test_weights,
    hints=(
        "Which e would give a pad the weight 0? exp of it must be 0.",
        "`e.masked_fill(~known, -torch.inf)` has minus infinity at pads; then `.softmax(1)`.",
    ),
    mistakes=[
        ("e.softmax(1)", "Pads get a weight"),
        ("e.softmax(1) * known", "do not sum to 1"),
        ("e.masked_fill(~known, -1e9).softmax(0)", "over the batch"),
        ("e.softmax(0)", "over the batch"),
        ("(e * known).softmax(1)", "exp(0) is 1"),
        ("e.exp() * known", "without the division"),
        ("e.masked_fill(known, -torch.inf).softmax(1)", "all minus infinity"),
        ("(e.exp() * known) / (e.exp() * known).sum(1, keepdim=True)", "nan"),
        ("known / known.sum(1, keepdim=True).double()", "e is not used"),
        ("e.masked_fill(~known, -torch.inf).softmax(1).sum(1)", "shape [2, 4]"),
        ("e.masked_fill(~known, -torch.inf).sigmoid()", "two small captions"),
    ],
    praise="A softmax over words: where to look, as a number with a gradient.",
)


def _test_kl(kl_of_stroke) -> None:
    mu_q, s_q = (
        _double([[0.5, -1.0, 2.0], [0.0, 0.3, -0.7]]),
        _double([[0.2, -0.4, 0.1], [-1.0, 0.5, 0.25]]),
    )
    mu_p, s_p = (
        _double([[0.1, -0.6, 0.9], [0.4, -0.2, 0.5]]),
        _double([[0.5, 0.3, -0.2], [-0.3, 0.7, 0.1]]),
    )
    found = call(
        kl_of_stroke,
        mu_q,
        s_q,
        mu_p,
        s_p,
        shape=(2,),
        reason="One number of nats a picture: the sum over its latents.",
    )
    var_q, var_p = (2 * s_q).exp(), (2 * s_p).exp()
    log, spread = (s_p - s_q).sum(1), (var_q / (2 * var_p)).sum(1)
    off, half = ((mu_q - mu_p).square() / (2 * var_p)).sum(1), _double([-0.5, -0.5])
    whole = log + spread + off + 3 * half
    back = (s_q - s_p + (var_p + (mu_q - mu_p).square()) / (2 * var_q)).sum(1) + 3 * half
    compare_terms(
        found,
        (
            log,
            {
                "The sign of the logarithms: a q narrower than p says more, and costs more.": -log,
                "The logarithms of both sigmas are missing.": 0 * log,
                "log sigma_p is missing: the prior is learned, and no longer N(0, 1).": (
                    -s_q.sum(1)
                ),
            },
        ),
        (
            spread,
            {
                "sigma_q^2 is missing.": 0 * spread,
                "sigma_q^2 counts in units of sigma_p^2: divide it.": (0.5 * var_q).sum(1),
                "sigma^2 is exp(2 log sigma); yours is sigma.": (s_q.exp() / (2 * s_p.exp())).sum(
                    1
                ),
            },
        ),
        (
            off,
            {
                "mu_q - mu_p is missing.": 0 * off,
                "The means' distance counts squared.": ((mu_q - mu_p) / (2 * var_p)).sum(1),
                "The means' distance counts in units of sigma_p: divide by its square.": (
                    0.5 * (mu_q - mu_p).square()
                ).sum(1),
                "It is mu_q - mu_p that counts: the prior has a mean of its own.": (
                    (mu_q.square() / (2 * var_p)).sum(1)
                ),
            },
        ),
        (
            3 * half,
            {
                "The constant is -1/2 for each latent.": half,
                "The constant is missing: where q is p it must be 0.": 0 * half,
            },
        ),
        slips={
            "That is KL(p || q): what is paid is what q says beyond p.": back,
            "That is the mean over the latents; they add up.": whole / 3,
            "That is the KL to N(0, 1), of chapter 8. Here the prior has mu_p and sigma_p.": (
                0.5 * (mu_q.square() + var_q - 2 * s_q - 1)
            ).sum(1),
        },
        otherwise="For two small strokes it should be {right} nats; yours is {found}.",
    )


_KL = '''\
def kl_of_stroke(mu_q, log_sigma_q, mu_p, log_sigma_p):
    """KL(N(mu_q, sigma_q^2) || N(mu_p, sigma_p^2)) in nats, for one stroke of each picture.

    All [b, latents].  Returns [b].
    """
    return ____'''


q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** In chapter 8 every stroke was measured against $\\mathcal N(0, 1)$. Here "
        "the prior has learned from the words what to expect. For each latent the KL is "
        "$\\log\\frac{\\sigma_p}{\\sigma_q} + \\frac{\\sigma_q^2 + (\\mu_q - \\mu_p)^2}"
        "{2 \\sigma_p^2} - \\frac12$."
    ),
    stub=_KL,
    answer=(
        "(\n"
        "        log_sigma_p - log_sigma_q - 0.5\n"
        "        + ((2 * log_sigma_q).exp() + (mu_q - mu_p) ** 2) / (2 * (2 * log_sigma_p).exp())\n"
        "    ).sum(1)"
    ),
    test=_test_kl,
    hints=(
        "Write it for one latent, with sigma^2 = exp(2 log sigma); then sum over axis 1.",
        "(log_sigma_p - log_sigma_q + (var_q + (mu_q - mu_p)**2) / (2 * var_p) - 0.5).sum(1)",
    ),
    mistakes=[
        ("(0.5 * (mu_q**2 + (2 * log_sigma_q).exp() - 2 * log_sigma_q - 1)).sum(1)", "chapter 8"),
        ("(log_sigma_q - log_sigma_p + ((2 * log_sigma_p).exp() + (mu_q - mu_p)**2) / "
         "(2 * (2 * log_sigma_q).exp()) - 0.5).sum(1)", "KL(p || q)"),
        ("(log_sigma_p - log_sigma_q + ((2 * log_sigma_q).exp() + mu_q**2) / "
         "(2 * (2 * log_sigma_p).exp()) - 0.5).sum(1)", "a mean of its own"),
        ("(log_sigma_p - log_sigma_q + ((2 * log_sigma_q).exp() + (mu_q - mu_p)**2) / "
         "(2 * (2 * log_sigma_p).exp())).sum(1) - 0.5", "for each latent"),
        ("(log_sigma_p - log_sigma_q + ((2 * log_sigma_q).exp() + (mu_q - mu_p)**2) / "
         "(2 * (2 * log_sigma_p).exp()) - 0.5).mean(1)", "mean over the latents"),
        ("(log_sigma_q - log_sigma_p + ((2 * log_sigma_q).exp() + (mu_q - mu_p)**2) / "
         "(2 * (2 * log_sigma_p).exp()) - 0.5).sum(1)", "sign of the logarithms"),
        ("(-log_sigma_q + ((2 * log_sigma_q).exp() + (mu_q - mu_p)**2) / "
         "(2 * (2 * log_sigma_p).exp()) - 0.5).sum(1)", "no longer N(0, 1)"),
        ("(log_sigma_p - log_sigma_q + ((2 * log_sigma_q).exp() + (mu_q - mu_p)**2) / "
         "(2 * (2 * log_sigma_p).exp()) - 0.5).sum()", "shape [2]"),
        ("(log_sigma_p - log_sigma_q + (log_sigma_q.exp() ** 0.5 + (mu_q - mu_p)**2) / "
         "(2 * (2 * log_sigma_p).exp()) - 0.5).sum(1)", "two small strokes"),
    ],
    praise="It is 0 where q is p: a stroke costs what the words and strokes before did not say.",
)  # fmt: skip
