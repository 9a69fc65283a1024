"""Exercises of notebook 10: W1 by sorting, an extension, a step of Algorithm 1, slopes, places."""

import torch
from torch import nn

from t2ilab.checks.exercise import Exercise, Wrong
from t2ilab.checks.kit import call, compare, same

SETUP = "import torch\nfrom torch import nn"


def _test_line(w1_on_a_line) -> None:
    a, b = torch.tensor([4.0, 0.0, 1.0, 2.5]), torch.tensor([-1.0, 6.0, 2.0, 2.25])
    found = call(w1_on_a_line, a, b, shape=(), reason="A distance is one number.")
    pairs = a.sort().values - b.sort().values
    compare(
        found,
        pairs.abs().mean(),
        "For a small example it should be {right}; yours is {found}.",
        slips={
            "The points are paired as they come: sort both samples first.": (a - b).abs().mean(),
            "Only one of the samples is sorted.": (
                (a.sort().values - b).abs().mean(),
                (a - b.sort().values).abs().mean(),
            ),
            "`sort()` gives values and places; it is the values that are needed.": (
                (a.sort().indices - b.sort().indices).abs().float().mean()
            ),
            "That is the distance of the means: left and right must not cancel.": (
                (a.mean() - b.mean()).abs(),
                a.mean() - b.mean(),
            ),
            "The distances are squared; (2.3) has |x - y| itself.": (
                pairs.square().mean(),
                pairs.square().mean().sqrt(),
            ),
            "Each point takes its nearest neighbour, so some points of the other sample get too "
            "much and some nothing: a plan has to use each of them once.": (
                (a[:, None] - b).abs().min(1).values.mean(),
                (a[:, None] - b).abs().min(0).values.mean(),
            ),
            "That is the mean over *all* pairs: a plan may choose, and takes the cheapest.": (
                (a[:, None] - b).abs().mean()
            ),
        },
        mean_over=(4, "pairs"),
    )  # fmt: skip


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** $W_1$ between two samples of a line, of $n$ points each. On a line the "
        "cheapest plan never crosses: the smallest goes to the smallest, and so on."
    ),
    stub='''\
def w1_on_a_line(a, b):
    """W1 between samples a and b of a line, [n] each: one number."""
    return ____''',
    answer="(a.sort().values - b.sort().values).abs().mean()",
    test=_test_line,
    hints=(
        "Which point of b does the smallest point of a go to? Then each point carries 1/n.",
        "Sort both, and take the mean of the absolute differences. x.sort().values is x, sorted.",
    ),
    mistakes=[
        ("(a - b).abs().mean()", "as they come"),
        ("(a.sort().values - b).abs().mean()", "Only one"),
        ("(a.sort().values - b.sort().values).mean()", "distance of the means"),
        ("(a.mean() - b.mean()).abs()", "distance of the means"),
        ("(a.sort().values - b.sort().values).square().mean()", "squared"),
        ("(a.sort().values - b.sort().values).abs().sum()", "the sum over the 4 pairs"),
        ("(a[:, None] - b).abs().min(1).values.mean()", "nearest neighbour"),
        ("(a[:, None] - b).abs().mean()", "*all* pairs"),
        ("(a.sort().values - b.sort().values).abs()", "yours has the shape [4]"),
        ("(a.sort().values - b.sort().values).abs().max()", "small example"),
    ],
    setup=SETUP,
    praise="`line_w1` in `t2ilab/exact/transport.py` also takes samples of two sizes.",
)


def _test_extend(extend) -> None:
    points, f = torch.tensor([0.0, 2.0, 5.0]), torch.tensor([0.0, 1.0, -0.5])
    x = torch.tensor([-1.0, 0.0, 1.0, 2.0, 3.0, 9.0])
    found = call(extend, x, points, f, shape=(6,), reason="One value for each x.")
    apart = (x[:, None] - points).abs()
    nearest = f[apart.argmin(1)]
    compare(
        found,
        (f + apart).min(1).values,
        "At x = -1, 0, 1, 2, 3, 9 it should be {right}; yours is {found}.",
        slips={
            "That is the *smallest* 1-Lipschitz function through the points; asked for is the "
            "largest, the minimum of f_j + |x - x_j|.": (f - apart).max(1).values,
            "The largest cone is taken: each point allows at most f_j + |x - x_j|, so the "
            "*smallest* of these bounds counts.": (f + apart).max(1).values,
            "The distance is subtracted: a bound from above is f_j + |x - x_j|.": (
                (f - apart).min(1).values
            ),
            "Each x takes the value of the nearest point: that jumps half-way, and no slope is "
            "bounded.": nearest,
            "The distance has a sign in yours: take its absolute value.": (
                (f + x[:, None] - points).min(1).values,
                (f + points - x[:, None]).min(1).values,
            ),
            "f is left out: that is the distance to the nearest point.": apart.min(1).values,
            "The distance is squared: then the slope is not bounded.": (
                (f + apart.square()).min(1).values
            ),
        },
    )


