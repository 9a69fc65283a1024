"""Train a network that is told everything: one step down the squared error."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.losses.factors import loss, squared_errors
from t2ilab.models.factors import FactorNetwork, laid
from t2ilab.trainers.parts import bare, load_states, one_cycle, pictures, set_rate, states


class FactorTrainer:
    """One update of all streams together.

    Args:
        network: to train.
        lr: the largest of Adam; up and down over the budget (`one_cycle`).
        shown: codes that `strip` draws.
        ground: colour behind objects with masks, in [-1, 1].
    """

    def __init__(
        self,
        network: FactorNetwork,
        *,
        shown: Float[Tensor, "n width"],
        lr: float = 2e-3,
        ground: float = 0.0,
    ):
        self.drawing, self.lr, self.shown, self.ground = network, lr, shown, ground
        self.progress = 0.0
        self.optimizer = torch.optim.Adam(network.parameters(), lr=lr)

    def setup(self, fabric) -> None:
        self.network, self.optimizer = fabric.setup(self.drawing, self.optimizer)
        self.device = fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """`batch`: codes [b, width], images uint8 [b, c, h, w], where there are some masks."""
        set_rate(self.lr * one_cycle(self.progress), self.optimizer)
        x, masks = pictures(batch["images"], self.device), batch.get("masks")
        masks = None if masks is None else masks.to(self.device).float() / 255
        errors = squared_errors(self.network(batch["codes"].to(self.device)), x, masks, self.ground)
        self.optimizer.zero_grad()
        loss(*errors).backward()
        self.optimizer.step()
        named = zip(("picture", "mask"), errors, strict=True)
        return {name: error.detach() for name, error in named if error is not None}

    @torch.inference_mode()
    def strip(self) -> UInt8[np.ndarray, "n h w 3"]:
        """Pictures of factors that stay the same."""
        drawn = bare(self.network)(self.shown.to(self.device))
        return to_uint8(laid(drawn, self.ground).expand(-1, 3, -1, -1))

    def state_dict(self) -> dict:
        return states(self, "network", "optimizer")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)
