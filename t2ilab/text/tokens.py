"""Words: from a caption to tokens, and from tokens to the numbers that encoders take."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from t2ilab.errors import CaptionError

WORD = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*")
PAD, UNKNOWN = "<pad>", "<unk>"
MAX_WORDS = 60


def tokenize(caption: str) -> list[str]:
    """The words of a caption, in lower case, without punctuation.

    >>> tokenize("A small, red bird.")
    ['a', 'small', 'red', 'bird']
    """
    return WORD.findall(caption.lower())


def refuse_empty(caption: str) -> list[str]:
    """The words of a caption.

    Raises:
        CaptionError: it has none.
    """
    if words := tokenize(caption):
        return words
    wrong = f"'{caption[:40]}' has no word" if caption.strip() else "The caption is empty"
    raise CaptionError(
        f"{wrong}: type a sentence in letters from a to z, such as "
        "'a small red bird with blue wings'."
    )


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

    def unknown(self, caption: str) -> list[str]:
        """The words of a caption that are not known, in their order, each once."""
        return list(dict.fromkeys(w for w in tokenize(caption) if w not in self.index))

    def check(self, caption: str) -> str:
        """Return the caption if something can be made of it.

        Raises:
            CaptionError: it is empty, has more than 60 words, or none of its words is known.
        """
        words = refuse_empty(caption)
        if len(words) > MAX_WORDS:
            raise CaptionError(
                f"The caption has {len(words)} words; at most {MAX_WORDS} can be read. Shorten it."
            )
        if all(w not in self.index for w in words):
            listed = ", ".join(f"'{w}'" for w in self.unknown(caption))
            known = ", ".join(self.words[:12])
            raise CaptionError(
                f"None of these words is known: {listed}. "
                f"Known are {len(self.words)} words, among them: {known}."
            )
        return caption

    def numbers(self, captions: Sequence[str]) -> Int[Tensor, "b words"]:
        """Token numbers [batch, longest caption], padded with 0; unknown words become 1."""
        rows = [[self.index.get(w, 1) for w in tokenize(c)[:MAX_WORDS]] for c in captions]
        longest = max([1, *map(len, rows)])
        padded = [row + [0] * (longest - len(row)) for row in rows]
        return torch.tensor(padded, dtype=torch.long).reshape(len(rows), longest)
