"""Batches for matching: pictures, some captions of each, and which caption is true of which.

Some pictures of a batch differ in a detail only, and so it holds what is hard to tell apart.
"""

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pairs import SIDED, Order, Truth
from t2ilab.errors import UsageError
from t2ilab.text.encoders import CaptionEncoder

LEVELS = (0.45, 0.25, 0.15, 0.10, 0.05)  # how often a caption of each level is drawn


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
