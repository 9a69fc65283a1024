"""Word vectors: what can be asked of them, wherever they come from.

T. Mikolov et al., "Efficient estimation of word representations in vector space", 2013, and
"Linguistic regularities in continuous space word representations", NAACL 2013 (analogies).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property

import numpy as np
from jaxtyping import Float

from t2ilab.errors import UsageError
from t2ilab.text.tfidf import unit_rows
from t2ilab.text.tokens import tokenize

BLOCK = 65_536  # rows worked on at once, so that large tables need no copies


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Words and a vector for each.

    Attributes:
        words: n different words, the most frequent first where that is known.
        matrix: float32 [n, d], row k is the vector of `words[k]`.
        index: word -> row.

    Raises:
        UsageError: not one finite row for each word, or a word twice.
    """

    words: list[str]
    matrix: Float[np.ndarray, "n d"]
    index: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self):
        matrix = np.asarray(self.matrix, dtype=np.float32)
        if matrix.ndim != 2 or len(matrix) != len(self.words) or not len(self.words):
            raise UsageError(
                f"{len(self.words)} words and vectors of shape {list(matrix.shape)}: "
                "give one row for each word, and at least one word."
            )
        if len(set(self.words)) != len(self.words):
            raise UsageError("A word stands twice among the words: give each its one vector.")
        for start in range(0, len(matrix), BLOCK):
            finite = np.isfinite(matrix[start : start + BLOCK]).all(axis=1)
            if not finite.all():
                row = start + int(np.argmin(finite))
                raise UsageError(f"The vector of '{self.words[row]}' (row {row}) is not finite.")
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "index", {word: k for k, word in enumerate(self.words)})

    @cached_property
    def unit(self) -> Float[np.ndarray, "n d"]:
        """float32 [n, d], the rows at length 1; a row of 0 stays 0. Made when first asked for."""
        rows = np.empty_like(self.matrix)
        for start in range(0, len(rows), BLOCK):
            rows[start : start + BLOCK] = unit_rows(self.matrix[start : start + BLOCK])
        return rows

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self.index

    @property
    def dimension(self) -> int:
        """d, the size of a vector."""
        return self.matrix.shape[1]

    def __getitem__(self, word: str) -> Float[np.ndarray, " d"]:
        """The vector of a word.

        Raises:
            UsageError: it has none.
        """
        return self.matrix[self._row(word)]

    def similarity(self, a: str, b: str) -> float:
        """The cosine of two words, from -1 to 1."""
        return float(self.unit[self._row(a)] @ self.unit[self._row(b)])

    def nearest(
        self, word: str, n: int = 5, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """The n words of the largest cosine, the word itself left out.

        Args:
            among: only these words; those without a vector are left out. None: all.

        Raises:
            UsageError: the word has no vector.
        """
        return self._best(self.unit[self._row(word)], n, {word}, among)

    def analogy(self, a: str, b: str, c: str, n: int = 5) -> list[tuple[str, float]]:
        """a is to b as c is to what? The words nearest to b - a + c, those three left out.

        All three vectors are taken at length 1.

        Raises:
            UsageError: one of the words has no vector.
        """
        va, vb, vc = (self.unit[self._row(word)] for word in (a, b, c))
        target = unit_rows((vb - va + vc)[None])[0]
        return self._best(target, n, {a, b, c}, None)

    def mean(
        self, captions: Sequence[str], *, stop_words: frozenset[str] = frozenset()
    ) -> Float[np.ndarray, "n d"]:
        """For each caption the mean of the unit vectors of its words, at length 1.

        Words without a vector are left out; a caption of such words only is a row of 0.
        """
        rows = np.zeros((len(captions), self.dimension), dtype=np.float32)
        for k, caption in enumerate(captions):
            known = [
                self.index[word]
                for word in tokenize(caption)
                if word in self.index and word not in stop_words
            ]
            if known:
                rows[k] = self.unit[known].mean(axis=0)
        return unit_rows(rows)

    def only(self, words: Sequence[str]) -> "WordVectors":
        """The vectors of these words alone, in this order; words without one are left out."""
        kept = [word for word in dict.fromkeys(words) if word in self.index]
        return WordVectors(kept, self.matrix[[self.index[word] for word in kept]])

    def _best(self, target, n, without, among) -> list[tuple[str, float]]:
        cosines = self.unit @ target
        order = np.argsort(-cosines, kind="stable")
        allowed = None if among is None else set(among)
        found = (
            (self.words[k], float(cosines[k]))
            for k in order
            if self.words[k] not in without and (allowed is None or self.words[k] in allowed)
        )
        return [pair for pair, _ in zip(found, range(n), strict=False)]

    def _row(self, word: str) -> int:
        if word in self.index:
            return self.index[word]
        near = get_close_matches(word.lower(), self.words, n=1, cutoff=0.7)
        guess = f" Did you mean '{near[0]}'?" if near else ""
        raise UsageError(f"'{word}' has no vector among these {len(self):,} words.{guess}")
