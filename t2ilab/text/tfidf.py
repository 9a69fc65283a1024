"""TF-IDF: words weighted by how much they say, as the thesis writes it and as libraries do.

H. H. Le, thesis 2018, eq. 2.8:

    tfidf(t, d) = f(t, d) / sum_i f(t, d_i) * log(N / n_t)

with N documents, n_t of which contain the term t. As printed, the sum runs over the documents d_i:
the first factor is the share of all occurrences of t that stand in d. Textbooks mostly divide by
the length of d instead, the sum over the terms; `per="document"` does that.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from t2ilab.errors import choose
from t2ilab.text.bag import counts
from t2ilab.text.tokens import Vocabulary


def idf(f: Int[np.ndarray, "n words"]) -> Float[np.ndarray, " words"]:
    """log(N / n_t), the natural logarithm; 0 for a term that no document contains."""
    n_t = (f > 0).sum(axis=0)
    return np.where(n_t > 0, np.log(len(f) / np.maximum(n_t, 1)), 0.0)


def tfidf(
    f: Int[np.ndarray, "n words"], *, per: Literal["term", "document"] = "term"
) -> Float[np.ndarray, "n words"]:
    """Eq. 2.8 for every document and every term.

    Args:
        f: f(t, d), a row for each document and a column for each term.
        per: "term" divides f by the term's count in all documents, as eq. 2.8 is printed;
            "document" by the number of terms in the document.

    A term or a document that is empty gets 0, not 0 / 0.
    """
    axis = {"term": 0, "document": 1}[choose("divisor of f(t, d)", per, ("term", "document"))]
    total = f.sum(axis=axis, keepdims=True)
    return f / np.maximum(total, 1) * idf(f)


def unit_rows(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Rows divided by their Euclidean length; rows of 0 stay 0."""
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1.0)


def sklearn_formula(f: Int[np.ndarray, "n words"]) -> Float[np.ndarray, "n words"]:
    """What scikit-learn's TfidfVectorizer computes by default, written out.

    f * (ln((1 + N) / (1 + n_t)) + 1), then rows of length 1: as if one more document held every
    term once, and a term that all documents share still counts 1.
    """
    n_t = (f > 0).sum(axis=0)
    return unit_rows(f * (np.log((1 + len(f)) / (1 + n_t)) + 1.0))


def gensim_formula(f: Int[np.ndarray, "n words"]) -> Float[np.ndarray, "n words"]:
    """What gensim's TfidfModel computes by default, written out: f * log2(N / n_t), rows of 1."""
    return unit_rows(f * idf(f) / np.log(2.0))


class TfIdf:
    """Captions to vectors by TF-IDF; vocabulary and weights come from the captions it is made of.

    Args:
        captions: the documents d_1 ... d_N.
        stop_words: words that are left out.
        per: the divisor, as in `tfidf`. For a new caption "term" divides by the counts in the
            documents above.

    A word that these captions lack has no column: it leaves no trace in any vector.
    """

    def __init__(
        self,
        captions: Sequence[str],
        *,
        stop_words: Iterable[str] = (),
        per: Literal["term", "document"] = "term",
    ):
        self.stop_words = frozenset(stop_words)
        every = Vocabulary.of(captions).words
        self.vocabulary = Vocabulary([word for word in every if word not in self.stop_words])
        self.per = choose("divisor of f(t, d)", per, ("term", "document"))
        f = counts(captions, self.vocabulary, stop_words=self.stop_words)
        self.idf, self.occurrences = idf(f), f.sum(axis=0)

    def vectors(self, captions: Sequence[str]) -> Float[np.ndarray, "n words"]:
        """The vectors of captions, old or new, with rows of length 1; rows of 0 stay 0."""
        f = counts(captions, self.vocabulary, stop_words=self.stop_words)
        total = self.occurrences if self.per == "term" else f.sum(axis=1, keepdims=True)
        return unit_rows(f / np.maximum(total, 1) * self.idf)
