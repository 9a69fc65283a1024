"""Bags of words: what is counted, and what is lost."""

import numpy as np

from t2ilab.text.bag import STOP_WORDS, content_words, counts
from t2ilab.text.tokens import Vocabulary

WORDS = Vocabulary(["bird", "blue", "red", "wings"])


def test_each_word_is_counted_as_often_as_it_occurs():
    f = counts(["a red red bird", "blue wings"], WORDS)
    assert f.tolist() == [[1, 0, 2, 0], [0, 1, 0, 1]] and f.dtype == np.int64


def test_the_order_is_lost_and_with_it_whose_colour_is_which():
    one, other = counts(["a red bird with blue wings", "a blue bird with red wings"], WORDS)
    assert one.tolist() == other.tolist()


def test_stop_words_and_unknown_words_leave_no_trace():
    everything = Vocabulary.of(["this is a red bird"])
    f = counts(["this is a red bird", "ein Vogel"], everything, stop_words=STOP_WORDS)
    kept = {word for word, n in zip(everything.words, f[0], strict=True) if n}
    assert kept == {"red", "bird"} and f[1].sum() == 0
    assert counts(["ein Vogel"], WORDS).sum() == 0


def test_content_words_keep_their_order_and_no_colour_is_a_stop_word():
    assert content_words("The bird's wings are blue.") == ["bird's", "wings", "blue"]
    assert STOP_WORDS.isdisjoint({"red", "small", "long", "three", "man", "running", "bird"})


def test_no_captions_are_an_empty_table():
    assert counts([], WORDS).shape == (0, 4)
