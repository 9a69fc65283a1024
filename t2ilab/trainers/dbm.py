"""Train a deep Boltzmann machine: mean field under the data, persistent chains under the model.

    d/dW = <v h1>_data - <v h1>_model,   d/dU = <h1 h2>_data - <h1 h2>_model,   ...

(Salakhutdinov and Hinton 2009, algorithm 1). Begun from small weights the upper layer learns
little. Two ways out: layer by layer first, each an RBM whose missing neighbour is made up for by
doubled weights (their section 3.2); or centred units (Montavon and Müller 2012).
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.errors import UsageError, choose
from t2ilab.models.dbm import DBM
from t2ilab.models.rbm import as_pictures, bernoulli
from t2ilab.trainers.parts import linear_end, load_states, set_rate, states
from t2ilab.trainers.rbm import OFFSET_RATE, STRIP

METHODS = ("plain", "pretrained", "centred")
PRETRAINING = 0.3  # of the budget, half of it for each layer


class Gradient(NamedTuple):
    """Of log p(v), by each parameter; None: it stays as it is."""

    W: Tensor | None = None
    U: Tensor | None = None
    a: Tensor | None = None
    b: Tensor | None = None
    c: Tensor | None = None


class Units(NamedTuple):
    """Means or samples of the three layers, a row each."""

    v: Float[Tensor, "n D"]
    h1: Float[Tensor, "n K"]
    h2: Float[Tensor, "n L"]

    @property
    def means(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.v.mean(0), self.h1.mean(0), self.h2.mean(0)

    def statistics(self) -> Gradient:
        """<v h1>, <h1 h2>, <v>, <h1>, <h2>."""
        n = len(self.v)
        return Gradient(self.v.T @ self.h1 / n, self.h1.T @ self.h2 / n, *self.means)


def likelihood_gradient(data: Units, model: Units) -> Gradient:
    """Statistics under the data, less those under the model; means, of any number of rows."""
    pairs = zip(data.statistics(), model.statistics(), strict=True)
    return Gradient(*(one - other for one, other in pairs))


def centred(
    g: Gradient, offsets: tuple[Tensor, Tensor, Tensor], decayed: tuple[Tensor | float, ...]
) -> Gradient:
    """As `trainers.rbm.centred`, for both pairs of layers.

    Args:
        offsets: of v, h1 and h2; zeros give g back.
        decayed: of the weight decay of W and U, taken off their gradients.
    """
    v, h1, h2 = offsets
    W = g.W - v[:, None] * g.b - g.a[:, None] * h1 - decayed[0]
    U = g.U - h1[:, None] * g.c - g.b[:, None] * h2 - decayed[1]
    return Gradient(W, U, g.a - W @ h1, g.b - v @ W - U @ h2, g.c - h1 @ U)


class DBMTrainer:
    """One update of a DBM, by gradient ascent with momentum.

    Args:
        dbm: to train.
        chains: v where the persistent chains begin, one a row.
        v_mean: of the data.
        method: "plain", "pretrained" or "centred".
        k: Gibbs steps of the chains for an update.
        updates: of mean field, at most.
        lr: falls to 0 along a line over the budget.
        momentum, weight_decay: as in `RBMTrainer`.
        seed: of the chains.

    Raises:
        UsageError: an unknown method, or fewer than one Gibbs step or update of mean field.
    """

    def __init__(
        self,
        dbm: DBM,
        *,
        chains: Float[Tensor, "m D"],
        v_mean: Float[Tensor, " D"],
        method: str = "centred",
        k: int = 1,
        updates: int = 10,
        lr: float = 0.02,
        momentum: float = 0.5,
        weight_decay: float = 1e-4,
        seed: int = 0,
    ):
        self.method = choose("method", method, METHODS)
        if k < 1 or updates < 1:
            raise UsageError(f"k = {k}, updates = {updates}: both are at least 1.")
        self.dbm, self.k, self.updates, self.lr = dbm, k, updates, lr
        self.weight_decay, self.seed, self.progress = weight_decay, seed, 0.0
        self.v, self.h2 = chains, torch.full((len(chains), len(dbm.c)), 0.5).round()
        self.v_mean = v_mean
        share = 0.5 if method == "centred" else 0.0
        self.h1_mean = torch.full((len(dbm.b),), share)
        self.h2_mean = torch.full((len(dbm.c),), share)
        self.optimizer = torch.optim.SGD(dbm.parameters(), lr=lr, momentum=momentum)

    def setup(self, fabric) -> None:
        self.network, self.optimizer = fabric.setup(self.dbm, self.optimizer)
        self.fabric = fabric
        self.rng = torch.Generator(fabric.device).manual_seed(self.seed)
        for name in ("v", "h2", "v_mean", "h1_mean", "h2_mean"):
            setattr(self, name, getattr(self, name).to(fabric.device))

    @torch.no_grad()
    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        v = batch["v"].to(self.v.device)
        if self.method == "pretrained" and self.progress < PRETRAINING:
            return self._pretrain(v)
        data = Units(v, *self.dbm.mean_field(v, updates=self.updates))
        self.v, self.h2 = self.dbm.gibbs(self.v, self.h2, self.k, self.rng)
        model = Units(self.v, self.dbm.first(self.v, self.h2), self.h2)
        offsets = self.v_mean, self.h1_mean, self.h2_mean
        if self.method != "centred":
            offsets = tuple(map(torch.zeros_like, offsets))
        decayed = self.weight_decay * self.dbm.W, self.weight_decay * self.dbm.U
        g = likelihood_gradient(data, model)
        self._ascend(centred(g, offsets, decayed))
        _, h1, h2 = data.means
        self.h1_mean = self.h1_mean.lerp(h1, OFFSET_RATE)
        self.h2_mean = self.h2_mean.lerp(h2, OFFSET_RATE)
        return {"pixels_apart": g.a.abs().mean(), "top_weights": self.dbm.U.square().mean().sqrt()}

    def _pretrain(self, v: Float[Tensor, "n D"]) -> dict[str, Tensor]:
        """One step of CD-k for the first layer, and in the second half for the second.

        Below, h1 receives twice what v says, in place of what h2 will say; above, twice what h2
        says, in place of v. The bias b stays as the first layer has learned it.
        """
        dbm, rng = self.dbm, self.rng
        h1 = torch.sigmoid(2 * v @ dbm.W + dbm.b)
        if self.progress < PRETRAINING / 2:
            seen, h = v, h1
            for _ in range(self.k):
                seen = bernoulli(dbm.visible(bernoulli(h, rng)), rng)
                h = torch.sigmoid(2 * seen @ dbm.W + dbm.b)
            decayed = self.weight_decay * dbm.W
            W = v.T @ h1 / len(v) - seen.T @ h / len(v) - decayed
            self._ascend(Gradient(W=W, a=(v - seen).mean(0), b=(h1 - h).mean(0)))
            apart = v - seen
        else:
            first = seen = bernoulli(h1, rng)
            h2 = h = dbm.second(first)
            for _ in range(self.k):
                seen = bernoulli(torch.sigmoid(2 * bernoulli(h, rng) @ dbm.U.T + dbm.b), rng)
                h = dbm.second(seen)
            decayed = self.weight_decay * dbm.U
            U = first.T @ h2 / len(v) - seen.T @ h / len(v) - decayed
            self._ascend(Gradient(U=U, c=(h2 - h).mean(0)))
            apart = first - seen
        top = dbm.U.square().mean().sqrt()
        return {"pixels_apart": apart.mean(0).abs().mean(), "top_weights": top}

    def _ascend(self, g: Gradient) -> None:
        """One step along g; several processes share its mean, as autograd is not asked."""
        set_rate(self.lr * linear_end(self.progress, 1.0), self.optimizer)
        for name, one in g._asdict().items():
            getattr(self.dbm, name).grad = None if one is None else -self.fabric.all_reduce(one)
        self.optimizer.step()

    def strip(self) -> UInt8[Tensor, "n side side 3"]:
        n, steps = STRIP
        rng = torch.Generator(self.v.device).manual_seed(0)
        v, h2 = bernoulli(self.v_mean.expand(n, -1), rng), self.h2.new_zeros(n, self.h2.shape[1])
        v, h2 = self.dbm.gibbs(v, h2, steps, rng)
        return as_pictures(self.dbm.visible(bernoulli(self.dbm.first(v, h2), rng)))

    def state_dict(self) -> dict:
        own = {name: getattr(self, name) for name in ("v", "h2", "h1_mean", "h2_mean")}
        return states(self, "network", "optimizer") | own

    def load_state_dict(self, state: dict) -> None:
        for name in ("v", "h2", "h1_mean", "h2_mean"):
            setattr(self, name, state[name].to(self.v.device))
        load_states(self, {name: state[name] for name in ("network", "optimizer")})
