"""Exercises of notebook 04: TF-IDF by eq. 2.8, the pairs of skip-gram, analogies."""

import numpy as np

from t2ilab.checks.exercise import Exercise, Wrong, filled
from t2ilab.checks.kit import call, compare, explained

# f(t, d): 4 documents, 4 terms. The first term stands in every document, the last in one, twice.
_F = np.array([[1, 2, 0, 0], [1, 1, 0, 0], [2, 0, 1, 2], [1, 1, 0, 0]])
_TF = _F / _F.sum(axis=0)
_RATIO = 4 / np.array([4, 3, 1, 1])  # N / n_t
_LOG = np.log(_RATIO)


def _test_tfidf(by_hand) -> None:
    found = call(
        by_hand,
        _F,
        kind=np.ndarray,
        shape=(4, 4),
        reason="One weight for each document and each term.",
        finite="Every term of this test occurs, so neither n_t nor the sum over documents is 0: "
        "what else is divided by, or what else goes into the logarithm?",
    )
    d, term = np.unravel_index(np.abs(found - _TF * _LOG).argmax(), found.shape)
    compare(
        found,
        _TF * _LOG,
        f"Term {term} stands {_F[d, term]} times in document {d}, {_F[:, term].sum()} times in all "
        f"and in {(_F[:, term] > 0).sum()} of the 4 documents: it should weigh "
        f"{(_TF * _LOG)[d, term]:.3f} there; yours weighs {found[d, term]:.3f}.",
        slips={
            "Right but for the logarithm: eq. 2.8 has the natural one.": (
                _TF * np.log2(_RATIO),
                _TF * np.log10(_RATIO),
            ),
            "You divide by the length of the document, as textbooks do. As printed the sum of "
            "eq. 2.8 runs over the documents d_i: the other axis.": _F
            / _F.sum(axis=1, keepdims=True)
            * _LOG,
            "`f.sum(axis=1)` adds over the terms, and numpy then divides *columns* by it. The "
            "sum of eq. 2.8 runs over the documents: the other axis.": _F / _F.sum(axis=1) * _LOG,
            "The first factor is missing its divisor: the sum of f(t, d_i) over i.": _F * _LOG,
            "You divide by the number of all words. The sum is over the documents alone, one "
            "for each term.": _F / _F.sum() * _LOG,
            "The logarithm is missing: a term that stands everywhere should weigh 0.": _TF,
            "The logarithm of N / n_t is missing: you multiply by the ratio.": _TF * _RATIO,
            "You divide N by how often a term occurs; n_t counts documents, not occurrences.": _TF
            * np.log(4 / _F.sum(axis=0)),
            "Eq. 2.8 adds no 1 within the logarithm.": _TF * np.log(1 + _RATIO),
            "Eq. 2.8 adds no 1 to the logarithm, as scikit-learn does.": _TF * (1 + _LOG),
            "Every sign is turned round: it is log(N / n_t), not log(n_t / N).": -_TF * _LOG,
            "The two factors are multiplied, not added.": _TF + _LOG,
        },
    )


_TFIDF = '''\
def tfidf_by_hand(f):
    """Eq. 2.8: f(t, d) / sum_i f(t, d_i) * log(N / n_t).

    f: whole numbers [documents, terms], how often each term occurs in each document.
    """
    N = len(f)
    n_t = (f > 0).sum(axis=0)  # [terms], documents that contain the term
    return ____'''


