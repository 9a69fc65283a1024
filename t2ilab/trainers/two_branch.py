"""Train networks of two branches: by constraints on distances, as a classifier, by regression.

A batch holds pictures, a few captions of each, and which caption is true of which picture: a true
caption of another picture is never called wrong. Some pictures of a batch differ in a detail only,
and so the batch holds what is hard to tell apart.
"""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pairs import SIDED, Order, Truth
from t2ilab.errors import UsageError, choose
from t2ilab.losses.embedding import TERMS, four_constraints
from t2ilab.losses.matching import symmetric_matching
from t2ilab.losses.similarity import logistic
from t2ilab.models.two_branch import AffinityNetwork, EmbeddingNetwork, SimilarityNetwork
from t2ilab.text.encoders import CaptionEncoder
from t2ilab.trainers.parts import load_states, one_cycle, pictures, set_rate, states

LEVELS = (0.45, 0.25, 0.15, 0.10, 0.05)  # how often a caption of each level is drawn
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
            found = self._softmax(x, y, told["fits"], told["owner"])
            terms |= {"picture_text": found, "text_picture": found}
        self.update(sum(self.weights[name] * term for name, term in terms.items()))
        return {name: term.detach() for name, term in terms.items()}

    def _softmax(self, x, y, fits, owner) -> Float[Tensor, ""]:
        """`symmetric_matching`, of the first captions of all pictures, the second, and so on."""
        scores, b = self.scale * x @ y.T, int(owner.max()) + 1
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


class MatchingBatches:
    """Batches of pictures and captions: step -> a dictionary.

    `images` uint8 [b, 3, h, w]; `numbers` [k b, words] of captions, first one of each picture, then
    another of each, and so on; `owner` [k b], whose they are; `fits` [b, k b], caption j is true of
    picture i; `same` [b, b], all that is known of two pictures is the same. Every second picture is
    mirrored, unless one of its captions says left or right. Of `others` there are b/2 more pictures
    after these: no caption fits them, and they match none.

    Args:
        data: captioned pictures.
        encoder: whose vocabulary numbers the words.
        batch_size: pictures a batch, a multiple of `group`.
        each: k, captions a picture.
        group: so many pictures that differ in at most two facts stand together, two of them in
            none; 1, or where no facts are known: pictures at random.
        others: uint8 [_, h, w, 3], pictures of which no caption is true.
        seed: of the order.

    Raises:
        UsageError: the groups do not fill the batch.
    """

    def __init__(
        self,
        data: CaptionedImages,
        encoder: CaptionEncoder,
        *,
        batch_size: int = 128,
        each: int = 2,
        group: int = 8,
        others: UInt8[np.ndarray, "_ h w 3"] | None = None,
        seed: int = 0,
    ):
        self.group = 1 if data.stated is None else group
        if batch_size % self.group:
            raise UsageError(f"batch size {batch_size}: give a multiple of {self.group}.")
        self.others = others
        self.data, self.encoder, self.each, self.truth = data, encoder, each, Truth(data)
        self.order = Order(data, batch_size, seed, LEVELS)
        self.complete = np.zeros(len(data), int)  # the first caption, which says most

    def __call__(self, step: int) -> dict[str, Tensor]:
        chosen, _, rng = self.order(step)
        chosen = self._grouped(chosen, rng)
        b, k = len(chosen), self.each
        owner, levels = np.tile(np.arange(b), k), self.order.draw_levels(np.tile(chosen, k), rng)
        said = [self.data.captions[chosen[i]][j] for i, j in zip(owner, levels, strict=True)]
        sided = np.array([bool(SIDED.search(c)) for c in said]).reshape(k, b).any(0)
        mirrored = (rng.random(b) < 0.5) & ~sided
        images = self.data.images[chosen]
        images[mirrored] = images[mirrored, :, ::-1]
        fits, same = self.truth.fits(chosen, chosen[owner], levels, mirrored), self._same(chosen)
        if self.others is not None:
            more = self.others[rng.integers(len(self.others), size=b // 2)]
            images = np.concatenate([images, more])
            fits = np.pad(fits, [(0, len(more)), (0, 0)])
            same = np.pad(same, (0, len(more)))
        return {
            "images": torch.from_numpy(images).permute(0, 3, 1, 2),
            "numbers": self.encoder.vocabulary.numbers(said),
            "owner": torch.from_numpy(owner),
            "fits": torch.from_numpy(fits),
            "same": torch.from_numpy(same),
        }

    def _same(self, chosen: np.ndarray) -> Bool[np.ndarray, "b b"]:
        """The complete caption of one is true of the other, and the other way round."""
        fits = self.truth.fits(chosen, chosen, self.complete[: len(chosen)])
        return fits & fits.T

    def _grouped(self, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The first of the chosen pictures, each with others that differ little from it."""
        if self.group == 1:
            return chosen
        values, found = self.truth.values, []
        for seed in chosen[: len(chosen) // self.group]:
            differ = (values != values[seed]).sum(1)
            differ[seed] = 9
            twins, near = np.flatnonzero(differ == 0), np.flatnonzero((differ > 0) & (differ <= 2))
            pool = near if len(near) >= self.group else np.flatnonzero(differ)
            mates = rng.choice(pool, self.group - 1, replace=len(pool) < self.group)
            if len(twins):
                mates[0] = rng.choice(twins)
            found += [seed, *mates]
        return np.array(found)
