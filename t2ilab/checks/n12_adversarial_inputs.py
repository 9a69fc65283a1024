"""Exercises of notebook 12: the step of FGSM, the projection, and the sign of the loss."""

import torch
import torch.nn.functional as F

from t2ilab.checks.exercise import Exercise, Wrong

SETUP = "import torch\nimport torch.nn.functional as F"


def _close(a, b) -> bool:
    a = torch.as_tensor(a)
    return a.shape == b.shape and torch.allclose(a.float(), b, atol=1e-6)


def _numbers(x) -> list[float]:
    return [round(v, 3) for v in torch.as_tensor(x).flatten().tolist()]


def _test_signs(climbed) -> None:
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 5, generator=rng)
    labels, targets = torch.tensor([0, 1, 2]), torch.tensor([4, 3, 0])
    found = climbed(logits, labels, targets)
    if not isinstance(found, tuple) or len(found) != 2:
        raise Wrong("Two scores are asked for: `return towards, away`.")
    towards, away = (torch.as_tensor(one) for one in found)
    if towards.shape != (3,) or away.shape != (3,):
        raise Wrong(
            f"Each picture climbs for itself: one number for each of the 3, shape [3]; "
            f"yours are {list(towards.shape)} and {list(away.shape)}. Look at "
            "`reduction`."
        )
    loss = F.cross_entropy(logits, targets, reduction="none")
    apart = F.cross_entropy(logits, labels, reduction="none")
    if _close(towards, loss):
        raise Wrong(
            "The sign of the first: a large loss of the target means that the network does "
            "not see it. Climbing this leads away from the target."
        )
    if _close(away, -apart):
        raise Wrong(
            "The sign of the second: to get away from the label its loss must rise, "
            "as in training it must fall."
        )
    if _close(towards, -apart) or _close(away, loss):
        raise Wrong("Labels and targets changed places: towards `targets`, away from `labels`.")
    if not _close(towards, -loss):
        raise Wrong(
            f"`towards` should be minus the cross entropy of the target, "
            f"{_numbers(-loss)}; yours is {_numbers(towards)}."
        )
    if not _close(away, apart):
        raise Wrong(
            f"`away` should be the cross entropy of the label, {_numbers(apart)}; yours "
            f"is {_numbers(away)}."
        )


_SIGNS = '''\
def climbed(logits, labels, targets):
    """What is climbed: towards the targets; away from the labels. Both of shape [b].

    logits: [b, classes]; labels, targets: [b].
    """
    return ____, ____'''


def _both(towards: str, away: str) -> str:
    return _SIGNS.replace("____, ____", f"{towards}, {away}")


_TOWARDS = 'F.cross_entropy(logits, targets, reduction="none")'
_AWAY = 'F.cross_entropy(logits, labels, reduction="none")'

q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** The slides *descend* a loss, `ascend` *climbs* a score. Write the score "
        "of each picture for a targeted and for an untargeted attack, with "
        '`F.cross_entropy(..., reduction="none")`.'
    ),
    reads=("climbed",),
    stub=_SIGNS,
    answer=_both("-" + _TOWARDS, _AWAY),
    setup=SETUP,
    test=_test_signs,
    hints=(
        "The cross entropy is -log p(class). Which of the two probabilities should rise, and "
        "which should fall?",
        "Climbing -L(target) is descending L(target). Away from the label, its loss itself is "
        "climbed.",
    ),
    mistakes=[
        (_both(_TOWARDS, _AWAY), "sign of the first"),
        (_both("-" + _TOWARDS, "-" + _AWAY), "sign of the second"),
        (_both("-" + _AWAY, _TOWARDS), "changed places"),
        (
            _both("-F.cross_entropy(logits, targets)", "F.cross_entropy(logits, labels)"),
            "shape [3]",
        ),
        (_both("logits.softmax(1)[torch.arange(len(logits)), targets]", _AWAY), "minus the cross"),
        (_both("-" + _TOWARDS, "logits.gather(1, labels[:, None])[:, 0]"), "cross entropy of the"),
        (_SIGNS.replace("____, ____", "-" + _TOWARDS), "Two scores"),
    ],
    praise="`log_probability` and `surprise` in `t2ilab/inputs/scores.py` are these two.",
)


