"""Matching and mismatching pairs of pictures and captions, batch by batch.

A batch is a function of (seed, step) alone, so that training can stop and go on exactly. Two things
make a caption mismatch a picture: where the facts are known (PaperWorld), it states something that
is not so; elsewhere, it belongs to a picture of another class (Reed et al. 2016). Drawing "wrong"
captions without that check would call many true pairs false: "a bird" fits every bird.
"""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from t2ilab.data.captioned import CaptionedImages
from t2ilab.errors import UsageError

LEVEL_WEIGHTS = (0.40, 0.25, 0.15, 0.12, 0.08)  # how often a caption of each level is drawn


def fits(data: CaptionedImages, pictures, captions, levels) -> Bool[np.ndarray, "n m"]:
    """Is caption (captions[j], levels[j]) true of picture pictures[i], as far as is known?"""
    if data.stated is None:
        return data.classes[pictures][:, None] == data.classes[captions][None]
    names = list(data.attributes)[: data.stated.shape[2]]
    values = np.stack([data.attributes[name] for name in names], axis=1)
    differ = values[pictures][:, None] != values[captions][None]  # [n, m, attributes]
    return ~(differ & data.stated[captions, levels][None]).any(-1)


class Order:
    """Which pictures and captions make up the batch of a step: a permutation an epoch.

    Args:
        data: the captioned pictures.
        batch_size: pictures a batch.
        seed: of the order.
        levels: weight of each caption of a picture; None for equal weights.
    """

    def __init__(self, data: CaptionedImages, batch_size: int, seed: int, levels=None):
        if not 2 <= batch_size <= len(data):
            raise UsageError(f"batch size {batch_size}: expected 2 to {len(data)}, the number of "
                             f"pictures in {data.name}.")
        self.n, self.batch_size, self.seed = len(data), batch_size, seed
        self.counts = np.array([len(c) for c in data.captions])
        equal = len(set(self.counts)) == 1 and levels is not None and len(levels) == self.counts[0]
        self.levels = np.cumsum(levels) / np.sum(levels) if equal else None
        self._epoch, self._permutation = -1, np.zeros(0, int)

    def __call__(self, step: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
        """Indices of pictures [b], of a caption of each [b], and the step's own generator."""
        per_epoch = self.n // self.batch_size
        epoch, place = divmod(step, per_epoch)
        if epoch != self._epoch:
            self._permutation = np.random.default_rng((self.seed, epoch)).permutation(self.n)
            self._epoch = epoch
        rng = np.random.default_rng((self.seed, step, 1))
        chosen = self._permutation[place * self.batch_size : (place + 1) * self.batch_size]
        u = rng.random(len(chosen))
        if self.levels is None:
            return chosen, (u * self.counts[chosen]).astype(int), rng
        return chosen, np.searchsorted(self.levels, u).clip(max=len(self.levels) - 1), rng


class TextImageBatches:
    """Batches for text-to-image training: step -> {"images", "phi", "phi_wrong"}.

    `images` are uint8 [b, 3, h, w]; `phi` [b, text] are the vectors of their captions, and
    `phi_wrong` [b, wrong, text] those of captions that do not fit them, from the same batch.

    Args:
        data: the captioned pictures.
        phi: float [n, captions, text], the vector of each caption of each picture.
        batch_size: pictures a batch.
        seed: of the order.
        wrong: mismatching captions a picture (paper: 1).
        near: draw so many mismatching captions and take `wrong` of them, evenly from the nearest in
            vector space on: one that differs in a detail teaches the detail. Equal to `wrong`: any
            are taken, as in the paper.
        flip: mirror every second picture, drawn at random. Captions say nothing of left and right.
        levels: weights of a picture's captions (PaperWorld: from complete to bare).
    """

    def __init__(self, data: CaptionedImages, phi: Float[Tensor, "n k text"], *, batch_size=64,
                 seed: int = 0, wrong: int = 1, near: int = 1, flip: bool = True, levels=LEVEL_WEIGHTS):
        if len(phi) != len(data):
            raise UsageError(f"{len(phi)} caption vectors for {len(data)} pictures of {data.name}.")
        self.data, self.phi, self.flip = data, phi, flip
        self.wrong, self.near = wrong, max(near, wrong)
        self.options = dict(batch_size=batch_size, wrong=wrong, near=near, flip=flip, levels=levels)
        self.seed = seed
        self.order = Order(data, batch_size, seed, levels)

    def shard(self, rank: int, world_size: int) -> "TextImageBatches":
        """The batches of one process among several: an order of its own."""
        return TextImageBatches(self.data, self.phi, seed=self.seed * world_size + rank + 1,
                                **self.options)

    def __call__(self, step: int) -> dict[str, Tensor]:
        chosen, levels, rng = self.order(step)
        phi = self.phi[torch.from_numpy(chosen), torch.from_numpy(levels)].float()
        wrong = self._wrong(chosen, levels, phi, rng)
        images = self.data.images[chosen]
        if self.flip:
            mirrored = rng.random(len(images)) < 0.5
            images[mirrored] = images[mirrored, :, ::-1]
        return {"images": torch.from_numpy(images).permute(0, 3, 1, 2),
                "phi": phi, "phi_wrong": phi[wrong]}

    def _wrong(self, chosen, levels, phi, rng) -> Int[Tensor, "b wrong"]:
        """For each picture the indices, within the batch, of captions that do not fit it."""
        mismatch = torch.from_numpy(~fits(self.data, chosen, chosen, levels))
        lottery = torch.from_numpy(rng.random(mismatch.shape)).masked_fill(~mismatch, -1.0)
        drawn = lottery.topk(min(self.near, len(chosen)), dim=1)
        if self.near == self.wrong:
            return drawn.indices
        unit = F.normalize(phi, dim=1)
        nearness = (unit @ unit.T).gather(1, drawn.indices).masked_fill(drawn.values < 0, -2.0)
        ranks = torch.linspace(0, drawn.indices.shape[1] - 1, self.wrong).long()
        return drawn.indices.gather(1, nearness.argsort(1, descending=True)[:, ranks])
