"""Exercises of notebook 04: TF-IDF by eq. 2.8, the pairs of skip-gram, analogies."""

import numpy as np

from t2ilab.checks.exercise import Exercise, Wrong

# f(t, d): 4 documents, 4 terms. The first term stands in every document, the last in one, twice.
_F = np.array([[1, 2, 0, 0], [1, 1, 0, 0], [2, 0, 1, 2], [1, 0, 0, 0]])
_TF = _F / _F.sum(axis=0)
_LOG = np.log(4 / np.array([4, 2, 1, 1]))


def _test_tfidf(by_hand) -> None:
    found = np.asarray(by_hand(_F.copy()), dtype=float)
    if found.shape != _F.shape:
        raise Wrong(
            f"One weight for each document and each term is shape [4, 4]; yours is "
            f"{list(found.shape)}."
        )
    if not np.isfinite(found).all():
        raise Wrong(
            "Some weights are not finite. Every term of this test occurs, so neither sum "
            "need be 0: over which axis do you add?"
        )
    if np.allclose(found, _TF * np.log2(4 / np.array([4, 2, 1, 1]))):
        raise Wrong("Right but for the logarithm: eq. 2.8 means the natural one, np.log.")
    if np.allclose(found, _F / _F.sum(axis=1, keepdims=True) * _LOG):
        raise Wrong(
            "You divide by the length of the document, as textbooks do. As printed the "
            "sum of eq. 2.8 runs over the documents d_i: the other axis."
        )
    if np.allclose(found, _F * _LOG):
        raise Wrong("The first factor is missing its divisor: the sum of f(t, d_i) over i.")
    if np.allclose(found, _TF):
        raise Wrong("The logarithm is missing: a term that stands everywhere should weigh 0.")
    if not np.allclose(found[:, 0], 0):
        raise Wrong(
            "The first term stands in every document, N / n_t = 1: it should weigh 0. "
            "n_t counts documents, not occurrences."
        )
    if np.allclose(found, -_TF * _LOG):
        raise Wrong("Every sign is turned round: it is log(N / n_t), not log(n_t / N).")
    if not np.allclose(found, _TF * _LOG):
        raise Wrong(
            "A term that stands twice in one of 4 documents and in no other should weigh "
            f"ln 4 = {np.log(4):.3f} there; yours weighs {found[2, 3]:.3f}. n_t counts "
            "the documents with f > 0."
        )


_TFIDF = '''\
def tfidf_by_hand(f):
    """Eq. 2.8: f(t, d) / sum_i f(t, d_i) * log(N / n_t).

    f: whole numbers [documents, terms], how often each term occurs in each document.
    """
    N = len(f)
    n_t = (f > 0).sum(axis=0)  # [terms], documents that contain the term
    return ____'''


def _tfidf(expression: str) -> str:
    return _TFIDF.replace("____", expression)


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Write eq. 2.8 as it is printed: the sum in the denominator runs over the "
        "documents. `f[d, t]` counts term `t` in document `d`; `N` and `n_t` are there."
    ),
    reads=("tfidf_by_hand",),
    stub=_TFIDF,
    answer=_tfidf("f / f.sum(axis=0) * np.log(N / n_t)"),
    setup="import numpy as np",
    test=_test_tfidf,
    hints=(
        "Two factors. Which axis of `f` counts documents? A sum over documents leaves one "
        "number for each term.",
        "`f.sum(axis=0)` has the shape [terms], like `n_t`; numpy divides each row by it.",
    ),
    mistakes=[
        (_tfidf("f / f.sum(axis=1, keepdims=True) * np.log(N / n_t)"), "the other axis"),
        (_tfidf("f * np.log(N / n_t)"), "missing its divisor"),
        (_tfidf("f / f.sum(axis=0)"), "logarithm is missing"),
        (_tfidf("f / f.sum(axis=0) * np.log2(N / n_t)"), "the natural one"),
        (_tfidf("f / f.sum(axis=0) * np.log(n_t / N)"), "turned round"),
        (_tfidf("f / f.sum(axis=0) * np.log(N / f.sum(axis=0))"), "counts documents"),
        (_tfidf("np.log(N / n_t)"), "shape [4, 4]"),
        (_tfidf("f / f.sum() * np.log(N / n_t)"), "should weigh ln 4"),
    ],
    praise="`t2ilab/text/tfidf.py` has it, with a guard for terms that never occur.",
)


def _test_pairs(skip_gram_pairs) -> None:
    words = ["a", "red", "bird", "sings"]
    found = [tuple(pair) for pair in skip_gram_pairs(list(words), 1)]
    expected = [
        ("a", "red"),
        ("red", "a"),
        ("red", "bird"),
        ("bird", "red"),
        ("bird", "sings"),
        ("sings", "bird"),
    ]
    if any(len(pair) != 2 for pair in found):
        raise Wrong("Each entry should be a pair (centre, context).")
    if any(centre == context for centre, context in found):
        raise Wrong("A word is not its own context: leave out j = i.")
    if set(found) == {("a", "red"), ("red", "bird"), ("bird", "sings")}:
        raise Wrong("The words before the centre are context too: the window has two sides.")
    if ("a", "sings") in found or ("sings", "a") in found:
        raise Wrong(
            "'a' and 'sings' are 3 apart, and the window is 1. A negative index counts "
            "from the end in Python: begin at max(0, i - window)."
        )
    if set(found) < set(expected):
        missing = sorted(set(expected) - set(found))[0]
        raise Wrong(
            f"With a window of 1, the pair {missing} is missing. `range` ends before its "
            "second argument."
        )
    if sorted(found) != sorted(expected):
        raise Wrong(f"With a window of 1 there should be 6 pairs of 4 words; yours are {found}.")
    wide = [tuple(pair) for pair in skip_gram_pairs(list(words), 9)]
    if len(wide) != 12:
        raise Wrong(
            f"With a window wider than the sentence each of the 4 words has the 3 others, "
            f"12 pairs; yours are {len(wide)}."
        )
    again = [tuple(pair) for pair in skip_gram_pairs(["red", "bird", "red"], 2)]
    if again.count(("red", "red")) == 0 and len(again) == 4:
        raise Wrong(
            "A word that stands twice is context of itself, at its other place: compare "
            "places, not words."
        )


