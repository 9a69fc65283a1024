"""Word vectors: what is asked of them, their files, and files that are damaged."""

import gzip

import numpy as np
import pytest

from t2ilab.errors import DataError, UsageError
from t2ilab.text.vector_files import FORMATS, load_vectors, save_vectors
from t2ilab.text.vectors import WordVectors

WORDS = ["red", "crimson", "bird", "jay"]
MATRIX = np.array([[1, 0, 0], [2, 0.2, 0], [0, 1, 1], [0, 2, 1.5]], dtype=np.float32)


@pytest.fixture
def vectors() -> WordVectors:
    return WordVectors(WORDS, MATRIX)


def test_neighbours_go_by_cosine_and_leave_the_word_itself_out(vectors):
    assert [word for word, _ in vectors.nearest("red", 2)] == ["crimson", "bird"]
    assert vectors.nearest("red", 9, among=["bird", "green"]) == [("bird", 0.0)]
    assert vectors.similarity("red", "crimson") == pytest.approx(2 / np.hypot(2, 0.2))
    assert len(vectors.nearest("red", 99)) == 3


def test_analogy_goes_the_same_step_and_leaves_the_given_words_out():
    grid = WordVectors(
        ["a", "b", "c", "d", "e"],
        np.array([[1, 0, 1], [1, 1, 1], [3, 0, 1], [3, 2, 1], [-1, -1, 0]], float),
    )
    assert grid.analogy("a", "b", "c", 1)[0][0] == "d"
    assert {word for word, _ in grid.analogy("a", "b", "c", 9)} == {"d", "e"}


def test_the_mean_forgets_the_order_and_unknown_words(vectors):
    rows = vectors.mean(
        ["red bird", "bird red", "green", "a red bird"], stop_words=frozenset({"jay"})
    )
    np.testing.assert_allclose(rows[0], rows[1])
    np.testing.assert_allclose(rows[0], rows[3])
    assert not rows[2].any()
    assert not vectors.mean(["jay"], stop_words=frozenset({"jay"})).any()


def test_a_word_without_a_vector_is_named_with_one_that_is_near(vectors):
    with pytest.raises(UsageError, match="'crimsom' has no vector .*Did you mean 'crimson'"):
        vectors["crimsom"]
    assert "crimson" in vectors and "crimsom" not in vectors
    assert vectors.only(["jay", "owl", "red"]).words == ["jay", "red"]


@pytest.mark.parametrize(
    ("words", "matrix", "said"),
    [
        (["a", "b"], np.ones((3, 2)), "2 words and vectors of shape \\[3, 2\\]"),
        (["a", "a"], np.ones((2, 2)), "stands twice"),
        (["a", "b"], np.array([[1.0, 2], [np.inf, 1]]), "'b' \\(row 1\\) is not finite"),
        ([], np.ones((0, 2)), "at least one word"),
    ],
)
def test_vectors_that_are_none_are_refused(words, matrix, said):
    with pytest.raises(UsageError, match=said):
        WordVectors(words, matrix)


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_comes_back_as_it_was_and_its_format_is_guessed(vectors, format, tmp_path):
    save_vectors(tmp_path / "v", vectors, format=format)
    for asked in ("auto", format):
        back = load_vectors(tmp_path / "v", format=asked)
        assert back.words == WORDS
        np.testing.assert_array_equal(back.matrix, MATRIX)


@pytest.mark.parametrize("binary", [False, True])
def test_gensim_reads_what_is_written_and_writes_what_is_read(vectors, binary, tmp_path):
    from gensim.models import KeyedVectors

    save_vectors(tmp_path / "a", vectors, format="word2vec-binary" if binary else "word2vec")
    theirs = KeyedVectors.load_word2vec_format(str(tmp_path / "a"), binary=binary)
    np.testing.assert_array_equal(theirs.vectors, MATRIX)
    theirs.save_word2vec_format(str(tmp_path / "b"), binary=binary)
    np.testing.assert_array_equal(load_vectors(tmp_path / "b").matrix, MATRIX)


def test_only_the_words_wanted_are_kept_and_a_packed_file_is_unpacked(vectors, tmp_path):
    save_vectors(tmp_path / "v", vectors)
    (tmp_path / "v.gz").write_bytes(gzip.compress((tmp_path / "v").read_bytes()))
    assert load_vectors(tmp_path / "v.gz", words=["bird", "owl", "red"]).words == ["red", "bird"]
    with pytest.raises(DataError, match="none of the 1 words asked for is among the 4"):
        load_vectors(tmp_path / "v", words=["owl"])
    with pytest.raises(DataError, match="line 2: vectors of 3 numbers; 50 are needed"):
        load_vectors(tmp_path / "v", dimension=50)


