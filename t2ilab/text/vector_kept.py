"""What is kept of a file of word vectors while it is read, and what is to be said about it."""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from t2ilab.errors import DataError, UsageError
from t2ilab.text.tokens import shorten
from t2ilab.text.vectors import WordVectors

MOST_KEPT = 8 * 2**30  # bytes of numbers; the largest published files have less than half of it
SPACE = re.compile("[ \t\n\r\x0b\x0c]")  # what ends a word, or a number
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")  # in no text, and soon in any row of floats


class Layout(NamedTuple):
    """How the rows of a file lie."""

    binary: bool
    n: int | None  # rows that line 1 promises; None: GloVe, which promises nothing
    d: int


class Kept:
    """What is kept of a file, and what is to be said about it at the end.

    Args:
        path: of the file, for messages.
        layout: of its rows.
        words: those asked for; None: all.
        decode: bytes of a word to text.
    """

    def __init__(
        self,
        path: Path,
        layout: Layout,
        words: Sequence[str] | None,
        decode: Callable[[bytes], str],
    ):
        if isinstance(words, str) or (words is not None and not words):
            raise UsageError(
                f"words={shorten(repr(words))}: give a list of words, or None for all of a file."
            )
        self.path, self.layout = path, layout
        self.rows = 0  # read so far
        self.cut_line = False  # whether the last line read has no end
        self._decode = decode
        self._wanted = None if words is None else frozenset(words)
        self._heads = {SPACE.split(word)[0] for word in self._wanted or ()}
        self._places: dict[str, int] = {}  # word -> number of its line or row
        self._numbers = bytearray()  # grows in place, where a list of rows would be copied
        self._twice, self._unread = _Some(), _Some()  # rows of a word again; of no text

    def complete(self) -> bool:
        """Whether all words that were asked for are found."""
        return self._wanted is not None and len(self._places) == len(self._wanted)

    def concerns(self, number: int, first: bytes) -> bool:
        """Whether a row may be kept that begins with this; it is the word, or the first of it."""
        if self._wanted is None:
            return True
        text = self._text(first)
        if text is None:
            self._unread.add(self._at(number))
        return text in self._heads

    def fault(self, number: int, said: str, about: Sequence[bytes] = ()) -> None:
        """A row is damaged; raises where it is, or may be, of a word that was asked for."""
        if self._wanted is None or not self._wanted.isdisjoint(map(self._text, about)):
            raise DataError(f"{self.path}, {self._at(number)}: {said}")

    def add(self, number: int, word: bytes, vector: np.ndarray) -> None:
        """A row with the right count of numbers."""
        text = self._text(word)
        if not text:
            self._unread.add(self._at(number))
            self.fault(number, _no_word(word))
        elif self._wanted is not None and text not in self._wanted:
            return
        elif text in self._places:
            first = self._at(self._places[text])
            self._twice.add(f"'{shorten(text)}', in {first} and again in {self._at(number)}")
        else:
            self._keep(number, text, word, vector)

    def _keep(self, number: int, text: str, word: bytes, vector: np.ndarray) -> None:
        if not np.isfinite(vector).all():
            said = f"the vector of '{shorten(text)}' holds a number that is not finite (nan or inf)"
            self.fault(number, f"{said}. Remove the row, or get the file again.", [word])
        if len(self._numbers) + vector.nbytes > MOST_KEPT:
            raise DataError(
                f"{self.path}, {self._at(number)}: the vectors would take more than "
                f"{MOST_KEPT / 2**30:.0f} GiB of memory. Name the words that you need: words=[...]."
            )
        self._places[text] = number
        self._numbers += vector.tobytes()

    def vectors(self) -> WordVectors:
        """What was kept, after a warning where something should be known about it."""
        for said in self._remarks():
            warnings.warn(f"{self.path}: {said}", stacklevel=3)
        if self._places:
            matrix = np.frombuffer(self._numbers, np.float32).reshape(-1, self.layout.d)
            return WordVectors(list(self._places), matrix)
        if self._wanted is None:
            raise DataError(no_vectors(self.path))
        raise DataError(
            f"{self.path}: none of the {len(self._wanted):,} words asked for is among the "
            f"{self.rows:,} words of this file."
        )

    def _remarks(self) -> Iterator[str]:
        if self._twice.n:
            yield (
                f"words that stand twice: {self._twice.n:,}; the first vector of each is kept "
                f"({self._twice})."
            )
        if self._unread.n and (self.layout.binary or not self.complete()):
            yield (
                f"words that are no text in this encoding: {self._unread.n:,}; they are passed "
                f"over ({self._unread}). If one of them is "
                "asked for, give another encoding, or unicode_errors='ignore' or 'replace'. It may "
                "also be that the file is damaged."
            )
        if self.cut_line:
            yield (
                "its last line has no line's end. If the file was cut short there, the last number "
                "is not what it was, and words are missing."
            )

    def _at(self, number: int) -> str:
        return f"{'row' if self.layout.binary else 'line'} {number}"

    def _text(self, word: bytes) -> str | None:
        try:
            return self._decode(word)
        except UnicodeError:
            return None


def _no_word(word: bytes) -> str:
    if not word:
        return "a row without a word."
    return (
        f"the word is not text in this encoding ({word[:30]!r}). If the file is in another one, "
        "name it (encoding='latin-1'); if its words were cut within a letter, "
        "unicode_errors='ignore' or 'replace' reads them, as gensim does. Otherwise the file is "
        "damaged, or its rows have another dimension than line 1 says."
    )


class _Some:
    """How many there are of something, and the first three of them."""

    def __init__(self):
        self.n, self._first = 0, []

    def add(self, one: str) -> None:
        self.n += 1
        if self.n <= 3:
            self._first.append(one)

    def __str__(self) -> str:
        return "; ".join(self._first) + ("; ..." if self.n > 3 else "")


def no_vectors(path: Path) -> str:
    return (
        f"{path}, line 1: this is no file of word vectors. Expected word2vec's first line "
        "'<words> <dimension>', or a word and its numbers (GloVe), separated by spaces."
    )
