"""Train a caption encoder by matching: a caption must find its picture among those of a batch.

Pictures enter as fixed feature vectors (the AttributeReader's on PaperWorld); where there are none,
captions are matched against other captions of the same picture, as Reed et al. 2016 did for COCO.
"""

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pairs import Order, Truth
from t2ilab.errors import choose
from t2ilab.losses.matching import OBJECTIVES
from t2ilab.text.encoders import CaptionEncoder
from t2ilab.text.matcher import Matcher
from t2ilab.trainers.parts import cosine_end, load_states, set_rate, states

SMALL_WORDS = ("a", "an", "the", "this", "its")


class CaptionEncoderTrainer:
    """One update: scores s_ij of picture i and caption j, and a loss that asks for the diagonal.

    Args:
        encoder: the caption encoder to train.
        features: size of the picture's feature vectors; None to match captions with captions.
        lr: of AdamW; decays to 0 along a cosine over the budget.
        objective: "cross_entropy", of scaled cosines; or "sje", the structured joint embedding of
            Reed et al. 2016, of inner products. (They train with RMSprop, 7e-4, batches of 40.)
    """

    def __init__(
        self,
        encoder: CaptionEncoder,
        *,
        features: int | None,
        lr: float = 2e-3,
        objective: str = "cross_entropy",
    ):
        self.loss = OBJECTIVES[choose("objective", objective, OBJECTIVES)]
        self.matcher = Matcher(encoder, features=features, cosine=objective == "cross_entropy")
        self.lr, self.progress = lr, 0.0
        self.optimizer = torch.optim.AdamW(self.matcher.parameters(), lr=lr, weight_decay=1e-4)

    def setup(self, fabric) -> None:
        self.device = fabric.device
        self.network, self.optimizer = fabric.setup(self.matcher, self.optimizer)
        self.network.mark_forward_method("between")

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        set_rate(self.lr * cosine_end(self.progress), self.optimizer)
        numbers, fits = batch["numbers"].to(self.device), batch["fits"].to(self.device)
        if "features" in batch:
            scores = self.network(batch["features"].to(self.device), numbers)
        else:
            scores = self.network.between(batch["others"].to(self.device), numbers)
        loss = self.loss(scores, fits)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"matching": loss.detach()}

    def state_dict(self) -> dict:
        return states(self, "matcher", "optimizer")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)


class CaptionBatches:
    """Batches for the encoder: step -> {"numbers", "fits", and "features" or "others"}.

    Small words are dropped at random, so that "red bird" is read like "a red bird".

    Args:
        data: captioned pictures.
        encoder: whose vocabulary numbers the words.
        features: float [n, features] of the pictures, or None: then "others" are the numbers of
            another caption of the same picture.
    """

    def __init__(
        self,
        data: CaptionedImages,
        encoder: CaptionEncoder,
        features: Tensor | None,
        *,
        batch_size: int = 256,
        seed: int = 0,
    ):
        self.data, self.encoder, self.features = data, encoder, features
        self.truth = Truth(data)
        self.order = Order(data, min(batch_size, len(data)), seed, (0.3, 0.3, 0.2, 0.15, 0.05))

    def __call__(self, step: int) -> dict[str, Tensor]:
        chosen, levels, rng = self.order(step)
        batch = {
            "numbers": self._numbers(chosen, levels, rng),
            "fits": torch.from_numpy(self.truth.fits(chosen, chosen, levels)),
        }
        if self.features is not None:
            return batch | {"features": self.features[torch.from_numpy(chosen)]}
        count = [len(self.data.captions[i]) for i in chosen]
        other = [
            (k + 1 + int(rng.integers(max(1, n - 1)))) % n
            for k, n in zip(levels, count, strict=True)
        ]
        return batch | {"others": self._numbers(chosen, other, rng)}

    def _numbers(self, pictures, levels, rng: np.random.Generator) -> Int[Tensor, "b words"]:
        """Caption `levels[j]` of picture `pictures[j]`, varied, as numbers."""
        captions = [self.data.captions[i][k] for i, k in zip(pictures, levels, strict=True)]
        return self.encoder.vocabulary.numbers([self._vary(caption, rng) for caption in captions])

    def _vary(self, caption: str, rng: np.random.Generator) -> str:
        if rng.random() >= 0.15:
            return caption
        kept = [w for w in caption.split() if w not in SMALL_WORDS]
        return " ".join(kept) or caption
