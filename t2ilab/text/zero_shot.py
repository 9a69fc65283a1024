"""The zero-shot test of words: captions in words that no training caption holds, by retrieval.

H. H. Le, thesis 2018, section 2.3.3: bags and TF-IDF "lack the ability to do zero-shot learning";
a word that was not seen has no column, or a column that it shares with nothing. Here a caption in
unseen words ("a tiny scarlet bird ...") has to find the caption of the same picture in known words
("a small red bird ...") among those of other pictures. The two are said independently: their
templates need not be the same.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from zlib import crc32

import numpy as np
from jaxtyping import Float

from t2ilab.data.paperworld.world import SPLITS, World
from t2ilab.errors import UsageError, choose
from t2ilab.text.corpus import Group, said
from t2ilab.text.vectors import WordVectors

Encode = Callable[[Sequence[str]], np.ndarray]  # n captions -> [n, d], rows of length 1 or 0


class Round(NamedTuple):
    """One gallery: captions of different pictures, and queries for the same pictures."""

    candidates: Group  # in known words
    known: Group  # the same pictures again, in known words
    unseen: Group  # and in unseen words


class Score(NamedTuple):
    """Share of captions that find their own first, and its standard error over the rounds."""

    top1: float
    error: float


def rounds(
    world: World, split: str, *, n: int = 20, candidates: int = 20, level: int = 0, seed: int = 0
) -> list[Round]:
    """n galleries from the pictures of a split; in each all pictures are of different classes.

    Args:
        level: how much the captions say, from 0 (complete) to 4 (bare).

    Raises:
        UsageError: unknown split or level; fewer than 2 candidates; the split has too few
            pictures or classes.
    """
    if n < 1 or candidates < 2:
        raise UsageError(f"n={n}, candidates={candidates}: at least 1 round of 2 candidates.")
    choose("split", split, SPLITS)
    if level not in range(len(world.templates)):
        raise UsageError(f"level={level!r}: captions have levels 0 to {len(world.templates) - 1}.")
    rng, i, made = np.random.default_rng((seed, crc32(world.name.encode()))), 0, []
    for _ in range(n):
        chosen: dict[tuple, dict[str, str]] = {}
        while len(chosen) < candidates:
            if i == SPLITS[split]:
                raise UsageError(
                    f"{world.name}/{split} has too few pictures or classes for {n} "
                    f"rounds of {candidates}: ask for fewer."
                )
            facts = world.facts(split, i)
            chosen.setdefault(tuple(facts[a] for a in world.definition["class"]), facts)
            i += 1
        sayings = (
            [said(world, facts, which, rng, levels=[level])[0] for facts in chosen.values()]
            for which in ("words", "words", "unseen")
        )
        made.append(Round(*sayings))
    return made


def top1(queries: Float[np.ndarray, "n d"], candidates: Float[np.ndarray, "n d"]) -> float:
    """How many of n queries have the largest cosine with their own candidate; ties are shared.

    Query k belongs to candidate k. Where m candidates tie for the first place and one of them is
    the right one it counts 1/m: who knows nothing gets 1/n, not 0 and not 1.
    """
    cosines = np.round(queries @ candidates.T, 6)  # equal vectors may differ in the last bits
    first = cosines == cosines.max(axis=1, keepdims=True)
    return float((np.diag(first) / first.sum(axis=1)).mean())


def score(encode: Encode, galleries: Sequence[Round], *, unseen: bool) -> Score:
    """How well captions in known or in unseen words find the caption of the same picture."""
    found = [
        top1(encode(one.unseen if unseen else one.known), encode(one.candidates))
        for one in galleries
    ]
    return Score(float(np.mean(found)), float(np.std(found) / np.sqrt(len(found))))


class WordScore(NamedTuple):
    """What a space of words makes of the unseen ones, one by one."""

    right: dict[str, str]  # unseen word -> its nearest known word, which means the same
    wrong: dict[str, str]  # unseen word -> its nearest known word, which means something else
    missing: list[str]  # unseen words without a vector
    chance: float  # share that a guess among the known words gets right

    @property
    def accuracy(self) -> float:
        """Share of all unseen words whose nearest known word means the same; missing ones fail."""
        tried = len(self.right) + len(self.wrong) + len(self.missing)
        return len(self.right) / tried if tried else 0.0


def nearest_meanings(
    vectors: WordVectors, unseen: Mapping[str, str], known: Mapping[str, str]
) -> WordScore:
    """Is the known word nearest to each unseen word one of the same meaning?

    Args:
        vectors: the space.
        unseen: word -> its meaning, the words asked about.
        known: word -> its meaning, the words that may answer.
    """
    right, wrong = {}, {}
    among = [word for word in known if word in vectors]
    tried = [word for word in unseen if word in vectors]
    for word in tried:
        answer = vectors.nearest(word, 1, among=among)
        if answer:
            same = known[answer[0][0]] == unseen[word]
            (right if same else wrong)[word] = answer[0][0]
    missing = [word for word in unseen if word not in right and word not in wrong]
    meanings = list(known.values())
    chance = np.mean([meanings.count(meaning) / len(meanings) for meaning in unseen.values()])
    return WordScore(right, wrong, missing, float(chance))