q1 = Exercise(
    name="q1",
    question=(
        "**Exercise 1.** Write eq. 2.8 as it is printed: the sum in the denominator runs over the "
        "documents. `f[d, t]` counts term `t` in document `d`; `N` and `n_t` are there."
    ),
    stub=_TFIDF,
    answer="f / f.sum(axis=0) * np.log(N / n_t)",
    test=_test_tfidf,
    hints=(
        "Two factors. Which axis of `f` counts documents? A sum over documents leaves one "
        "number for each term.",
        "`f.sum(axis=0)` has the shape [terms], like `n_t`; numpy divides each row by it.",
    ),
    mistakes=[
        ("f / f.sum(axis=1, keepdims=True) * np.log(N / n_t)", "the other axis"),
        ("f / f.sum(axis=1) * np.log(N / n_t)", "divides *columns*"),
        ("f * np.log(N / n_t)", "missing its divisor"),
        ("f / f.sum(axis=0)", "logarithm is missing"),
        ("f / f.sum(axis=0) * N / n_t", "multiply by the ratio"),
        ("f / f.sum(axis=0) * np.log2(N / n_t)", "the natural one"),
        ("f / f.sum(axis=0) * np.log(n_t / N)", "turned round"),
        ("f / f.sum(axis=0) * np.log(N / f.sum(axis=0))", "counts documents"),
        ("f / f.sum(axis=0) * np.log(N / (1 + n_t))", "should weigh"),
        ("f / f.sum(axis=0) * np.log(N // n_t)", "should weigh"),
        ("f / f.sum(axis=0) * (np.log(N / n_t) + 1)", "as scikit-learn does"),
        ("f / f.sum(axis=0) * np.log(N / f)", "what else is divided by"),
        ("np.log(N / n_t)", "the shape [4, 4]"),
        ("f / f.sum() * np.log(N / n_t)", "number of all words"),
        ("(f / f.sum(axis=0) * np.log(N / n_t)).T", "rows and columns changed places"),
    ],
    praise="`t2ilab/text/tfidf.py` has it, with a guard for terms that never occur.",
)


_SENTENCE = ["a", "red", "bird", "sings"]
_NEXT = {(a, b) for a in _SENTENCE for b in _SENTENCE} & {
    pair for a, b in zip(_SENTENCE, _SENTENCE[1:], strict=False) for pair in ((a, b), (b, a))
}


def _test_pairs(skip_gram_pairs) -> None:
    def pairs(words: list[str], window: int) -> list[tuple]:
        with explained(IndexError, "A place `j` of len(words) or more does not exist: end there."):
            found = call(skip_gram_pairs, words, window, kind=list)
        if any(len(pair) != 2 or not set(pair) <= set(words) for pair in found):
            raise Wrong(f"Each entry should be a pair of words; yours are {found[:2]} ...")
        return [tuple(pair) for pair in found]

    found = pairs(_SENTENCE, 1)
    _look_at_pairs(set(found))
    if len(found) != 6:
        raise Wrong(f"With a window of 1 there should be 6 pairs of 4 words; yours are {found}.")
    wide = pairs(_SENTENCE, 9)
    if len(wide) != 12:
        raise Wrong(
            f"With a window wider than the sentence each of the 4 words has the 3 others, 12 "
            f"pairs; yours are {len(wide)}."
        )
    if ("red", "red") not in pairs(["red", "bird", "red"], 2):
        raise Wrong(
            "A word that stands twice is context of itself, at its other place: compare places, "
            "not words."
        )


def _look_at_pairs(found: set[tuple]) -> None:
    """The pairs of a window of 1: too many of them, or too few."""
    extra, missing = sorted(found - _NEXT), sorted(_NEXT - found)
    own = [centre for centre, context in extra if centre == context]
    if len(own) == 4:
        raise Wrong("A word is not its own context: leave out j = i.")
    if own:
        raise Wrong(
            f"'{own[0]}' is paired with itself, at another place `j` than `i`: the places are "
            "counted from the first word, 0; a negative one counts from the end."
        )
    if len(extra) == 6 and not missing:
        raise Wrong("The window is 1, and yours reaches every word: where does `window` come in?")
    if ("a", "sings") in extra and ("sings", "a") not in extra:
        raise Wrong(
            "'a' and 'sings' are 3 apart, and the window is 1. A negative index counts from the "
            "end in Python: begin at max(0, i - window)."
        )
    if extra:
        raise Wrong(f"With a window of 1, the pair {extra[0]} should not be there: too far apart.")
    for side, step in (("before", -1), ("after", 1)):
        lost = {(a, b) for a, b in _NEXT if _SENTENCE.index(b) - _SENTENCE.index(a) == step}
        if lost == set(missing):
            ends = " (`range` ends before its second argument)" if step == 1 else ""
            raise Wrong(f"The word {side} the centre is context too, and never comes{ends}.")
    if missing:
        raise Wrong(f"With a window of 1, the pair {missing[0]} is missing.")


_PAIRS = '''\
def skip_gram_pairs(words, window):
    """The pairs (centre, context): each word with every other at most `window` places away."""
    found = []
    for i, centre in enumerate(words):
        for j in ____:
            if j != i:
                found.append((centre, words[j]))
    return found'''


_BOTH_SIDES = "range(max(0, i - window), min(len(words), i + window + 1))"

