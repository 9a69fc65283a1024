"""Train an RBM by <v h>_data - <v h>_model: contrastive divergence, and its persistent form.

The gradient of the mean log-likelihood (Hinton 2002, eq. 3, with P(h | v) in place of h):

    d/dW = <v h>_data - <v h>_model,   d/da = <v>_data - <v>_model,   d/db = <h>_data - <h>_model

The model's mean needs samples of the model. CD-k takes k Gibbs steps from the data; PCD-k (Tieleman
2008) goes on with chains of its own, which the slowly moving machine lets stay near the model.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.errors import UsageError, choose
from t2ilab.models.rbm import RBM, as_pictures, bernoulli
from t2ilab.trainers.parts import linear_end, load_states, set_rate, states

METHODS = ("cd", "pcd")
GRADIENTS = ("plain", "centred")
OFFSET_RATE = 0.01  # of the running mean of h (Melchior, Fischer and Wiskott 2016)
STRIP = (16, 200)  # pictures of a strip, Gibbs steps from noise to them


class Gradient(NamedTuple):
    """Of log p(v), by W, a and b."""

    W: Float[Tensor, "D K"]
    a: Float[Tensor, " D"]
    b: Float[Tensor, " K"]


class Units(NamedTuple):
    """Samples of v, a row each, and P(h | v)."""

    v: Float[Tensor, "n D"]
    h: Float[Tensor, "n K"]

    def statistics(self) -> Gradient:
        """<v h>, <v> and <h>: means, not sums, so that any number of rows is right."""
        return Gradient((self.v / len(self.v)).T @ self.h, self.v.mean(0), self.h.mean(0))


def likelihood_gradient(data: Units, model: Units) -> Gradient:
    """<.>_data - <.>_model."""
    pairs = zip(data.statistics(), model.statistics(), strict=True)
    return Gradient(*(one - other for one, other in pairs))


def centred(
    g: Gradient, v_mean: Float[Tensor, " D"], h_mean: Float[Tensor, " K"], decayed: Tensor | float
) -> Gradient:
    """The gradient of E = -(v - v_mean)'W(h - h_mean) - ..., as a step of the plain W, a and b.

    Offsets 0 give g back. With those of the data it does not matter which colour is called 1:
    training on 1 - v finds the same machine (Melchior, Fischer and Wiskott 2016, section 2.3).

    Args:
        decayed: of W's weight decay, taken off its gradient.
    """
    W = g.W.addr(v_mean, g.b, alpha=-1).addr_(g.a, h_mean, alpha=-1).sub_(decayed)
    return Gradient(W, g.a - W @ h_mean, g.b - v_mean @ W)


class RBMTrainer:
    """One update of an RBM, by gradient ascent with momentum.

    Args:
        rbm: to train.
        chains: where the persistent chains begin, one a row; CD does not use them.
        v_mean: of the data; the offset of the centred gradient.
        method, k: "cd" or "pcd", and Gibbs steps for an update.
        gradient: "plain" or "centred".
        lr: falls to 0 along a line over the budget, which the chains of PCD need in the end.
        momentum: of the ascent; `weight_decay`: lr · weight_decay · W is taken off W.
        seed: of the chains.

    Raises:
        UsageError: an unknown method or gradient, or fewer than one Gibbs step.
    """

    def __init__(
        self,
        rbm: RBM,
        *,
        chains: Float[Tensor, "m D"],
        v_mean: Float[Tensor, " D"],
        method: str = "pcd",
        k: int = 1,
        gradient: str = "centred",
        lr: float = 0.05,
        momentum: float = 0.5,
        weight_decay: float = 1e-4,
        seed: int = 0,
    ):
        self.persistent = choose("method", method, METHODS) == "pcd"
        self.centred = choose("gradient", gradient, GRADIENTS) == "centred"
        if k < 1:
            raise UsageError(f"k = {k} Gibbs steps: at least 1 is needed.")
        self.rbm, self.k, self.lr, self.weight_decay, self.seed = rbm, k, lr, weight_decay, seed
        self.chains, self.v_mean, self.h_mean = chains, v_mean, torch.full((len(rbm.b),), 0.5)
        with torch.no_grad():
            self.chains_h = rbm.hidden(chains)
        self.optimizer = torch.optim.SGD(rbm.parameters(), lr=lr, momentum=momentum, maximize=True)
        self.progress = 0.0

    def setup(self, fabric) -> None:
        self.network, self.optimizer = fabric.setup(self.rbm, self.optimizer)
        self.fabric = fabric
        self.rng = torch.Generator(fabric.device).manual_seed(self.seed)
        for name in ("chains", "chains_h", "v_mean", "h_mean"):
            setattr(self, name, getattr(self, name).to(fabric.device))

    @torch.no_grad()
    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        v = batch["v"].to(self.chains.device)
        data = Units(v, self.rbm.hidden(v))
        model = self._walk(Units(self.chains, self.chains_h) if self.persistent else data)
        if self.persistent:
            self.chains, self.chains_h = model
        g = likelihood_gradient(data, model)
        offsets = self.v_mean, self.h_mean
        if not self.centred:
            offsets = tuple(map(torch.zeros_like, offsets))
        self._ascend(centred(g, *offsets, self.weight_decay * self.rbm.W))
        self.h_mean = self.h_mean.lerp(data.h.mean(0), OFFSET_RATE)
        return {"pixels_apart": g.a.abs().mean(), "weights": self.rbm.W.square().mean().sqrt()}

    def _walk(self, units: Units) -> Units:
        """k Gibbs steps from P(h | v). That of the chains is from before the last update, which
        moved the machine less than the chains move in a step.
        """
        for _ in range(self.k):
            v = self.rbm.draw_visible(bernoulli(units.h, self.rng), self.rng)
            units = Units(v, self.rbm.hidden(v))
        return units

    def _ascend(self, g: Gradient) -> None:
        """One step along g; several processes share its mean, as autograd is not asked."""
        set_rate(self.lr * linear_end(self.progress, 1.0), self.optimizer)
        for name, one in g._asdict().items():
            getattr(self.rbm, name).grad = self.fabric.all_reduce(one)
        self.optimizer.step()

    def strip(self) -> UInt8[Tensor, "n side side 3"]:
        n, steps = STRIP
        rng = torch.Generator(self.chains.device).manual_seed(0)
        v = self.rbm.gibbs(bernoulli(self.v_mean.expand(n, -1), rng), steps, rng)
        return as_pictures(self.rbm.seen(bernoulli(self.rbm.hidden(v), rng)))

    def state_dict(self) -> dict:
        own = ("chains", "chains_h", "h_mean")
        return states(self, "network", "optimizer") | {name: getattr(self, name) for name in own}

    def load_state_dict(self, state: dict) -> None:
        self.chains, self.chains_h, self.h_mean = (
            state[name].to(self.chains.device) for name in ("chains", "chains_h", "h_mean")
        )
        load_states(self, {name: state[name] for name in ("network", "optimizer")})


class BinaryBatches:
    """step -> {"v": float [b, D]}: pictures as zeros and ones, every one once an epoch.

    A batch may reach over the end of an epoch, so all are full, whatever the number of pictures.

    Args:
        grey: the pictures, uint8 [n, D] from 0 to 255.
        batch_size: pictures a batch.
        binarise: see `binary`.
        seed: of the order, and of the pixels.

    Raises:
        UsageError: no pictures, pixels that are no whole numbers from 0 to 255, no picture a batch,
            or an unknown way to binarise.
    """

    def __init__(self, grey: np.ndarray, *, batch_size: int, binarise: str, seed: int = 0):
        if grey.dtype != np.uint8 or grey.ndim != 2 or not len(grey):
            raise UsageError(
                f"pictures {list(grey.shape)} of {grey.dtype}: give uint8 [n, D] from 0 to 255."
            )
        if batch_size < 1:
            raise UsageError(f"batches of {batch_size}: at least 1 picture is needed.")
        choose("binarise", binarise, BINARISE)
        self.grey, self.batch_size, self.binarise, self.seed = grey, batch_size, binarise, seed
        self._epoch, self._permutation = -1, np.zeros(0, int)

    def __call__(self, step: int) -> dict[str, Tensor]:
        places = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        epochs, places = np.divmod(places, len(self.grey))
        chosen = np.concatenate([self._order(e)[places[epochs == e]] for e in np.unique(epochs)])
        rng = np.random.default_rng((self.seed, step, 1))
        return {"v": binary(self.grey[chosen], self.binarise, rng)}

    def _order(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            rng = np.random.default_rng((self.seed, epoch))
            self._epoch, self._permutation = epoch, rng.permutation(len(self.grey))
        return self._permutation


BINARISE = ("threshold", "stochastic")


def binary(
    grey: UInt8[np.ndarray, "n D"], binarise: str, rng: np.random.Generator
) -> Float[Tensor, "n D"]:
    """0 or 1: whether a pixel is at least 128 of 255 ("threshold"), or with probability grey / 255.

    The latter ("stochastic", Salakhutdinov and Murray 2008) makes another picture at each visit.
    """
    level = 127.5 if binarise == "threshold" else 255 * rng.random(grey.shape, dtype=np.float32)
    return torch.from_numpy((grey > level).astype(np.float32))
