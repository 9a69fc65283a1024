"""The ascent engine: change pictures so that a score rises, and leave the network alone.

    weights against input:    w = w - λ ∂L/∂w      becomes      I = I - λ ∂L/∂I

A score is any function of a batch of pictures that gives one number a picture: the log probability
of a class, an activation, minus the distance of two representations, a critic. Only the pictures'
gradients are asked for, so weights collect none. A picture whose score has reached its threshold is
frozen, and no longer computed while the others go on.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from t2ilab.errors import UsageError
from t2ilab.inputs.constraints import Box, Constraint
from t2ilab.inputs.optimisers import Adam, Found, Optimiser, Pictures, Rows

Score = Callable[..., Tensor]  # (pictures [b, ...], *given) -> [b]


@dataclass(frozen=True)
class Ascended:
    """Where an ascent of n pictures ended.

    Attributes:
        pictures: [n, ...], as the start, within the constraint.
        scores: the score of each.
        steps: int64, how many steps each took.
        done: whether each reached its threshold; all False where there was none.
        history: [longest + 1, n], the scores before each step and at the end, of frozen pictures
            repeated.
        frames: (step, pictures on the CPU): moments of the ascent, the start and the end included.
        evaluations: how many pictures were scored, the searches of L-BFGS included.
    """

    pictures: Pictures = field(repr=False)
    scores: Float[Tensor, " n"]
    steps: Int[Tensor, " n"]
    done: Bool[Tensor, " n"]
    history: Float[Tensor, "t n"] = field(repr=False)
    frames: list[tuple[int, Tensor]] = field(repr=False)
    evaluations: int


def ascend(
    start: Tensor,  # [n, ...]; anything else is refused in words
    score: Score,
    *,
    steps: int,
    optimiser: Optimiser | None = None,
    constraint: Constraint | None = None,
    given: Sequence[Tensor] = (),
    until: float | Tensor | None = None,
    penalty: Callable[[Tensor], Tensor] | None = None,
    view: Callable[[Tensor], Tensor] | None = None,
    smooth: Callable[[Tensor, int], Tensor] | None = None,
    frames: int = 0,
    batch: int = 256,
) -> Ascended:
    """Climb `score(pictures, *given)` from `start`, each picture for itself.

    Args:
        start: [n, ...] float32 or float64, within the constraint; not changed.
        score: gives one number for each of the pictures it is shown, no picture's depending on
            another's; it may be shown any of them together. Networks in it are in `eval` mode.
        steps: at most so many for each picture.
        optimiser: `Adam()` if none is given.
        constraint: what is never left; `Box()`, that is [-1, 1], if none is given.
        given: tensors with one entry a picture (say, its target) that `score` is handed as well,
            those of the pictures it is shown.
        until: a picture whose score is at least this is done; one for all or one a picture.
        penalty: one number a picture, subtracted from the score; not seen by `until`.
        view: what the score sees of the pictures while they are climbing (see `priors.jitter`).
        smooth: (pictures, number of the step) -> pictures, after each step (see `priors.blur`).
        frames: how many moments to keep for scrubbing: 0, or at least 2.
        batch: how many pictures are computed at once.

    Raises:
        UsageError: a start outside the constraint, a score that is not one finite number a picture
            or does not depend on it, a network in training mode, a wrong number of anything.
    """
    climb = _Climb(score, given, penalty, batch)
    constraint, optimiser = constraint or Box(), optimiser or Adam()
    with torch.inference_mode(False), torch.no_grad():
        _check(start, steps, given, frames, batch)
        constraint.check(start)
        pictures = start.detach().clone()
        threshold = _threshold(until, pictures)
        return climb.run(
            pictures, steps, optimiser, constraint, threshold, view, smooth, _moments(frames, steps)
        )


class _Climb:
    """One call of `ascend`: the loop, and the evaluation of some of the pictures."""

    def __init__(self, score, given, penalty, batch):
        self.score, self.given, self.penalty, self.batch = score, given, penalty, batch
        self.view = None
        self.evaluations = 0

    def run(self, pictures, steps, optimiser, constraint, threshold, view, smooth, moments):
        """The loop; see `ascend`."""
        n, self.view = len(pictures), view
        rows = torch.arange(n, device=pictures.device)  # of those that still climb
        scores, taken = pictures.new_zeros(n), torch.zeros_like(rows)
        done = torch.zeros_like(rows, dtype=torch.bool)
        memory, history, frames = optimiser.begin(pictures), [], []
        for step in range(steps + 1):
            last = step == steps
            found = self._last(pictures[rows], rows) if last else self(pictures[rows], rows)
            scores[rows], taken[rows] = found.scores, step
            done[rows] = reached = found.scores >= threshold[rows]
            history.append(scores.clone())
            rows, found = rows[~reached], Found(*(part[~reached] for part in found))
            last = last or not len(rows)
            if last and moments or step in moments:
                frames.append((step, pictures.cpu().clone()))
            if last:
                break
            x = optimiser.step(pictures[rows], found, rows, memory, self)
            x = x if smooth is None else smooth(x, step + 1)
            pictures[rows] = constraint.project(x, rows)
        return Ascended(
            pictures, scores, taken, done, torch.stack(history), frames, self.evaluations
        )

    def __call__(self, x: Pictures, rows: Rows) -> Found:
        """Score, objective and gradient of the pictures `x`, which are those of `rows`."""
        watched = nullcontext() if self.evaluations else _no_training()
        with watched, torch.enable_grad():
            parts = [self._part(*part) for part in self._split(x, rows)]
        return Found(*(torch.cat(of_all) for of_all in zip(*parts, strict=True)))

    def _part(self, x: Pictures, rows: Rows) -> Found:
        x = x.detach().requires_grad_(True)
        scores = self._scores(x if self.view is None else self.view(x), rows)
        if not scores.requires_grad:
            raise UsageError(
                "the score does not depend on the pictures through anything that has "
                "a gradient: no argmax, no rounding, no .detach() on the way."
            )
        objective = scores
        if self.penalty is not None:
            penalty = self.penalty(x)
            _check_numbers("penalty", penalty, len(x))
            objective = scores - penalty
        # Asked for x alone, autograd goes no other way: weights keep the .grad that they have.
        (gradient,) = torch.autograd.grad(objective.sum(), x)
        _check_numbers("gradient", gradient.flatten(1).sum(1), len(x))
        return Found(scores.detach(), objective.detach(), gradient)

    def _last(self, x: Pictures, rows: Rows) -> Found:
        """The scores of what is returned: nothing is stepped any more, so no gradient, no view."""
        scores = torch.cat([self._scores(*part) for part in self._split(x, rows)])
        return Found(scores, scores, scores)

    def _split(self, x: Pictures, rows: Rows) -> Iterator[tuple[Pictures, Rows]]:
        return zip(x.split(self.batch), rows.split(self.batch), strict=True)

    def _scores(self, x: Pictures, rows: Rows) -> Float[Tensor, " b"]:
        self.evaluations += len(x)
        scores = self.score(x, *(one[rows] for one in self.given))
        _check_numbers("score", scores, len(x))
        return scores.to(x.dtype)


def _check(start: Tensor, steps: int, given: Sequence[Tensor], frames: int, batch: int) -> None:
    if not isinstance(start, Tensor) or start.dtype not in (torch.float32, torch.float64):
        kind = start.dtype if isinstance(start, Tensor) else type(start).__name__
        raise UsageError(
            f"the start is {kind}: a float32 or float64 tensor is needed (uint8 "
            "pictures become one with t2ilab.data.captioned.to_float)."
        )
    if start.dim() < 2 or not start.numel():
        raise UsageError(
            f"the start has shape {list(start.shape)}: at least one picture and a "
            "batch dimension are needed; one picture alone is picture[None]."
        )
    if steps < 1 or batch < 1 or frames < 0 or frames == 1:
        raise UsageError(
            f"{steps} steps in batches of {batch} with {frames} frames: steps and "
            "batch must be at least 1, and frames 0 or at least 2."
        )
    for one in given:
        if not isinstance(one, Tensor) or one.dim() < 1 or len(one) != len(start):
            has = list(one.shape) if isinstance(one, Tensor) else type(one).__name__
            raise UsageError(
                f"`given` must hold tensors with an entry for each of the "
                f"{len(start)} pictures, got {has}."
            )


def _check_numbers(name: str, numbers: Tensor, n: int) -> None:
    if not isinstance(numbers, Tensor) or numbers.shape != (n,) or not numbers.is_floating_point():
        got = type(numbers).__name__
        if isinstance(numbers, Tensor):
            got = f"{numbers.dtype} {list(numbers.shape)}"
        raise UsageError(
            f"the {name} must be one number a picture, a float tensor of shape [{n}] "
            f"for {n} pictures; got {got}. Sum over all dimensions but the first."
        )
    finite = torch.isfinite(numbers)
    if not finite.all():
        raise UsageError(
            f"the {name} of {int((~finite).sum())} of {n} pictures is not finite: try "
            "a smaller step, a logit or a log probability instead of a logarithm of "
            "a probability, or normalised inputs."
        )


def _threshold(until: float | Tensor | None, pictures: Tensor) -> Float[Tensor, " n"]:
    n = len(pictures)
    wanted = torch.as_tensor(
        torch.inf if until is None else until, dtype=pictures.dtype, device=pictures.device
    )
    if wanted.shape not in ((), (n,)) or wanted.isnan().any():
        raise UsageError(
            f"`until` must be a number, or one for each of the {n} pictures; got "
            f"shape {list(wanted.shape)}"
            f"{', some of them no number' if wanted.isnan().any() else ''}."
        )
    return wanted.expand(n)


def _moments(frames: int, steps: int) -> set[int]:
    """Evenly spaced steps from 0 to `steps`, at most `frames` of them."""
    return {round(i * steps / (frames - 1)) for i in range(frames)} if frames else set()


@contextmanager
def _no_training() -> Iterator[None]:
    """While this is open, a network that is called in training mode is refused."""

    def look(module: nn.Module, _inputs: object) -> None:
        holds = any(True for _ in (*module.parameters(False), *module.buffers(False)))
        drops = isinstance(module, nn.modules.dropout._DropoutNd)
        if module.training and (holds or drops) and not isinstance(module, nn.modules.loss._Loss):
            raise UsageError(
                f"a network is in training mode (found at its {type(module).__name__}): batch norm "
                "would learn from the pictures that are being made, and dropout would climb "
                "another network at each step. Call network.eval() first."
            )

    hook = nn.modules.module.register_module_forward_pre_hook(look)
    try:
        yield
    finally:
        hook.remove()
