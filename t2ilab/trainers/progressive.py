"""Progressive growing (Karras et al. 2018): one game, at 4 x 4 pixels, then 8 x 8, and so on.

Each level is first faded in, then held; pictures of data are faded in alike. Two objectives:
"wasserstein", the paper's, with the gradient penalty and the drift 0.001 E f(x)²; and "logistic",
the non-saturating game with R1, which the authors took later (StyleGAN). Symbols: x data, z noise,
f the critic's score.
"""

import copy
from functools import partial
from math import log2

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError, choose
from t2ilab.losses.adversarial import (
    discriminator_bce,
    generator_hinge,
    generator_nonsaturating,
    r1,
)
from t2ilab.losses.wasserstein import critic_loss, gradient_penalty
from t2ilab.models.progressive import (
    ProgressiveDiscriminator,
    ProgressiveGenerator,
    enlarged,
    faded,
)
from t2ilab.trainers.parts import follow, full, linear_end, load_states, pictures, set_rate, states

OBJECTIVES = ("wasserstein", "logistic")


def stage(progress: float, last: int, growing: float = 0.6) -> tuple[int, float]:
    """(level, alpha) at this share of the budget.

    The first part of it, `growing`, is cut into equal pieces: hold level 0; fade in and hold each
    level between; fade in the last. The last level is held for what is left of the budget.
    """
    piece = progress / growing * max(1, 2 * last) if growing else 2 * last
    if piece >= 2 * last:
        return last, 1.0
    level, fade = divmod(piece + 1, 2)  # level 0 has no fade
    return int(level), 1.0 if level == 0 else min(1.0, fade)


def shrunk(images: Float[Tensor, "b c s s"], side: int) -> Float[Tensor, "b c t t"]:
    """Real pictures of a level: means of squares of pixels."""
    times = images.shape[-1] // side
    return images if times == 1 else F.avg_pool2d(images, times)


class Progressive:
    """`step` is one update of the critic and one of G, at the level that the progress says.

    Args:
        generator, critic: of one size; both fade.
        objective: "wasserstein" or "logistic".
        lr, betas: of Adam, for both networks (paper: 1e-3, (0, 0.99)); its memory is emptied when
            a level begins.
        penalty, drift: of "wasserstein": of (|grad f| - 1)², and of f(x)² at the data.
        r1_weight: of "logistic".
        growing: share of the budget after which the last level is there (see `stage`).
        average: decay of the running average of G, which draws the samples (paper: 0.999, for
            runs of many hundred thousand steps: a new level begins at random, and would be seen).
        decay: lower the learning rates to 0 over this last part of the budget (paper: never).
        seed: of the noise.

    Raises:
        UsageError: an unknown objective, networks of two sizes, growing outside [0, 1].
    """

    def __init__(
        self,
        generator: ProgressiveGenerator,
        critic: ProgressiveDiscriminator,
        *,
        objective: str = "wasserstein",
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.0, 0.99),
        penalty: float = 10.0,
        drift: float = 1e-3,
        r1_weight: float = 0.5,
        growing: float = 0.6,
        average: float = 0.98,
        decay: float = 0.2,
        seed: int = 0,
    ):
        choose("objective", objective, OBJECTIVES)
        if generator.size != critic.size:
            raise UsageError(f"G ends at {generator.size} pixels, the critic at {critic.size}.")
        if not 0 <= growing <= 1:
            raise UsageError(f"growing = {growing}: a share of the budget, from 0 to 1.")
        self.G, self.critic, self.objective = generator, critic, objective
        self.lr, self.penalty, self.drift, self.r1_weight = lr, penalty, drift, r1_weight
        self.growing, self.keep, self.decay = growing, average, decay
        self.average = copy.deepcopy(generator).requires_grad_(False).eval()
        self.opt_G = torch.optim.Adam(generator.parameters(), lr, betas, fused=True)
        self.opt_f = torch.optim.Adam(critic.parameters(), lr, betas, fused=True)
        self.rng = torch.Generator().manual_seed(seed)
        self.shown = torch.randn(16, generator.z, generator=self.rng)
        self.last, self.level, self.alpha = generator.last, 0, 1.0
        self.progress, self.device = 0.0, torch.device("cpu")

    def setup(self, fabric) -> None:
        self.G, self.opt_G = fabric.setup(self.G, self.opt_G)
        self.f, self.opt_f = fabric.setup(self.critic, self.opt_f)
        self.average, self.device = self.average.to(fabric.device), fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update of each. `batch`: images uint8 [b, c, size, size]."""
        self._grow()
        set_rate(self.lr * linear_end(self.progress, self.decay), self.opt_G, self.opt_f)
        now = (self.level, self.alpha)
        x = shrunk(pictures(batch["images"], self.device), 4 * 2**self.level)
        x = faded(x, self.alpha) if self.level else x
        z = torch.randn(len(x), self.G.z, generator=self.rng).to(self.device)
        made = self.G(z, *now)

        loss_f = self._critic_loss(x, made.detach(), now)  # detach(): G is not to learn here
        self.opt_f.zero_grad()
        loss_f.backward()
        self.opt_f.step()

        self.critic.requires_grad_(False)  # the critic only hands the gradient on
        score = self.f(made, *now)
        wasserstein = self.objective == "wasserstein"
        loss_g = generator_hinge(score) if wasserstein else generator_nonsaturating(score)
        self.opt_G.zero_grad()
        loss_g.backward()
        self.opt_G.step()
        self.critic.requires_grad_(True)
        follow(self.average, self.G, self.keep)
        return {"loss_f": loss_f.detach(), "loss_g": loss_g.detach()}

    def _grow(self) -> None:
        """The level and alpha of now; a level that begins finds optimisers without memory."""
        level, self.alpha = stage(self.progress, self.last, self.growing)
        if level != self.level:
            for optimizer in (self.opt_G, self.opt_f):
                getattr(optimizer, "optimizer", optimizer).state.clear()
        self.level = level

    def _critic_loss(self, x: Tensor, made: Tensor, now: tuple[int, float]) -> Tensor:
        """In float32: the penalties are gradients."""
        f = partial(full(self.f), level=now[0], alpha=now[1])
        if self.objective == "logistic":
            real = f(x.requires_grad_())
            return discriminator_bce(real, f(made)) + self.r1_weight * r1(real, x)
        real, fake = f(x), f(made)
        share = torch.rand(len(x), generator=self.rng).to(self.device)
        penalty = self.penalty * gradient_penalty(f, x, made, share)
        return critic_loss(real, fake) + penalty + self.drift * real.square().mean()

    @torch.inference_mode()
    def sample(self, z: Float[Tensor, "b z"]) -> Float[Tensor, "b c s s"]:
        """Pictures of the averaged generator at its present level."""
        return self.average(z.to(self.device), self.level, self.alpha)

    def strip(self) -> UInt8[np.ndarray, "n h w 3"]:
        """Pictures from noise that is always the same, enlarged to the full side."""
        made = self.sample(self.shown)
        for _ in range(int(log2(self.G.size // made.shape[-1]))):
            made = enlarged(made)
        return to_uint8(made.clamp(-1, 1).expand(-1, 3, -1, -1))

    def state_dict(self) -> dict:
        level = {"level": torch.tensor(self.level), "alpha": torch.tensor(self.alpha)}
        return states(self, "G", "f", "average", "opt_G", "opt_f") | {"stage": level}

    def load_state_dict(self, state: dict) -> None:
        now = state["stage"]
        self.level, self.alpha = int(now["level"]), float(now["alpha"])
        load_states(self, {name: one for name, one in state.items() if name != "stage"})
