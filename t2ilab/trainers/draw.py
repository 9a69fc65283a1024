"""DRAW: one update on minus the bound on log p(x), in nats (Gregor et al. 2015, eq. 9 to 12)."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.losses.draw import kl_to_prior, log_likelihood
from t2ilab.models.draw import DRAW
from t2ilab.trainers.parts import bare, linear_end, load_states, set_rate, states


def values(
    images: UInt8[Tensor, "b c h w"], network: DRAW, rng: torch.Generator
) -> Float[Tensor, "b c h w"]:
    """Bytes as the network's likelihood takes them: as they are, over 255; or as zeros and ones.

    A grey value is then the chance of a one, drawn anew at each visit, so that a bound on log p is
    one of the pictures that are really there.
    """
    x = images.float() / 255
    if network.colours:
        return x
    return (torch.rand(x.shape, generator=rng) < x).float()


class DrawTrainer:
    """One update of both LSTMs and all between.

    Args:
        network: to train.
        lr: of Adam; goes down to 0 along a line over the last half of the budget.
        clip: the longest gradient.
        seed: of the noise, and of zeros and ones.
    """

    def __init__(self, network: DRAW, *, lr: float = 1e-3, clip: float = 10.0, seed: int = 0):
        self.draw, self.lr, self.clip, self.progress = network, lr, clip, 0.0
        self.optimizer = torch.optim.Adam(network.parameters(), lr=lr)
        self.rng = torch.Generator().manual_seed(seed)
        self.shown = network.noise(16, torch.Generator().manual_seed(seed))

    def setup(self, fabric) -> None:
        self.network, self.optimizer = fabric.setup(self.draw, self.optimizer)
        self.device = fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        set_rate(self.lr * linear_end(self.progress, 0.5), self.optimizer)
        x = values(batch["images"], self.draw, self.rng).to(self.device)
        eps = self.draw.noise(len(x), self.rng).to(self.device)
        done = self.network(x, eps)
        log_p = log_likelihood(x, done.canvases[-1], done.log_scale).mean()
        kl = kl_to_prior(done.mu, done.log_sigma).sum(0).mean()
        loss = kl - log_p
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.draw.parameters(), self.clip)
        self.optimizer.step()
        return {"nats": loss.detach(), "kl": kl.detach(), "reconstruction": -log_p.detach()}

    @torch.inference_mode()
    def strip(self) -> UInt8[np.ndarray, "n h w 3"]:
        """What is drawn from noise that stays the same."""
        canvases, _ = bare(self.network).generate(self.shown.to(self.device))
        return to_uint8((2 * canvases[-1].sigmoid() - 1).expand(-1, 3, -1, -1))

    def state_dict(self) -> dict:
        return states(self, "network", "optimizer")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)
