"""How fast pictures are synthesised by their gradient: the ascent engine against a plain loop."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.row import Row, in_turn
from bench.sizes import Sizes
from t2ilab import weights
from t2ilab.inputs.ascent import Ascended, ascend
from t2ilab.inputs.optimisers import Adam
from t2ilab.inputs.scores import log_probability
from t2ilab.inputs.starts import uniform_noise
from t2ilab.models.reader import AttributeReader

LR = 0.02


def measure(sizes: Sizes) -> Iterator[Row]:
    """Pictures from noise until the shipped reader is sure of a colour; with and without an end."""
    loaded = weights.load("reader-birds")
    network = Head(weights.into(AttributeReader(**loaded.arguments), loaded)).eval()
    generator = torch.Generator().manual_seed(0)
    start = uniform_noise(sizes.pool, (3, 32, 32), generator=generator)
    targets = torch.arange(sizes.pool) % 10
    sure = torch.tensor(0.9999).log()
    yield _row("synthesis 32x32, each picture until it is done", network, start, targets, sure,
               sizes, target="ratio >= 1.5",
               note="counted on both sides: the steps that each picture needs to its threshold")
    yield _row("synthesis 32x32, a fixed number of steps", network, start, targets,
               torch.tensor(torch.inf), sizes, target="", note="nothing is ever done")


class Head(nn.Module):
    """One head of the reader: pictures to logits over the colours of the breast."""

    def __init__(self, reader: AttributeReader):
        super().__init__()
        self.reader = reader

    def forward(self, x: Tensor) -> Tensor:
        return self.reader(x)["breast"]


def plain(network: nn.Module, start: Tensor, targets: Tensor, until: Tensor, steps: int) -> Tensor:
    """The reference, as it is often written: `backward` to everything, one loop for the batch.

    Weights collect gradients (thrown away at the next step), and all pictures are stepped until
    the last one is done. Returns how many steps each picture took to its threshold.
    """
    x = start.clone().requires_grad_(True)
    rule = torch.optim.Adam([x], LR)
    taken = torch.full((len(x),), steps)
    for step in range(steps + 1):
        scores = -F.cross_entropy(network(x), targets, reduction="none")
        taken[(scores >= until) & (taken == steps)] = step
        if step == steps or bool((taken < steps).all()):
            break
        rule.zero_grad()
        network.zero_grad()
        (-scores.sum()).backward()
        rule.step()
        x.data.clamp_(-1, 1)
    network.zero_grad()  # set to None
    return taken


def ours(network: nn.Module, start: Tensor, targets: Tensor, until: Tensor, steps: int) -> Ascended:
    """The same with the engine."""
    return ascend(start, log_probability(network), given=[targets], until=until, steps=steps,
                  optimiser=Adam(LR))


def _row(name: str, network: nn.Module, start: Tensor, targets: Tensor, until: Tensor,
         sizes: Sizes, *, target: str, note: str) -> Row:
    """Both in turn; the work of both is what the engine's pictures needed."""
    steps = sizes.ascent_steps if until.isfinite() else max(1, sizes.ascent_steps // 4)
    task = (network, start, targets, until, steps)
    work = int(ours(*task).steps.sum())
    mine, theirs = in_turn(lambda: ours(*task), lambda: plain(*task), repeats=sizes.repeats)
    return Row.of(name, [work / t for t in mine], [work / t for t in theirs],
                  unit="picture-steps/s", more=True, target=target,
                  note=f"{len(start)} pictures from noise, at most {steps} steps of Adam at {LR}, "
                       f"shipped reader of birds, {torch.get_num_threads()} threads; {note}; "
                       "reference: a plain loop whose weights collect gradients and which steps "
                       "all pictures until the last one is done")
