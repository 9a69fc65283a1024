"""Train the PartFinder of a world: cross-entropy at every pixel, on pictures with known parts."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2ilab.data.captioned import CaptionedImages
from t2ilab.models.parts import PartFinder
from t2ilab.trainers.parts import load_states, one_cycle, pictures, set_rate, states
from t2ilab.trainers.reader import roughened


class PartsTrainer:
    """One update of the finder.

    Args:
        finder: to train.
        lr: of AdamW, reached after a tenth of the budget and lowered to 0 along a cosine.
        noise: see `trainers.reader.roughened`.
        weights: of the labels, [labels]; `balanced` ones, or an eye of six pixels is never found.
        seed: of what is left to chance.
    """

    def __init__(
        self,
        finder: PartFinder,
        *,
        lr: float = 4e-3,
        noise: float = 0.15,
        weights: Float[Tensor, " labels"] | None = None,
        seed: int = 0,
    ):
        self.finder, self.lr, self.noise, self.progress = finder, lr, noise, 0.0
        self.weights = weights
        self.optimizer = torch.optim.AdamW(finder.parameters(), lr=lr, weight_decay=1e-4)
        self.rng = torch.Generator().manual_seed(seed)

    def setup(self, fabric) -> None:
        self.finder = self.finder.to(memory_format=torch.channels_last)
        self.network, self.optimizer = fabric.setup(self.finder, self.optimizer)
        self.device = fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update. `batch`: images uint8 [b, 3, 64, 64] and labels uint8 [b, 64, 64]."""
        set_rate(self.lr * one_cycle(self.progress), self.optimizer)
        x = roughened(pictures(batch["images"], torch.device("cpu")), self.rng, self.noise)
        logits = self.network(x.to(self.device).contiguous(memory_format=torch.channels_last))
        labels = batch["labels"].long().to(self.device)
        weights = None if self.weights is None else self.weights.to(self.device)
        loss = F.cross_entropy(logits.float(), labels, weights)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"cross_entropy": loss.detach()}

    def state_dict(self) -> dict:
        return states(self, "network", "optimizer")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)


def balanced(labels: np.ndarray, count: int) -> Float[Tensor, " labels"]:
    """Weights 1 / sqrt(share of the pixels) of each of `count` labels, 1 for the commonest."""
    pixels = np.bincount(labels.ravel(), minlength=count).clip(1)
    return torch.from_numpy((pixels.max() / pixels) ** 0.5).float()


class PartsBatches:
    """Batches of pictures and where their parts are, half of them mirrored.

    Args:
        data: pictures of 64 pixels.
        labels: uint8 [n, 64, 64] of these.
        batch_size: pictures a batch.
        seed: of the choice.
    """

    def __init__(
        self, data: CaptionedImages, labels: np.ndarray, *, batch_size: int = 32, seed: int = 0
    ):
        self.data, self.labels, self.batch_size, self.seed = data, labels, batch_size, seed

    def __call__(self, step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((self.seed, step))
        chosen = rng.integers(len(self.data), size=self.batch_size)
        images, labels = self.data.images[chosen], self.labels[chosen]
        mirrored = rng.random(len(chosen)) < 0.5
        images[mirrored], labels[mirrored] = images[mirrored, :, ::-1], labels[mirrored, :, ::-1]
        return {
            "images": torch.from_numpy(images).permute(0, 3, 1, 2),
            "labels": torch.from_numpy(labels),
        }
