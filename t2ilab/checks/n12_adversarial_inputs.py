"""Exercises of notebook 12: the step of FGSM, the projection, and the sign of the loss."""

import torch
import torch.nn.functional as F

from t2ilab.checks.exercise import Exercise, Wrong, filled
from t2ilab.checks.kit import call, checked, compare, shown


def _test_signs(climbed) -> None:
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 5, generator=rng)
    labels, targets = torch.tensor([0, 1, 2]), torch.tensor([4, 3, 0])
    found = call(climbed, logits, labels, targets, kind=tuple, reason="`return towards, away`")
    if len(found) != 2:
        raise Wrong("Two scores are asked for: `return towards, away`.")
    each = "Each picture climbs for itself: one number for each. Look at `reduction`."
    towards, away = (
        checked(one, f"`{name}`", shape=(3,), reason=each)
        for one, name in zip(found, ("towards", "away"), strict=True)
    )
    loss = F.cross_entropy(logits, targets, reduction="none")
    apart = F.cross_entropy(logits, labels, reduction="none")
    compare(
        towards,
        -loss,
        "`towards` should be minus the cross entropy of the target, {right}; yours is {found}.",
        slips={
            "The sign of the first: a large loss of the target means that the network does "
            "not see it. Climbing this leads away from the target.": loss,
            "The first leads towards the *labels*. Towards `targets`, away from `labels`": -apart,
            "The first leads away from `labels`; towards `targets` is asked for.": apart,
            "That is the probability of the target. It would work, but the slides have its "
            "logarithm: minus the cross entropy.": loss.neg().exp(),
            "That is the target's logit alone.": logits.gather(1, targets[:, None])[:, 0],
        },
    )
    compare(
        away,
        apart,
        "`away` should be the cross entropy of the label, {right}; yours is {found}.",
        slips={
            "The sign of the second: to get away from the label its loss must rise, "
            "as in training it must fall.": -apart,
            "The second leads away from the *targets*. It should lead away from `labels`.": loss,
            "The second leads towards `targets` too; it should lead away from `labels`.": -loss,
        },
    )


_SIGNS = '''\
def climbed(logits, labels, targets):
    """What is climbed: towards the targets; away from the labels. Both of shape [b].

    logits: [b, classes]; labels, targets: [b].
    """
    return ____, ____'''


_TOWARDS = 'F.cross_entropy(logits, targets, reduction="none")'
_AWAY = 'F.cross_entropy(logits, labels, reduction="none")'

q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** The slides *descend* a loss, `ascend` *climbs* a score. Write the score "
        "of each picture for a targeted and for an untargeted attack, with "
        '`F.cross_entropy(..., reduction="none")`.'
    ),
    stub=_SIGNS,
    answer=("-" + _TOWARDS, _AWAY),
    test=_test_signs,
    hints=(
        "The cross entropy is -log p(class). Which of the two probabilities should rise, and "
        "which should fall?",
        "Climbing -L(target) is descending L(target). Away from the label, its loss itself is "
        "climbed.",
    ),
    mistakes=[
        ((_TOWARDS, _AWAY), "sign of the first"),
        (("-" + _TOWARDS, "-" + _AWAY), "sign of the second"),
        (("-" + _AWAY, _TOWARDS), "towards the *labels*"),
        (("-" + _TOWARDS, _TOWARDS), "away from the *targets*"),
        (("-F.cross_entropy(logits, targets)", _AWAY), "`towards` should return the shape [3]"),
        (("-" + _TOWARDS, "F.cross_entropy(logits, labels)"), "`away` should return the shape"),
        (("logits.softmax(1)[torch.arange(len(logits)), targets]", _AWAY), "its logarithm"),
        (("-" + _TOWARDS, "logits.gather(1, labels[:, None])[:, 0]"), "cross entropy of the"),
        (
            filled(_SIGNS, ("-" + _TOWARDS, _AWAY)).replace(", F.cross_entropy", "  # "),
            "a tuple: `return towards, away`",
        ),
        (("-" + _TOWARDS, _AWAY + ", 0"), "Two scores"),
    ],
    praise="`log_probability` and `surprise` in `t2ilab/inputs/scores.py` are these two.",
)


