"""Exercises of notebook 09: the value at the best D, both generator losses, a round, diagnoses."""

import math

import torch
import torch.nn.functional as F

from t2ilab.checks.exercise import Exercise, Wrong
from t2ilab.checks.kit import call, checked, compare, same

SETUP = "import math\nimport torch\nimport torch.nn.functional as F"


def _test_value(best_value) -> None:
    p = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
    q = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    D = p / (p + q)
    of_p, of_q = torch.xlogy(p, D).sum(), torch.xlogy(q, 1 - D).sum()
    found = call(best_value, p, q, shape=(), reason="One value: sum over the states.")
    m = (p + q) / 2
    js = (torch.xlogy(p, p / m).sum() + torch.xlogy(q, q / m).sum()) / 2
    compare(
        found,
        of_p + of_q,
        "For a small example it should be {right}; yours is {found}.",
        slips={
            "Only the data's part is there; the second part is E_q log(1 - D).": of_p,
            "Only the generator's part is there; the first part is E_p log D.": of_q,
            "That is q/(p + q), the chance of \"made\"; D is the chance of \"data\".": (
                torch.xlogy(p, 1 - D).sum() + torch.xlogy(q, D).sum()
            ),
            "Both parts hold log D; the generator's points are scored by log(1 - D).": (
                of_p + torch.xlogy(q, D).sum()
            ),
            "The second part is subtracted; V is the sum of both.": of_p - of_q,
            "That is the Jensen-Shannon divergence; V = 2 JS - log 4.": js,
            "That is 2 JS; V = 2 JS - log 4.": 2 * js,
            "The states are not equally likely: weigh log D by p, and log(1 - D) by q.": (
                D.log().sum() + (1 - D).log().sum(),
                D.log().mean() + (1 - D).log().mean(),
            ),
        },
    )  # fmt: skip
    empty = (
        "A state that has no probability adds nothing, for 0 log 0 = 0: torch.xlogy(p, D) is "
        "p log D, and 0 where p is 0; and where p + q = 0, p / (p + q) is nan."
    )
    p, q = (torch.tensor(one, dtype=torch.float64) for one in ([0.5, 0.5, 0, 0], [0, 0.5, 0.5, 0]))
    found = call(best_value, p, q, shape=(), reason="One value.", finite=empty)
    compare(found, -math.log(2), "With empty states it should be {right}; yours is {found}.")


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Densities $p$ (data) and $q$ (made) on a few states. Find the best $D$, "
        "and the value $V = \\sum_x p(x) \\log D(x) + \\sum_x q(x) \\log(1 - D(x))$ that it "
        "reaches. A state may have $p = 0$ or $q = 0$ (or both): $0 \\log 0 = 0$."
    ),
    stub='''\
def best_value(p, q):
    """max over D of V(D, G), a number; p, q: probabilities [n]."""
    D = ____
    return ____''',
    answer=(
        "torch.where(p + q > 0, p / (p + q), torch.full_like(p, 0.5))",
        "torch.xlogy(p, D).sum() + torch.xlogy(q, 1 - D).sum()",
    ),
    test=_test_value,
    hints=(
        "For each state alone: where is a log D + b log(1 - D) largest? Set its slope to 0.",
        "D = p / (p + q). torch.xlogy(p, D) is p log D with 0 log 0 = 0; where p + q = 0, D may be "
        "anything (torch.where).",
    ),
    mistakes=[
        (("p / (p + q)", "(p * D.log()).sum() + (q * (1 - D).log()).sum()"), "0 log 0 = 0"),
        (
            ("q / (p + q)", "torch.xlogy(p, D).sum() + torch.xlogy(q, 1 - D).sum()"),
            'the chance of "made"',
        ),
        (("p / (p + q)", "torch.xlogy(p, D).sum()"), "Only the data's part"),
        (("p / (p + q)", "torch.xlogy(q, 1 - D).sum()"), "Only the generator's part"),
        (
            ("p / (p + q)", "torch.xlogy(p, D).sum() + torch.xlogy(q, D).sum()"),
            "Both parts hold log D",
        ),
        (("p / (p + q)", "torch.xlogy(p, D).sum() - torch.xlogy(q, 1 - D).sum()"), "is subtracted"),
        (("p / (p + q)", "torch.xlogy(p, D) + torch.xlogy(q, 1 - D)"), "yours has the shape [4]"),
        (
            ("p / (p + q)", "torch.xlogy(p, D).sum() + torch.xlogy(q, 1 - D).sum() + math.log(4)"),
            "That is 2 JS",
        ),
        (("p / (p + q)", "torch.xlogy(p, D).sum() + torch.xlogy(q, 1 - D).sum()"), "is nan"),
        (
            ("p / (p + q + 0.1)", "torch.xlogy(p, D).sum() + torch.xlogy(q, 1 - D).sum()"),
            "small example",
        ),
    ],
    setup=SETUP,
    praise="`optimal_discriminator` and `value` in `t2ilab/exact/game.py` are the same.",
)


