"""The three introspective systems of Le 2018, chapter 4: a critic of pictures with captions.

    introspective   log(1 + exp(-z f(x, y))), z = 1 where picture and text match      (eq. 4.1)
    wasserstein     maximise d(x_i, y) - d(x_j, y), x_i real and x_j fake, same text  (4.1.2)
    affinity        the same for a scalar d(x), and 0.5 |g(x) - word2vec(y)|²         (4.1.3)

The synthesis step is the same for all: weights frozen, the picture the trainable parameter, from
Gaussian noise (there is no z). What the thesis leaves open is filled like this. Fakes are drawn for
captions of the training set, which stay with them in the pool. In eq. 4.1 two kinds of pairs do not
match: a picture with a caption that is not true of it, and a fake with its own; each weighs a
quarter. The Wasserstein losses are kept 1-Lipschitz by a gradient penalty. "10 critics" are ten
updates of the critic for each synthesis step (`critics`) or a cascade of ten networks, of which
each goes on from what those before it drew (`cascade`).
"""

import copy
from dataclasses import dataclass, field
from math import inf

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError, choose
from t2ilab.inputs.ascent import Ascended
from t2ilab.inputs.synthesis import STARTS, Sampler, synthesise, visits
from t2ilab.losses.wasserstein import critic_loss, gradient_penalty
from t2ilab.trainers.caption_pool import CaptionPool
from t2ilab.trainers.parts import bare, linear_end, load_states, pictures, set_rate, states

OBJECTIVES = ("logistic", "wasserstein", "affinity")


@dataclass(frozen=True)
class Recipe:
    """How it is trained.

    Attributes:
        objective: "logistic" (4.1.1), "wasserstein" (4.1.2) or "affinity" (4.1.3).
        sampler: how pictures are made.
        critics: updates of the critic for each synthesis step.
        cascade: how many networks, trained one after the other; 1: no cascade.
        lr, betas: of Adam on the weights.
        penalty: weight of the gradient penalty; not of the logistic loss.
        affinity: weight of the regression.
        decay, pool, fresh: see `trainers.introspective.Recipe`.
    """

    objective: str = "wasserstein"
    sampler: Sampler = field(default_factory=Sampler)
    critics: int = 1
    cascade: int = 1
    lr: float = 4e-4
    betas: tuple[float, float] = (0.0, 0.9)
    penalty: float = 10.0
    affinity: float = 0.5
    decay: float = 0.0
    pool: int = 512
    fresh: float = 0.05

    def __post_init__(self):
        choose("objective", self.objective, OBJECTIVES)
        if min(self.critics, self.cascade, self.pool) < 1:
            raise UsageError("critics, cascade and pool are whole numbers from 1.")
        if not (0 <= self.decay <= 1 and 0 <= self.fresh <= 1 and 0 < self.lr < inf):
            raise UsageError(
                f"decay {self.decay}, fresh {self.fresh}, lr {self.lr}: the first two are shares "
                "from 0 to 1, and lr is above 0."
            )


def mismatched(
    fits: Bool[Tensor, "b b"], rng: torch.Generator
) -> tuple[Int[Tensor, " k"], Int[Tensor, " k"]]:
    """Pictures, and for each a caption of the batch that is not true of it, drawn at random."""
    chances = torch.rand(fits.shape, generator=rng).masked_fill(fits.cpu(), -1)
    best, which = chances.max(1)
    rows = (best >= 0).nonzero()[:, 0]
    return rows, which[rows]


