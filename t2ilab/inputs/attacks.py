"""Adversarial inputs and fooling images: a few lines each on the ascent engine.

A network is any function from pictures to logits [b, classes], in `eval` mode. Each attack goes
towards `targets` or away from `labels`, one class a picture or one for all; epsilon and step sizes
are shares of the box's width, so 8/255 is 8 grey levels. Whom it fooled: `scores.predict`.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError, choose
from t2ilab.inputs.ascent import Ascended, ascend
from t2ilab.inputs.constraints import Box, L2Ball, LInfBall, checked_epsilon
from t2ilab.inputs.optimisers import Adam, GradientAscent, Optimiser, SignAscent
from t2ilab.inputs.scores import Network, as_classes, log_probability, surprise

Pictures = Float[Tensor, "n ..."]
Classes = int | Tensor  # int64 [n]


def fgsm(
    network: Network,
    pictures: Pictures,
    *,
    epsilon: float,
    targets: Classes | None = None,
    labels: Classes | None = None,
    box: Box | None = None,
) -> Ascended:
    """The fast gradient sign method: x + ε sign(∂score/∂x), in one step, clamped to the box.

    Goodfellow, Shlens and Szegedy 2015, sect. 4. Raises as `pgd`.
    """
    size, aim = checked_epsilon(epsilon), {"targets": targets, "labels": labels}
    return pgd(network, pictures, epsilon=size, step_size=size, steps=1, box=box, **aim)


def pgd(
    network: Network,
    pictures: Pictures,
    *,
    epsilon: float,
    targets: Classes | None = None,
    labels: Classes | None = None,
    steps: int = 40,
    step_size: float | None = None,
    norm: str = "linf",
    confidence: float | None = None,
    generator: torch.Generator | None = None,
    box: Box | None = None,
    frames: int = 0,
    batch: int = 256,
) -> Ascended:
    """Projected gradient ascent in a ball around each picture (Madry et al. 2018, sect. 2.1).

    Args:
        pictures: in the box; the centres of the balls.
        epsilon: size of the ball. "linf": of each value; "l2": root mean square of a picture.
        targets, labels: the classes to go to, or those to go away from: one of the two.
        step_size: how far one step goes, measured as epsilon is; 2.5 epsilon / steps if not given.
        norm: "linf" (steps by the sign) or "l2" (steps along the gradient).
        confidence: a picture is done as soon as its target's probability is at least this, or as
            the probability that it does *not* have its label is; None: all steps are taken.
        generator: start at a random place in the ball, drawn from it; None: at the picture.
        frames, batch: as in `ascend`.

    Raises:
        UsageError: epsilon not in 0..1, a class that does not exist, a picture outside the box, a
            network in training mode, or both or none of `targets` and `labels`.
    """
    box = box or Box()
    aim = _aim(network, pictures, targets, labels, confidence)
    balls = {"linf": LInfBall, "l2": L2Ball}
    ball = balls[choose("norm", norm, balls)](pictures, epsilon=epsilon, box=box)
    if step_size is None:
        step_size = 2.5 * epsilon / steps if steps > 0 else epsilon
    length = step_size * box.width or box.width  # a ball of size 0 allows no step, however long
    rule: Optimiser = SignAscent(length)
    if norm == "l2":
        rule = GradientAscent(length * math.sqrt(pictures[0].numel()), norm="l2")
    start = pictures if generator is None else _within(ball, epsilon, generator)
    return ascend(
        start, **aim, steps=steps, optimiser=rule, constraint=ball, frames=frames, batch=batch
    )


def fool(
    network: Network,
    start: Pictures,
    *,
    targets: Classes,
    confidence: float = 0.9999,
    steps: int = 1000,
    optimiser: Optimiser | None = None,
    box: Box | None = None,
    frames: int = 0,
    batch: int = 256,
) -> Ascended:
    """Fooling images: anywhere in the box, until the target's probability is `confidence`.

    Nguyen, Yosinski and Clune 2015, fig. 13: gradient ascent from the mean picture with a little
    noise (`starts.near`), or from noise (`starts.uniform_noise`), to 99.99 %. Here by Adam.

    Raises: as `pgd`.
    """
    aim, rule = _aim(network, start, targets, None, confidence), optimiser or Adam(0.02)
    return ascend(
        start, **aim, steps=steps, optimiser=rule, constraint=box, frames=frames, batch=batch
    )


def _aim(
    network: Network,
    pictures: Tensor,
    targets: Classes | None,
    labels: Classes | None,
    confidence: float | None,
) -> dict[str, Any]:
    """What `ascend` is told: the score to climb, its classes, and where a picture is done."""
    if (targets is None) == (labels is None):
        raise UsageError(
            "give either `targets`, the classes to go towards, or `labels`, the "
            "classes to go away from."
        )
    if confidence is not None and not 0 < confidence < 1:
        raise UsageError(f"confidence {confidence}: a probability between 0 and 1 is needed.")
    if targets is not None:
        score, classes = log_probability(network), as_classes(targets, pictures)
        until = None if confidence is None else math.log(confidence)
    else:
        score, classes = surprise(network), as_classes(labels, pictures)
        until = None if confidence is None else -math.log1p(-confidence)
    return {"score": score, "given": [classes], "until": until}


def _within(ball: LInfBall | L2Ball, epsilon: float, generator: torch.Generator) -> Tensor:
    """The centres, each value moved by up to `epsilon` either way, and back into the ball."""
    centre = ball.centre
    noise = torch.rand(centre.shape, generator=generator).to(centre) * 2 - 1
    moved = centre + noise * (epsilon * ball.box.width)
    return ball.project(moved, torch.arange(len(centre), device=centre.device))
