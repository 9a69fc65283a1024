"""GAN and WGAN-GP: a generator and a critic, in turn (Goodfellow et al. 2014, Algorithm 1).

Two objectives: "logistic", the game with cross-entropy, G by the non-saturating loss; and
"wasserstein", with the gradient penalty of Gulrajani et al. 2017, Algorithm 1. One update of the
critic for each of the generator (paper of WGAN-GP: five). Symbols: x pictures, z noise, f the
critic's score, G the generator.
"""

import copy

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import choose
from t2ilab.losses.adversarial import discriminator_bce, generator_hinge, generator_nonsaturating
from t2ilab.losses.wasserstein import critic_loss, gradient_penalty
from t2ilab.models.dcgan import Generator
from t2ilab.models.introspective import Critic
from t2ilab.trainers.parts import follow, full, linear_end, load_states, pictures, set_rate, states

OBJECTIVES = ("logistic", "wasserstein")


class GAN:
    """`step` is one update of the critic and one of the generator.

    Args:
        generator, critic: for pictures of one size.
        objective: "logistic" or "wasserstein".
        lr, betas: of Adam, for both.
        penalty: weight of the gradient penalty.
        average: decay of the running average of the generator, which draws the samples.
        decay: lower the learning rates to 0 over this last part of the budget.
        seed: of the noise.

    Raises:
        UsageError: an unknown objective.
    """

    def __init__(
        self,
        generator: Generator,
        critic: Critic,
        *,
        objective: str = "wasserstein",
        lr: float = 5e-4,
        betas: tuple[float, float] = (0.0, 0.9),
        penalty: float = 10.0,
        average: float = 0.995,
        decay: float = 0.4,
        seed: int = 0,
    ):
        choose("objective", objective, OBJECTIVES)
        self.G, self.critic, self.objective = generator, critic, objective
        self.lr, self.penalty, self.decay, self.keep = lr, penalty, decay, average
        self.average = copy.deepcopy(generator).requires_grad_(False).eval()
        self.opt_G = torch.optim.Adam(generator.parameters(), lr, betas, fused=True)
        self.opt_f = torch.optim.Adam(critic.parameters(), lr, betas, fused=True)
        self.rng = torch.Generator().manual_seed(seed)
        self.shown = torch.randn(16, generator.z, generator=self.rng)
        self.progress, self.device = 0.0, torch.device("cpu")

    def setup(self, fabric) -> None:
        self.G, self.opt_G = fabric.setup(self.G, self.opt_G)
        self.f, self.opt_f = fabric.setup(self.critic, self.opt_f)
        self.average, self.device = self.average.to(fabric.device), fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update of each. `batch`: images uint8 [b, c, h, w]."""
        set_rate(self.lr * linear_end(self.progress, self.decay), self.opt_G, self.opt_f)
        x = pictures(batch["images"], self.device)
        fakes = self.G(torch.randn(len(x), self.G.z, generator=self.rng).to(self.device))

        # The critic: detach(), for G is not to learn here. In float32: the penalty is a gradient.
        f = full(self.f)
        s_r, s_f = f(x), f(fakes.detach())
        if self.objective == "logistic":
            loss_f = discriminator_bce(s_r, s_f)
        else:
            share = torch.rand(len(x), generator=self.rng).to(self.device)
            penalty = gradient_penalty(f, x, fakes.detach(), share)
            loss_f = critic_loss(s_r, s_f) + self.penalty * penalty
        self.opt_f.zero_grad()
        loss_f.backward()
        self.opt_f.step()

        # G: the critic only hands the gradient on.
        self.critic.requires_grad_(False)
        please = generator_nonsaturating if self.objective == "logistic" else generator_hinge
        loss_g = please(self.f(fakes))  # generator_hinge is -f, as in WGAN
        self.opt_G.zero_grad()
        loss_g.backward()
        self.opt_G.step()
        self.critic.requires_grad_(True)
        follow(self.average, self.G, self.keep)
        return {"loss_f": loss_f.detach(), "loss_g": loss_g.detach()}

    @torch.inference_mode()
    def sample(self, z: Float[Tensor, "b z"]) -> Float[Tensor, "b c size size"]:
        """Pictures in [-1, 1] from the averaged generator."""
        return self.average(z.to(self.device))

    def strip(self) -> UInt8[np.ndarray, "16 h w 3"]:
        """Pictures from noise that is always the same."""
        return to_uint8(self.sample(self.shown).expand(-1, 3, -1, -1))

    def state_dict(self) -> dict:
        return states(self, "G", "f", "average", "opt_G", "opt_f")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)
