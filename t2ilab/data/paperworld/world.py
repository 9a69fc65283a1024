"""A world of PaperWorld: which pictures exist, what is true of them, and what is said of them.

Picture i of a split is a function of (world, split, i, resolution) alone, and so are its facts and
its captions, which do not depend on the resolution.
"""

from collections.abc import Mapping
from functools import cached_property, lru_cache
from itertools import product
from zlib import crc32

import numpy as np

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.paperworld import birds, cache, definition, flowers, phrases, scenes
from t2ilab.data.paperworld.captions import Aside, Template, caption, with_asides
from t2ilab.data.paperworld.definition import NONE
from t2ilab.data.paperworld.proofreading import Proofreader
from t2ilab.data.paperworld.sentences import read
from t2ilab.data.paperworld.source import Source
from t2ilab.errors import UsageError, choose
from t2ilab.paths import DATA
from t2ilab.schemas import to_dict

DRAWINGS = {"birds": birds, "flowers": flowers, "phrases": phrases, "scenes": scenes}
WORLDS = tuple(DRAWINGS)
WITH_PARTS = tuple(name for name, one in DRAWINGS.items() if hasattr(one, "PARTS"))
SPLITS = {"train": 20_000, "val": 2_000, "test": 2_000, "reader": 20_000}  # pictures in each
SIZES = (32, 64, 128)
FOLDER = DATA / "paperworld"
LEVELS = 5  # captions of a picture, from complete (0) to bare (4)


@lru_cache
def world(name: str) -> "World":
    """The world called `name`: birds, flowers, phrases or scenes.

    Raises:
        UsageError: there is no such world.
        DataError: a file of `data/paperworld/` is damaged, or says what cannot be.
    """
    return World(choose("world", name, WORLDS))


