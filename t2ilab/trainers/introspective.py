"""INNg and WINN: one network learns to tell pictures from its own, and draws them by its gradient.

The algorithm box of Le 2018, fig. 2.5 (INNg: Lazarow, Jin and Tu 2017; WINN: Lee et al. 2018):

    S- is what noise gave. Repeat:
    1. classification step: train f on positives S+ and pseudo-negatives S-
    2. the model is now p(x) q(+1|x) / q(-1|x), renormalised: nothing has to be computed for it
    3. synthesis step: sample from it by gradient ascent on f(x); add the samples to S-

A `step` here is one turn of it on one batch, with the synthesis first, since it is a loop. The
pictures that are being drawn wait in a persistent pool: each is visited for a few steps of ascent
at a time, and now and then one is replaced by fresh noise. What the classification step is shown
are the pictures just visited and, for a share, pictures from *all* earlier rounds (S- grows).
Symbols: x positives, x_m made pictures (pseudo-negatives), f the score, tau thresholds.
"""

import copy
import math
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError, choose
from t2ilab.inputs.synthesis import STARTS, Sampler, synthesise
from t2ilab.losses.adversarial import discriminator_bce
from t2ilab.losses.wasserstein import critic_loss, gradient_penalty
from t2ilab.models.introspective import Critic
from t2ilab.trainers.parts import follow, linear_end, load_states, pictures, set_rate, states

OBJECTIVES = ("logistic", "wasserstein")


@dataclass(frozen=True)
class Recipe:
    """How an introspective network is trained.

    Attributes:
        objective: "logistic" (INNg) or "wasserstein" (WINN).
        sampler: how pictures are made.
        lr, betas: of Adam on the weights.
        penalty: weight of the gradient penalty (WINN).
        decay: lower the weights' learning rate to 0 over this last part of the budget, in [0, 1].
        pool: pictures that are being drawn.
        fresh: share of the visited that are replaced by noise, in [0, 1]; 1: nothing persists.
        past: share of the pseudo-negatives that come from all earlier rounds, in [0, 1).
        remembered: pictures kept of earlier rounds, a fair sample of all of them.
        average: gamma of the running average of the weights, which is what draws when training is
            over: step t weighs t^gamma, so its window is a fixed share of the way, 1 / (gamma + 1)
            (Karras et al. 2024, sect. 3.1).
        classes: weight of the cross-entropy of the classes, where labels are given.
    """

    objective: str = "wasserstein"
    sampler: Sampler = field(default_factory=Sampler)
    lr: float = 4e-4
    betas: tuple[float, float] = (0.0, 0.9)
    penalty: float = 10.0
    decay: float = 0.4
    pool: int = 512
    fresh: float = 0.05
    past: float = 0.0
    remembered: int = 8192
    average: float = 7.0
    classes: float = 1.0

    def __post_init__(self):
        choose("objective", self.objective, OBJECTIVES)
        shares = {"decay": self.decay, "fresh": self.fresh, "past": self.past}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise UsageError(f"{name} {share}: a share lies from 0 to 1.")
        if self.past == 1:
            raise UsageError(
                "past 1: then nothing that was just made would be learned from; "
                "a share below 1 is needed."
            )
        if min(self.pool, self.remembered) < 1 or not 0 < self.lr < math.inf:
            raise UsageError("pool, remembered and lr must all be above 0.")
        if not 0 <= self.average < math.inf:
            raise UsageError(
                f"average {self.average}: a number from 0 is needed; 0 weighs all steps alike."
            )


