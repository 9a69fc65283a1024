"""Introspective synthesis: a critic's own gradient draws the pictures that it then learns from.

The synthesis step of INNg (Lazarow, Jin and Tu 2017; Le 2018, fig. 2.5) and of WINN (Lee et al.
2018) is the ascent of `ascent.ascend` on the critic's score, each picture until it reaches a
threshold of its own.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError, choose
from t2ilab.inputs.ascent import Ascended, ascend
from t2ilab.inputs.optimisers import Adam, GradientAscent
from t2ilab.inputs.starts import gaussian_noise, random_network, uniform_noise

Pictures = Float[Tensor, "n c h w"]
STARTS = {"random_network": random_network, "white": uniform_noise, "gaussian": gaussian_noise}
UNTIL = ("boundary", "uniform", "drawn")
RULES = {"adam": Adam, "gradient": GradientAscent}
RETRIES = 3  # how often a picture that nobody would take for data begins again


@dataclass(frozen=True)
class Sampler:
    """How pictures are made from a critic.

    Attributes:
        steps: at most so many a visit.
        rule: "adam" on pixels, its moments forgotten between visits (the released code of both
            papers), or "gradient": x + lr · grad f, for a critic whose gradient has a norm near 1;
            Adam makes all pixels move alike, and leaves a grain.
        lr, last_lr: step size at the beginning and at the end of training, for pictures in
            [-1, 1]; in between it sinks geometrically. A trained system draws with the last.
        until: when a picture is done: "boundary": at f = 0, where p(+1|x) = 1/2 (INNg's released
            code); "uniform": at a score drawn between the least and the greatest of the positives'
            (WINN); "drawn": at the score of a positive, drawn anew for each picture.
        start: "random_network", "white" or "gaussian".
        visits: how often a picture is visited, from noise to the end.
    """

    steps: int = 10
    rule: str = "adam"
    lr: float = 0.02
    last_lr: float = 0.005
    until: str = "drawn"
    start: str = "random_network"
    visits: int = 20

    def __post_init__(self):
        choose("rule", self.rule, RULES)
        choose("threshold rule", self.until, UNTIL)
        choose("start", self.start, STARTS)
        sizes = (self.lr, self.last_lr)
        if self.steps < 1 or self.visits < 1 or not 0 < min(sizes) <= max(sizes) < math.inf:
            raise UsageError(
                f"a sampler of {self.visits} visits of {self.steps} steps of "
                f"{self.lr} to {self.last_lr}: all must be above 0."
            )

    def optimiser(self, progress: float) -> Adam | GradientAscent:
        """The rule with the step size at `progress` in [0, 1]."""
        return RULES[self.rule](self.lr * (self.last_lr / self.lr) ** progress)


def thresholds(
    positives: Float[Tensor, " m"], n: int, rule: str, *, generator: torch.Generator | None = None
) -> Float[Tensor, " n"]:
    """For each of n pictures the score at which it is done; see `Sampler.until`.

    Raises:
        UsageError: an unknown rule, or no scores of positives.
    """
    choose("threshold rule", rule, UNTIL)
    if not len(positives):
        raise UsageError("thresholds come from the positives' scores, and there are none.")
    if rule == "boundary":
        return torch.zeros(n)
    u = torch.rand(n, generator=generator)
    if rule == "uniform":
        return positives.min() + u * (positives.max() - positives.min())
    return positives[(u * len(positives)).long().clamp(max=len(positives) - 1)]


def synthesise(
    critic: Callable[..., Tensor],
    start: Pictures,
    positives: Float[Tensor, " m"],
    sampler: Sampler,
    *,
    progress: float = 0.0,
    generator: torch.Generator | None = None,
    frames: int = 0,
    given: Sequence[Tensor] = (),
) -> Ascended:
    """One visit: climb f(x) from `start`, each picture until its threshold; raises as `ascend`.

    Args:
        critic: (pictures, *given) -> [b], in `eval` mode.
        positives: scores of real pictures under this critic.
        progress: how far training has come, in [0, 1]; steps become smaller.
        frames: see `ascend`.
        given: what the critic is told of each picture, such as its caption; see `ascend`.
    """
    until = thresholds(positives, len(start), sampler.until, generator=generator)
    until, rule = until.to(start), sampler.optimiser(progress)
    return ascend(
        start, critic, steps=sampler.steps, optimiser=rule, given=given, until=until, frames=frames
    )


def visits(
    critic: Callable[..., Tensor],
    start: Pictures,
    positives: Float[Tensor, " m"],
    sampler: Sampler,
    *,
    generator: torch.Generator | None = None,
    given: Sequence[Tensor] = (),
) -> Iterator[Ascended]:
    """The ascent of each visit, with the step size of training's end; see `synthesise`."""
    x = start
    for _ in range(sampler.visits):
        made = synthesise(
            critic, x, positives, sampler, progress=1.0, generator=generator, given=given
        )
        x = made.pictures
        yield made


def from_noise(
    critic: Callable[..., Tensor],
    noise: Callable[[int], Pictures],
    n: int,
    positives: Float[Tensor, " m"],
    sampler: Sampler,
    *,
    generator: torch.Generator | None = None,
    given: Sequence[Tensor] = (),
) -> Pictures:
    """n pictures in [-1, 1] from noise.

    A picture whose score stays below that of every positive is stuck, and begins again from other
    noise, up to `RETRIES` times.

    Args:
        noise: how many -> so many starts.
    """
    pictures = noise(n).to(positives.device)
    rows = torch.arange(n, device=positives.device)
    for attempt in range(1 + RETRIES):
        if attempt:
            pictures[rows] = noise(len(rows)).to(pictures)
        own = [one[rows] for one in given]
        *_, made = visits(
            critic, pictures[rows], positives, sampler, generator=generator, given=own
        )
        pictures[rows] = made.pictures
        rows = rows[made.scores < positives.min()]
        if not len(rows):
            break
    return pictures
