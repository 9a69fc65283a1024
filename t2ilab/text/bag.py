"""Bag of words: a caption as counts of words, their order forgotten.

H. H. Le, thesis 2018, section 2.3.1: words that say little of the meaning ("a", "the") are stop
words and are left out; a caption is the vector of how often each word of a vocabulary occurs in it.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from t2ilab.text.tokens import Vocabulary, tokenize

# Short on purpose: articles, forms of "to be" and "to have", pointers, and small connectives.
STOP_WORDS = frozenset(
    "a an the this that these those there it its is are was were be been being has have had having "
    "of in on at to by for from with and or as one some very".split()
)


def content_words(caption: str, stop_words: frozenset[str] = STOP_WORDS) -> list[str]:
    """The tokens of a caption that are no stop words, in their order.

    >>> content_words("This bird has a red crown.")
    ['bird', 'red', 'crown']
    """
    return [word for word in tokenize(caption) if word not in stop_words]


def counts(
    captions: Sequence[str], vocabulary: Vocabulary, *, stop_words: frozenset[str] = frozenset()
) -> Int[np.ndarray, "n words"]:
    """f(t, d): how often word t of the vocabulary occurs in caption d.

    Args:
        captions: n captions, each a document d.
        vocabulary: column k counts `vocabulary.words[k]`.
        stop_words: words that are not counted.

    Words that the vocabulary lacks leave no trace: a caption of such words only is a row of 0.
    """
    column = {word: k for k, word in enumerate(vocabulary.words)}
    table = np.zeros((len(captions), len(column)), dtype=np.int64)
    for row, caption in enumerate(captions):
        for word in content_words(caption, stop_words):
            if word in column:
                table[row, column[word]] += 1
    return table