def _test_step(step) -> None:
    x = torch.tensor([[0.5, -0.98, 0.0, 0.9]])
    gradient, epsilon = torch.tensor([[3.0, 2.0, -0.01, 0.5]]), 0.1
    move = 2 * epsilon * gradient.sign()
    away, towards = (x + move).clamp(-1, 1), (x - move).clamp(-1, 1)
    shape = {"shape": (1, 4), "reason": "What comes out is a picture, like what went in."}
    compare(
        call(step, x, gradient, epsilon, False, **shape),
        away,
        "From [0.5, -0.98, 0, 0.9] with the gradient [3, 2, -0.01, 0.5] and ε = 0.1 the untargeted "
        "step should reach {right}; yours {found}.",
        slips={
            "Untargeted means uphill: away from the label, whose loss should rise. Yours goes "
            "down.": towards,
            "That is a gradient step. FGSM goes by the *sign*: every value moves as far as it "
            "may, however small its gradient is.": (x + 2 * epsilon * gradient).clamp(-1, 1),
            "Half as far as allowed: ε is a share of the way from black to white, and that is "
            "2 long here, from -1 to 1.": (x + move / 2).clamp(-1, 1),
            "A value came to be 1.1, and no screen shows more than 1. Clamp to the box.": x + move,
            "Black is -1 here, not 0: the box is [-1, 1].": (x + move).clamp(0, 1),
            "That is the change alone. What is asked for is the picture, moved by it.": move,
            "That is the change alone; add it to the picture.": move.clamp(-1, 1),
        },
    )
    compare(
        call(step, x, gradient, epsilon, True, **shape),
        towards,
        "The targeted step should reach {right}; yours {found}. The untargeted one is right.",
        slips={
            "A targeted step goes *down* the loss: it is the target's loss then. Yours climbs "
            "it.": away
        },
    )


_STEP = '''\
def fgsm_step(x, gradient, epsilon, targeted):
    """The fast gradient sign method, for pictures with values from -1 to 1.

    gradient: of the loss, with respect to x; of the target's loss if `targeted`, else the label's.
    epsilon: how far a value may move, as a share of the way from black (-1) to white (1).
    """
    direction = ____
    return ____'''


_SIGN, _MOVED = "-1 if targeted else 1", "x + direction * 2 * epsilon * gradient.sign()"

q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Write the step of FGSM, towards a target or away from a label. Mind the "
        "box: what comes out must be a picture again."
    ),
    stub=_STEP,
    answer=(_SIGN, f"({_MOVED}).clamp(-1, 1)"),
    test=_test_step,
    hints=(
        "Every value moves by the same amount, up or down. Which function keeps only the "
        "direction of a number?",
        "x plus or minus 2 * epsilon * gradient.sign(), then .clamp(-1, 1). Minus goes down the "
        "loss: which of the two attacks wants that?",
    ),
    mistakes=[
        (("1 if targeted else -1", f"({_MOVED}).clamp(-1, 1)"), "Untargeted means uphill"),
        (("1", f"({_MOVED}).clamp(-1, 1)"), "A targeted step goes"),
        (("-1", f"({_MOVED}).clamp(-1, 1)"), "Untargeted means uphill"),
        ((_SIGN, "(x + direction * 2 * epsilon * gradient).clamp(-1, 1)"), "by the *sign*"),
        ((_SIGN, "(x + direction * epsilon * gradient.sign()).clamp(-1, 1)"), "Half as far"),
        ((_SIGN, _MOVED), "Clamp to the box"),
        ((_SIGN, f"({_MOVED}).clamp(0, 1)"), "the box is [-1, 1]"),
        ((_SIGN, "direction * 2 * epsilon * gradient.sign()"), "the change alone"),
        (
            (_SIGN, "x.add_(direction * 2 * epsilon * gradient.sign()).clamp(-1, 1)"),
            "was changed in place",
        ),
        ((_SIGN, f"({_MOVED}).clamp(-1, 1).sum(1)"), "like what went in"),
        ((_SIGN, "x + 2 * epsilon * gradient / gradient.norm()"), "should reach"),
    ],
    praise="`fgsm` in `t2ilab/inputs/attacks.py` is PGD with one such step.",
)