def _test_losses(generator_losses) -> None:
    f = torch.tensor([-2.0, 0.5, 1.0])
    found = call(generator_losses, f, kind=tuple, reason="`return saturating, nonsaturating`")
    if len(found) != 2:
        raise Wrong("Two losses are asked for: `return saturating, nonsaturating`.")
    each = "A loss is one number: take the mean over the batch."
    saturating, practice = (
        checked(one, f"`{name}`", shape=(), reason=each)
        for one, name in zip(found, ("saturating", "nonsaturating"), strict=True)
    )
    minimax, maximal = -F.softplus(f).mean(), F.softplus(-f).mean()
    if same(saturating, maximal) and same(practice, minimax):
        raise Wrong("The two changed places: the saturating loss is the minimax game's own.")
    compare(
        saturating,
        minimax,
        "`saturating` should be {right} for a small example; yours is {found}.",
        slips={
            "`saturating` has the sign of D's loss: D wants log(1 - D(G(z))) large, G small.": (
                -minimax
            ),
            "`saturating` holds log D(G(z)); the minimax game's part is log(1 - D(G(z))).": (
                -maximal,
                maximal,
            ),
            "f is the logit: D = sigmoid(f).": (1 - f).clamp(min=1e-9).log().mean(),
        },
        mean_over=(3, "samples"),
    )
    compare(
        practice,
        maximal,
        "`nonsaturating` should be {right} for a small example; yours is {found}.",
        slips={
            "`nonsaturating` has the sign turned: a loss is minimised, so -log D(G(z)).": -maximal,
            "`nonsaturating` is the minimax game's once more; G maximises log D(G(z)).": (
                minimax,
                -minimax,
            ),
            "f is the logit: D = sigmoid(f).": -f.clamp(min=1e-9).log().mean(),
        },
        mean_over=(3, "samples"),
    )
    sure = call(generator_losses, torch.tensor([-200.0, 200.0]), kind=tuple)
    if not all(bool(torch.isfinite(torch.as_tensor(one))) for one in sure):
        raise Wrong(
            "At logits of 200 yours is not finite: the sigmoid is rounded to 0 or 1 there, and its "
            "logarithm is lost. softplus(f) = -log(1 - sigmoid(f)) is not."
        )


q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Both losses of the generator, to be *minimised*, from the logits "
        "$f = f(G(z))$ with $D = \\sigma(f)$. They should be finite for any logit: "
        "`F.softplus(f)` is $\\log(1 + e^f)$."
    ),
    stub='''\
def generator_losses(f):
    """The minimax game's loss and the one used in practice, means over the batch; f: logits [b]."""
    saturating = ____  # the mean of log(1 - D(G(z)))
    nonsaturating = ____  # the mean of -log D(G(z))
    return saturating, nonsaturating''',
    answer=("-F.softplus(f).mean()", "F.softplus(-f).mean()"),
    test=_test_losses,
    hints=(
        "1 - sigmoid(f) = sigmoid(-f), and log sigmoid(f) = -softplus(-f).",
        "-F.softplus(f).mean() and F.softplus(-f).mean().",
    ),
    mistakes=[
        (("F.softplus(f).mean()", "F.softplus(-f).mean()"), "has the sign of D's loss"),
        (("-F.softplus(-f).mean()", "F.softplus(-f).mean()"), "`saturating` holds log D"),
        (("F.softplus(-f).mean()", "-F.softplus(f).mean()"), "changed places"),
        (("-F.softplus(f).mean()", "-F.softplus(-f).mean()"), "has the sign turned"),
        (("-F.softplus(f).mean()", "-F.softplus(f).mean()"), "the minimax game's once more"),
        (("-F.softplus(f)", "F.softplus(-f)"), "shape [3]"),
        (("-F.softplus(f).sum()", "F.softplus(-f).mean()"), "take the mean"),
        (("(1 - torch.sigmoid(f)).log().mean()", "-torch.sigmoid(f).log().mean()"), "not finite"),
        (("-F.softplus(2 * f).mean()", "F.softplus(-f).mean()"), "small example"),
    ],
    setup=SETUP,
    praise="They are `generator_saturating` and `generator_nonsaturating` of "
    "`t2ilab/losses/adversarial.py`.",
)


