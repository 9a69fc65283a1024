"""Matching and mismatching pairs of pictures and captions, batch by batch.

A batch is a function of (seed, step) alone, so that training can stop and go on exactly. Two things
make a caption mismatch a picture: where the facts are known (PaperWorld), it states something that
is not so; elsewhere, it belongs to a picture of another class (Reed et al. 2016). Drawing "wrong"
captions without that check would call many true pairs false: "a bird" fits every bird.
"""

import re
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from t2ilab.data.captioned import CaptionedImages
from t2ilab.errors import UsageError

POOL = 64  # captions among which mismatching ones are looked for, at least
LEVEL_WEIGHTS = (0.40, 0.25, 0.15, 0.12, 0.08)  # how often a caption of each level is drawn
ASIDES = 0.3  # how often with an aside, where pictures have captions without and with one
SIDED = re.compile(r"\b(left|right)(wards?)?\b", re.IGNORECASE)  # not so in the mirror


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
            self.side = names.index("side") if "side" in names else None

    def fits(self, pictures, captions, levels, mirrored=False) -> Bool[np.ndarray, "n m"]:
        """Is caption (captions[j], levels[j]) true of picture pictures[i]?

        Of its mirror image where `mirrored` [n]: left is right then, and nothing else is changed.
        """
        if self.stated is None:
            return self.classes[pictures][:, None] == self.classes[captions][None]
        values = self.values[pictures]
        if self.side is not None:
            values[:, self.side] ^= np.broadcast_to(mirrored, len(values)).astype(np.uint8)
        differ = values[:, None] != self.values[captions][None]  # [n, m, facts]
        return ~(differ & self.stated[captions, levels][None]).any(-1)


class Order:
    """Which pictures and captions make up the batch of a step: a permutation an epoch.

    Args:
        data: the captioned pictures.
        batch_size: pictures a batch.
        seed: of the order.
        levels: weight of each caption of a picture; None for equal weights.
        asides: where pictures have twice as many captions, the second half are the first with an
            aside, and this is their share.
    """

    def __init__(
        self, data: CaptionedImages, batch_size: int, seed: int, levels=None, asides=ASIDES
    ):
        if not 2 <= batch_size <= len(data):
            raise UsageError(
                f"batch size {batch_size}: expected 2 to {len(data)}, the number of "
                f"pictures in {data.name}."
            )
        self.n, self.batch_size, self.seed = len(data), batch_size, seed
        self.counts = np.array([len(c) for c in data.captions])
        if levels is not None and 2 * len(levels) == self.counts[0]:
            levels = np.outer((1 - asides, asides), levels).ravel()
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


@dataclass(frozen=True)
class Recombined:
    """Vectors of captions that mix the facts of two pictures, and of parts of what they state.

    Attributes:
        phi: float [m, text]; no picture need show what such a caption states.
        parts: float [m, k, text]; each is true of what the caption states, and of some picture.
        share: so many of them a picture of the batch, in [0, 1].
    """

    phi: Float[Tensor, "m text"]
    parts: Float[Tensor, "m k text"]
    share: float = 0.5