class Introspective:
    """One network, both jobs. `step` is one synthesis step and one classification step.

    Args:
        critic: f; with `classes` it learns these as well, from the batch's "labels".
        recipe: how; see `Recipe`.
        seed: of noise and thresholds.
    """

    def __init__(self, critic: Critic, *, recipe: Recipe, seed: int = 0):
        self.critic, self.recipe, self.progress = critic.eval(), recipe, 0.0
        self.average, self.steps = copy.deepcopy(critic).requires_grad_(False), 0
        self.rng = torch.Generator().manual_seed(seed)
        self.optimizer = torch.optim.Adam(critic.parameters(), recipe.lr, recipe.betas, fused=True)
        self.pool = self._noise(recipe.pool)
        self.past = Reservoir(recipe.remembered, self.pool.shape[1:]) if recipe.past else None
        self.positives = torch.zeros(1)  # scores of the positives last seen
        self.device = torch.device("cpu")

    def setup(self, fabric) -> None:
        self.f, self.optimizer = fabric.setup(self.critic, self.optimizer)
        self.f.mark_forward_method("judge")
        self.f.eval()  # nothing in it behaves otherwise; `ascend` wants to be sure of that
        self.average, self.device = self.average.to(fabric.device), fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One turn. `batch`: images uint8 [b, c, h, w] and, for classes, labels int64 [b]."""
        self._set_learning_rate()
        x = pictures(batch["images"], self.device)
        x_m, taken = self._synthesis_step(len(x))
        labels = batch["labels"].to(self.device) if self.critic.classes else None
        losses = self._classification_step(x, x_m, labels)
        self.steps += 1
        follow(self.average, self.critic, (1 - 1 / self.steps) ** (self.recipe.average + 1))
        return losses | {"ascent_steps": taken}

    def _synthesis_step(self, b: int) -> tuple[Tensor, Tensor]:
        """Visit b pictures of the pool; these, and how many steps they took on average."""
        rows = torch.randperm(len(self.pool), generator=self.rng)[:b]
        start = self.pool[rows]
        anew = torch.rand(len(start), generator=self.rng) < self.recipe.fresh
        start[anew] = self._noise(int(anew.sum()))
        start, sampler = start.to(self.device), self.recipe.sampler
        progress = min(1.0, self.progress)
        made = synthesise(
            self.f, start, self.positives, sampler, progress=progress, generator=self.rng
        )
        self.pool[rows] = made.pictures.cpu()
        return made.pictures, made.steps.float().mean()

    def _classification_step(
        self, x: Tensor, x_m: Tensor, labels: Tensor | None
    ) -> dict[str, Tensor]:
        """Teach f that x is data and x_m is not, whatever it said of x_m a moment ago."""
        x_m = self._with_past(x_m)
        if labels is None:
            real, logits = self.f(x), None
        else:
            real, logits = self.f.judge(x)
        fake = self.f(x_m)
        self.positives = real.detach().cpu()
        if self.recipe.objective == "logistic":
            loss = discriminator_bce(real, fake)
        else:
            share = torch.rand(len(x), generator=self.rng).to(self.device)
            n = min(len(x), len(x_m))
            penalty = gradient_penalty(self.f, x[:n], x_m[:n], share[:n])
            loss = critic_loss(real, fake) + self.recipe.penalty * penalty
        losses = {"loss": loss.detach(), "gap": (real.mean() - fake.mean()).detach()}
        if logits is not None:
            cross_entropy = F.cross_entropy(logits, labels)
            loss = loss + self.recipe.classes * cross_entropy
            losses["cross_entropy"] = cross_entropy.detach()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return losses

    def _with_past(self, x_m: Tensor) -> Tensor:
        """Some of the pictures give way to earlier ones; all of them are remembered."""
        if self.past is None:
            return x_m
        n = round(self.recipe.past * len(x_m)) if len(self.past) else 0
        shown = torch.cat([x_m[n:], self.past.draw(n, self.rng).to(x_m)])
        self.past.add(x_m.cpu(), self.rng)
        return shown

    def _noise(self, n: int) -> Float[Tensor, "n c h w"]:
        shape = (self.critic.channels, self.critic.size, self.critic.size)
        return STARTS[self.recipe.sampler.start](n, shape, generator=self.rng)

    def _set_learning_rate(self) -> None:
        set_rate(self.recipe.lr * linear_end(self.progress, self.recipe.decay), self.optimizer)

    def strip(self) -> UInt8[np.ndarray, "n h w 3"]:
        """The first pictures of the pool, as they are at the moment."""
        return to_uint8(self.pool[:16].expand(-1, 3, -1, -1))

    def state_dict(self) -> dict:
        return states(self, "critic", "optimizer", "average") | {
            "steps": self.steps,
            "pool": self.pool,
            "positives": self.positives,
            "past": None if self.past is None else self.past.state_dict(),
        }

    def load_state_dict(self, state: dict) -> None:
        networks = ("critic", "optimizer", "average")
        load_states(self, {name: state[name] for name in networks})
        self.steps, self.positives = state["steps"], state["positives"].cpu()
        self.pool.copy_(state["pool"])
        if self.past is not None:
            self.past.load_state_dict(state["past"])


class Reservoir:
    """A fair sample of all pictures that were ever added (Vitter 1985, Algorithm R).

    Each of the n pictures added so far is in it with the same chance, size / n.
    """

    def __init__(self, size: int, shape: tuple[int, ...]):
        self.pictures, self.seen = torch.zeros(size, *shape, dtype=torch.float16), 0

    def __len__(self) -> int:
        return min(self.seen, len(self.pictures))

    def add(self, pictures: Float[Tensor, "n ..."], rng: torch.Generator) -> None:
        for picture in pictures:
            place = self.seen
            if place >= len(self.pictures):
                place = int(torch.randint(self.seen + 1, (1,), generator=rng))
            if place < len(self.pictures):
                self.pictures[place] = picture.half()
            self.seen += 1

    def draw(self, n: int, rng: torch.Generator) -> Float[Tensor, "n ..."]:
        """n pictures, each alike likely; some may be the same."""
        return self.pictures[torch.randint(max(1, len(self)), (n,), generator=rng)].float()

    def state_dict(self) -> dict:
        return {"pictures": self.pictures[: len(self)].clone(), "seen": self.seen}

    def load_state_dict(self, state: dict) -> None:
        self.pictures[: len(state["pictures"])] = state["pictures"]
        self.seen = state["seen"]