q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** The programme gives $f$ at the points only. Extend it to every $x$ of the "
        "line, as the largest function with slopes of at most 1: each point $x_j$ allows at most "
        "$f_j + |x - x_j|$."
    ),
    stub='''\
def extend(x, points, f):
    """The largest 1-Lipschitz function with the values f at points. x: [k]; points, f: [m]."""
    return ____''',
    answer="(f + (x[:, None] - points).abs()).min(1).values",
    test=_test_extend,
    hints=(
        "Draw a cone of slope 1, opening upwards, on each point. Which of them binds at x?",
        "x[:, None] - points has the shape [k, m]. Add f, and take the minimum over the points.",
    ),
    mistakes=[
        ("(f - (x[:, None] - points).abs()).max(1).values", "*smallest* 1-Lipschitz"),
        ("(f + (x[:, None] - points).abs()).max(1).values", "The largest cone"),
        ("(f - (x[:, None] - points).abs()).min(1).values", "is subtracted"),
        ("f[(x[:, None] - points).abs().argmin(1)]", "jumps half-way"),
        ("(f + x[:, None] - points).min(1).values", "absolute value"),
        ("(x[:, None] - points).abs().min(1).values", "f is left out"),
        ("(f + (x[:, None] - points).square()).min(1).values", "is squared"),
        ("(f + (x[:, None] - points).abs()).min(0).values", "yours has the shape [3]"),
        ("(f + 2 * (x[:, None] - points).abs()).min(1).values", "At x = -1"),
    ],
    setup=SETUP,
    praise="`extended` in `t2ilab/exact/transport.py` does it in any dimension (McShane 1934).",
)

_C, _LR = 0.5, 0.25


def _small_critic() -> nn.Linear:
    f = nn.Linear(2, 1)
    with torch.no_grad():
        f.weight.copy_(torch.tensor([[0.4, -0.75]]))
        f.bias.fill_(0.1)
    return f