def _test_round(play_round) -> None:
    batches = [torch.full((2, 1), float(i)) for i in range(3)]
    calls, drawn = [], []

    def noise():
        drawn.append(torch.full((2, 4), float(len(drawn))))
        return drawn[-1]

    def train_D(x, z):
        calls.append(("D", x, z))
        return float(10 + len(calls))

    def train_G(z):
        calls.append(("G", None, z))
        return float(20 + len(calls))

    found = call(play_round, batches, train_D, train_G, noise, kind=list, reason="`return losses`")
    turns = "".join(who for who, *_ in calls)
    if turns != "DDDG":
        words = {
            "GDDD": "G moves first in yours; Algorithm 1 lets D answer the present G first.",
            "DGDGDG": "G moves after each step of D in yours: it should move once, after all k.",
            "DG": "D makes one step in yours; it makes k, one for each minibatch.",
            "DDD": "G never moves in yours.",
            "G": "D never moves in yours.",
        }
        raise Wrong(
            words.get(turns, f"The turns are {turns or 'none'}; asked for is DDDG (k = 3).")
        )
    if not all(same(x, b) for (_, x, _), b in zip(calls[:3], batches, strict=True)):
        raise Wrong("Each step of D takes its own minibatch, in order.")
    if len({float(z.mean()) for *_, z in calls}) < 4:
        raise Wrong(
            "Some noise is used twice. Algorithm 1 samples new noise for every step: call noise() "
            "each time."
        )
    if not all(same(z, d) for (*_, z), d in zip(calls, drawn, strict=False)):
        raise Wrong("Noise was drawn and thrown away; call noise() once for each step.")
    if found != [11.0, 12.0, 13.0, 24.0]:
        raise Wrong(
            "The list should hold what the steps returned, in order: D's 3 losses, then G's; "
            f"yours is {found}."
        )


_ROUND = '''\
def play_round(batches, train_D, train_G, noise):
    """One round of Algorithm 1; k = len(batches). Returns the list of all losses, in order.

    batches: k minibatches of data. train_D(x, z), train_G(z): one step each, return a loss.
    noise(): a new minibatch of z.
    """
    losses = []
    raise NotImplementedError
    return losses'''

_ROUND_RIGHT = _ROUND.replace(
    "    raise NotImplementedError\n",
    "    for x in batches:\n        losses.append(train_D(x, noise()))\n"
    "    losses.append(train_G(noise()))\n",
)


def _rounds(body: str) -> str:
    return _ROUND.replace("    raise NotImplementedError\n", body)


q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** Write the inside of Algorithm 1's loop: $k$ steps of D, each on its own "
        "minibatch and its own noise; then one step of G, on new noise."
    ),
    stub=_ROUND,
    answer=_ROUND_RIGHT,
    test=_test_round,
    hints=(
        "A loop over the minibatches, and after it one more line.",
        "losses.append(train_D(x, noise())) in the loop; losses.append(train_G(noise())) after it.",
    ),
    mistakes=[
        (
            _rounds(
                "    for x in batches:\n        losses.append(train_D(x, noise()))\n"
                "        losses.append(train_G(noise()))\n"
            ),
            "after each step of D",
        ),
        (
            _rounds(
                "    losses.append(train_G(noise()))\n    for x in batches:\n"
                "        losses.append(train_D(x, noise()))\n"
            ),
            "G moves first",
        ),
        (
            _rounds(
                "    z = noise()\n    for x in batches:\n        losses.append(train_D(x, z))\n"
                "    losses.append(train_G(z))\n"
            ),
            "noise is used twice",
        ),
        (
            _rounds("    losses = [train_D(batches[0], noise()), train_G(noise())]\n"),
            "D makes one step",
        ),
        (
            _rounds("    for x in batches:\n        losses.append(train_D(x, noise()))\n"),
            "G never moves",
        ),
        (
            _rounds(
                "    for x in batches:\n        losses.append(train_D(batches[0], noise()))\n"
                "    losses.append(train_G(noise()))\n"
            ),
            "its own minibatch",
        ),
        (
            _rounds(
                "    for x in batches:\n        train_D(x, noise())\n"
                "    losses.append(train_G(noise()))\n"
            ),
            "should hold what the steps returned",
        ),
    ],
    setup=SETUP,
    praise="`GAN.step` in `t2ilab/trainers/gan.py` does it in this order.",
)

