"""GAN, WGAN, WGAN-GP: a generator and a critic, in turn (Goodfellow et al. 2014, Algorithm 1).

Two objectives: "logistic", the game with cross-entropy, where G's loss is the non-saturating one or
the one of the minimax game; and "wasserstein", with clipped weights (Arjovsky et al. 2017; Le 2018,
figure 2.3) or with the gradient penalty of Gulrajani et al. 2017, both Algorithm 1 of their papers.
By default one update of the critic for each of the generator (both papers of Wasserstein: five).
Symbols: x data, z noise, f the critic's score, G the generator, k its updates for one of G.
"""

import copy

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from t2ilab.data.captioned import to_uint8
from t2ilab.data.mixtures import seen
from t2ilab.errors import UsageError, choose
from t2ilab.losses.adversarial import (
    discriminator_bce,
    generator_hinge,
    generator_nonsaturating,
    generator_saturating,
    r1,
)
from t2ilab.losses.wasserstein import critic_loss, gradient_penalty
from t2ilab.trainers.parts import (
    clip_weights,
    follow,
    full,
    linear_end,
    load_states,
    pictures,
    set_rate,
    states,
)

OBJECTIVES, OPTIMIZERS = ("logistic", "wasserstein"), ("adam", "rmsprop")


class GAN:
    """`step` is k updates of the critic and one of the generator.

    Args:
        generator: z [b, *noise_shape] -> samples; has `noise_shape`.
        critic: samples -> scores, one each, of the same samples.
        objective: "logistic" or "wasserstein".
        saturating: G's loss is that of the minimax game, log(1 - D(G(z))); of "logistic".
        k: updates of the critic for one of G, each on its own part of the batch.
        fresh: new noise for G's update, as in Algorithm 1; else it takes what the critic has just
            seen, and each sample is made once.
        optimizer: "adam" or "rmsprop" (WGAN), for both networks.
        lr, betas: of the optimiser (RMSProp has no betas); `lr_critic`: of the critic's, where it
            is another.
        penalty: weight of the gradient penalty, of "wasserstein".
        clip: of "wasserstein", in place of the penalty: after each of its updates the critic's
            weights are cut to [-clip, clip]; 0: they are not.
        r1_weight: of E |grad f|² at the data, of "logistic" (Mescheder et al. 2018: gamma / 2).
        r1_end: what that weight has fallen to, geometrically, when G stops; None: it stays.
        average: decay of the running average of the generator, which draws the samples.
        decay: lower the learning rates to 0 over this last part of the budget.
        catch_up: in this last part of the budget G stands still, and the critic alone learns, on
            the averaged G and without R1, to come near its best answer; the rest is as in a budget
            that is shorter by it.
        seed: of the noise.

    Raises:
        UsageError: an unknown objective; an option of the other objective; k below 1.
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        *,
        objective: str = "wasserstein",
        saturating: bool = False,
        k: int = 1,
        fresh: bool = False,
        optimizer: str = "adam",
        lr: float = 5e-4,
        lr_critic: float | None = None,
        betas: tuple[float, float] = (0.0, 0.9),
        penalty: float = 10.0,
        clip: float = 0.0,
        r1_weight: float = 0.0,
        r1_end: float | None = None,
        average: float = 0.995,
        decay: float = 0.4,
        catch_up: float = 0.0,
        seed: int = 0,
    ):
        choose("objective", objective, OBJECTIVES)
        if objective != "logistic" and (saturating or r1_weight):
            raise UsageError("a saturating loss and R1 belong to the objective logistic.")
        if not 0 <= catch_up < 1 or (catch_up and objective != "logistic"):
            raise UsageError(
                f"catch_up = {catch_up}: from 0 to below 1, of the objective logistic."
            )
        choose("optimizer", optimizer, OPTIMIZERS)
        if clip < 0 or (clip and objective != "wasserstein"):
            raise UsageError(f"clip = {clip}: 0 or more, of the objective wasserstein.")
        if k < 1:
            raise UsageError(f"k = {k}: the critic makes 1 update or more for one of G.")
        self.G, self.critic, self.objective, self.k = generator, critic, objective, k
        self.saturating, self.fresh = saturating, fresh
        self.lr, self.lr_critic = lr, lr_critic or lr
        self.penalty, self.clip, self.decay, self.keep = penalty, clip, decay, average
        self.r1_weight, self.r1_end = r1_weight, r1_end or r1_weight
        self.average = copy.deepcopy(generator).requires_grad_(False).eval()
        self.opt_G = _optimizer(optimizer, generator, self.lr, betas)
        self.opt_f = _optimizer(optimizer, critic, self.lr_critic, betas)
        self.rng = torch.Generator().manual_seed(seed)
        self.shown = torch.randn(16, *generator.noise_shape, generator=self.rng)
        self.progress, self.device, self.catch_up = 0.0, torch.device("cpu"), catch_up

    def setup(self, fabric) -> None:
        if self.plain:  # convolutions in bfloat16 are faster with their channels last
            for network in (self.G, self.critic):
                network.to(memory_format=torch.channels_last)
        self.G, self.opt_G = fabric.setup(self.G, self.opt_G)
        self.f, self.opt_f = fabric.setup(self.critic, self.opt_f)
        self.average, self.device = self.average.to(fabric.device), fabric.device

    @property
    def plain(self) -> bool:
        """Whether bfloat16 will do: no penalty on gradients, no clipping of weights."""
        return self.objective == "logistic" and not self.r1_weight

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """k updates of the critic, one of G. `batch`: images uint8 [b, c, h, w], or points."""
        if self.catch_up and self.progress >= 1 - self.catch_up:
            return self._catch_up(batch)
        played = self.progress / (1 - self.catch_up)
        end, self.r1_now = linear_end(played, self.decay), self._r1(played)
        set_rate(self.lr * end, self.opt_G)
        set_rate(self.lr_critic * end, self.opt_f)
        for x in self._data(batch).chunk(self.k):
            fakes = self._made(len(x))
            loss_f = self._critic_loss(x, fakes.detach())  # detach(): G is not to learn here
            self.opt_f.zero_grad()
            loss_f.backward()
            self.opt_f.step()
            if self.clip:
                clip_weights(self.critic, self.clip)

        # G: the critic only hands the gradient on.
        self.critic.requires_grad_(False)
        loss_g = self._generator_loss(self.f(self._made(len(x)) if self.fresh else fakes))
        self.opt_G.zero_grad()
        loss_g.backward()
        self.opt_G.step()
        self.critic.requires_grad_(True)
        follow(self.average, self.G, self.keep)
        return {"loss_f": loss_f.detach(), "loss_g": loss_g.detach()}

    def _r1(self, played: float) -> float:
        """The weight of R1 at this share of the game."""
        return self.r1_weight and self.r1_weight * (self.r1_end / self.r1_weight) ** played

    def _catch_up(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The critic's cross-entropy against the averaged G, at a rate that ends at 0."""
        set_rate(self.lr_critic * linear_end(self.progress, self.catch_up), self.opt_f)
        x = self._data(batch)
        z = torch.randn(len(x), *self.G.noise_shape, generator=self.rng)
        loss_f = discriminator_bce(self.f(x), self.f(self.sample(z).clone()))
        self.opt_f.zero_grad()
        loss_f.backward()
        self.opt_f.step()
        return {"loss_f": loss_f.detach()}

    def _critic_loss(self, x: Tensor, fakes: Tensor) -> Tensor:
        """Minimised: Algorithm 1 of WGAN climbs. Where a penalty asks for gradients, or weights are
        clipped to hundredths, in float32 whatever the run's precision.
        """
        f = self.f if self.plain else full(self.f)
        s_r, s_f = f(x.requires_grad_(self.r1_weight > 0)), f(fakes)
        if self.objective == "logistic":
            loss = discriminator_bce(s_r, s_f)
            return loss + self.r1_now * r1(s_r, x) if self.r1_weight else loss
        if self.clip:
            return critic_loss(s_r, s_f)
        share = torch.rand(len(x), generator=self.rng).to(self.device)
        return critic_loss(s_r, s_f) + self.penalty * gradient_penalty(f, x, fakes, share)

    def _generator_loss(self, s_f: Tensor) -> Tensor:
        if self.objective == "wasserstein":
            return generator_hinge(s_f)  # -f, as in WGAN
        return generator_saturating(s_f) if self.saturating else generator_nonsaturating(s_f)

    def _data(self, batch: dict[str, Tensor]) -> Tensor:
        if "points" in batch:
            return batch["points"].to(self.device)
        return pictures(batch["images"], self.device)

    def _made(self, n: int) -> Tensor:
        z = torch.randn(n, *self.G.noise_shape, generator=self.rng)
        return self.G(z.to(self.device))

    @torch.inference_mode()
    def sample(self, z: Float[Tensor, "b *noise"]) -> Float[Tensor, "b *shape"]:
        """Samples of the averaged generator: pictures in [-1, 1], or points."""
        return self.average(z.to(self.device))

    def strip(self) -> UInt8[np.ndarray, "n h w 3"]:
        """Pictures from noise that is always the same; of points, where 2,000 of them lie."""
        made = self.sample(self.shown)
        if made.ndim == 4 and made.shape[1] in (1, 3):
            return to_uint8(made.clamp(-1, 1).expand(-1, 3, -1, -1))
        rng = torch.Generator().manual_seed(0)
        points = self.sample(torch.randn(2000, *self.G.noise_shape, generator=rng))
        return seen(points.view(2000, -1, made.shape[-1])[:, 0])[None]  # of the first copy

    def state_dict(self) -> dict:
        return states(self, "G", "f", "average", "opt_G", "opt_f")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)


def _optimizer(
    name: str, network: nn.Module, lr: float, betas: tuple[float, float]
) -> torch.optim.Optimizer:
    if name == "rmsprop":
        return torch.optim.RMSprop(network.parameters(), lr)
    return torch.optim.Adam(network.parameters(), lr, betas, fused=True)
