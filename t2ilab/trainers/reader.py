"""Train the AttributeReader of a world: cross-entropy for every attribute, at 32 and 64 pixels.

Beside each picture that can be read stands one that cannot (`data.failures`), of which only that is
learned; and some that the reader itself is made to take for readable by gradient ascent, as
pseudo-negatives are in introspective learning (chapter 15).
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from t2ilab.data import failures
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.models.reader import READABLE, AttributeReader
from t2ilab.trainers.parts import load_states, one_cycle, pictures, set_rate, states

ASCENDED = 8  # of the failures of a step, so many are ascended first


class ReaderTrainer:
    """One update of the reader.

    Args:
        reader: to train.
        lr: of AdamW, reached after a tenth of the budget and lowered to 0 along a cosine.
        noise: the largest standard deviation of what is added to the pictures, whose range is
            [-1, 1]; a reader is shown generated pictures later, which are never as clean as drawn
            ones. For the same reason some are a little blurred.
        without: kinds of failure that are none for these pictures.
        seed: of what is left to chance.
    """

    def __init__(
        self,
        reader: AttributeReader,
        *,
        lr: float = 2e-3,
        noise: float = 0.15,
        without: tuple[str, ...] = (),
        seed: int = 0,
    ):
        self.reader, self.lr, self.noise, self.progress = reader, lr, noise, 0.0
        self.without = without
        self.optimizer = torch.optim.AdamW(reader.parameters(), lr=lr, weight_decay=1e-4)
        self.rng = torch.Generator().manual_seed(seed)

    def setup(self, fabric) -> None:
        self.reader = self.reader.to(memory_format=torch.channels_last)
        self.network, self.optimizer = fabric.setup(self.reader, self.optimizer)
        self.device = fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update.

        `batch`: images uint8 [b, 3, h, w], one entry [b] for each attribute, and, if there are any,
        pictures of other worlds as `others` uint8 [c, 3, h, w].
        """
        set_rate(self.lr * one_cycle(self.progress), self.optimizer)
        x = pictures(batch["images"], torch.device("cpu"))
        spoiled = failures.spoil(x, self.rng, without=self.without)
        if "others" in batch:
            others = pictures(batch["others"], torch.device("cpu"))
            spoiled = torch.cat([others, spoiled[len(others) :]])
        x, spoiled = roughened(x, self.rng, self.noise), roughened(spoiled, self.rng, self.noise)
        spoiled = spoiled[torch.randperm(len(spoiled), generator=self.rng)].to(self.device)
        spoiled[:ASCENDED] = self._ascended(spoiled[:ASCENDED])
        both = torch.cat([x.to(self.device), spoiled]).contiguous(memory_format=torch.channels_last)
        logits = self.network(both)
        loss = sum(
            F.cross_entropy(logits[name][: len(x)].float(), batch[name].to(self.device))
            for name in self.reader.attributes
        )
        can = (torch.arange(len(both), device=self.device) < len(x)).long()
        refusal = F.cross_entropy(logits[READABLE].float(), can)
        self.optimizer.zero_grad()
        (loss + 2 * refusal).backward()
        self.optimizer.step()
        return {"cross_entropy": loss.detach(), "refusal": refusal.detach()}

    def _ascended(self, x: Tensor) -> Tensor:
        """The pictures after some steps of signed gradient ascent on the logit of "readable"."""
        steps = int(torch.randint(1, 6, (), generator=self.rng))
        rate = 0.02 + 0.1 * float(torch.rand((), generator=self.rng))
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)
        self.network.eval()
        for _ in range(steps):
            x = x.detach().requires_grad_()
            gain = self.network(x)[READABLE][:, 1].sum()
            (slope,) = torch.autograd.grad(gain, x)
            x = (x + rate * slope.sign()).clamp(-1, 1)
        self.network.train()
        for parameter in self.network.parameters():
            parameter.requires_grad_(True)
        return x.detach()

    def state_dict(self) -> dict:
        return states(self, "network", "optimizer")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)


def roughened(x: Tensor, rng: torch.Generator, noise: float) -> Tensor:
    """Pictures [b, 3, h, w] with noise of up to `noise`, and half of them a little blurred."""
    half, side = len(x) // 2, x.shape[2]
    sigma = (0.2 + 0.8 * float(torch.rand((), generator=rng))) * side / 64
    x = torch.cat([x[:half], failures.blurred(x[half:], sigma)])
    strength = noise * torch.rand(len(x), 1, 1, 1, generator=rng)
    return (x + strength * torch.randn(x.shape, generator=rng)).clamp(-1, 1)


class ReaderBatches:
    """Batches of pictures and their attributes, in turn from data sets of several sizes.

    Args:
        sets: the same pictures at several resolutions.
        others: pictures of other worlds [n, h, w, 3], one array for each of `sets`; none where
            empty.
        batch_size: pictures a batch.
        seed: of the choice.
    """

    def __init__(
        self,
        sets: list[CaptionedImages],
        others: list[np.ndarray] = (),
        *,
        batch_size: int = 64,
        seed: int = 0,
    ):
        self.sets, self.others, self.batch_size, self.seed = sets, others, batch_size, seed

    def __call__(self, step: int) -> dict[str, Tensor]:
        data = self.sets[step % len(self.sets)]
        rng = np.random.default_rng((self.seed, step))
        chosen = rng.integers(len(data), size=self.batch_size)
        batch = {name: torch.from_numpy(values[chosen]) for name, values in data.attributes.items()}
        batch["images"] = torch.from_numpy(data.images[chosen]).permute(0, 3, 1, 2)
        if self.others:
            strange = self.others[step % len(self.sets)]
            chosen = rng.integers(len(strange), size=max(1, self.batch_size // 12))
            batch["others"] = torch.from_numpy(strange[chosen]).permute(0, 3, 1, 2)
        return batch


@torch.no_grad()
def calibrate(
    reader: AttributeReader,
    data: CaptionedImages,
    *,
    without: tuple[str, ...] = (),
    noise: float = 0.4,
    seed: int = 0,
) -> None:
    """Set the temperatures: those of least cross-entropy on pictures that training did not see.

    Args:
        reader: a trained one.
        data: pictures with attributes, at least two. They are made rougher than in training, since
            a reader that is right about all has no temperature that fits.
        without: kinds of failure that are none for these pictures.
        noise: see `roughened`.
        seed: of the noise and of the failures.
    """
    rng = torch.Generator().manual_seed(seed)
    reader.temperatures.fill_(1.0)
    x = to_float(data.images)
    found = reader._all(
        torch.cat([roughened(x, rng, noise), failures.spoil(x, rng, without=without)])
    )
    right = {name: torch.from_numpy(data.attributes[name]) for name in reader.attributes}
    right[READABLE] = (torch.arange(2 * len(x)) < len(x)).long()
    tried = torch.logspace(-1, 1, 81)
    for k, (name, labels) in enumerate(right.items()):
        logits = found[name][: len(labels)].float().cpu()
        losses = torch.stack([F.cross_entropy(logits / t, labels) for t in tried])
        reader.temperatures[k] = tried[losses.argmin()]
