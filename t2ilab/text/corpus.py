"""Text to learn words from: sentences in groups, those of one picture together.

In PaperWorld some words stand in this corpus and never beside a training picture ("scarlet"); that
is what the zero-shot experiment is about. The corpus speaks of pictures that nobody draws: picture
i of the split "train" with i beyond its end, so that no sentence belongs to a training picture.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal
from zlib import crc32

import numpy as np

from t2ilab.data import flickr8k, paperworld
from t2ilab.data.paperworld.captions import caption
from t2ilab.data.paperworld.world import SPLITS, World
from t2ilab.errors import UsageError, choose
from t2ilab.text.tokens import tokenize

Group = list[str]  # the captions of one picture
MOST = 1_000_000  # pictures of a corpus; so many take an hour and some gigabytes


def unseen_words() -> dict[str, str]:
    """Each single word that stands in the corpus only -> the value it means ("scarlet": "red")."""
    world = paperworld.world("birds")  # all worlds share one lexicon
    shown = {word for words in world.words("words").values() for word in words}
    return {
        word: value
        for value, words in world.words("unseen").items()
        for word in words
        if word not in shown and " " not in word
    }


def known_words() -> dict[str, str]:
    """Each single word that stands beside training pictures -> the value that it means."""
    return {
        word: value
        for value, words in paperworld.world("birds").words("words").items()
        for word in words
        if " " not in word
    }


def said(
    world: World,
    facts: dict[str, str],
    which: Literal["words", "unseen", "both"],
    rng: np.random.Generator,
    *,
    levels: Iterable[int] | None = None,
) -> Group:
    """Sentences about one picture, one for each level of detail (0 complete ... 4 bare)."""
    chosen = range(len(world.templates)) if levels is None else levels
    words = world.words(which)
    return [caption(world.templates[level], facts, words, rng)[0] for level in chosen]


def training_captions(n: int, *, worlds: Sequence[str] = paperworld.WORLDS) -> list[Group]:
    """The captions of the first n training pictures of each world; they hold no unseen word.

    Raises:
        UsageError: an unknown world, or n not from 1 to 20,000, all there are.
    """
    _see_count(n, SPLITS["train"])
    return [paperworld.world(name).captions("train", i) for name in worlds for i in range(n)]


def paperworld_corpus(
    n: int, *, seed: int = 0, worlds: Sequence[str] = paperworld.WORLDS
) -> list[Group]:
    """Sentences about n undrawn pictures of each world, in all words of the lexicon.

    Raises:
        UsageError: an unknown world, or n not from 1 to 1,000,000.
    """
    _see_count(n, MOST)
    groups = []
    for name in worlds:
        world, rng = paperworld.world(name), np.random.default_rng((seed, crc32(name.encode())))
        groups += [
            said(world, world.facts("train", SPLITS["train"] + i), "both", rng) for i in range(n)
        ]
    return groups


def load_corpus(
    data: str = "", root: str | Path = "", *, n: int = 1000, seed: int = 0
) -> list[Group]:
    """The corpus by name: "" is PaperWorld (n pictures a world), "flickr8k" all its captions.

    Raises:
        UsageError: there is no such corpus.
        DataError: no root was given, or files are missing or damaged.
    """
    if not data:
        return paperworld_corpus(n, seed=seed)
    choose("corpus", data, ("flickr8k",))
    return list(flickr8k.captions(root).values())


def sentences(
    groups: Sequence[Group], *, context: Literal["caption", "picture"] = "caption"
) -> list[list[str]]:
    """Token lists for word2vec: one for each caption, or one for all captions of a picture.

    With "picture" words become neighbours that different sentences say of the same thing.
    """
    if choose("context", context, ("caption", "picture")) == "picture":
        return [[word for one in group for word in tokenize(one)] for group in groups]
    return [tokenize(one) for group in groups for one in group]


def _see_count(n: int, most: int) -> None:
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= most:
        raise UsageError(f"n={n!r}: give a whole number of pictures, from 1 to {most:,}.")
