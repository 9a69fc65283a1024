"""Words: from a caption to tokens, and from tokens to the numbers that encoders take."""

import re
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from difflib import get_close_matches

import torch
from jaxtyping import Int
from torch import Tensor

from t2ilab.errors import CaptionError, shortened
from t2ilab.text.denials import denies

SYMBOL = "\ue000"  # stands for a sign that is neither letter, digit nor punctuation: an emoji
WORD = re.compile(rf"[a-z0-9]+(?:['-][a-z0-9]+)*|{SYMBOL}+")
PLAIN = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201b\u02bc\u02b9\u2032\u00b4\uff07", "'")  # apostrophes
    | dict.fromkeys("\u2010\u2011\u2212\uff0d", "-")
    | dict.fromkeys("\u201c\u201d\u201e\u201f", '"')
    | {"\u200b": " "}  # a space without a width
)
SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which no terminal prints
PAD, UNKNOWN = "<pad>", "<unk>"
ENDINGS = ("er", "est", "ish", "s", "es", "ed", "y", "r", "st")  # bigger, reddish, birds
MAX_WORDS = 60
LONGEST_SHOWN = 40  # characters of a word in a message


def normalise(text: str) -> str:
    """The text in the plainest form that means the same, and in lower case.

    Unicode's NFKC (a ligature becomes its letters, a letter and its accent one character), straight
    apostrophes and hyphens; what is invisible goes. Text in ASCII is only put in lower case.
    """
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKC", SURROGATE.sub("\ufffd", text).translate(PLAIN))
    return "".join(c for c in plain.lower() if unicodedata.category(c) != "Cf")


def read_words(caption: str) -> list[tuple[str, str]]:
    """(token, the word as it was written but for its case), for each word of a caption.

    A word is whatever stands between spaces and punctuation, in any script, and whole; signs such
    as an emoji are words too.
    """
    if caption.isascii():
        return [(word, word) for word in WORD.findall(caption.lower())]
    caption = SURROGATE.sub("\ufffd", caption)
    found = (caption[m.start() : m.end()] for m in WORD.finditer(_shape(caption)))
    return [(normalise(word), word.lower()) for word in found]


def tokenize(caption: str) -> list[str]:
    """The words of a caption, in lower case and normalised, without punctuation.

    >>> tokenize("A small, red bird.")
    ['a', 'small', 'red', 'bird']
    """
    return [token for token, _ in read_words(caption)]


def _shape(caption: str) -> str:
    """The caption with each character replaced by one in ASCII of its kind, for `WORD`."""
    shape: list[str] = []
    for c in caption:
        kind = unicodedata.category(c)
        plain = c.translate(PLAIN)
        if plain.isascii():
            shape.append(plain.lower() if plain.isprintable() else " ")
        elif kind[0] in "PZ":
            shape.append(" ")
        elif kind == "Cf" or kind[0] == "M":  # an accent, or what joins: goes with what it follows
            last = shape[-1] if shape else " "
            shape.append(last if last.isalnum() or last == SYMBOL or kind == "Cf" else "a")
        else:
            shape.append("a" if kind[0] in "LN" else SYMBOL)
    return "".join(shape)


def shorten(word: str) -> str:
    """A word for a message, which it may not fill."""
    return shortened(word, LONGEST_SHOWN)


def refuse_empty(caption: str) -> list[str]:
    """The words of a caption.

    Raises:
        CaptionError: it has none.
    """
    if words := tokenize(caption):
        return words
    raise no_word(caption)


def no_word(caption: str) -> CaptionError:
    """The error for a caption of which nothing can be read."""
    wrong = f"'{caption[:40]}' has no word" if caption.strip() else "The caption is empty"
    return CaptionError(
        f"{wrong}: type a sentence in letters from a to z, such as "
        "'a small red bird with blue wings'."
    )


def refuse_denials(words: Sequence[str], known: Container[str]) -> None:
    """Refuse a caption that says what is not there, by a word that is not known (CaptionError)."""
    if denied := [word for word in words if denies(word) and word not in known]:
        raise CaptionError(
            f"'{shorten(denied[0])}': a caption says what is to be seen, and what is not there "
            "cannot be drawn. Say what is there instead: 'a blue bird', not 'a bird that is not "
            "red'."
        )


