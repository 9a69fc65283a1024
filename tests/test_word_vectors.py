"""Word vectors: what is asked of them, their files, and files that are damaged."""

import bz2
import gzip
import io
import pickle
import tarfile
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest

from t2ilab.errors import DataError, UsageError
from t2ilab.text import vector_kept, vector_sources
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
    with pytest.raises(DataError, match="v: vectors of 3 numbers; 50 are needed"):
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
        (TEXT.replace("3 4", "nan 4"), "line 3: the vector of 'blue' .* not finite"),
        (TEXT.replace("3 4", "1e50 4"), "line 3: the vector of 'blue' .* not finite"),
        (TEXT.replace("5 6", "5"), "line 4: expected .* or a file cut short"),
        (TEXT.replace("bird 5 6\n", ""), "ends after line 3, with 2 of the 3 words .*cut short"),
        (TEXT.replace("3 4", "3 4_0"), "line 3: .* got 1 numbers and 1 other entries"),
        (TEXT.replace("blue", "blue "), "line 3: .* got more than one space in a row"),
        (TEXT.replace("blue", "\n blue"), "line 3: an empty line between two rows"),
        (TEXT.replace("3 2", f"3 {'9' * 9999}"), "line 1: expected a word and 2 numbers"),
        (TEXT.replace("3 4", "3  4"), "line 3: .* got more than one space in a row"),
        (TEXT.replace("3 2", "3 20001"), "vectors of 20,001 numbers; at most 20,000"),
        (TEXT.replace("blue", "b" * 3000), "line 3: the line is too long"),
        (TEXT.replace("blue", "b" * 2**21), "line 3: the line is too long"),
        ("x" * 2**21, "line 1: it is too long"),
        (TEXT + "jay 7 8\n", "line 5: line 1 promises 3 words, and here is one more"),
        (TEXT.replace("blue 3 4", "blue drei 4"), "line 3: .* got 1 numbers and 1 other entries"),
        ("A page about vectors.\nNothing here.\n", "line 1: this is no file of word vectors"),
        ("", "line 1: this is no file of word vectors"),
        ("red 1 2\nblue inf 1\n", "line 2: the vector of 'blue' .* not finite"),
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
    if kind == "not finite":
        return head + rows[0] + b"blue " + np.array([np.nan, 1], "<f4").tobytes() + rows[2]
    return b"3 300\n" + b"".join(rows) * 400  # another dimension


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("cut", "ends within row 3 of the 3"),
        ("cut between rows", "ends within row 3 of the 3"),
        ("more", "8 bytes follow the 3 rows"),
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


def test_a_word_that_no_file_holds_cannot_be_written_and_the_old_file_stays(tmp_path):
    save_vectors(tmp_path / "v", WordVectors(["red"], MATRIX[:1]))
    for word in ("a\tb", "", "\ufeffred", "\ud800", "x" * 2001, "\0"):
        with pytest.raises(UsageError, match="cannot be written: a word of such a file"):
            save_vectors(tmp_path / "v", WordVectors([word], MATRIX[:1]))
    assert load_vectors(tmp_path / "v").words == ["red"]
    with pytest.raises(DataError, match="cannot be written"):
        save_vectors(tmp_path / "v" / "below a file", WordVectors(["red"], MATRIX[:1]))


# What stands in files that people have


@pytest.mark.parametrize("format", FORMATS)
def test_of_a_word_that_stands_twice_the_first_vector_is_kept_and_told(format, vectors, tmp_path):
    path, row = tmp_path / "v", "row" if format == "word2vec-binary" else "line"
    save_vectors(path, vectors, format=format)
    again = path.read_bytes().replace(b"jay", b"red")
    path.write_bytes(again)
    for words in (None, ["red", "owl"]):
        with pytest.warns(UserWarning, match=f"stand twice: 1; .*'red', in {row} .* {row} [45]"):
            back = load_vectors(path, words=words)
        np.testing.assert_array_equal(back["red"], MATRIX[0])
        assert back.words == (["red"] if words else WORDS[:3])
    assert load_vectors(path, words=["bird"]).words == ["bird"]  # nobody asked for red