class World:
    """One world: its attributes, classes, captions and pictures.

    Attributes:
        name: "birds", ...
        content: attribute -> its values; what captions may state.
        style: attribute -> its values; what the five captions never state, and asides do.
        moving: the names of what else is told of a picture by numbers: place, turn, exact scale.
        classes: the combinations of content values that count as one class.
        unseen: bool [classes]; True where a class is kept out of training (test split only).
    """

    def __init__(self, name: str):
        found = definition.read(FOLDER, DRAWINGS)[name]
        self.name, self.optional = name, DRAWINGS[name].WITH
        self.moving = DRAWINGS[name].PLACE
        self.colours, self.content, self.style = found.colours, found.content, found.style
        self.definition = to_dict(found.definition)
        self.templates = [
            [Template.parse(t) for t in level] for level in self.definition["captions"]
        ]
        self.asides = [Aside.parse(a, self.style) for a in self.definition["asides"]]
        lines = found.lexicon.items()
        self._words = {
            "words": {value: line.words for value, line in lines},
            "unseen": {value: line.unseen or line.words for value, line in lines},
            "both": {value: [*dict.fromkeys(line.words + line.unseen)] for value, line in lines},
        }
        Proofreader(self, found.source).proofread()
        names = self.definition["class"]
        every = product(*(self.content[a] for a in names))
        self.classes = [c for c in every if self.agree(dict(zip(names, c, strict=True)))]
        self.class_names = [" ".join(v for v in c if v != NONE) for c in self.classes]
        self.unseen = self._choose_unseen(found.source)

    def agree(self, facts: dict[str, str]) -> bool:
        """Do these facts go together? A dog has fur and no shirt, a stop sign no other colour."""
        return "subject" not in facts or all(
            (facts[a] != NONE) == (facts["subject"] in subjects)
            for a, subjects in self.optional.items()
            if a in facts
        )

    def _choose_unseen(self, source: Source) -> np.ndarray:
        mask, unseen = np.zeros(len(self.classes), dtype=bool), self.definition["unseen"]
        if isinstance(unseen, int):
            order = np.random.default_rng(crc32(self.name.encode())).permutation(len(mask))
            mask[order[: max(unseen, 0)]] = True
        else:  # partial combinations, e.g. {"subject": "stop sign", "setting": "sky"}
            classes = [dict(zip(self.definition["class"], c, strict=True)) for c in self.classes]
            for k, held in enumerate(unseen):
                out = np.array([held.items() <= c.items() for c in classes])
                if not (out & ~mask).any():
                    source.refuse(f"unseen[{k}]", "it holds out no class, or none that is not held")
                mask |= out
        if not 0 < mask.sum() < len(mask):
            source.refuse(
                "unseen",
                f"{mask.sum()} of {len(mask)} classes are held out; expected some, and not all",
            )
        return mask

    @property
    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Every attribute, content before style, with its values."""
        return self.content | self.style

    def _rng(self, split: str, i: int, stream: int) -> np.random.Generator:
        seed = (crc32(self.name.encode()), list(SPLITS).index(split), i, stream)
        return np.random.default_rng(seed)

    def facts(self, split: str, i: int) -> dict[str, str]:
        """What is true of picture i: attribute -> value, content and style."""
        rng = self._rng(choose("split", split, SPLITS), i, 0)
        pool = self._pools["all" if split == "reader" else "seen"]
        if split == "test" and rng.random() < 0.5:  # half of the test split is unseen classes
            pool = self._pools["unseen"]
        chosen = self.classes[pool[int(rng.integers(len(pool)))]]
        facts = dict(zip(self.definition["class"], chosen, strict=True))
        copies = self.definition["copies"]
        for name, values in self.content.items():
            if name in copies:
                facts[name] = facts[copies[name][int(rng.integers(len(copies[name])))]]
            elif name not in facts:
                agreeing = [v for v in values if self.agree(facts | {name: v})]
                facts[name] = agreeing[int(rng.integers(len(agreeing)))]
        for name, values in self.style.items():
            facts[name] = values[int(rng.integers(len(values)))]
        return facts

    @cached_property
    def _pools(self) -> dict[str, np.ndarray]:
        return {
            "seen": np.flatnonzero(~self.unseen),
            "unseen": np.flatnonzero(self.unseen),
            "all": np.arange(len(self.classes)),
        }

    def captions(self, split: str, i: int, *, unseen_words: bool = False) -> list[str]:
        """The five captions of picture i, from complete to bare.

        Args:
            unseen_words: use words that never stand beside a training picture (zero-shot test).
        """
        return [text for text, _ in self._captions(self.facts(split, i), split, i, unseen_words)]

    def _captions(self, facts, split, i, unseen_words=False) -> list[tuple[str, set[str]]]:
        rng = self._rng(split, i, 1)
        words = self.words("unseen" if unseen_words else "words")
        return [caption(level, facts, words, rng) for level in self.templates]

    def asides_of(self, split: str, i: int) -> list[str]:
        """The five captions of picture i, each with an aside that is true of it.

        "a red bird flying in the sky": setting, side, or both are stated.
        """
        return [text for text, _ in self._with_asides(self.facts(split, i), split, i)]

    def _with_asides(self, facts, split, i) -> list[tuple[str, set[str]]]:
        rng, found = self._rng(split, i, 3), []
        for text, states in self._captions(facts, split, i):
            longer, more = with_asides(text, self.asides, facts, rng)
            found.append((longer, states | more))
        return found

    def recombined(
        self, n: int, seed: int = 0, parts: int = 3
    ) -> tuple[list[str], list[list[str]]]:
        """Complete captions that mix the facts of two training pictures each, and parts of them.

        Many are of combinations that no training picture shows. Every part is true of the mixed
        facts and of some training picture, so it never gives such a combination away.

        Args:
            n: how many captions.
            parts: how many for each; some may be the same.

        Returns:
            n captions, most of them with an aside, and for each its parts.
        """
        rng = np.random.default_rng((crc32(self.name.encode()), seed))
        keys, known = self.definition["class"], {*self.classes}
        whole, of_whole = [], []
        while len(whole) < n:
            i, j = (int(k) for k in rng.integers(SPLITS["train"], size=2))
            one, other = self.facts("train", i), self.facts("train", j)
            facts = {name: (one, other)[int(rng.integers(2))][name] for name in one}
            if tuple(facts[name] for name in keys) not in known or not self.agree(facts):
                continue
            plain = self._captions(facts, "train", i)
            sided = self._with_asides(facts, "train", j)
            said = (*plain[:-1], *sided[:-1])
            can = [text for text, states in said if self._seen(facts, states)]
            if can:
                whole.append((sided if rng.random() < 0.8 else plain)[0][0])
                of_whole.append([can[int(k)] for k in rng.integers(len(can), size=parts)])
        return whole, of_whole

    def _seen(self, facts: dict[str, str], states: set[str]) -> bool:
        """Whether some class that training shows has these facts, as far as they are stated."""
        keys = self.definition["class"]
        told = [(k, facts[name]) for k, name in enumerate(keys) if name in states]
        seen = (self.classes[k] for k in self._pools["seen"])
        return any(all(one[k] == value for k, value in told) for one in seen)

    def words(self, which: str = "words") -> dict[str, list[str]]:
        """Value -> its words: "words" stand beside pictures, "unseen" in the text corpus only.

        "both": all of them.
        """
        return self._words[choose("part of the lexicon", which, self._words)]

    def read(self, text: str) -> dict[str, str]:
        """What a sentence states, by the lexicon: attribute -> value. Understands free text."""
        return read(text, *self._reading).stated

    def left(self, text: str) -> list[str]:
        """What a sentence says that pictures of this world do not show, a line each.

        "red beak" is one: a beak is short or long. So is a second subject.
        """
        found, (_, kinds, heads, plain) = read(text, *self._reading), self._reading
        lines = []
        for value, noun in found.left:
            if value == noun:
                lines.append(f"{value}: another {plain[value]} is told already")
            elif not noun:
                lines.append(f"{value}: of what?")
            elif not heads[noun]:
                lines.append(f"{value}, said of {noun}")
            elif {*heads[noun]} & {*kinds[value]}:
                lines.append(f"{value}, said of {noun}, which is told otherwise already")
            else:
                can = sorted({v for a in heads[noun] for v in self.content[a]} - {NONE})
                lines.append(f"{value}, said of {noun}, which can be {' or '.join(can[:4])}")
        words = {*text.lower().replace(",", " ").replace(".", " ").split()}
        for name in self.style.keys() - plain.values():
            for word in sorted(words & {*self.style[name]} - {*kinds}):
                lines.append(f"{word}: the {name} is left to the noise")
        return lines

    @cached_property
    def _reading(self) -> tuple:
        """What `read` knows of this world: meanings, kinds, heads, plain."""
        kinds: dict[str, list[str]] = {}
        aside = {name: self.style[name] for one in self.asides for name in one.states}
        for name, values in (self.content | aside).items():
            for value in values:
                kinds.setdefault(value, []).append(name)
        meanings = dict(self.definition["also"]) | {value: value for value in kinds}
        for which in ("unseen", "words"):
            meanings |= {
                word: value
                for value, words in self.words(which).items()
                if value in kinds
                for word in words
            }
        plain = {v: name for name in self.definition["plain"] for v in self.content[name]}
        plain |= {value: name for name, values in aside.items() for value in values}
        return meanings, kinds, self.definition["heads"], plain

    def picture(self, split: str, i: int, size: int) -> np.ndarray:
        """Picture i, uint8 [size, size, 3]."""
        facts, rng = self.facts(split, i), self._rng(split, i, 2)
        place = list(self._placed(rng).values())
        return DRAWINGS[self.name].draw(facts, self.colours, size, rng, place)

    def parts(self, split: str, i: int, size: int) -> np.ndarray:
        """Where each part of the subject of picture i is seen, uint8 [size, size].

        0 is what is no part, k the part `part_names[k - 1]`.

        Raises:
            UsageError: the parts of this world are not told apart.
        """
        if not self.part_names:
            can = ", ".join(WITH_PARTS)
            raise UsageError(f"the parts of {self.name} are not told apart; those of {can} are.")
        rng = self._rng(split, i, 2)
        place = list(self._placed(rng).values())
        return DRAWINGS[self.name].parts(self.facts(split, i), size, place)

    @property
    def part_names(self) -> tuple[str, ...]:
        """The parts that `parts` tells apart; none for a world that has none."""
        return getattr(DRAWINGS[self.name], "PARTS", ())

    def place(self, split: str, i: int) -> dict[str, float]:
        """Where picture i has its subject: each of `moving`, a number in [-1, 1]."""
        return self._placed(self._rng(choose("split", split, SPLITS), i, 2))

    def _placed(self, rng: np.random.Generator) -> dict[str, float]:
        """The first thing that a picture draws from its chance."""
        return dict(zip(self.moving, rng.uniform(-1, 1, len(self.moving)).tolist(), strict=True))

    def draw(
        self,
        facts: dict[str, str],
        size: int,
        seed: int = 0,
        place: Mapping[str, float] | None = None,
    ) -> np.ndarray:
        """A picture of exactly these facts (content and style), uint8 [size, size, 3].

        Args:
            seed: of what is left to chance.
            place: for names of `moving`, a number in [-1, 1]; those that are missing are chance.

        Raises:
            UsageError: a fact is missing or unknown, or they do not go together; a name that does
                not move, or a number out of range.
        """
        missing = sorted(set(self.attributes) - set(facts))
        if missing:
            raise UsageError(
                f"{self.name}: facts without {', '.join(missing)}; "
                f"give a value to each of {', '.join(self.attributes)}."
            )
        for name in self.attributes:
            choose(f"value of {name}", facts[name], self.attributes[name])
        if not self.agree(facts):
            raise UsageError(
                f"{self.name}: these facts do not go together: "
                + ", ".join(f"{k} {facts[k]}" for k in self.content)
                + "."
            )
        rng = np.random.default_rng(seed)
        at = self._placed(rng)
        for name, value in (place or {}).items():
            choose("part of the place", name, self.moving)
            if not -1 <= value <= 1:
                raise UsageError(f"place {name} = {value}: give a number from -1 to 1.")
            at[name] = value
        return DRAWINGS[self.name].draw(facts, self.colours, size, rng, list(at.values()))

    def load(
        self, split: str, size: int, n: int | None = None, *, asides: bool = False
    ) -> CaptionedImages:
        """The first n pictures of a split with captions and attributes, drawn once and kept.

        Args:
            split: "train", "val", "test", or "reader", from which the AttributeReader learns. Half
                of "test" are unseen classes; "train" and "val" have none; "reader" has all, since
                a measuring instrument must not be blind to what it is to measure.
            size: 32, 64 or 128 pixels.
            n: how many; by default 20,000 of train and reader, 2,000 of val and test.
            asides: ten captions a picture: the five, and each of them with an aside; `stated` has
                a column for each attribute of content and of style.

        Raises:
            UsageError: unknown split, size or n.
        """
        n = SPLITS[choose("split", split, SPLITS)] if n is None else n
        if size not in SIZES:
            raise UsageError(
                f"PaperWorld is drawn at {', '.join(map(str, SIZES))} pixels, not {size}."
            )
        if not isinstance(n, int) or n < 1:
            raise UsageError(f"n must be a whole number of pictures, at least 1; got {n!r}.")
        words = cache.words(self, split, n)
        names = list(self.content) + list(self.style)
        attributes = dict(zip(names, words["values"].T.astype(np.int64), strict=True))
        said, stated = words["captions"], words["stated"]
        if not asides:
            said, stated = [c[:LEVELS] for c in said], stated[:, :LEVELS, : len(self.content)]
        return CaptionedImages(
            name=f"{self.name}/{split}/{size}",
            images=cache.pictures(self, split, size, n),
            captions=said,
            classes=words["classes"],
            class_names=self.class_names,
            attributes=attributes,
            stated=stated,
        )
