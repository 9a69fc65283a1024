"""The corpus of words, word2vec on it, and the zero-shot experiment."""

import os
import subprocess
import sys

import numpy as np
import pytest

from t2ilab.data import paperworld
from t2ilab.data.paperworld.world import SPLITS
from t2ilab.errors import DataError, UsageError
from t2ilab.text.bag import STOP_WORDS
from t2ilab.text.corpus import (
    known_words,
    load_corpus,
    paperworld_corpus,
    sentences,
    training_captions,
    unseen_words,
)
from t2ilab.text.tfidf import TfIdf
from t2ilab.text.tokens import tokenize
from t2ilab.text.vectors import WordVectors
from t2ilab.text.word2vec import pairs, train
from t2ilab.text.zero_shot import nearest_meanings, rounds, score, top1

BIRDS = paperworld.world("birds")


def test_unseen_words_stand_in_the_corpus_and_in_no_training_caption():
    unseen = unseen_words()
    assert unseen["scarlet"] == "red" and unseen["hound"] == "dog" and "red" not in unseen
    corpus = {w for tokens in sentences(paperworld_corpus(80)) for w in tokens}
    training = {w for tokens in sentences(training_captions(80)) for w in tokens}
    assert set(unseen) <= corpus
    assert training.isdisjoint(unseen)
    assert set(known_words()).isdisjoint(unseen) and known_words()["crimson"] == "red"


def test_the_corpus_speaks_of_no_training_picture_and_is_the_same_each_time():
    assert paperworld_corpus(3, seed=4) == paperworld_corpus(3, seed=4)
    assert paperworld_corpus(3, seed=4) != paperworld_corpus(3, seed=5)
    groups = paperworld_corpus(2, worlds=["birds"])
    facts = BIRDS.facts("train", SPLITS["train"] + 1)
    assert len(groups) == 2 and len(groups[1]) == 5
    stated = BIRDS.read(groups[1][0])
    assert stated and all(facts[name] == value for name, value in stated.items())


def test_a_context_is_one_caption_or_all_those_of_a_picture():
    groups = [["a red bird", "it sings"], ["a dog"]]
    assert sentences(groups) == [["a", "red", "bird"], ["it", "sings"], ["a", "dog"]]
    assert sentences(groups, context="picture") == [
        ["a", "red", "bird", "it", "sings"],
        ["a", "dog"],
    ]
    with pytest.raises(UsageError, match="unknown context 'document'"):
        sentences(groups, context="document")


def test_a_corpus_by_name(tmp_path):
    lines = [f"1.jpg#{i}\tA dog runs {i} .\n" for i in range(5)]
    (tmp_path / "Flickr8k.token.txt").write_text("".join(lines))
    assert load_corpus("flickr8k", tmp_path) == [[f"A dog runs {i}" for i in range(5)]]
    assert load_corpus(n=2) == paperworld_corpus(2)
    with pytest.raises(UsageError, match="unknown corpus 'coco'"):
        load_corpus("coco", tmp_path)
    with pytest.raises(DataError, match="say in which folder"):
        load_corpus("flickr8k")
    with pytest.raises(UsageError, match="n=0"):
        load_corpus(n=0)
    with pytest.raises(UsageError, match="from 1 to 1,000,000"):
        load_corpus(n=10**8)
    with pytest.raises(UsageError, match="from 1 to 20,000"):
        training_captions(20_001)


def test_pairs_reach_as_far_as_the_window_and_not_beyond_the_sentence():
    assert pairs(["a", "red", "bird"], 1) == [
        ("a", "red"),
        ("red", "a"),
        ("red", "bird"),
        ("bird", "red"),
    ]
    assert len(pairs(list("abcdef"), 10)) == 30 and pairs(["a"], 3) == []


_SMALL = (
    "from t2ilab.text.word2vec import train; import hashlib; "
    "s = [['a', 'red', 'bird'], ['a', 'blue', 'wing'], ['the', 'red', 'wing']] * 30; "
    "v = train(s, dimension=6, seed=3); "
    "print(v.words, hashlib.sha256(v.matrix.tobytes()).hexdigest())"
)


def test_word2vec_is_the_same_whatever_the_hash_seed_of_python():
    said = {
        subprocess.run(
            [sys.executable, "-c", _SMALL],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "12345")
    }
    assert len(said) == 1 and "red" in said.pop()