@pytest.mark.parametrize("format", FORMATS)
def test_words_of_another_encoding_or_cut_within_a_letter(format, tmp_path):
    path = tmp_path / "v"
    save_vectors(path, WordVectors(["red", "caf\u00e9", "jay"], MATRIX[:3]), format=format)
    text = path.read_bytes()
    path.write_bytes(text.replace("caf\u00e9".encode(), "caf\u00e9".encode("latin-1")))
    with pytest.raises(DataError, match="(?s)encoding='latin-1'.*unicode_errors='ignore'"):
        load_vectors(path)
    assert load_vectors(path, encoding="latin-1").words == ["red", "caf\u00e9", "jay"]
    with warnings.catch_warnings():
        warnings.simplefilter("error" if format != "word2vec-binary" else "ignore")
        assert load_vectors(path, words=["red", "jay"]).words == ["red", "jay"]
    with pytest.warns(UserWarning, match="no text in this encoding: 1; they are passed over"):
        assert load_vectors(path, words=["red", "caf\u00e9"]).words == ["red"]
    path.write_bytes(text.replace("caf\u00e9".encode(), "caf\u00e9".encode()[:-1]))
    assert load_vectors(path, unicode_errors="ignore").words == ["red", "caf", "jay"]
    assert load_vectors(path, unicode_errors="replace").words == ["red", "caf\ufffd", "jay"]


@pytest.mark.parametrize(
    "asked", [{"encoding": "klingon"}, {"encoding": "utf-16"}, {"encoding": "a\0"}]
)
def test_encodings_that_no_file_of_vectors_has_are_refused(asked, tmp_path):
    (tmp_path / "v").write_text(TEXT)
    with pytest.raises(UsageError, match="a space is one byte"):
        load_vectors(tmp_path / "v", **asked)
    with pytest.raises(UsageError, match="unknown unicode_errors 'ignor': did you mean 'ignore'"):
        load_vectors(tmp_path / "v", unicode_errors="ignor")


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + TEXT,  # a byte-order mark
        "\ufeff" + TEXT.split("\n", 1)[1],
        TEXT.replace("red ", "red\t"),
        TEXT.replace(" ", "\t"),
        TEXT.replace("\n", " \r\n"),
        TEXT + "\n",
        TEXT + " \n\n",
    ],
)
def test_marks_tabs_and_blank_ends_change_nothing(text, tmp_path):
    (tmp_path / "v").write_bytes(text.encode())
    back = load_vectors(tmp_path / "v")
    assert back.words == ["red", "blue", "bird"]
    np.testing.assert_array_equal(back.matrix, [[1, 2], [3, 4], [5, 6]])


@pytest.mark.parametrize(
    "row",
    ["blue 3", "blue 3 4 5", "blue nan 1", "blue 1e50 1", "blue drei 4", "", "b" * 3000, "\0 3 4"],
)
@pytest.mark.parametrize("head", ["4 2\n", ""])
def test_a_row_that_nobody_asked_for_is_no_reason_to_stop(row, head, tmp_path):
    (tmp_path / "v").write_text(f"{head}red 1 2\n{row}\nbird 5 6\njay 7 8\n")
    back = load_vectors(tmp_path / "v", words=["bird", "red"])
    assert back.words == ["red", "bird"]
    np.testing.assert_array_equal(back.matrix, [[1, 2], [5, 6]])
    if row.startswith("blue"):
        with pytest.raises(DataError, match="line [23]"):
            load_vectors(tmp_path / "v", words=["bird", "blue"])


def test_a_byte_too_many_in_a_binary_row_is_seen_though_the_next_word_makes_up_for_it(tmp_path):
    save_vectors(tmp_path / "v", WordVectors(WORDS, MATRIX), format="word2vec-binary")
    file = (tmp_path / "v").read_bytes()
    at = file.index(b"crimson ") + len(b"crimson ")
    (tmp_path / "v").write_bytes(file[:at] + b"x" + file[at:])
    for words in (None, ["crimson"]):
        with pytest.raises(DataError, match="row 3: .*This row or the one before is damaged"):
            load_vectors(tmp_path / "v", words=words)
    assert load_vectors(tmp_path / "v", words=["red"]).words == ["red"]


def test_a_row_broken_within_its_last_number_is_seen_at_the_next_line(tmp_path):
    for head in ("4 2\n", ""):
        (tmp_path / "v").write_text(f"{head}red 1 2\nblue 3 4\n5\nbird 5 6\n")
        with pytest.raises(DataError, match="numbers without a word"):
            load_vectors(tmp_path / "v", words=["blue"])
        assert load_vectors(tmp_path / "v", words=["bird", "red"]).words == ["red", "bird"]


def test_the_first_row_of_glove_does_not_decide_alone(tmp_path):
    (tmp_path / "v").write_text("red 1 2\nblue 3 4 5\nbird 6 7 8\n")
    assert load_vectors(tmp_path / "v", words=["bird"]).dimension == 3
    with pytest.raises(DataError, match="line 1: expected a word and 3 numbers, got 2 numbers"):
        load_vectors(tmp_path / "v", words=["red"])


