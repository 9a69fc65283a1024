"""Train the AttributeReader of a world: cross-entropy for every attribute, at 32 and 64 pixels."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from t2ilab.data.captioned import CaptionedImages
from t2ilab.models.reader import AttributeReader
from t2ilab.trainers.parts import load_states, one_cycle, pictures, set_rate, states


class ReaderTrainer:
    """One update of the reader.

    Args:
        reader: to train.
        lr: of AdamW, reached after a tenth of the budget and lowered to 0 along a cosine.
        noise: standard deviation of what is added to the pictures, whose range is [-1, 1]; a reader
            is shown generated pictures later, which are never as clean as drawn ones.
        seed: of that noise.
    """

    def __init__(
        self, reader: AttributeReader, *, lr: float = 2e-3, noise: float = 0.05, seed: int = 0
    ):
        self.reader, self.lr, self.noise, self.progress = reader, lr, noise, 0.0
        self.optimizer = torch.optim.AdamW(reader.parameters(), lr=lr, weight_decay=1e-4)
        self.rng = torch.Generator().manual_seed(seed)

    def setup(self, fabric) -> None:
        self.reader = self.reader.to(memory_format=torch.channels_last)
        self.network, self.optimizer = fabric.setup(self.reader, self.optimizer)
        self.device = fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        set_rate(self.lr * one_cycle(self.progress), self.optimizer)
        batch = {name: value.to(self.device) for name, value in batch.items()}
        x = pictures(batch.pop("images"), self.device)
        x = x + self.noise * torch.randn(x.shape, generator=self.rng).to(self.device)
        logits = self.network(x.contiguous(memory_format=torch.channels_last))
        loss = sum(F.cross_entropy(logits[name].float(), batch[name]) for name in logits)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"cross_entropy": loss.detach()}

    def state_dict(self) -> dict:
        return states(self, "network", "optimizer")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)


class ReaderBatches:
    """Batches of pictures and their attributes, in turn from data sets of several sizes.

    Args:
        sets: the same pictures at several resolutions.
        batch_size: pictures a batch.
        seed: of the choice.
    """

    def __init__(self, sets: list[CaptionedImages], *, batch_size: int = 64, seed: int = 0):
        self.sets, self.batch_size, self.seed = sets, batch_size, seed

    def __call__(self, step: int) -> dict[str, Tensor]:
        data = self.sets[step % len(self.sets)]
        chosen = np.random.default_rng((self.seed, step)).integers(len(data), size=self.batch_size)
        batch = {name: torch.from_numpy(values[chosen]) for name, values in data.attributes.items()}
        return batch | {"images": torch.from_numpy(data.images[chosen]).permute(0, 3, 1, 2)}