q2 = Exercise(
    name="q2",
    question=(
        "**Exercise 2.** Which pairs does skip-gram learn from? For the centre at place `i`, write "
        "the places `j` that its window reaches, on both sides and within the sentence."
    ),
    stub=_PAIRS,
    answer=_BOTH_SIDES,
    test=_test_pairs,
    hints=(
        "From `window` places before `i` to `window` places after it; what if the sentence ends "
        "there?",
        "`range(first, last + 1)` with first = max(0, i - window) and last = "
        "min(len(words) - 1, i + window).",
    ),
    mistakes=[
        ("range(i, min(len(words), i + window + 1))", "word before the centre"),
        ("range(max(0, i - window), i)", "word after the centre"),
        ("range(max(0, i - window), min(len(words), i + window))", "`range` ends before"),
        ("range(i - window, min(len(words), i + window + 1))", "negative index"),
        ("range(max(0, i - window), i + window + 1)", "does not exist"),
        ("range(max(0, i - window), min(len(words) - 1, i + window + 1))", "is missing"),
        ("range(max(0, i - window), min(len(words), i + window + 2))", "too far apart"),
        ("range(-window, window + 1)", "counted from the first word"),
        ("range(len(words))", "where does `window` come in"),
        (filled(_PAIRS, _BOTH_SIDES).replace("j != i", "True"), "not its own context"),
        (filled(_PAIRS, _BOTH_SIDES).replace("j != i", "words[j] != centre"), "compare places"),
        (filled(_PAIRS, _BOTH_SIDES).replace("words[j]))", "j))"), "a pair of words"),
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
        "crown": (1, 0, -0.2),  # where king - man points
        "dress": (0, 1, -0.2),  # where woman - man points
    }
    return list(vectors), np.array(list(vectors.values()), dtype=float)


def _test_analogy(analogy) -> None:
    words, matrix = _toy()
    given = ("man", "king", "woman", words, matrix)
    found = call(analogy, *given, kind=str, reason="one of `words`")
    if found not in words:
        raise Wrong(f"The answer should be one of the words; yours is {found!r}.")
    if found in ("man", "king", "woman"):
        raise Wrong(
            f"'{found}' was given in the question. Words that were given are near the target "
            "always: leave out all three."
        )
    if found != "queen":
        raise Wrong(
            f"man : king = woman : ? should give 'queen'; yours gives '{found}'. From man to king "
            "is the step b - a; where does it lead from c?"
        )
    shorter = matrix * np.where(np.array(words) == "queen", 0.01, 1)[:, None]
    if analogy("man", "king", "woman", list(words), shorter) != "queen":
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


_TARGET = "unit[row[b]] - unit[row[a]] + unit[row[c]]"

q3 = Exercise(
    name="q3",
    question=(
        "**Exercise 3.** *man* is to *king* as *woman* is to ...? Write the target vector from the "
        "unit vectors of `a`, `b` and `c`, and say which words cannot be the answer."
    ),
    stub=_ANALOGY,
    answer=(_TARGET, "(a, b, c)"),
    test=_test_analogy,
    hints=(
        "From a to b is the step b - a. Where does it lead from c?",
        "`unit[row[b]] - unit[row[a]] + unit[row[c]]`; and the words given are left out.",
    ),
    mistakes=[
        ((_TARGET, "()"), "was given in the question"),
        ((_TARGET, "(a, c)"), "leave out all three"),
        (("unit[row[a]] - unit[row[b]] + unit[row[c]]", "(a, b, c)"), "where does it lead"),
        (("unit[row[b]]", "(a, b, c)"), "prince"),
        (("unit[row[b]] - unit[row[a]]", "(a, b, c)"), "where does it lead from c"),
        (("unit[row[c]] - unit[row[a]]", "(a, b, c)"), "where does it lead from c"),
        (("row[b] - row[a] + row[c]", "(a, b, c)"), "in the line `cosines = unit @ target"),
        (
            filled(_ANALOGY, (_TARGET, "(a, b, c)")).replace("matrix / np", "matrix + 0 * np"),
            "does not depend on lengths",
        ),
        (
            filled(_ANALOGY, (_TARGET, "(a, b, c)")).replace("words[int(cosines.argmax())]", "0"),
            "returns an int",
        ),
    ],
    praise="Without leaving out the given words the answer is mostly one of them.",
)
