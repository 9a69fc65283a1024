"""One protocol for all systems that draw pictures of a world, and the controls that test it.

Every system is asked for the first n captions of the test split, in order; one that reads no
captions is told what it can be told (`System.draw_as`), or nothing. Its pictures are rounded to
bytes, brought to one size by the mean over areas, and compared with the same real pictures by the
same extractor. The controls are pictures of which it is known what each instrument should say.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from t2ilab.data import paperworld
from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError
from t2ilab.metrics.consistency import diversity, obeyed
from t2ilab.metrics.evaluate import classes_of, style_of, variety
from t2ilab.metrics.manifold import manifold
from t2ilab.metrics.memorisation import Memory
from t2ilab.metrics.scores import inception_score
from t2ilab.models.reader import AttributeReader
from t2ilab.systems import weights
from t2ilab.systems.single import TrainedReader, load_reader
from t2ilab.systems.system import System

BATCH = 50  # pictures that are drawn at once
CAPTIONS = 16  # of which the diversity is measured
FREE = "nothing"  # what a system is told that draws what it likes


class Drawn(NamedTuple):
    """Pictures to be measured: picture k answers what is true of picture k of the test split.

    Attributes:
        pictures: of any size that the protocol's divides.
        terms: what was told, in words: "captions", a system's own terms, or `FREE`.
        attributes: of the world, in which they should agree with the test pictures.
        could: which ones could be asked for at all; None: all.
    """

    pictures: UInt8[np.ndarray, "n size size 3"]
    terms: str = FREE
    attributes: tuple[str, ...] = ()
    could: Bool[np.ndarray, " n"] | None = None


class Found(NamedTuple):
    """What was measured: numbers for a table, and picture by picture what was right.

    Attributes:
        row: name -> number; see `Protocol.measure`.
        each: "right", "right_judge", "readable" -> bool [n], for intervals over captions.
    """

    row: dict[str, float]
    each: dict[str, Bool[np.ndarray, " n"]]


def draw(system: System, world: str, n: int, *, level: int = 0, seed: int = 1) -> Drawn:
    """What a system draws for the first n captions of the test split, or in its own terms.

    Args:
        level: of captions, from 0 (complete) to 4 (bare).
        seed: of the noise; each batch has one of its own.
    """
    if system.takes_captions:
        test = paperworld.world(world).load("test", 32, n)
        said = [captions[level] for captions in test.captions]
        parts = [
            system.draw(caption=said[i : i + BATCH], seed=1000 * seed + i)
            for i in range(0, n, BATCH)
        ]
        return Drawn(np.concatenate(parts), "captions", tuple(paperworld.world(world).content))
    told = system.draw_as(world, "test", n, seed)
    if told is not None:
        return Drawn(told.pictures, told.terms, _content_first(world, told.attributes), told.could)
    parts = [system.draw(n=min(BATCH, n - i), seed=1000 * seed + i) for i in range(0, n, BATCH)]
    return Drawn(np.concatenate(parts))


def _content_first(world: str, attributes: Sequence[str]) -> tuple[str, ...]:
    """Of what was told, the content that captions state; where there is none of it, all."""
    content = tuple(name for name in paperworld.world(world).content if name in attributes)
    everything = set(content) == set(paperworld.world(world).content)
    return content if everything else tuple(attributes)


def averaged(pictures: UInt8[np.ndarray, "n s s 3"], size: int) -> UInt8[np.ndarray, "n t t 3"]:
    """Pictures at a smaller size: the mean over squares of pixels, rounded.

    Raises:
        UsageError: their side is no multiple of `size`.
    """
    side = pictures.shape[1]
    if side % size:
        raise UsageError(
            f"pictures of {side} pixels cannot be brought to {size} by averaging: {side} is no "
            f"multiple of {size}."
        )
    if side == size:
        return np.asarray(pictures)
    k = side // size
    blocks = pictures.reshape(len(pictures), size, k, size, k, 3)
    return blocks.mean((2, 4)).round().astype(np.uint8)


class Protocol:
    """The measuring instruments of a world, at one size and one number of pictures.

    Args:
        world: of PaperWorld, with a reader that ships.
        n: test pictures; distances are comparable among the same n only.
        size: of the pictures that are compared.
        memory: how many training and held-out pictures the memorisation tests compare with; 0:
            they are left out.
    """

    def __init__(self, world: str, n: int, *, size: int = 32, memory: int = 0):
        self.world, self.n, self.size = paperworld.world(world), n, size
        self.test = self.world.load("test", size, n)
        self.reader, self._memory = load_reader(world), memory
        self.real = to_float(self.test.images)

    @cached_property
    def judge(self) -> AttributeReader | None:
        """A second reader, of another architecture, where one ships."""
        name = f"judge-{self.world.name}"
        return TrainedReader.load(name).network if name in weights.bundled() else None

    @cached_property
    def memory(self) -> Memory | None:
        """For the memorisation tests; held-out pictures are those of "val"."""
        if not self._memory:
            return None
        train, held = (self.world.load(s, self.size, self._memory).images for s in ("train", "val"))
        return Memory(train, held)

    @cached_property
    def classes(self) -> list[dict[str, int]]:
        """For the Inception score."""
        return classes_of(self.world)

    @cached_property
    def _score_of_real(self) -> float:
        return inception_score(self.real, self.reader, self.classes)

    @cached_property
    def features(self) -> Float[Tensor, "n features"]:
        """The reader's, of the real pictures."""
        return self._features(self.real)

    def measure(self, drawn: Drawn) -> Found:
        """One row of the scoreboard.

        Returns:
            "fid", "kid", "precision", "recall", "density", "coverage", "inception_score" and
            "inception_score_share" (of the real pictures'; see `evaluate.picture_scores`), "fid_sd"
            (with other captions; see `spread`), "readable", "variety" (the least of
            `evaluate.variety`), and with `memory` "nearer", "copied", "authentic". Where something
            was asked for: "right", all of it is read back; "right_unseen", on classes that no
            training saw; "right_judge", by the second reader.

        Raises:
            UsageError: not n pictures, or of a side that cannot be averaged to `size`.
        """
        if len(drawn.pictures) != self.n:
            raise UsageError(f"{len(drawn.pictures)} pictures: this protocol measures {self.n}.")
        pictures = averaged(drawn.pictures, self.size)
        fake = to_float(pictures)
        row = self._distances(fake)
        each = {"readable": (self.reader.readable(fake) >= 0.5).numpy()}
        row |= {"variety": min(variety(self.reader, fake, self.test).values())}
        if self.memory is not None:
            row |= self.memory.measure(pictures)._asdict()
        each |= self.right(drawn, fake)
        row |= {name: float(values.mean()) for name, values in each.items()}
        if "right" in each:
            unseen = self.world.unseen[self.test.classes][self._could(drawn)]
            row["right_unseen"] = float(each["right"][unseen].mean()) if unseen.any() else np.nan
        return Found(row, each)

    def _distances(self, fake: Float[Tensor, "n 3 h w"]) -> dict[str, float]:
        """What `picture_scores` measures, but KID of all pictures at once, and the real ones are
        looked at once for all systems."""
        from torchmetrics.image.kid import poly_mmd

        features = self._features(fake)
        score = inception_score(fake, self.reader, self.classes)
        return {
            "fid": frechet(self.features, features),
            "fid_sd": spread(self.features, features),
            "kid": float(poly_mmd(self.features, features)),
            **manifold(self.features, features)._asdict(),
            "inception_score": score,
            "inception_score_share": score / self._score_of_real,
        }

    def right(
        self, drawn: Drawn, fake: Float[Tensor, "n 3 h w"], level: int = 0
    ) -> dict[str, Bool[np.ndarray, " k"]]:
        """Picture by picture: is all that was asked for read back, by each reader? Else {}."""
        if not drawn.attributes:
            return {}
        readers = {"right": self.reader, "right_judge": self.judge}
        told = level if drawn.terms == "captions" else None
        could, test = self._could(drawn), self.test.subset(slice(len(fake)))
        return {
            name: np.logical_and.reduce(
                list(obeyed(reader, fake, test, drawn.attributes, level=told).values())
            )[could[: len(fake)]]
            for name, reader in readers.items()
            if reader is not None
        }

    def by_level(self, system: System, level: int, n: int, seed: int = 1) -> np.ndarray:
        """Bool [n]: does the picture of each of n captions of this level obey it?"""
        drawn = draw(system, self.world.name, n, level=level, seed=seed)
        return self.right(drawn, to_float(averaged(drawn.pictures, self.size)), level)["right"]

    def diversity(self, system: System, noises: int, seed: int = 2) -> float:
        """How varied are pictures of one caption? See `consistency.diversity`; of 16 captions."""
        chosen = self.test.captions[:: max(1, self.n // CAPTIONS)][:CAPTIONS]
        drawn = [
            to_float(averaged(system.draw(caption=c[0], n=noises, seed=seed + i), self.size))
            for i, c in enumerate(chosen)
        ]
        whole = self.world.load("test", self.size)
        return diversity(self.reader, torch.stack(drawn), whole, style_of(self.world))

    def _could(self, drawn: Drawn) -> Bool[np.ndarray, " n"]:
        return np.ones(self.n, bool) if drawn.could is None else drawn.could

    @torch.inference_mode()
    def _features(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n features"]:
        return torch.cat([self.reader.features(part) for part in images.split(256)])


@torch.inference_mode()
def spread(
    real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], *, times: int = 20, seed: int = 0
) -> float:
    """How much the Frechet distance would change with other captions: a standard deviation.

    Both sets are halved at random, captions together, `times` times, and the deviation of the
    distances of the halves is that of the whole: the jackknife that leaves out half (Shao and Wu
    1989). Drawing captions with replacement would not do: repeated pictures make a Gaussian narrow.

    Raises:
        UsageError: sets of different sizes.
    """
    if len(real) != len(fake):
        raise UsageError(f"{len(real)} real and {len(fake)} generated pictures: as many of each.")
    rng, found = torch.Generator().manual_seed(seed), []
    for _ in range(times):
        half = torch.randperm(len(real), generator=rng)[: len(real) // 2]
        found.append(frechet(real[half], fake[half]))
    return float(np.std(found))


def frechet(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> float:
    """|mu - mu'|² + tr(C + C' - 2 (C C')^(1/2)) of two sets of features (Heusel et al. 2017)."""
    (mu, cov), (mu_, cov_) = ((x.double().mean(0), x.double().T.cov()) for x in (real, fake))
    root = torch.linalg.eigvals(cov @ cov_).real.clamp(min=0).sqrt().sum()
    return float((mu - mu_).square().sum() + cov.trace() + cov_.trace() - 2 * root)