def meant(word: str, known: Sequence[str]) -> str | None:
    """The known word that is nearest to an unknown one, or None.

    >>> [meant(word, ["big", "red", "purple"]) for word in ("bigger", "rde", "purpel", "fish")]
    ['big', 'red', 'purple', None]
    """
    stems = [word[: -len(end)] for end in ENDINGS if word.endswith(end)]
    stems += [stem[:-1] for stem in stems if stem[-1:] == stem[-2:-1]]  # bigg, redd
    for stem in [*stems, *(stem + "s" for stem in stems), word + "s"]:
        if len(stem) > 2 and stem in known:
            return stem
    mixed = [one for one in known if len(one) > 2 and sorted(one) == sorted(word)]
    near = mixed or (len(word) > 3 and get_close_matches(word, known, n=1, cutoff=0.78))
    return near[0] if near else None


def questions(unknown: Iterable[str], known: Sequence[str]) -> list[str]:
    """Unknown words in quotes, each with the word that may be meant: "'rde' (did you mean
    'red'?)"."""
    near = {word: meant(normalise(word), known) for word in unknown}
    return [
        f"'{shorten(word)}'" + (f" (did you mean '{one}'?)" if one else "")
        for word, one in near.items()
    ]


class Vocabulary:
    """The words that an encoder knows, each with a number; 0 pads and 1 stands for unknown words.

    Args:
        words: the known words, in the order of their numbers (from 2).
    """

    def __init__(self, words: Sequence[str]):
        self.words = list(words)
        self.index = {w: i for i, w in enumerate([PAD, UNKNOWN, *self.words])}

    @classmethod
    def of(cls, captions: Iterable[str], *, at_least: int = 1) -> "Vocabulary":
        """Every word that occurs `at_least` times in `captions`, the most frequent first."""
        counts = Counter(word for caption in captions for word in tokenize(caption))
        kept = [w for w, n in counts.items() if n >= at_least]
        return cls(sorted(kept, key=lambda w: (-counts[w], w)))

    def __len__(self) -> int:
        return len(self.index)

    def tokens(self, caption: str) -> list[tuple[str, str]]:
        """`read_words`; a compound that is not known, with a part that is, taken apart."""
        found = []
        for token, word in read_words(caption):
            parts = token.split("-")
            apart = token not in self.index and any(part in self.index for part in parts)
            found += [(part, part) for part in parts] if apart else [(token, word)]
        return found

    def unknown(self, caption: str) -> list[str]:
        """The words of a caption that are not known, as they were written (but for their case), in
        their order, each once."""
        strange = {token: word for token, word in self.tokens(caption) if token not in self.index}
        return list(strange.values())

    def questions(self, caption: str) -> list[str]:
        """Each of `unknown` in quotes, with the known word that may be meant."""
        return questions(self.unknown(caption), self.words)

    def check(self, caption: str) -> str:
        """Return the caption if something can be made of it.

        Raises:
            CaptionError: it is empty, has more than 60 words, or none of its words is known; or
                it says what is not there, by a word that is not known.
        """
        words = [token for token, _ in self.tokens(caption)] or refuse_empty(caption)
        refuse_denials(words, self.index)
        if len(words) > MAX_WORDS:
            raise CaptionError(
                f"The caption has {len(words)} words; at most {MAX_WORDS} can be read. Shorten it."
            )
        if all(w not in self.index for w in words):
            listed = ", ".join(self.questions(caption))
            known = ", ".join(self.words[:12])
            raise CaptionError(
                f"None of these words is known: {listed}. "
                f"Known are {len(self.words)} words, among them: {known}."
            )
        return caption

    def numbers(self, captions: Sequence[str]) -> Int[Tensor, "b words"]:
        """Token numbers [batch, longest caption], padded with 0; unknown words become 1."""
        rows = [[self.index.get(w, 1) for w, _ in self.tokens(c)[:MAX_WORDS]] for c in captions]
        longest = max([1, *map(len, rows)])
        padded = [row + [0] * (longest - len(row)) for row in rows]
        return torch.tensor(padded, dtype=torch.long).reshape(len(rows), longest)
