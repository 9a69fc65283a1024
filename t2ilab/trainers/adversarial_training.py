"""Adversarial training: learn on the worst pictures in a ball around each (Madry et al. 2018).

Equation 2.1 of the paper, with loss L, pictures x, labels y, weights θ:

    min over θ of   E_(x, y) [ max over δ in S of  L(θ, x + δ, y) ],    S = {δ: |δ|_∞ <= ε}

The inner maximum is approached by a few steps of PGD from a random place in the ball; at the point
that it finds, one ordinary update of the weights is made. With ε = 0 this is plain training.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from t2ilab.errors import UsageError
from t2ilab.inputs.attacks import pgd
from t2ilab.inputs.constraints import checked_epsilon
from t2ilab.trainers.parts import load_states, one_cycle, pictures, set_rate, states


class AdversarialTraining:
    """One update of a classifier, on pictures that were moved to where its loss is high.

    Args:
        network: pictures [b, 3, h, w] in [-1, 1] -> logits [b, classes].
        epsilon: of the balls, a share of the way from black to white: 8/255 is 8 grey levels.
        ramp: share of the budget over which ε grows from 0, for a network that knows nothing yet
            learns little from worst cases; 0: it is there from the start, as in the paper.
        steps: of PGD for each update, 2.5 ε / steps long.
        lr: of AdamW, reached after a tenth of the budget and lowered to 0 along a cosine.
        seed: of the places in the balls where PGD starts.

    Raises:
        UsageError: epsilon or ramp is not in 0..1, or fewer than 1 step.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        epsilon: float,
        steps: int = 5,
        ramp: float = 1 / 3,
        lr: float = 2e-3,
        seed: int = 0,
    ):
        if steps < 1:
            raise UsageError(f"{steps} steps of PGD for each update: at least 1 is needed.")
        if not 0 <= ramp <= 1:
            raise UsageError(f"ramp {ramp}: a share of the budget, 0 to 1, is needed.")
        self.ramp = ramp
        self.network, self.lr, self.steps, self.progress = network, lr, steps, 0.0
        self.epsilon = checked_epsilon(epsilon)
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=1e-4)
        self.rng = torch.Generator().manual_seed(seed)

    def setup(self, fabric) -> None:
        self.wrapped, self.optimizer = fabric.setup(self.network, self.optimizer)
        self.device = fabric.device

    @property
    def radius(self) -> float:
        """The present epsilon; on the way there in whole grey levels."""
        if not self.ramp or self.progress >= self.ramp:
            return self.epsilon
        return math.floor(255 * self.epsilon * self.progress / self.ramp) / 255

    def worst(
        self, x: Float[Tensor, "b c h w"], labels: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c h w"]:
        """The inner maximum: pictures in the balls, moved uphill; `x` itself where ε is 0.

        The network is attacked in `eval` mode, so that batch norm does not learn from the climb,
        and is left in `train` mode.
        """
        if self.radius == 0:
            return x
        self.network.eval()
        found = pgd(
            self.network,
            x,
            epsilon=self.radius,
            labels=labels,
            steps=self.steps,
            generator=self.rng,
            batch=len(x),
        ).pictures
        self.network.train()
        return found

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """`batch`: "images" uint8 [b, c, h, w] and "labels" int64 [b]."""
        set_rate(self.lr * one_cycle(self.progress), self.optimizer)
        x = pictures(batch["images"], self.device)
        labels = batch["labels"].to(self.device)
        self.network.train()
        logits = self.wrapped(self.worst(x, labels))
        loss = F.cross_entropy(logits.float(), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        right = (logits.detach().argmax(1) == labels).float().mean()
        return {"cross_entropy": loss.detach(), "accuracy": right}

    def state_dict(self) -> dict:
        return states(self, "wrapped", "optimizer")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)