def _test_step(step) -> None:
    x = torch.tensor([[0.0, 0.5, -0.5, 0.95, 0.2]])
    gradient = torch.tensor([[3.0, -0.01, 0.2, 1.0, 0.0]])
    epsilon, original = 0.05, x.clone()
    away = torch.tensor([[0.1, 0.4, -0.4, 1.0, 0.2]])
    towards = torch.tensor([[-0.1, 0.6, -0.6, 0.85, 0.2]])
    found = torch.as_tensor(step(x, gradient, epsilon, False))
    if not torch.equal(x, original):
        raise Wrong("The picture that was handed in has been changed. Return a new one: no `+=`.")
    if found.shape != x.shape:
        raise Wrong(
            f"The step gives pictures of the same shape, {list(x.shape)}; yours has "
            f"{list(found.shape)}."
        )
    if _close(found, towards):
        raise Wrong(
            "Untargeted means uphill: the loss of the right label should rise. Yours falls."
        )
    if _close(found, (x + 2 * epsilon * gradient).clamp(-1, 1)) or _close(
        found, x + 2 * epsilon * gradient
    ):
        raise Wrong(
            "That is a gradient step. FGSM goes by the *sign*: every value moves as far as "
            "it may, however small its gradient is."
        )
    if _close(found, (x + epsilon * gradient.sign()).clamp(-1, 1)):
        raise Wrong(
            "Half as far as allowed: ε is a share of the way from black to white, and that "
            "is 2 long here, from -1 to 1."
        )
    if found.max() > 1 + 1e-6:
        raise Wrong(
            f"A value came to be {float(found.max()):.2f}: no screen shows more than 1. "
            "Clamp to the box."
        )
    if not _close(found, away):
        raise Wrong(
            f"From {_numbers(x)} with the gradient {_numbers(gradient)} and ε = {epsilon} "
            f"the untargeted step should reach {_numbers(away)}; yours {_numbers(found)}."
        )
    found = torch.as_tensor(step(x, gradient, epsilon, True))
    if _close(found, away):
        raise Wrong(
            "A targeted step goes *down* the loss: it is the target's loss then. Yours climbs it."
        )
    if not _close(found, towards):
        raise Wrong(f"The targeted step should reach {_numbers(towards)}; yours {_numbers(found)}.")


_STEP = '''\
def fgsm_step(x, gradient, epsilon, targeted):
    """The fast gradient sign method, for pictures with values from -1 to 1.

    gradient: of the loss, with respect to x; of the target's loss if `targeted`, else the label's.
    epsilon: how far a value may move, as a share of the way from black (-1) to white (1).
    """
    direction = ____
    return ____'''


def _steps(direction: str, result: str) -> str:
    return _STEP.replace("direction = ____", f"direction = {direction}").replace(
        "return ____", f"return {result}"
    )


_SIGN, _MOVED = "-1 if targeted else 1", "x + direction * 2 * epsilon * gradient.sign()"

q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Write the step of FGSM, towards a target or away from a label. Mind the "
        "box: what comes out must be a picture again."
    ),
    reads=("fgsm_step",),
    stub=_STEP,
    answer=_steps(_SIGN, f"({_MOVED}).clamp(-1, 1)"),
    setup=SETUP,
    test=_test_step,
    hints=(
        "Every value moves by the same amount, up or down. Which function keeps only the "
        "direction of a number?",
        "x plus or minus 2 * epsilon * gradient.sign(), then .clamp(-1, 1). Minus goes down the "
        "loss: which of the two attacks wants that?",
    ),
    mistakes=[
        (_steps("1 if targeted else -1", f"({_MOVED}).clamp(-1, 1)"), "Untargeted means uphill"),
        (_steps("1", f"({_MOVED}).clamp(-1, 1)"), "A targeted step goes"),
        (_steps(_SIGN, "(x + direction * 2 * epsilon * gradient).clamp(-1, 1)"), "by the *sign*"),
        (_steps(_SIGN, "(x + direction * epsilon * gradient.sign()).clamp(-1, 1)"), "Half as far"),
        (_steps(_SIGN, _MOVED), "Clamp to the box"),
        (_steps(_SIGN, "direction * 2 * epsilon * gradient.sign()"), "should reach"),
        (
            _steps(_SIGN, "x.add_(direction * 2 * epsilon * gradient.sign()).clamp(-1, 1)"),
            "has been changed",
        ),
        (
            _steps(_SIGN, "(x + direction * 2 * epsilon * gradient.sum(1).sign()).sum(1)"),
            "same shape",
        ),
    ],
    praise="`fgsm` in `t2ilab/inputs/attacks.py` is PGD with one such step.",
)


