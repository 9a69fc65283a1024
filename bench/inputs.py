"""How fast pictures are synthesised by their gradient: the ascent engine against a plain loop."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from bench.row import Row, in_turn
from bench.sizes import Sizes
from t2ilab.inputs.ascent import Ascended, ascend
from t2ilab.inputs.optimisers import Adam, GradientAscent, Optimiser
from t2ilab.inputs.scores import log_probability
from t2ilab.inputs.starts import uniform_noise
from t2ilab.inputs.synthesis import thresholds
from t2ilab.models.reader import AttributeReader
from t2ilab.systems.introspective import IntrospectiveSystem
from t2ilab.systems.introspective_text import IntrospectiveText
from t2ilab.systems.single import load_reader


def measure(sizes: Sizes) -> Iterator[Row]:
    """Pictures from noise, each until it is done, by three networks' gradients; and with no end."""
    rng = torch.Generator().manual_seed(0)
    reader = Head(load_reader("birds")).eval()
    n, steps = sizes.pool, sizes.ascent_steps
    climb = Climb(
        reader,
        log_probability(reader),
        uniform_noise(n, (3, 32, 32), generator=rng),
        [torch.arange(n) % 10],
        torch.tensor(0.9999).log(),
        steps,
        Adam(0.02),
        partial(torch.optim.Adam, lr=0.02),
    )
    asked = "shipped reader of birds, until it is 99.99 % sure of a colour"
    yield _row(
        "synthesis 32x32, each picture until it is done", climb, sizes, asked, target="ratio >= 1.5"
    )
    yield _row(
        "synthesis 32x32, a fixed number of steps",
        replace(climb, until=torch.tensor(torch.inf), steps=max(1, steps // 4)),
        sizes,
        "shipped reader of birds, nothing is ever done",
        target="",
    )
    system = IntrospectiveSystem.load("winn-birds-32")
    *_, made = system.drawing_with(visits=sizes.visits).visits(system.noise(n, rng), rng)
    until = thresholds(system.positives, n, "drawn", generator=rng)
    lr = system.sampler.last_lr
    yield _row(
        "synthesis 32x32, a visit of WINN",
        Climb(
            system.critic,
            system.critic,
            made.pictures,
            [],
            until,
            system.sampler.steps,
            GradientAscent(lr),
            partial(torch.optim.SGD, lr=lr),
        ),
        sizes,
        "shipped WINN of birds, pictures half made, each to a threshold of its own",
        target="ratio >= 1.5",
    )
    yield from _from_text(sizes, rng)


def _from_text(sizes: Sizes, rng: torch.Generator) -> Iterator[Row]:
    """Every step of every picture is taken here: what is gained is what is not computed."""
    system = IntrospectiveText.load("winn_text-birds-32")
    n = min(48, sizes.pool)
    lr = system.sampler.last_lr
    yield _row(
        "synthesis 32x32, a fixed number of steps from a caption",
        Climb(
            system.critic,
            system.score,
            system.noise(n, rng),
            [system.psi(["a small red bird with blue wings"] * n)],
            torch.tensor(torch.inf),
            max(1, sizes.ascent_steps // 4),
            GradientAscent(lr),
            partial(torch.optim.SGD, lr=lr),
            lambda x, psi: system.critic(x, psi, system.gamma),
        ),
        sizes,
        "shipped critic that is told captions, nothing is ever done; ours in bfloat16 where the "
        f"machine has it ({system.mixed} here), the reference in float32",
        target="ratio >= 1.5",
    )


class Head(nn.Module):
    """One head of the reader: pictures to logits over the colours of the breast."""

    def __init__(self, reader: AttributeReader):
        super().__init__()
        self.reader = reader

    def forward(self, x: Tensor) -> Tensor:
        return self.reader(x)["breast"]


@dataclass(frozen=True)
class Climb:
    """One ascent: `score(x, *given)` of `network`, at most `steps` by a rule, ours and torch's."""

    network: nn.Module
    score: Callable[..., Tensor]
    start: Tensor
    given: list[Tensor]
    until: Tensor
    steps: int
    rule: Optimiser
    torch_rule: Callable[[list[Tensor]], torch.optim.Optimizer]
    plain_score: Callable[..., Tensor] | None = None  # of the reference, where it is another


def plain(climb: Climb) -> Tensor:
    """The reference, as it is often written: `backward` to everything, one loop for the batch.

    Weights collect gradients (thrown away at the next step), and all pictures are stepped until
    the last one is done. Returns how many steps each picture took to its threshold.
    """
    climb.network.requires_grad_(True)
    score = climb.plain_score or climb.score
    x = climb.start.clone().requires_grad_(True)
    rule = climb.torch_rule([x])
    taken = torch.full((len(x),), climb.steps)
    for step in range(climb.steps + 1):
        scores = score(x, *climb.given)
        taken[(scores >= climb.until) & (taken == climb.steps)] = step
        if step == climb.steps or bool((taken < climb.steps).all()):
            break
        rule.zero_grad()
        climb.network.zero_grad()
        (-scores.sum()).backward()
        rule.step()
        x.data.clamp_(-1, 1)
    climb.network.zero_grad()  # set to None
    return taken


def ours(climb: Climb) -> Ascended:
    """The same with the engine."""
    return ascend(
        climb.start,
        climb.score,
        given=climb.given,
        until=climb.until,
        steps=climb.steps,
        optimiser=climb.rule,
    )


def _row(name: str, climb: Climb, sizes: Sizes, asked: str, *, target: str) -> Row:
    """Both in turn; the work of both is what the engine's pictures needed."""
    work = int(ours(climb).steps.sum())
    mine, theirs = in_turn(lambda: ours(climb), lambda: plain(climb), repeats=sizes.repeats)
    return Row.of(
        name,
        [work / t for t in mine],
        [work / t for t in theirs],
        unit="picture-steps/s",
        more=True,
        target=target,
        note=f"{asked}; {len(climb.start)} pictures, at most {climb.steps} steps, "
        f"{torch.get_num_threads()} threads; counted on both sides: the steps that "
        "each picture needs; reference: a plain loop whose weights collect "
        "gradients and which steps all pictures until the last one is done",
    )