def test_the_seed_and_the_kind_of_model_count():
    text = [["red", "bird", "sings"], ["blue", "bird", "flies"], ["red", "wing", "flies"]] * 20
    first, again = train(text, dimension=5, seed=1), train(text, dimension=5, seed=1)
    np.testing.assert_array_equal(first.matrix, again.matrix)
    for other in (
        train(text, dimension=5, seed=2),
        train(text, dimension=5, skip_gram=False, seed=1),
    ):
        assert not np.array_equal(first.matrix, other.only(first.words).matrix)
    assert first.dimension == 5 and set(first.words) == {w for tokens in text for w in tokens}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dimension": 0}, "dimension=0"),
        ({"epochs": 0}, "epochs=0"),
        ({"window": -1}, "window=-1"),
        ({"dimension": 10**9}, "dimension=1000000000: give a whole number from 1 to 10,000"),
        ({"dimension": 2.5}, "dimension=2.5"),
        ({"seed": -1}, "seed=-1"),
        ({"subsample": -1}, "subsample=-1"),
        ({"at_least": 99}, "No word occurs 99 times in these 2 sentences"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(UsageError, match=said):
        train([["red", "bird"], ["red", "bird"]], **settings)


def test_ties_for_the_first_place_are_shared():
    eye = np.eye(4)
    assert top1(eye, eye) == 1.0
    assert top1(np.zeros((4, 4)), eye) == 0.25
    assert top1(eye, np.roll(eye, 1, axis=0)) == 0.0
    assert top1(eye, np.ones((4, 4))) == 0.25


def test_a_round_says_the_same_twice_in_known_words_and_once_in_unseen_ones():
    (one,) = rounds(BIRDS, "val", n=1, candidates=6)
    assert len(one.candidates) == len(one.known) == len(one.unseen) == 6
    for candidate, unseen in zip(one.candidates, one.unseen, strict=True):
        first, second = BIRDS.read(candidate), BIRDS.read(unseen)
        assert all(first[name] == second[name] for name in set(first) & set(second))
    assert set(unseen_words()) & set(tokenize(" ".join(one.unseen)))
    assert set(unseen_words()).isdisjoint(tokenize(" ".join(one.candidates + one.known)))
    assert (
        len(
            {
                BIRDS.read(c)["breast"] + BIRDS.read(c)["wing"] + BIRDS.read(c)["beak"]
                for c in one.candidates
            }
        )
        == 6
    )
    with pytest.raises(UsageError, match="too few pictures or classes"):
        rounds(paperworld.world("scenes"), "val", n=1, candidates=60)
    with pytest.raises(UsageError, match="at least 1 round of 2"):
        rounds(BIRDS, "val", candidates=1)
    with pytest.raises(UsageError, match="levels 0 to 4"):
        rounds(BIRDS, "val", level=5)


def test_word2vec_understands_words_that_tf_idf_does_not():
    groups = paperworld_corpus(150, worlds=["birds"])
    galleries = rounds(BIRDS, "val", n=5, candidates=10)
    trained = [c for group in training_captions(80, worlds=["birds"]) for c in group]
    bag = TfIdf(trained, stop_words=STOP_WORDS, per="document").vectors
    text = [
        [w for w in tokens if w not in STOP_WORDS]
        for tokens in sentences(groups, context="picture")
    ]
    vectors = train(text, dimension=24, epochs=15)
    mean = vectors.mean
    assert score(bag, galleries, unseen=False).top1 > 0.5
    assert score(bag, galleries, unseen=True).top1 < 0.25  # chance is 0.1
    assert score(mean, galleries, unseen=True).top1 > 0.4
    colours = {
        word: value for word, value in unseen_words().items() if value in BIRDS.content["breast"]
    }
    words = nearest_meanings(vectors, colours, known_words())
    assert words.chance < 0.05 < 0.6 < words.accuracy
    assert len(words.right) + len(words.wrong) == len(colours) == 10


def test_words_without_a_vector_count_as_missed():
    vectors = WordVectors(["red", "scarlet", "blue"], np.array([[1, 0], [1, 0.1], [0, 1.0]]))
    found = nearest_meanings(
        vectors, {"scarlet": "red", "azure": "blue"}, {"red": "red", "blue": "blue"}
    )
    assert found.right == {"scarlet": "red"} and found.missing == ["azure"]
    assert found.accuracy == 0.5 and found.chance == 0.5
