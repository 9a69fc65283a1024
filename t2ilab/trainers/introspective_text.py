"""s(x, t), by which an introspective network draws captions, learned on attacked pictures.

A softmax over the batch asks which caption belongs to a picture and which picture to a caption;
other captions that are true are no negatives. To climb s, its gradient has to say what people see.
That of a plain classifier does not: there are invisible changes that lead to any caption (chapter
12). So s learns on the worst pictures in a small ball around each (adversarial training, Madry et
al. 2018), and what it then asks for is the colour of a wing (Santurkar et al. 2019, "Image
synthesis with a single (robust) classifier"). f0 stays as it is.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pairs import ASIDES, Order, Truth
from t2ilab.errors import UsageError
from t2ilab.inputs.ascent import ascend
from t2ilab.inputs.constraints import L2Ball, checked_epsilon
from t2ilab.inputs.optimisers import GradientAscent
from t2ilab.losses.matching import symmetric_matching
from t2ilab.models.introspective_text import TextCritic
from t2ilab.trainers.parts import linear_end, load_states, pictures, set_rate, states

WEIGHTS = (0.4, 0.2, 0.15, 0.15, 0.1)  # how often a caption of each level is drawn
BEGINNING = 0.02  # share of the budget in which the learning rate rises


class TextHeadTrainer:
    """One update of s: the attack, and the softmax on what it found.

    Args:
        critic: f0, which is frozen, and s.
        epsilon: radius of the balls, root mean square, as a share of the way from black to white;
            0: no attack.
        ramp: share of the budget over which it grows from 0.
        steps: of the attack.
        lr: of Adam; lowered to 0 over the last `decay` of the budget.
    """

    def __init__(
        self,
        critic: TextCritic,
        *,
        epsilon: float = 0.018,
        ramp: float = 0.15,
        steps: int = 2,
        lr: float = 1e-3,
        decay: float = 0.5,
    ):
        if steps < 1 or not 0 <= ramp <= 1 or not 0 <= decay <= 1 or not 0 < lr < math.inf:
            raise UsageError(
                f"{steps} steps, ramp {ramp}, decay {decay}, lr {lr}: at least one step of the "
                "attack is needed, two shares from 0 to 1, and a learning rate above 0."
            )
        self.critic, self.epsilon, self.ramp = critic.eval(), checked_epsilon(epsilon), ramp
        self.steps, self.lr, self.decay, self.progress = steps, lr, decay, 0.0
        learned = [p for p in critic.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(learned, lr, (0.9, 0.99))

    def setup(self, fabric) -> None:
        self.network, self.optimizer = fabric.setup(self.critic, self.optimizer)
        self.network.mark_forward_method("theta")
        self.network.eval()
        self.device = fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """`batch`: images uint8 [b, c, h, w], phi [b, text], fits bool [b, b]."""
        rising = min(1.0, 0.02 + self.progress / BEGINNING)
        set_rate(self.lr * rising * linear_end(self.progress, self.decay), self.optimizer)
        x, fits = pictures(batch["images"], self.device), batch["fits"].to(self.device)
        psi = self.critic.head.psi(batch["phi"].float().to(self.device))
        x = self.worst(x, psi.detach(), fits)
        scores = self.critic.head.scaled(self.network.theta(x), psi)
        loss = symmetric_matching(scores, fits)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        own = scores.detach().masked_fill(fits & ~torch.eye(len(fits), dtype=torch.bool), -math.inf)
        right = own.argmax(1) == torch.arange(len(own), device=own.device)
        return {"matching": loss.detach(), "right": right.float().mean()}

    @property
    def radius(self) -> float:
        """The present epsilon."""
        return self.epsilon * (min(1.0, self.progress / self.ramp) if self.ramp else 1.0)

    def worst(
        self, x: Float[Tensor, "b c h w"], psi: Float[Tensor, "b space"], fits: Bool[Tensor, "b b"]
    ) -> Float[Tensor, "b c h w"]:
        """Pictures in the balls, moved to where their own captions are hard to find."""
        if self.radius == 0:
            return x
        rows = torch.arange(len(x), device=x.device)
        other = fits & ~torch.eye(len(x), dtype=torch.bool, device=x.device)

        def loss(x: Float[Tensor, "k c h w"], rows: Tensor) -> Float[Tensor, " k"]:
            scores = self.critic.head.scaled(self.network.theta(x), psi)
            scores = scores.masked_fill(other[rows], -math.inf)
            return -scores.log_softmax(1)[torch.arange(len(x)), rows]

        ball = L2Ball(x, epsilon=self.radius)
        rule = GradientAscent(1.5 * ball.radius / self.steps, norm="l2")
        return ascend(
            x, loss, steps=self.steps, optimiser=rule, constraint=ball, given=(rows,)
        ).pictures

    def state_dict(self) -> dict:
        return states(self, "critic", "optimizer")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)


class MatchedBatches:
    """step -> {"images": uint8 [b, 3, h, w], "phi": [b, text], "fits": bool [b, b]}.

    Args:
        data: the captioned pictures.
        phi: vectors of their captions.
        batch_size, seed: of the order; see `Order`.
        levels, asides: how often captions of each level, and with an aside, are taken.
    """

    def __init__(
        self,
        data: CaptionedImages,
        phi: Float[Tensor, "n k text"],
        *,
        batch_size: int = 64,
        seed: int = 0,
        levels: tuple[float, ...] = WEIGHTS,
        asides: float = ASIDES,
    ):
        self.order = Order(data, batch_size, seed, levels, asides)
        self.images, self.phi, self.truth = data.images, phi, Truth(data)

    def __call__(self, step: int) -> dict[str, Tensor]:
        chosen, levels, _ = self.order(step)
        images = torch.from_numpy(self.images[chosen]).permute(0, 3, 1, 2)
        fits = torch.from_numpy(self.truth.fits(chosen, chosen, levels))
        return {"images": images, "phi": self.phi[chosen, levels].float(), "fits": fits}
