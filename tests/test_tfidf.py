"""TF-IDF: eq. 2.8 by hand, and the formulas of two libraries against the libraries."""

import numpy as np
import pytest

from t2ilab.data import paperworld
from t2ilab.errors import UsageError
from t2ilab.text.bag import counts
from t2ilab.text.tfidf import TfIdf, gensim_formula, idf, sklearn_formula, tfidf, unit_rows
from t2ilab.text.tokens import Vocabulary, tokenize

F = np.array([[1, 2, 0, 0], [1, 1, 0, 0], [2, 0, 1, 0], [1, 0, 0, 0]])
CAPTIONS = [c for i in range(12) for c in paperworld.world("birds").captions("train", i)]


def test_eq_2_8_on_a_table_small_enough_to_do_by_hand():
    expected = np.zeros((4, 4))
    expected[0, 1], expected[1, 1] = 2 / 3 * np.log(2), 1 / 3 * np.log(2)
    expected[2, 2] = np.log(4)
    np.testing.assert_allclose(tfidf(F), expected)
    assert not tfidf(F)[:, 0].any()  # it stands in every document


def test_per_document_divides_by_the_length_of_the_document():
    assert tfidf(F, per="document")[2, 2] == pytest.approx(np.log(4) / 3)
    assert tfidf(F, per="document")[1, 1] == pytest.approx(np.log(2) / 2)
    with pytest.raises(UsageError, match="unknown divisor .*'terms': did you mean 'term'"):
        tfidf(F, per="terms")


def test_terms_and_documents_that_are_empty_weigh_nothing():
    empty = np.zeros((3, 2), dtype=np.int64)
    assert not tfidf(empty).any() and not tfidf(empty, per="document").any()
    assert not sklearn_formula(empty).any() and idf(empty).tolist() == [0, 0]


def test_the_formula_of_scikit_learn_is_what_scikit_learn_computes():
    from sklearn.feature_extraction.text import TfidfVectorizer

    theirs = TfidfVectorizer(tokenizer=tokenize, token_pattern=None, lowercase=False)
    matrix = theirs.fit_transform(CAPTIONS).toarray()
    ours = sklearn_formula(counts(CAPTIONS, Vocabulary(list(theirs.get_feature_names_out()))))
    np.testing.assert_allclose(ours, matrix, atol=1e-12)


def test_the_formula_of_gensim_is_what_gensim_computes():
    from gensim.corpora import Dictionary
    from gensim.models import TfidfModel

    tokens = [tokenize(caption) for caption in CAPTIONS]
    words = Dictionary(tokens)
    bags = [words.doc2bow(one) for one in tokens]
    model = TfidfModel(bags)
    matrix = np.zeros((len(bags), len(words)))
    for row, bag in enumerate(bags):
        for k, weight in model[bag]:
            matrix[row, k] = weight
    ours = gensim_formula(counts(CAPTIONS, Vocabulary([words[k] for k in range(len(words))])))
    np.testing.assert_allclose(ours, matrix, atol=1e-6)


def test_rows_of_a_length_of_1_point_where_they_pointed_and_0_stays_0():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(unit_rows(x), [[0.6, 0.8], [0, 0]])


def test_captions_become_rows_and_a_word_never_seen_leaves_no_trace():
    encoder = TfIdf(["a red bird", "a blue bird", "a red flower"], stop_words=["a"])
    assert set(encoder.vocabulary.words) == {"red", "bird", "blue", "flower"}
    rows = encoder.vectors(["a red bird", "a scarlet bird", "scarlet", "a bird"])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 1, 0, 1])
    np.testing.assert_allclose(rows[1], rows[3])  # "scarlet" says nothing


def test_a_word_of_the_corpus_has_a_column_but_shares_it_with_no_other():
    encoder = TfIdf(["a red bird", "a scarlet bird", "a flower"])
    red, scarlet = encoder.vectors(["red", "scarlet"])
    assert red @ scarlet == 0


def test_the_divisor_counts_for_captions():
    said = ["red red bird", "red flower", "blue bird"]
    for per in ("term", "document"):
        encoder = TfIdf(said, per=per)
        f = counts(said, encoder.vocabulary)
        expected = unit_rows(tfidf(f, per=per))
        np.testing.assert_allclose(encoder.vectors(said), expected)
