"""Train a digit network, with or without a window: cross-entropy, and nothing on where it looks."""

import torch
import torch.nn.functional as F
from torch import Tensor

from t2ilab.models.spatial_transformer import DigitNetwork
from t2ilab.trainers.parts import cosine_end, load_states, set_rate, states


class DigitTrainer:
    """One update.

    Args:
        network: to train.
        lr: of Adam, lowered to 0 along a cosine.
    """

    def __init__(self, network: DigitNetwork, *, lr: float = 2e-3):
        self.digits, self.lr, self.progress = network, lr, 0.0
        self.optimizer = torch.optim.Adam(network.parameters(), lr=lr)

    def setup(self, fabric) -> None:
        self.network, self.optimizer = fabric.setup(self.digits, self.optimizer)
        self.device = fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update. `batch`: images uint8 [b, 1, h, w] and labels int64 [b]."""
        set_rate(self.lr * cosine_end(self.progress), self.optimizer)
        x = batch["images"].to(self.device).float() / 255
        labels = batch["labels"].to(self.device)
        logits = self.network(x)
        loss = F.cross_entropy(logits, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        right = (logits.argmax(1) == labels).float().mean()
        return {"cross_entropy": loss.detach(), "right": right}

    def state_dict(self) -> dict:
        return states(self, "network", "optimizer")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)