def _test_project(project) -> None:
    centre = torch.tensor([[0.0, 0.9, -0.3, 0.5, -1.0]])
    x = torch.tensor([[0.5, 1.3, -0.35, 0.1, -1.4]])
    epsilon, right = 0.1, torch.tensor([[0.2, 1.0, -0.35, 0.3, -1.0]])
    found = torch.as_tensor(project(x, centre, epsilon))
    if found.shape != x.shape:
        raise Wrong(
            f"Projected pictures have the same shape, {list(x.shape)}; yours has "
            f"{list(found.shape)}."
        )
    if _close(found, x.clamp(-1, 1)):
        raise Wrong("That is the box alone. Each value must also stay within 2ε of the centre's.")
    if _close(found, x.clamp(centre - 2 * epsilon, centre + 2 * epsilon)):
        raise Wrong(
            "That is the ball alone: it sticks out of the box where the centre is nearly "
            "black or white."
        )
    if _close(found, x.clamp(centre - epsilon, centre + epsilon).clamp(-1, 1)):
        raise Wrong("The ball is too small by half: ε is a share of the box's width, which is 2.")
    if _close(found, x.clamp(-2 * epsilon, 2 * epsilon)):
        raise Wrong("The ball lies around the *centre*, not around zero, which is grey.")
    change = x - centre
    largest = change.abs().amax(1, keepdim=True)
    if _close(found, (centre + change * (2 * epsilon / largest).clamp(max=1)).clamp(-1, 1)):
        raise Wrong(
            "That draws the whole change in until it fits. The nearest point of this ball "
            "is found for each value alone: those that are inside stay."
        )
    if _close(found, (centre + change.sign() * 2 * epsilon).clamp(-1, 1)):
        raise Wrong("That moves every value to the edge. What is inside stays as it is.")
    if not _close(found, right):
        raise Wrong(
            f"Around {_numbers(centre)} with ε = {epsilon}, {_numbers(x)} should become "
            f"{_numbers(right)}; yours is {_numbers(found)}."
        )


_PROJECT = '''\
def project(x, centre, epsilon):
    """The nearest pictures to x in the box [-1, 1] and in the L∞ ball of epsilon around centre.

    epsilon: a share of the way from black (-1) to white (1).
    """
    return ____'''


def _projects(expression: str) -> str:
    return _PROJECT.replace("____", expression)


q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** The *P* of PGD: bring pictures back into the ball of ε around their "
        "originals, and into the box."
    ),
    reads=("project",),
    stub=_PROJECT,
    answer=_projects("x.clamp(centre - 2 * epsilon, centre + 2 * epsilon).clamp(-1, 1)"),
    setup=SETUP,
    test=_test_project,
    hints=(
        "In L∞ every value has an interval of its own. What are its two ends?",
        "`x.clamp(low, high)` takes tensors as well: centre - 2ε and centre + 2ε. Then the box.",
    ),
    mistakes=[
        (_projects("x.clamp(-1, 1)"), "box alone"),
        (_projects("x.clamp(centre - 2 * epsilon, centre + 2 * epsilon)"), "ball alone"),
        (_projects("x.clamp(centre - epsilon, centre + epsilon).clamp(-1, 1)"), "too small by"),
        (_projects("x.clamp(-2 * epsilon, 2 * epsilon)"), "around the *centre*"),
        (
            _projects(
                "(centre + (x - centre) * (2 * epsilon / (x - centre).abs().amax(1, "
                "keepdim=True)).clamp(max=1)).clamp(-1, 1)"
            ),
            "each value alone",
        ),
        (_projects("(centre + 2 * epsilon * (x - centre).sign()).clamp(-1, 1)"), "to the edge"),
        (_projects("(x - centre).clamp(-2 * epsilon, 2 * epsilon)"), "should become"),
        (_projects("x.clamp(centre - 2 * epsilon, centre + 2 * epsilon).sum(1)"), "same shape"),
    ],
    praise="`LInfBall` in `t2ilab/inputs/constraints.py` does this, and holds to the last bit.",
)