class TextImageBatches:
    """Batches for text-to-image training: step -> {"images", "phi", "phi_wrong"}.

    `images` are uint8 [b, 3, h, w]; `phi` [b, text] are the vectors of their captions, and
    `phi_wrong` [b, wrong, text] those of captions that do not fit them. With `asked` there is also
    `phi_asked` [b, text], vectors of other captions of the same pictures; with `recombined`
    `phi_mixed` and `phi_mixed_asked` [share * b, text].

    Args:
        data: the captioned pictures.
        phi: float [n, captions, text], the vector of each caption of each picture.
        batch_size: pictures a batch.
        seed: of the order.
        wrong: mismatching captions a picture (paper: 1).
        near: draw so many captions and take `wrong` of those that mismatch, the nearest in vector
            space and others ever farther: one that differs in a detail teaches the detail. Up to
            `wrong`: any are taken, as in the paper.
        flip: mirror every second picture, drawn at random, but for those whose caption says left
            or right.
        levels: weights of a picture's captions (PaperWorld: from complete to bare); equal ones
            where None, or where pictures have another number of captions.
        asides: share of captions with an aside; see `Order`.
        asked: weights of the captions that D is asked about, with `phi_wrong` alike, where these
            are to be others than those that G is given; half of them with an aside.
        recombined: captions without pictures, drawn with equal chances.

    Raises:
        UsageError: vectors and pictures differ in number, or the batch size is not from 2 to the
            number of pictures; at a call, no caption mismatches one of the pictures.
    """

    def __init__(
        self,
        data: CaptionedImages,
        phi: Float[Tensor, "n k text"],
        *,
        batch_size: int = 64,
        seed: int = 0,
        wrong: int = 1,
        near: int = 1,
        flip: bool = True,
        levels: tuple[float, ...] | None = LEVEL_WEIGHTS,
        asides: float = ASIDES,
        asked: tuple[float, ...] | None = None,
        recombined: Recombined | None = None,
    ):
        if len(phi) != len(data):
            raise UsageError(f"{len(phi)} caption vectors for {len(data)} pictures of {data.name}.")
        self.data, self.phi, self.flip = data, phi, flip
        self.wrong, self.near = wrong, max(near, wrong)
        self.options = dict(batch_size=batch_size, wrong=wrong, near=near, flip=flip)
        self.options |= dict(levels=levels, asides=asides, asked=asked, recombined=recombined)
        self.seed, self.truth, self.recombined = seed, Truth(data), recombined
        self.order = Order(data, batch_size, seed, levels, asides)
        self.asked = None if asked is None else Order(data, batch_size, seed, asked, 0.5)
        most = max(self.order.counts)
        self.sided = np.array(
            [[bool(SIDED.search(c[k % len(c)])) for k in range(most)] for c in data.captions]
        )

    def shard(self, rank: int, world_size: int) -> "TextImageBatches":
        """The batches of one process among several: an order of its own."""
        return TextImageBatches(
            self.data, self.phi, seed=self.seed * world_size + rank + 1, **self.options
        )

    def __call__(self, step: int) -> dict[str, Tensor]:
        chosen, levels, rng = self.order(step)
        asked = levels if self.asked is None else self.asked.draw_levels(chosen, rng)
        phi, phi_asked = self._phi(chosen, levels), self._phi(chosen, asked)
        images = self.data.images[chosen]
        sided = self.sided[chosen, levels] | self.sided[chosen, asked]
        mirrored = (rng.random(len(images)) < 0.5) & self.flip & ~sided
        images[mirrored] = images[mirrored, :, ::-1]
        batch = {
            "images": torch.from_numpy(images).permute(0, 3, 1, 2),
            "phi": phi,
            "phi_wrong": self._wrong(chosen, mirrored, phi_asked, rng),
        }
        if self.asked is not None:
            batch["phi_asked"] = phi_asked
        if self.recombined is not None:
            batch |= self._mixed(len(chosen), rng)
        return batch

    def _mixed(self, b: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """Captions without pictures, and one part of each."""
        of = self.recombined
        rows = rng.integers(len(of.phi), size=round(of.share * b))
        parts = rng.integers(of.parts.shape[1], size=len(rows))
        asked = of.parts[torch.from_numpy(rows), torch.from_numpy(parts)]
        return {"phi_mixed": of.phi[torch.from_numpy(rows)], "phi_mixed_asked": asked}

    def _phi(self, pictures: np.ndarray, levels: np.ndarray) -> Float[Tensor, "n text"]:
        return self.phi[torch.from_numpy(pictures), torch.from_numpy(levels)].float()

    def _wrong(self, chosen, mirrored, phi, rng) -> Float[Tensor, "b wrong text"]:
        """For each picture the vectors of captions that do not fit it."""
        others = rng.integers(len(self.data), size=max(self.near, POOL))
        levels = (self.asked or self.order).draw_levels(others, rng)
        fits = self.truth.fits(chosen, others, levels, mirrored)
        for picture in chosen[fits.all(1)]:  # rare: none of those drawn mismatches it
            other, level = self._any_mismatch(picture, rng)
            others, levels = np.append(others, other), np.append(levels, level)
        if len(others) > fits.shape[1]:
            fits = self.truth.fits(chosen, others, levels, mirrored)
        candidates, fitting = self._phi(others, levels), torch.from_numpy(fits)
        if self.near > self.wrong:
            score = F.normalize(phi, dim=1) @ F.normalize(candidates, dim=1).T
        else:
            score = torch.from_numpy(rng.random(fitting.shape))
        order = score.masked_fill(fitting, -2.0).argsort(1, descending=True)
        last = (~fitting).sum(1, keepdim=True).sub(1).clamp(min=0)
        return candidates[order.gather(1, torch.minimum(self._ranks()[None], last))]

    def _ranks(self) -> Int[Tensor, " wrong"]:
        """Which of the mismatching captions are taken, 0 the nearest: `wrong` different ones."""
        ranks = (np.geomspace(1, self.near, self.wrong) - 1).astype(int)
        return torch.from_numpy(np.maximum(ranks, np.arange(self.wrong)))

    def _any_mismatch(self, picture: int, rng: np.random.Generator) -> tuple[int, int]:
        """A caption (of which picture, which of its captions), found among all, that is not true.

        Raises:
            UsageError: every caption is true of this picture.
        """
        pictures = np.repeat(np.arange(len(self.data)), self.order.counts)
        levels = np.concatenate([np.arange(count) for count in self.order.counts])
        wrong = np.flatnonzero(~self.truth.fits(np.array([picture]), pictures, levels)[0])
        if not len(wrong):
            raise UsageError(
                f"every caption of {self.data.name} is true of picture {picture}, so "
                "there are no mismatching pairs: give data of at least two classes."
            )
        found = wrong[int(rng.integers(len(wrong)))]
        return pictures[found], levels[found]


class LabelledBatches(TextImageBatches):
    """The same batches, with what is in the pictures: for a discriminator that is asked for it.

    Two more entries: "labels", name -> int64 [b] of what each picture shows, and "stated", the same
    with -1 where the caption of "phi" says nothing of it.

    Args:
        labels: "attributes" for each of those that captions state, but for the side, which changes
            in the mirror; "class" for the class alone, which every caption is taken to state;
            "" for none.
        options: see `TextImageBatches`.

    Raises:
        UsageError: attributes of data that have none.
    """

    def __init__(self, data: CaptionedImages, phi: Float[Tensor, "n k text"], labels: str = "",
                 **options):  # fmt: skip
        super().__init__(data, phi, **options)
        if labels == "attributes" and data.stated is None:
            raise UsageError(
                f"{data.name} has no list of attributes: ask for the class, or for nothing."
            )
        self.labels = labels
        facts = 0 if data.stated is None else data.stated.shape[2]
        self.names = [name for name in list(data.attributes)[:facts] if name != "side"]

    def shard(self, rank: int, world_size: int) -> "LabelledBatches":
        seed = self.seed * world_size + rank + 1
        return LabelledBatches(self.data, self.phi, self.labels, seed=seed, **self.options)

    def __call__(self, step: int) -> dict[str, Tensor]:
        batch = super().__call__(step)
        chosen, levels, _ = self.order(step)
        if self.labels == "class":
            named = {"class": torch.from_numpy(self.data.classes[chosen])}
            return batch | {"labels": named, "stated": named}
        if not self.labels:
            return batch
        of = {n: torch.from_numpy(self.data.attributes[n][chosen]) for n in self.names}
        said = torch.from_numpy(self.data.stated[chosen, levels])  # [b, facts]
        place = {name: k for k, name in enumerate(self.data.attributes)}
        stated = {n: v.masked_fill(~said[:, place[n]], -1) for n, v in of.items()}
        return batch | {"labels": of, "stated": stated}