_PAIRS = '''\
def skip_gram_pairs(words, window):
    """The pairs (centre, context): each word with every other at most `window` places away."""
    found = []
    for i, centre in enumerate(words):
        for j in ____:
            if j != i:
                found.append((centre, words[j]))
    return found'''


def _pairs(expression: str) -> str:
    return _PAIRS.replace("____", expression)


_BOTH_SIDES = "range(max(0, i - window), min(len(words), i + window + 1))"

q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Which pairs does skip-gram learn from? For the centre at place `i`, write "
        "the places `j` that its window reaches, on both sides and within the sentence."
    ),
    reads=("skip_gram_pairs",),
    stub=_PAIRS,
    answer=_pairs(_BOTH_SIDES),
    setup="",
    test=_test_pairs,
    hints=(
        "From `window` places before `i` to `window` places after it; what if the sentence ends "
        "there?",
        "`range(first, last + 1)` with first = max(0, i - window) and last = "
        "min(len(words) - 1, i + window).",
    ),
    mistakes=[
        (_pairs("range(i, min(len(words), i + window + 1))"), "two sides"),
        (_pairs("range(max(0, i - window), min(len(words), i + window))"), "is missing"),
        (_pairs("range(i - window, min(len(words), i + window + 1))"), "negative index"),
        (_pairs("range(max(0, i - window), i + window + 1)"), "stopped with IndexError"),
        (_pairs("range(len(words))"), "the window is 1"),
        (_pairs(_BOTH_SIDES).replace("j != i", "True"), "not its own context"),
        (_pairs(_BOTH_SIDES).replace("j != i", "words[j] != centre"), "compare places"),
    ],
    praise="gensim draws each centre's window from 1 to `window`, so that near words count more.",
)


def _toy() -> tuple[list[str], np.ndarray]:
    """Words whose vectors are (royal, female, other), of different lengths."""
    vectors = {
        "man": (0, 0, 2),
        "woman": (0, 1, 2),
        "king": (1, 0, 2),
        "queen": (1.2, 1, 0.3),
        "bird": (0, 0.2, -1),
        "wing": (-1, 0.5, 0),
        "prince": (0.9, -0.5, 1),
    }
    return list(vectors), np.array(list(vectors.values()), dtype=float)


def _test_analogy(analogy) -> None:
    words, matrix = _toy()
    found = analogy("man", "king", "woman", list(words), matrix.copy())
    if not isinstance(found, str) or found not in words:
        raise Wrong(f"The answer should be one of the words; yours is {found!r}.")
    if found in ("man", "king", "woman"):
        raise Wrong(
            f"'{found}' was given in the question. The three given words are near the "
            "target always: leave them out."
        )
    if found == "prince":
        raise Wrong(
            "man : king = woman : ? gives 'prince', which differs from 'king' little. Add "
            "what woman has: the target is b - a + c."
        )
    if found != "queen":
        raise Wrong(
            f"man : king = woman : ? should give 'queen'; yours gives '{found}'. Is the "
            "target b - a + c, and do you take the largest cosine?"
        )
    longer = matrix * np.array([1, 1, 1, 0.01, 1, 1, 1])[:, None]
    if analogy("man", "king", "woman", list(words), longer) != "queen":
        raise Wrong(
            "When the vector of 'queen' is made shorter the answer changes: a cosine does "
            "not depend on lengths. Divide by them, or use unit vectors."
        )


_ANALOGY = '''\
def analogy(a, b, c, words, matrix):
    """a is to b as c is to what? One of `words`, by the largest cosine; a, b, c are no answers."""
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    row = {word: k for k, word in enumerate(words)}
    target = ____
    cosines = unit @ target / np.linalg.norm(target)
    for given in ____:
        cosines[row[given]] = -2  # less than any cosine
    return words[int(cosines.argmax())]'''


def _analogy(target: str, given: str) -> str:
    return _ANALOGY.replace("____", target, 1).replace("____", given, 1)


_TARGET = "unit[row[b]] - unit[row[a]] + unit[row[c]]"

q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** *man* is to *king* as *woman* is to ...? Write the target vector from the "
        "unit vectors of `a`, `b` and `c`, and say which words cannot be the answer."
    ),
    reads=("analogy",),
    stub=_ANALOGY,
    answer=_analogy(_TARGET, "(a, b, c)"),
    setup="import numpy as np",
    test=_test_analogy,
    hints=(
        "From a to b is the step b - a. Where does it lead from c?",
        "`unit[row[b]] - unit[row[a]] + unit[row[c]]`; and the words given are left out.",
    ),
    mistakes=[
        (_analogy(_TARGET, "()"), "was given in the question"),
        (_analogy("unit[row[a]] - unit[row[b]] + unit[row[c]]", "(a, b, c)"), "b - a + c"),
        (_analogy("unit[row[b]]", "(a, b, c)"), "prince"),
        (
            _analogy(_TARGET, "(a, b, c)").replace(
                "unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)", "unit = matrix"
            ),
            "does not depend on lengths",
        ),
        (
            _analogy(_TARGET, "(a, b, c)").replace(
                "words[int(cosines.argmax())]", "int(cosines.argmax())"
            ),
            "one of the words",
        ),
    ],
    praise="Without leaving out the given words the answer is mostly one of them.",
)