class CaptionCriticTrainer:
    """A critic that learns to tell pictures of a caption from its own, and draws them.

    Args:
        critic: of `models.caption_critics`; affinity takes an `AffinityCritic`.
        recipe: how; see `Recipe`.
        phi: vectors of captions, one for each picture that is in the pool at the beginning.
        seed: of noise and thresholds.
    """

    def __init__(
        self, critic: nn.Module, *, recipe: Recipe, phi: Float[Tensor, "pool text"], seed: int = 0
    ):
        self.recipe, self.progress, self.steps, self.at = recipe, 0.0, 0, 0
        self.rng = torch.Generator().manual_seed(seed)
        self.critics = nn.ModuleList(copy.deepcopy(critic) for _ in range(recipe.cascade)).eval()
        self.optimizer = torch.optim.Adam(self.critics.parameters(), recipe.lr, recipe.betas)
        self.begun: tuple[Tensor, Tensor] | None = None  # what the cascade drew before this network
        self.pool = CaptionPool(self._noise, phi)
        self.made: tuple[Tensor, Tensor] | None = None  # pictures last visited, their captions
        self.positives = torch.zeros(recipe.cascade, 1)  # of each network, scores of positives
        self.device = torch.device("cpu")

    def setup(self, fabric) -> None:
        self.networks, self.optimizer = fabric.setup(self.critics, self.optimizer)
        self.networks.eval()
        self.device, self.fabric = fabric.device, fabric

    @property
    def f(self) -> nn.Module:
        """The network that is learning."""
        return bare(self.networks)[self.at]

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update. `batch`: images uint8 [b, 3, h, w], phi [b, text], fits bool [b, b]."""
        recipe = self.recipe
        set_rate(recipe.lr * linear_end(self.progress, recipe.decay), self.optimizer)
        self._go_on_in_the_cascade()
        x = pictures(batch["images"], self.device)
        phi = batch["phi"].float().to(self.device)
        if self.steps % recipe.critics == 0:
            self.made = self._synthesis_step(phi)
        self.steps += 1
        return self._classification_step(x, phi, batch["fits"], *self.made)

    def _synthesis_step(self, phi: Float[Tensor, "b text"]) -> tuple[Tensor, Tensor]:
        """Visit pictures of the pool; these, and the captions that they are drawn for."""

        def climb(start: Tensor, told: Tensor) -> Ascended:
            with torch.no_grad():
                psi = self.f.psi(told.to(self.device))
            return synthesise(
                self.f,
                start.to(self.device),
                self.positives[self.at],
                self.recipe.sampler,
                progress=min(1.0, self.progress),
                generator=self.rng,
                given=(psi,),
            )

        made, told = self.pool.visit(phi, climb, fresh=self.recipe.fresh, rng=self.rng)
        return made.pictures, told.to(self.device)

    def _classification_step(self, x, phi, fits, x_m, told) -> dict[str, Tensor]:
        """The loss of the recipe's objective, and one update of the weights."""
        f, recipe = self.f, self.recipe
        psi, psi_m = f.psi(phi), f.psi(told)
        real, losses = f(x, psi), {}
        if recipe.objective == "affinity":
            loss, losses = self._affinity(x, psi, x_m)
        elif recipe.objective == "logistic":
            rows, wrong = mismatched(fits, self.rng)
            mistaken = F.softplus(f(x[rows], psi[wrong])) if len(rows) else real.new_zeros(1)
            fakes = F.softplus(f(x_m, psi_m))
            loss = 0.5 * F.softplus(-real).mean() + 0.25 * (mistaken.mean() + fakes.mean())
        else:
            loss = critic_loss(real, f(x_m, psi_m)) + self._penalty(
                lambda z, p: f(z, p), x, x_m, psi
            )
        self.positives = self._with(real)
        self.optimizer.zero_grad()
        loss.backward()
        self._share_gradients()
        self.optimizer.step()
        return losses | {"loss": loss.detach()}

    def _share_gradients(self) -> None:
        """Their mean over the processes. The networks of a cascade are called one by one, not as
        the whole that `fabric.setup` returned, so that nobody else does it.
        """
        if self.fabric.world_size > 1:
            for p in self.f.parameters():
                if p.grad is not None:
                    p.grad.copy_(self.fabric.all_reduce(p.grad, reduce_op="mean"))

    def _affinity(self, x, psi, x_m) -> tuple[Tensor, dict[str, Tensor]]:
        """d as a WINN's critic, and the regression of real pictures to their captions."""
        d, error = self.f.parts(x, psi)
        d_m, _ = self.f.parts(x_m, psi[:1].expand(len(x_m), -1))
        penalty = self._penalty(lambda z, p: self.f.parts(z, p)[0], x, x_m, psi)
        loss = critic_loss(d, d_m) + penalty
        if self.recipe.affinity:
            loss = loss + self.recipe.affinity * error.mean()
        return loss, {"regression": error.mean().detach()}

    def _penalty(self, f, x, x_m, psi) -> Tensor:
        n = min(len(x), len(x_m))
        share = torch.rand(n, generator=self.rng).to(self.device)
        kept = psi[:n].detach() if self.recipe.objective == "affinity" else psi[:n]
        return self.recipe.penalty * gradient_penalty(lambda z: f(z, kept), x[:n], x_m[:n], share)

    def _with(self, scores: Float[Tensor, " b"]) -> Float[Tensor, "k b"]:
        """The positives' scores, with these for the network that is learning."""
        own = scores.detach().cpu()
        every = self.positives if self.positives.shape[1] == len(own) else None
        every = own.repeat(len(self.critics), 1) if every is None else every.clone()
        every[self.at] = own
        return every

    def _go_on_in_the_cascade(self) -> None:
        """When its share of the budget is spent, a network is done, and the next begins as it is.

        What the pool holds then is drawn to its end, and is where the next one's pictures begin.
        """
        due = min(int(self.progress * self.recipe.cascade), self.recipe.cascade - 1)
        while self.at < due:
            old = self.f
            with torch.no_grad():
                psi = old.psi(self.pool.told.to(self.device))
            *_, made = visits(
                old,
                self.pool.pictures.to(self.device),
                self.positives[self.at],
                self.recipe.sampler,
                generator=self.rng,
                given=(psi,),
            )
            self.pool.pictures.copy_(made.pictures.cpu())
            self.begun = (self.pool.pictures.clone(), self.pool.told.clone())
            self.at += 1
            self.f.load_state_dict(old.state_dict())

    def _noise(self, n: int) -> Float[Tensor, "n c h w"]:
        """Where pictures begin: noise, or what the cascade drew so far."""
        if self.begun is not None:
            rows = torch.randint(len(self.begun[0]), (n,), generator=self.rng)
            return self.begun[0][rows]
        size = self.critics[0].network.size
        return STARTS[self.recipe.sampler.start](n, (3, size, size), generator=self.rng)

    def strip(self) -> UInt8[np.ndarray, "n h w 3"]:
        """The first pictures of the pool, as they are at the moment."""
        return to_uint8(self.pool.pictures[:16])

    def state_dict(self) -> dict:
        return states(self, "critics", "optimizer") | {
            "steps": self.steps,
            "at": self.at,
            "pool": self.pool.state_dict(),
            "begun": self.begun,
            "made": self.made,
            "positives": self.positives,
        }

    def load_state_dict(self, state: dict) -> None:
        load_states(self, {name: state[name] for name in ("critics", "optimizer")})
        self.steps, self.at, self.begun = state["steps"], state["at"], state["begun"]
        if state["made"] is not None:
            self.made = tuple(x.to(self.device) for x in state["made"])
        self.pool.load_state_dict(state["pool"])
        self.positives = state["positives"].cpu()