NAMES = ("healthy", "D too strong", "collapse", "oscillation")


def _case(name: str, modes: int = 8, moments: int = 12):
    """D(real), D(made) [moments] and shares [moments, modes] of an unmistakable run."""
    even = torch.full((moments, modes), 1 / modes)
    even = even + 0.01 * torch.sin(torch.arange(moments * modes).float()).view(moments, modes)
    even = even / even.sum(1, keepdim=True)
    fair = torch.full((moments,), 0.52), torch.full((moments,), 0.48)
    if name == "healthy":
        return *fair, even
    if name == "D too strong":
        return torch.full((moments,), 0.999), torch.full((moments,), 0.001), even
    at = torch.zeros(moments) if name == "collapse" else torch.arange(moments) % modes
    shares = F.one_hot(at.long(), modes).float() * 0.96 + 0.005
    return *fair, shares / shares.sum(1, keepdim=True)


def _test_diagnose(diagnose) -> None:
    words = {
        "healthy": "D near 1/2 and even shares at every moment should be 'healthy'",
        "D too strong": "D(data) = 0.999 and D(made) = 0.001 all the time should be 'D too strong'",
        "collapse": "one mode that gets nearly everything at every moment should be 'collapse'",
        "oscillation": "one mode at a time, another one at each moment, should be 'oscillation'",
    }
    for name in NAMES:
        found = call(diagnose, *_case(name), kind=str, reason="`return` one of the four names.")
        if found not in NAMES:
            raise Wrong(f"'{found}' is none of the four names: {', '.join(NAMES)}.")
        if found == name:
            continue
        extra = {
            ("oscillation", "healthy"): " The mean over time hides it: each mode gets its share in "
            "the end. Look at each moment first.",
            ("collapse", "oscillation"): " Does the largest share change its place?",
            ("oscillation", "collapse"): " The largest share changes its place.",
            ("D too strong", "healthy"): " The shares look well, and G learns nothing: look at D.",
        }.get((name, found), "")
        raise Wrong(f"{words[name]}; yours says '{found}'.{extra}")


_DIAGNOSE = '''\
def diagnose(d_real, d_fake, shares):
    """'D too strong', 'collapse', 'oscillation' or 'healthy'.

    d_real, d_fake: mean D on data and on made points, [moments].
    shares: of the made points near each mode, [moments, modes]; each row sums to 1.
    """
    if ____:  # D is sure, of both
        return "D too strong"
    if ____:  # at no moment does one mode get most
        return "healthy"
    if ____:  # it is always the same one
        return "collapse"
    return "oscillation"'''

_SURE = "d_real.min() > 0.95 and d_fake.max() < 0.05"
_EVEN = "shares.max(1).values.mean() < 0.3"
_SAME = "len(shares.argmax(1).unique()) == 1"

q4 = Exercise(
    name="q4",
    question=(
        "**Exercise 4.** A doctor for games. From $D$ on data, $D$ on made points, and the shares "
        "of the modes, all over time, say what is wrong. The limits are yours."
    ),
    stub=_DIAGNOSE,
    answer=(_SURE, _EVEN, _SAME),
    test=_test_diagnose,
    hints=(
        "shares.max(1).values is the largest share at each moment, shares.argmax(1) whose it is.",
        f"For instance `{_SURE}`, then `{_EVEN}`, then `{_SAME}`.",
    ),
    mistakes=[
        ((_SURE, "shares.mean(0).max() < 0.5", _SAME), "The mean over time hides it"),
        ((_SURE, _EVEN, "True"), "The largest share changes its place"),
        ((_SURE, _EVEN, "False"), "Does the largest share change its place?"),
        (("False", _EVEN, _SAME), "look at D"),
        (("d_real.min() > 0.4", _EVEN, _SAME), "should be 'healthy'; yours says 'D too strong'"),
        ((_SURE, "shares.max() < 0.1", _SAME), "should be 'healthy'"),
        ((_SURE, "True", _SAME), "should be 'collapse'"),
    ],
    setup=SETUP,
    praise="On real runs the limits decide: a diagnosis is a choice of what to call bad.",
)