def test_a_last_line_without_an_end_may_have_been_cut(tmp_path):
    (tmp_path / "v").write_text(TEXT[:-1])
    with pytest.warns(UserWarning, match="its last line has no line's end"):
        assert load_vectors(tmp_path / "v").words == ["red", "blue", "bird"]
    assert load_vectors(tmp_path / "v", words=["red"]).words == ["red"]


def other_kinds():
    packed, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("glove.txt", TEXT)
    with tarfile.open(fileobj=tarred, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("v"))
    return {
        "a zip archive.*unzip v.bin": packed.getvalue(),
        "packed by bzip2.*bunzip2 v.bin": bz2.compress(TEXT.encode()),
        "a tar archive.*tar -xf": tarred.getvalue(),
        "(?s)a tar archive": gzip.compress(tarred.getvalue()),
        "a pickle.*KeyedVectors.load.*save_word2vec_format": pickle.dumps({"vectors": MATRIX}),
        "fastText.*load_facebook_vectors": (793712314).to_bytes(4, "little") + b"\x0c\0\0\0",
        "an array of numpy": b"\x93NUMPY\x01\0",
        "text in UTF-16": TEXT.encode("utf-16"),
        "a page of the web": b"<!DOCTYPE html>\n<html><head></head></html>",
        "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "this is no file of word vectors": b"",
    }


@pytest.mark.parametrize("said", other_kinds())
def test_files_of_other_kinds_are_named_with_what_to_do(said, tmp_path):
    (tmp_path / "v.bin").write_bytes(other_kinds()[said])
    with pytest.raises(DataError, match=said):
        load_vectors(tmp_path / "v.bin")


def test_gensim_s_own_files_are_named(vectors, tmp_path):
    from gensim.models import KeyedVectors

    theirs = KeyedVectors(3)
    theirs.add_vectors(WORDS, MATRIX)
    theirs.save(str(tmp_path / "v.kv"))
    with pytest.raises(DataError, match="a pickle, such as gensim's own .kv"):
        load_vectors(tmp_path / "v.kv")


@pytest.mark.parametrize("path", ["~nobody-here/v", "a\0b", "x" * 300])
def test_a_path_that_cannot_be_is_named(path):
    with pytest.raises(UsageError, match="file of word vectors"):
        load_vectors(path)


def test_folders_devices_and_no_words_are_refused(tmp_path):
    with pytest.raises(DataError, match="a folder or a device"):
        load_vectors(tmp_path)
    with pytest.raises(DataError, match="a folder or a device"):
        load_vectors("/dev/zero")
    (tmp_path / "v").write_text(TEXT)
    for words in ([], "red"):
        with pytest.raises(UsageError, match="give a list of words"):
            load_vectors(tmp_path / "v", words=words)


# How much memory is taken


def test_a_packed_file_that_unpacks_to_many_times_its_size_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(vector_sources, "ALWAYS_UNPACKED", 2**20)
    row = b"word0 " + b"0 " * 500 + b"\n"
    (tmp_path / "v.gz").write_bytes(gzip.compress(row * 8_000))
    with pytest.raises(DataError, match="unpacks to more than .* MiB, over 20 times its size"):
        load_vectors(tmp_path / "v.gz", words=["other"])
    (tmp_path / "z.gz").write_bytes(gzip.compress(bytes(2**22)))
    with pytest.raises(DataError, match="line 1"):
        load_vectors(tmp_path / "z.gz")


def test_more_numbers_than_memory_should_hold_are_refused(vectors, tmp_path, monkeypatch):
    save_vectors(tmp_path / "v", vectors)
    monkeypatch.setattr(vector_kept, "MOST_KEPT", 40)
    with pytest.raises(DataError, match="line 5: the vectors would take more.*Name the words"):
        load_vectors(tmp_path / "v")
    assert len(load_vectors(tmp_path / "v", words=WORDS[:3])) == 3


@pytest.mark.parametrize("format, n", [("word2vec", 3_000), ("word2vec-binary", 9_000)])
def test_memory_is_taken_for_what_is_kept(format, n, tmp_path):
    d, least = 100, 4 * vector_sources.HEAD
    matrix = np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)
    save_vectors(tmp_path / "v", WordVectors([f"w{k}" for k in range(n)], matrix), format=format)

    def peak(words):
        tracemalloc.start()
        load_vectors(tmp_path / "v", words=words)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    for_words = 300 * n
    assert matrix.nbytes < peak(None) < 1.2 * matrix.nbytes + for_words + least
    assert peak(["w1", f"w{n - 1}", "none"]) < least
