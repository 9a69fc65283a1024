"""word2vec: vectors of words from the words around them, trained with gensim, the same each time.

T. Mikolov et al., "Distributed representations of words and phrases and their compositionality",
NIPS 2013. **Skip-gram** learns vectors u, v such that sigmoid(u_context . v_centre) is large for
pairs that stand within a window, and small for k "negative" pairs drawn at random:

    L = -log sigmoid(u_o . v_c) - sum_{k} log sigmoid(-u_k . v_c)        (their eq. 4)

**CBOW** turns it round: the mean of the vectors of the window predicts the word in its middle.
"""

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from t2ilab.errors import UsageError
from t2ilab.text.vectors import WordVectors


def pairs(words: Sequence[str], window: int) -> list[tuple[str, str]]:
    """The (centre, context) pairs of skip-gram: every word with every other within the window.

    gensim draws a window from 1 to `window` anew for each centre, so that near words count more;
    here it is the whole window.

    >>> pairs(["a", "red", "bird"], 1)
    [('a', 'red'), ('red', 'a'), ('red', 'bird'), ('bird', 'red')]
    """
    return [
        (centre, words[j])
        for i, centre in enumerate(words)
        for j in range(max(0, i - window), min(len(words), i + window + 1))
        if j != i
    ]


def train(
    sentences: Sequence[Sequence[str]],
    *,
    dimension: int = 48,
    window: int = 10,
    skip_gram: bool = True,
    negative: int = 5,
    epochs: int = 5,
    at_least: int = 2,
    subsample: float = 0.0,
    seed: int = 0,
) -> WordVectors:
    """Word vectors of a corpus, a function of (sentences, settings, seed) alone.

    Args:
        sentences: lists of tokens; no window reaches beyond one of them.
        dimension: d, the size of a vector.
        window: how many words on each side at most.
        skip_gram: skip-gram, or CBOW.
        negative: random pairs for each true one (k above).
        epochs: how often the corpus is read.
        at_least: rarer words get no vector.
        subsample: words more frequent than this share are thinned out; 0: none are. gensim's own
            1e-3 suits a vocabulary of many thousands; of PaperWorld's it would leave little.
        seed: from 0 to 2^32 - 1.

    One worker thread, and a hash that does not depend on PYTHONHASHSEED: with gensim's defaults
    neither two runs nor two kernels need agree.

    Raises:
        UsageError: a setting that cannot be, or no word occurs often enough.
    """
    from gensim.models import Word2Vec

    for name, value, low, high in (
        ("dimension", dimension, 1, 10_000),
        ("window", window, 1, 10_000),
        ("epochs", epochs, 1, 100_000),
        ("at_least", at_least, 1, 2**31),
        ("negative", negative, 1, 1_000),
        ("seed", seed, 0, 2**32 - 1),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise UsageError(f"{name}={value!r}: give a whole number from {low} to {high:,}.")
    if not 0 <= subsample < 1:
        raise UsageError(f"subsample={subsample!r}: give a share, from 0 to below 1.")
    settings = dict(
        vector_size=dimension,
        window=window,
        sg=int(skip_gram),
        negative=negative,
        epochs=epochs,
        min_count=at_least,
        sample=subsample,
        seed=seed,
        workers=1,
        hashfxn=_hash,
    )
    try:
        vectors = Word2Vec([list(words) for words in sentences], **settings).wv
    except RuntimeError as error:  # gensim: "you must first build vocabulary before training"
        raise UsageError(
            f"No word occurs {at_least} times in these {len(sentences)} sentences: "
            "give more text, or a smaller at_least."
        ) from error
    return WordVectors(list(vectors.index_to_key), np.array(vectors.vectors, dtype=np.float32))


def _hash(text: str) -> int:
    return crc32(text.encode())
