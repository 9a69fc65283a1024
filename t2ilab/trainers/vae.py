"""Train a VAE: one step up the ELBO, or up the bound of k importance-weighted samples (IWAE).

Kingma and Welling 2014, Algorithm 1 (AEVB), and Burda et al. 2016, Algorithm 1: draw x, draw
epsilon, take the gradient of the bound. beta is 1, but for a warm-up (Sonderby et al. 2016).
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError, choose
from t2ilab.losses.variational import gaussian_kl, importance_bound, terms, with_free_bits
from t2ilab.models.vae import VAE
from t2ilab.trainers.parts import bare, cosine_end, load_states, pictures, set_rate, states

OBJECTIVES = ("elbo", "importance")


def burda(progress: float) -> float:
    """10^(-(i - 1)/7) for 3^(i - 1) of 3280 passes, i = 1 ... 8 (Burda et al. 2016, sect. 5)."""
    passes = 3280 * progress
    i = next((i for i in range(1, 8) if passes < (3**i - 1) / 2), 8)
    return round(10 ** (1 - (i - 1) / 7), 1) / 10


SCHEDULES = {"cosine": cosine_end, "burda": burda, "constant": lambda progress: 1.0}


@dataclass(frozen=True)
class Recipe:
    """How a VAE is trained.

    Attributes:
        objective: "elbo" or "importance".
        k: samples of z a picture; the ELBO averages them.
        lr, schedule: of Adam; see `SCHEDULES`.
        warmup: beta rises from 0 to 1 over this share of the budget, in [0, 1].
        free_bits: nats of each number of z that cost nothing; of the ELBO with one layer of z.
    """

    objective: str = "elbo"
    k: int = 1
    lr: float = 2e-3
    schedule: str = "cosine"
    warmup: float = 0.0
    free_bits: float = 0.0

    def __post_init__(self):
        choose("objective", self.objective, OBJECTIVES)
        choose("schedule", self.schedule, SCHEDULES)
        if self.free_bits and self.objective != "elbo":
            raise UsageError("--free-bits bends the KL of the ELBO; IWAE's bound has no such part.")


class Variational:
    """One update of encoder and decoder together.

    Args:
        vae: both networks.
        recipe: how; see `Recipe`.
        seed: of epsilon, and of pixels that are drawn.
    """

    def __init__(self, vae: VAE, *, recipe: Recipe, seed: int = 0):
        if recipe.free_bits and len(vae.latents) > 1:
            raise UsageError("--free-bits needs a KL in closed form: one layer of z.")
        self.vae, self.recipe, self.progress = vae, recipe, 0.0
        self.rng = torch.Generator().manual_seed(seed)
        self.fixed = vae.noise(1, 16, torch.Generator().manual_seed(seed))
        self.optimizer = torch.optim.Adam(vae.parameters(), recipe.lr, fused=True)

    def setup(self, fabric) -> None:
        self.network, self.optimizer = fabric.setup(self.vae, self.optimizer)
        self.device = fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """`batch`: images uint8 [b, c, h, w]."""
        set_rate(self.recipe.lr * SCHEDULES[self.recipe.schedule](self.progress), self.optimizer)
        x = self.vae.seen(pictures(batch["images"], self.device), self.rng)
        noise = [e.to(self.device) for e in self.vae.noise(self.recipe.k, len(x), self.rng)]
        loss, shown = self._loss(x, noise)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {name: value.detach() for name, value in shown.items()}

    def _loss(self, x: Tensor, noise: list[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """What is minimised, a mean over the batch; and the bound itself with log p(x|z)."""
        passed = self.network(x, noise)
        of = terms(x, passed, self.vae.likelihood)
        beta = min(1.0, self.progress / self.recipe.warmup) if self.recipe.warmup else 1.0
        shown = {"bound": self._bound(of.log_weights()).mean(), "log_px": of.log_px.mean()}
        if self.recipe.objective == "importance" or len(self.vae.latents) > 1:
            return -self._bound(of.log_weights(beta)).mean(), shown
        kl = gaussian_kl(*passed.posteriors[0])  # in closed form its gradient has less noise
        shown["bound"] = of.log_px.mean() - kl.sum(1).mean()
        return beta * with_free_bits(kl, self.recipe.free_bits) - of.log_px.mean(), shown

    def _bound(self, log_w: Tensor) -> Tensor:
        return importance_bound(log_w) if self.recipe.objective == "importance" else log_w.mean(0)

    @torch.no_grad()
    def strip(self) -> UInt8[np.ndarray, "n h w 3"]:
        """Pictures from z that stays the same."""
        vae = bare(self.network)
        z = vae.down([e.to(self.device) for e in self.fixed])[0]
        return to_uint8(vae.mean_picture(z).expand(-1, 3, -1, -1))

    def state_dict(self) -> dict:
        return states(self, "network", "optimizer")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)
