"""Matching and mismatching pairs of pictures and captions, batch by batch.

A batch is a function of (seed, step) alone, so that training can stop and go on exactly. Two things
make a caption mismatch a picture: where the facts are known (PaperWorld), it states something that
is not so; elsewhere, it belongs to a picture of another class (Reed et al. 2016). Drawing "wrong"
captions without that check would call many true pairs false: "a bird" fits every bird.
"""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from t2ilab.data.captioned import CaptionedImages
from t2ilab.errors import UsageError

POOL = 64  # captions among which mismatching ones are looked for, at least
LEVEL_WEIGHTS = (0.40, 0.25, 0.15, 0.12, 0.08)  # how often a caption of each level is drawn


class Truth:
    """Which captions are true of which pictures, as far as is known.

    Args:
        data: the captioned pictures. Where it has facts, a caption is true of every picture with
            the values that it states; elsewhere, of every picture of its own picture's class.
    """

    def __init__(self, data: CaptionedImages):
        self.classes, self.stated = data.classes, data.stated
        if self.stated is not None:
            names = list(data.attributes)[: self.stated.shape[2]]
            self.values = np.stack([data.attributes[name] for name in names], 1).astype(np.uint8)

    def fits(self, pictures, captions, levels) -> Bool[np.ndarray, "n m"]:
        """Is caption (captions[j], levels[j]) true of picture pictures[i]?"""
        if self.stated is None:
            return self.classes[pictures][:, None] == self.classes[captions][None]
        differ = self.values[pictures][:, None] != self.values[captions][None]  # [n, m, facts]
        return ~(differ & self.stated[captions, levels][None]).any(-1)


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
        return chosen, self.draw_levels(chosen, rng), rng

    def draw_levels(self, pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Which caption of each picture is taken."""
        u = rng.random(len(pictures))
        if self.levels is None:
            return (u * self.counts[pictures]).astype(int)
        return np.searchsorted(self.levels, u).clip(max=len(self.levels) - 1)


class TextImageBatches:
    """Batches for text-to-image training: step -> {"images", "phi", "phi_wrong"}.

    `images` are uint8 [b, 3, h, w]; `phi` [b, text] are the vectors of their captions, and
    `phi_wrong` [b, wrong, text] those of captions that do not fit them.

    Args:
        data: the captioned pictures.
        phi: float [n, captions, text], the vector of each caption of each picture.
        batch_size: pictures a batch.
        seed: of the order.
        wrong: mismatching captions a picture (paper: 1).
        near: draw so many captions and take `wrong` of those that mismatch, the nearest in vector
            space and others ever farther: one that differs in a detail teaches the detail. Up to
            `wrong`: any are taken, as in the paper.
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
        self.seed, self.truth = seed, Truth(data)
        self.order = Order(data, batch_size, seed, levels)

    def shard(self, rank: int, world_size: int) -> "TextImageBatches":
        """The batches of one process among several: an order of its own."""
        return TextImageBatches(self.data, self.phi, seed=self.seed * world_size + rank + 1,
                                **self.options)

    def __call__(self, step: int) -> dict[str, Tensor]:
        chosen, levels, rng = self.order(step)
        phi = self._phi(chosen, levels)
        images = self.data.images[chosen]
        if self.flip:
            mirrored = rng.random(len(images)) < 0.5
            images[mirrored] = images[mirrored, :, ::-1]
        return {"images": torch.from_numpy(images).permute(0, 3, 1, 2), "phi": phi,
                "phi_wrong": self._wrong(chosen, phi, rng)}

    def _phi(self, pictures: np.ndarray, levels: np.ndarray) -> Float[Tensor, "n text"]:
        return self.phi[torch.from_numpy(pictures), torch.from_numpy(levels)].float()

    def _wrong(self, chosen, phi, rng) -> Float[Tensor, "b wrong text"]:
        """For each picture the vectors of captions that do not fit it."""
        others = rng.integers(len(self.data), size=max(self.near, POOL))
        levels = self.order.draw_levels(others, rng)
        candidates = self._phi(others, levels)
        fitting = torch.from_numpy(self.truth.fits(chosen, others, levels))
        if self.near > self.wrong:
            score = F.normalize(phi, dim=1) @ F.normalize(candidates, dim=1).T
        else:
            score = torch.from_numpy(rng.random(fitting.shape))
        order = score.masked_fill(fitting, -2.0).argsort(1, descending=True)
        last = (~fitting).sum(1, keepdim=True).sub(1).clamp(min=0)
        ranks = torch.from_numpy(np.geomspace(1, max(self.near, self.wrong), self.wrong) - 1).long()
        return candidates[order.gather(1, torch.minimum(ranks[None], last))]