def _after(step) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What `step` returns, and the weights after it and after a second one."""
    f = _small_critic()
    optimizer = torch.optim.SGD(f.parameters(), _LR)
    x, made = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), torch.tensor([[0.0, 0.0]] * 2)
    found = call(step, f, optimizer, x, made, _C, shape=(), reason="The loss is one number.")
    first = f.weight.detach().clone()[0]
    call(step, f, optimizer, x, made, _C, shape=())
    return found, first, f.weight.detach().clone()[0]


def _test_step(critic_step) -> None:
    w, up = torch.tensor([0.4, -0.75]), torch.tensor([2 / 3, 2 / 3])  # mean of x, less that of made
    found, first, second = _after(critic_step)
    loss, climbed = -(up @ w), w + _LR * up
    known = {
        "The step goes the wrong way: f falls at the data. Algorithm 1 *climbs* the mean of f(x) "
        "less that of f(made); an optimiser goes down, so the loss is f(made) - f(x).": (
            (w - _LR * up).clamp(-_C, _C)
        ),
        "The weights are clipped before the step, which leads out of the box again: clip after "
        "optimizer.step().": w.clamp(-_C, _C) + _LR * up,
        "Nothing is clipped: after the step each weight is cut to [-c, c].": climbed,
        "No step is made: the weights are only clipped. Call optimizer.step().": w.clamp(-_C, _C),
        "Nothing has moved: loss.backward(), optimizer.step(), then clip.": w,
        "The weights are cut from above only; they also stay above -c.": climbed.clamp(max=_C),
        "The *gradient* is clipped; it is the weights that are cut, after the step.": (
            w + _LR * up.clamp(-_C, _C)
        ),
        "The sums over the batches are compared; take means, for they may differ in size.": (
            (w + _LR * torch.tensor([2.0, 2.0])).clamp(-_C, _C)
        ),
    }
    if not same(first, climbed.clamp(-_C, _C)):
        words = next((said for said, value in known.items() if same(first, value)), None)
        raise Wrong(
            words
            or f"After one step the weights should be {climbed.clamp(-_C, _C).tolist()}; yours "
            f"are {first.tolist()}."
        )
    again = (climbed.clamp(-_C, _C) + _LR * up).clamp(-_C, _C)
    if not same(second, again):
        raise Wrong(
            "The first step is right and the second is not: the gradient of the first is still "
            "there. Call optimizer.zero_grad() before loss.backward()."
        )
    compare(
        found,
        loss,
        "The loss should be {right}; yours is {found}.",
        slips={
            "That is the value, the estimate of W; the loss is minus it.": -loss,
            "That is the loss *after* the step; return the one that was minimised.": -(up @ first),
        },
    )


_STEP = '''\
def critic_step(f, optimizer, x, made, c):
    """One update of the critic, as in Algorithm 1; returns the loss, a detached scalar tensor.

    f: critic, points [b, d] -> scores. x: data; made: G(z), detached. Weights stay in [-c, c].
    """
    raise NotImplementedError
    return loss.detach()'''


def _steps(*lines: str) -> str:
    return _STEP.replace("    raise NotImplementedError\n", "".join(f"    {x}\n" for x in lines))


_LOSS = "loss = f(made).mean() - f(x).mean()"
_UPDATE = ("optimizer.zero_grad()", "loss.backward()", "optimizer.step()")
_CLIP = ("with torch.no_grad():", "    for w in f.parameters():", "        w.clamp_(-c, c)")

q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** One step of the critic in Algorithm 1 (lines 5 to 7): the loss, the step, "
        "the clipping."
    ),
    stub=_STEP,
    answer=_steps(_LOSS, *_UPDATE, *_CLIP),
    test=_test_step,
    hints=(
        "The algorithm adds the gradient of mean f(x) - mean f(made); an optimiser subtracts that "
        "of a loss. What has to lie in the box when the step is over?",
        "loss = f(made).mean() - f(x).mean(); zero_grad, backward, step; then, under "
        "torch.no_grad(), w.clamp_(-c, c) for w in f.parameters().",
    ),
    mistakes=[
        (_steps("loss = f(x).mean() - f(made).mean()", *_UPDATE, *_CLIP), "the wrong way"),
        (_steps(*_CLIP, _LOSS, *_UPDATE), "clipped before the step"),
        (_steps(_LOSS, *_UPDATE), "Nothing is clipped"),
        (_steps(_LOSS, *_UPDATE[:2], *_CLIP), "No step is made"),
        (_steps(_LOSS), "Nothing has moved"),
        (_steps(_LOSS, *_UPDATE[1:], *_CLIP), "zero_grad"),
        (_steps(_LOSS, *_UPDATE, *_CLIP[:2], "        w.clamp_(max=c)"), "from above only"),
        (
            _steps(
                _LOSS, *_UPDATE[:2], *_CLIP[:2], "        w.grad.clamp_(-c, c)", "optimizer.step()"
            ),
            "The *gradient* is clipped",
        ),
        (_steps("loss = f(made).sum() - f(x).sum()", *_UPDATE, *_CLIP), "take means"),
        (
            _steps("loss = f(x).mean() - f(made).mean()", _UPDATE[0], "(-loss).backward()",
                   _UPDATE[2], *_CLIP),
            "minus it",
        ),
        (_steps(_LOSS, *_UPDATE, *_CLIP, "loss = f(made).mean() - f(x).mean()"), "*after* the"),
        (_steps(_LOSS, *_UPDATE, _UPDATE[2], *_CLIP), "After one step"),
    ],
    setup=SETUP,
    praise="`GAN.step` in `t2ilab/trainers/gan.py` does it, with `clip`.",
)  # fmt: skip


def _test_slope(mean_slope) -> None:
    x = torch.tensor([[3.0, 4.0], [-6.0, 8.0], [0.0, 1.0]])

    def f(x):  # its gradient at x is x
        return x.square().sum(1) / 2

    found = call(mean_slope, f, x, shape=(), reason="The mean over the points is one number.")
    compare(
        found,
        16 / 3,
        "For f(x) = |x|²/2 at three points it should be {right}; yours is {found}.",
        slips={
            "autograd.grad of the *mean* of f: each gradient is then divided by the number of "
            "points. Take that of the sum.": 16 / 9,
            "That is the length of all gradients together; each point has a slope of its own: "
            "norm(dim=1).": x.norm(),
            "The absolute values of the single numbers are averaged; a slope is the length of the "
            "whole gradient at a point: norm(dim=1).": x.abs().mean(),
            "The gradients are averaged before their length is taken, so that opposite slopes "
            "cancel.": x.mean(0).norm(),
            "The length is taken over the points, not over the coordinates: norm(dim=1).": (
                x.norm(dim=0).mean()
            ),
            "The slopes are squared: a slope is the length itself.": (
                x.square().sum(1).mean(),
                x.square().sum(1).mean().sqrt(),
            ),
            "That is the largest slope; asked for is the mean.": 10.0,
            "That is the mean of f, not of its slope.": f(x).mean(),
        },
        mean_over=(3, "points"),
    )


q4 = Exercise(
    name="q4",
    question=(
        "**Exercise 4.** How steep is a critic, on average? The mean of $|\\nabla f(x)|$ over "
        "points $x$: the number by which a clipped critic's value is to be divided."
    ),
    stub='''\
def mean_slope(f, x):
    """The mean length of the gradient of f at the points x, [n, d]. f: [n, d] -> [n]."""
    x = x.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(____, x)  # [n, d]
    return ____''',
    answer=("f(x).sum()", "gradient.norm(dim=1).mean()"),
    test=_test_slope,
    hints=(
        "f(x_i) depends on x_i alone, so the gradient of the sum holds every point's own gradient.",
        "torch.autograd.grad(f(x).sum(), x), then gradient.norm(dim=1).mean().",
    ),
    mistakes=[
        (("f(x).mean()", "gradient.norm(dim=1).mean()"), "divided by the number of points"),
        (("f(x).sum()", "gradient.norm()"), "all gradients together"),
        (("f(x).sum()", "gradient.abs().mean()"), "single numbers"),
        (("f(x).sum()", "gradient.mean(0).norm()"), "opposite slopes cancel"),
        (("f(x).sum()", "gradient.norm(dim=0).mean()"), "over the points, not"),
        (("f(x).sum()", "gradient.square().sum(1).mean()"), "are squared"),
        (("f(x).sum()", "gradient.norm(dim=1).max()"), "largest slope"),
        (("f(x).sum()", "gradient.norm(dim=1).sum()"), "the sum over the 3 points"),
        (("f(x).sum()", "gradient.norm(dim=1)"), "yours has the shape [3]"),
        (("f(x).sum()", "f(x).mean()"), "the mean of f"),
        (("f(x)", "gradient.norm(dim=1).mean()"), "Your code stopped"),
        (("f(x).sum()", "2 * gradient.norm(dim=1).mean()"), "at three points"),
    ],
    setup=SETUP,
    praise="`slopes` in `t2ilab/losses/wasserstein.py` gives them one by one.",
)


def _test_places(penalty_places) -> None:
    real = torch.tensor([[1.0, 2.0, 3.0], [4.0, 0.0, -2.0], [6.0, 5.0, 1.0]])
    made = torch.tensor([[0.0, -2.0, 1.0], [1.0, 1.0, 1.0], [-3.0, 2.0, 8.0]])
    share = torch.tensor([0.25, 1.0, 0.5])
    found = call(penalty_places, real, made, share, shape=(3, 3), reason="One place for each pair.")
    each, mean = share[:, None], share.mean()
    compare(
        found,
        each * real + (1 - each) * made,
        "For three pairs the places should be {right}; yours are {found}.",
        slips={
            "The penalty is taken at the data only: f must also be held between the samples, "
            "where G's points will pass.": real,
            "The penalty is taken at the made points only: f must be held on the whole way to the "
            "data.": made,
            "Always half-way: each pair has a share of its own.": (real + made) / 2,
            "The two changed places: a share of 1 is the data.": (1 - each) * real + each * made,
            "One share for all: each pair has its own.": (
                mean * real + (1 - mean) * made, share[0] * real + (1 - share[0]) * made,
            ),
            "The shares go across: they multiply coordinates in place of pairs. share[:, None] "
            "has a row for each pair.": share * real + (1 - share) * made,
            "The weights do not sum to 1: the made points get what the data leaves, 1 - share.": (
                each * real + each * made, each * real + made, real + (1 - each) * made,
            ),
        },
    )  # fmt: skip


q5 = Exercise(
    name="q5",
    question=(
        "**Exercise 5.** Where does the gradient penalty look? For each pair of a data point and a "
        "made one, on the straight line between them: a share of 1 is the data point."
    ),
    stub='''\
def penalty_places(real, made, share):
    """Where the slope is asked for: [b, d]. real, made: [b, d]; share: [b], uniform in [0, 1]."""
    return ____''',
    answer="share[:, None] * real + (1 - share[:, None]) * made",
    test=_test_places,
    hints=(
        "A weighted mean of the two, with a weight for each pair.",
        "share[:, None] has the shape [b, 1], and multiplies each row of real, [b, d].",
    ),
    mistakes=[
        ("real", "at the data only"),
        ("made", "at the made points only"),
        ("(real + made) / 2", "half-way"),
        ("(1 - share[:, None]) * real + share[:, None] * made", "changed places"),
        ("share.mean() * real + (1 - share.mean()) * made", "One share for all"),
        ("share * real + (1 - share) * made", "go across"),
        ("share[:, None] * (real + made)", "do not sum to 1"),
        ("share[:, None] * real + (1 + share[:, None]) * made", "For three pairs"),
    ],
    setup=SETUP,
    praise="`gradient_penalty` in `t2ilab/losses/wasserstein.py` looks there.",
)