def test_a_word_of_glove_may_hold_spaces_but_a_longer_row_is_no_such_word(tmp_path):
    path = tmp_path / "v"
    path.write_text("red 1 2 3\n. . . 4 5 6\n")
    assert load_vectors(path).words == ["red", ". . ."]
    path.write_text("red 1 2 3\nblue 4 5 6 7\n")
    with pytest.raises(DataError, match="line 2: expected a word and 3 numbers, got 4 numbers"):
        load_vectors(path)


TEXT = "3 2\nred 1 2\nblue 3 4\nbird 5 6\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TEXT.replace("3 4", "3 4 5"), "line 3: expected a word and 2 numbers, got 3 numbers"),
        (TEXT.replace("3 4", "3"), "line 3: expected a word and 2 numbers, got 1 numbers"),
        (TEXT.replace("blue", "red"), "line 3: 'red' has a vector already, in line 2"),
        (TEXT.replace("3 4", "nan 4"), "line 3: the vector of 'blue' .* not finite"),
        (TEXT.replace("3 4", "1e50 4"), "line 3: the vector of 'blue' .* not finite"),
        (TEXT.replace("5 6", "5"), "line 4: expected .* or a file cut short"),
        (TEXT.replace("bird 5 6\n", ""), "ends after line 3, with 2 of the 3 words .*cut short"),
        (TEXT + "jay 7 8\n", "line 5: line 1 promises 3 words, and here is one more"),
        (TEXT.replace("blue 3 4", "blue drei 4"), "line 3: .* got 1 numbers and 1 other entries"),
        ("A page about vectors.\nNothing here.\n", "line 1: this is no file of word vectors"),
        ("", "line 1: this is no file of word vectors"),
        ("red 1 2\nblue inf 1\n", "line 2: the vector of 'blue' .* not finite"),
        ("red 1 2\nred 2 1\n", "line 2: 'red' has a vector already, in line 1"),
        ("red 1 2\nblue 1\n", "line 2: expected a word and 2 numbers"),
    ],
)
def test_a_damaged_text_file_is_named_with_its_line(text, said, tmp_path):
    path = tmp_path / "v.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=f"(?s)v.txt.*{said}"):
        load_vectors(path)


def damage(rows: list[bytes], kind: str) -> bytes:
    head = b"3 2\n"
    if kind == "cut":
        return head + b"".join(rows)[:-3]
    if kind == "cut between rows":
        return head + b"".join(rows[:2])
    if kind == "more":
        return head + b"".join(rows) + b"and more"
    if kind == "twice":
        return head + rows[0] + rows[0] + rows[2]
    if kind == "not finite":
        return head + rows[0] + b"blue " + np.array([np.nan, 1], "<f4").tobytes() + rows[2]
    return b"3 300\n" + b"".join(rows) * 400  # another dimension


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("cut", "ends within row 3 of the 3"),
        ("cut between rows", "ends within row 3 of the 3"),
        ("more", "8 bytes follow the 3 rows"),
        ("twice", "row 2: 'red' has a vector already, in row 1"),
        ("not finite", "row 2: the vector of 'blue' .* not finite"),
        ("dimension", "bytes follow the 3 rows of 300 numbers that line 1 promises"),
    ],
)
def test_a_damaged_binary_file_is_named_with_its_row(kind, said, tmp_path):
    rows = [
        word + b" " + np.array(pair, "<f4").tobytes()
        for word, pair in ((b"red", (1, -2.7)), (b"blue", (3, -4.3)), (b"bird", (5, -6.1)))
    ]
    path = tmp_path / "v.bin"
    path.write_bytes(damage(rows, kind))
    with pytest.raises(DataError, match=f"(?s)v.bin.*{said}"):
        load_vectors(path, format="word2vec-binary")


def test_files_that_are_missing_cut_while_packed_or_of_an_unknown_format(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        load_vectors(tmp_path / "none.txt")
    (tmp_path / "v.gz").write_bytes(gzip.compress(TEXT.encode() * 50)[:-12])
    with pytest.raises(DataError, match="cannot be unpacked"):
        load_vectors(tmp_path / "v.gz")
    (tmp_path / "v").write_text(TEXT)
    with pytest.raises(UsageError, match="unknown format 'fasttext'"):
        load_vectors(tmp_path / "v", format="fasttext")
    with pytest.raises(DataError, match="line 1: expected '<words> <dimension>'"):
        (tmp_path / "g").write_text("red 1 2\n")
        load_vectors(tmp_path / "g", format="word2vec")


def test_a_word_with_a_space_cannot_be_written(tmp_path):
    with pytest.raises(UsageError, match="'stop sign' cannot be written"):
        save_vectors(tmp_path / "v", WordVectors(["stop sign"], MATRIX[:1]))
