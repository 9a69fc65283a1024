"""Train the completing prior by flow matching (Lipman et al. 2023), on vectors of captions.

    L = E || y - f((1 - t) n + t y, t, phi) ||^2    over pictures, noise n ~ N(0, I), t ~ U(0, 1)

where phi is the vector of one caption of a picture, from complete to bare, and y that of the
complete one. The mean of y that f learns gives the velocity (y - x) / (1 - t) of the flow.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.data.pairs import ASIDES
from t2ilab.errors import UsageError
from t2ilab.models.prior import CompletingPrior
from t2ilab.trainers.parts import load_states, one_cycle, set_rate, states


def matching_loss(
    network, y: Float[Tensor, "b components"], noise, t: Float[Tensor, " b"], phi
) -> Float[Tensor, ""]:
    """The squared error of y, seen through noise, a mean over its components and the batch."""
    x = torch.lerp(noise, y, t[:, None])
    return (y - network(x, t, phi).float()).square().mean()


class PriorTrainer:
    """One update of the prior.

    Args:
        prior: to train; it knows its components (`learn_components`).
        lr: of AdamW, reached after a tenth of the budget and lowered to 0 along a cosine.
        seed: of the noise.
    """

    def __init__(self, prior: CompletingPrior, *, lr: float = 1e-3, seed: int = 0):
        self.prior, self.lr, self.progress = prior, lr, 0.0
        self.optimizer = torch.optim.AdamW(prior.parameters(), lr=lr, weight_decay=0.01)
        self.rng = torch.Generator().manual_seed(seed)

    def setup(self, fabric) -> None:
        self.network, self.optimizer = fabric.setup(self.prior, self.optimizer)
        self.device = fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update. `batch`: phi and complete, both [b, text]."""
        set_rate(self.lr * one_cycle(self.progress), self.optimizer)
        phi, complete = (batch[k].to(self.device) for k in ("phi", "complete"))
        y = self.prior.coordinates(complete)
        noise = torch.randn(y.shape, generator=self.rng).to(self.device)
        t = torch.rand(len(y), generator=self.rng).to(self.device)
        loss = matching_loss(self.network, y, noise, t, phi)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.detach()}

    def state_dict(self) -> dict:
        return states(self, "network", "optimizer")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)


class PriorBatches:
    """Batches of captions' vectors: step -> {"phi", "complete"}, both [b, text].

    Args:
        phi: [n, k, text], the vectors of a picture's captions, from complete to bare; of 2 k, the
            second k are the first with an aside, and `ASIDES` is their share.
        complete: [n, text], that of a caption of the same picture which leaves nothing open.
        levels: weights of the k levels.
        batch_size: captions a batch.
        seed: of the choice; a batch is a function of (seed, step) alone.

    Raises:
        UsageError: the numbers of vectors do not fit together.
    """

    def __init__(
        self,
        phi: Float[Tensor, "n k text"],
        complete: Float[Tensor, "n text"],
        *,
        levels: tuple[float, ...],
        batch_size: int = 512,
        seed: int = 0,
    ):
        count = len(levels)
        if phi.shape[1] not in (count, 2 * count) or len(phi) != len(complete):
            raise UsageError(
                f"{phi.shape[1]} captions of {len(phi)} pictures, and {len(complete)} complete "
                f"ones: expected {count} or, with asides, {2 * count} a picture, and one complete."
            )
        self.phi, self.complete, self.asides = phi, complete, ASIDES * (phi.shape[1] > count)
        self.levels, self.batch_size, self.seed = torch.tensor(levels), batch_size, seed

    def __call__(self, step: int) -> dict[str, Tensor]:
        rng = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        b = self.batch_size
        picture = torch.randint(len(self.phi), (b,), generator=rng)
        level = torch.multinomial(self.levels, b, replacement=True, generator=rng)
        aside = (torch.rand(b, generator=rng) < self.asides).long()
        return {
            "phi": self.phi[picture, level + aside * len(self.levels)].float(),
            "complete": self.complete[picture].float(),
        }