def _test_project(project) -> None:
    centre = torch.tensor([[0.0, 0.9, -0.3, 0.5, -1.0]])
    x = torch.tensor([[0.5, 1.3, -0.35, 0.1, -1.4]])
    change, reach = x - centre, 0.2  # 2 epsilon
    largest = change.abs().amax(1, keepdim=True)
    compare(
        call(project, x, centre, 0.1, shape=(1, 5), reason="Projected pictures are pictures."),
        [[0.2, 1.0, -0.35, 0.3, -1.0]],
        f"Around {shown(centre)} with ε = 0.1, {shown(x)} should become {{right}}; yours is "
        "{found}.",
        slips={
            "That is the box alone. Each value must also stay within 2ε of the centre's.": x.clamp(
                -1, 1
            ),
            "That is the ball alone: it sticks out of the box where the centre is nearly black "
            "or white.": x.clamp(centre - reach, centre + reach),
            "The ball is too small by half: ε is a share of the box's width, which is 2.": x.clamp(
                centre - reach / 2, centre + reach / 2
            ).clamp(-1, 1),
            "The ball lies around the *centre*, not around zero (grey).": x.clamp(-reach, reach),
            "That is the change alone, within the ball. Add it to the centre.": change.clamp(
                -reach, reach
            ),
            "That draws the whole change in until it fits. The nearest point of this ball is "
            "found for each value alone: those that are inside stay.": (
                centre + change * (reach / largest).clamp(max=1)
            ).clamp(-1, 1),
            "That is the ball of the Euclidean norm. In L∞ each value has its own interval.": (
                centre + change * (reach / change.norm(dim=1, keepdim=True))
            ).clamp(-1, 1),
            "That moves every value to the edge. What is inside stays as it is.": (
                centre + change.sign() * reach
            ).clamp(-1, 1),
        },
    )


_PROJECT = '''\
def project(x, centre, epsilon):
    """The nearest pictures to x in the box [-1, 1] and in the L∞ ball of epsilon around centre.

    epsilon: a share of the way from black (-1) to white (1).
    """
    return ____'''


q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** The *P* of PGD: bring pictures back into the ball of ε around their "
        "originals, and into the box."
    ),
    stub=_PROJECT,
    answer="x.clamp(centre - 2 * epsilon, centre + 2 * epsilon).clamp(-1, 1)",
    test=_test_project,
    hints=(
        "In L∞ every value has an interval of its own. What are its two ends?",
        "`x.clamp(low, high)` takes tensors as well: centre - 2ε and centre + 2ε. Then the box.",
    ),
    mistakes=[
        ("x.clamp(-1, 1)", "box alone"),
        ("x.clamp(centre - 2 * epsilon, centre + 2 * epsilon)", "ball alone"),
        ("x.clamp(centre - epsilon, centre + epsilon).clamp(-1, 1)", "too small by"),
        ("x.clamp(-2 * epsilon, 2 * epsilon)", "around the *centre*"),
        (
            "(centre + (x - centre) * (2 * epsilon / (x - centre).abs().amax(1, "
            "keepdim=True)).clamp(max=1)).clamp(-1, 1)",
            "each value alone",
        ),
        ("(centre + 2 * epsilon * F.normalize(x - centre, dim=1)).clamp(-1, 1)", "Euclidean norm"),
        ("(centre + 2 * epsilon * (x - centre).sign()).clamp(-1, 1)", "to the edge"),
        ("(x - centre).clamp(-2 * epsilon, 2 * epsilon)", "Add it to the centre"),
        ("x.clamp(centre - 2 * epsilon, centre + 2 * epsilon).sum(1)", "are pictures"),
        ("x.clamp_(centre - 2 * epsilon, centre + 2 * epsilon).clamp(-1, 1)", "changed in place"),
        ("x.clamp(0 * centre, centre + 2 * epsilon).clamp(-1, 1)", "should become"),
    ],
    praise="`LInfBall` in `t2ilab/inputs/constraints.py` does this, and holds to the last bit.",
)
