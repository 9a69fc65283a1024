"""Train networks of two branches: by constraints on distances, as a classifier, by regression.

Batches (`matching_batches.py`) say which caption is true of which picture: a true caption of
another picture is never called wrong.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from t2ilab.errors import UsageError, choose
from t2ilab.losses.embedding import TERMS, four_constraints
from t2ilab.losses.matching import symmetric_matching
from t2ilab.losses.similarity import logistic
from t2ilab.models.two_branch import AffinityNetwork, EmbeddingNetwork, SimilarityNetwork
from t2ilab.text.encoders import CaptionEncoder
from t2ilab.trainers.parts import load_states, one_cycle, pictures, set_rate, states

OBJECTIVES = ("hinge", "softmax")


class Reading(nn.Module):
    """A network and the encoder that reads its captions; forward takes the numbers of words.

    Args:
        encoder: phi; trained along with the network, unless it has no gradients.
        network: takes pictures and phi(t).
    """

    def __init__(self, encoder: CaptionEncoder, network: nn.Module):
        super().__init__()
        self.encoder, self.branches = encoder, network

    def forward(self, images: Float[Tensor, "n 3 h w"], numbers: Int[Tensor, "m words"], **how):
        with torch.autocast(numbers.device.type, enabled=False):  # recurrent cells are slow in bf16
            phi = self.encoder(numbers)
        return self.branches(images, phi, **how)


class _Trainer:
    """What the three share: one optimiser over all that has gradients."""

    def __init__(self, encoder: CaptionEncoder, network: nn.Module, *, lr: float):
        self.reading, self.lr, self.progress = Reading(encoder, network), lr, 0.0
        learned = [p for p in self.reading.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(learned, lr=lr, weight_decay=1e-4)

    def setup(self, fabric) -> None:
        self.network, self.optimizer = fabric.setup(self.reading, self.optimizer)
        self.device = fabric.device

    def inputs(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Pictures in [-1, 1] and the numbers of the captions, on the device."""
        return pictures(batch["images"], self.device), batch["numbers"].to(self.device)

    def update(self, loss: Float[Tensor, ""]) -> None:
        set_rate(self.lr * one_cycle(self.progress), self.optimizer)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def state_dict(self) -> dict:
        return states(self, "reading", "optimizer")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)


class EmbeddingTrainer(_Trainer):
    """One update of the embedding network: the four constraints, each with its weight.

    Args:
        encoder: phi.
        network: both branches.
        objective: "hinge"; or "softmax": in place of the two constraints across the views, the
            cross-entropy of finding a picture's caption among those of the batch, and back.
        weights: of the terms, by the names in `losses.embedding.TERMS`.
        margin, top: see `losses.embedding.constraint`.
        scale: by what cosines are multiplied before the softmax; 1/scale is its temperature.
        lr: of AdamW, the largest; up and down over the budget.
    """

    def __init__(
        self,
        encoder: CaptionEncoder,
        network: EmbeddingNetwork,
        *,
        objective: str = "hinge",
        weights: dict[str, float],
        margin: float = 0.1,
        top: int = 10,
        scale: float = 20.0,
        lr: float = 2e-3,
    ):
        super().__init__(encoder, network, lr=lr)
        self.objective = choose("objective", objective, OBJECTIVES)
        self.weights = {name: weights[name] for name in TERMS}
        self.margin, self.top, self.scale = margin, top, scale

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """`batch`: see `MatchingBatches`."""
        x, y = self.network(*self.inputs(batch))
        told = {name: batch[name].to(self.device) for name in ("fits", "owner", "same")}
        terms = four_constraints(x, y, **told, margin=self.margin, top=self.top)
        if self.objective == "softmax":
            found = self._softmax(x, y, told["fits"], int(batch["owner"].max()) + 1)
            terms |= {"picture_text": found, "text_picture": found}
        self.update(sum(self.weights[name] * term for name, term in terms.items()))
        return {name: term.detach() for name, term in terms.items()}

    def _softmax(self, x, y, fits, b: int) -> Float[Tensor, ""]:
        """`symmetric_matching`, of the first captions of all b pictures, the second, and so on."""
        scores = self.scale * x @ y.T
        parts = zip(scores.split(b, 1), fits.split(b, 1), strict=True)
        return torch.stack([symmetric_matching(s, f) for s, f in parts]).mean()


class SimilarityTrainer(_Trainer):
    """One update of the similarity network: every picture of the batch with every caption.

    Args:
        encoder, network, lr: see `EmbeddingTrainer`.
        top: so many of the captions that do not fit a picture weigh more; see `logistic`.
    """

    def __init__(
        self,
        encoder: CaptionEncoder,
        network: SimilarityNetwork,
        *,
        top: int | None = 10,
        lr: float = 2e-3,
    ):
        super().__init__(encoder, network, lr=lr)
        self.top = top

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        logits = self.network(*self.inputs(batch), every=True)
        loss = logistic(logits, batch["fits"].to(self.device), top=self.top)
        self.update(loss)
        return {"logistic": loss.detach()}


class AffinityTrainer:
    """One update of the affinity network: the squared error to phi of the picture's captions.

    Args:
        encoder: phi, which stays as it is: a target that moved could meet the picture anywhere.
        network: the picture's branch.
        lr: of AdamW, the largest.

    Raises:
        UsageError: the encoder has gradients.
    """

    def __init__(self, encoder: CaptionEncoder, network: AffinityNetwork, *, lr: float = 2e-3):
        if any(p.requires_grad for p in encoder.parameters()):
            raise UsageError("the target of a regression must stand still: freeze the encoder.")
        self.encoder, self.branch, self.lr, self.progress = encoder.eval(), network, lr, 0.0
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=1e-4)

    def setup(self, fabric) -> None:
        self.network, self.optimizer = fabric.setup(self.branch, self.optimizer)
        self.device, self.encoder = fabric.device, self.encoder.to(fabric.device)

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        set_rate(self.lr * one_cycle(self.progress), self.optimizer)
        with torch.no_grad():
            phi = self.encoder(batch["numbers"].to(self.device))
        found = self.network(pictures(batch["images"], self.device))
        loss = F.mse_loss(found[batch["owner"].to(self.device)], phi)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"squared": loss.detach()}

    def state_dict(self) -> dict:
        return states(self, "network", "optimizer")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)
