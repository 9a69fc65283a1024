"""The caption encoders of birds that ship, with the reader that ships: they do what is said."""

import re

import pytest
import torch

from t2ilab.data import paperworld
from t2ilab.data.paperworld.world import SPLITS
from t2ilab.metrics.binding import FORMS, binding
from t2ilab.metrics.retrieval import class_retrieval, unseen
from t2ilab.recipes.data import reader_features
from t2ilab.systems import weights
from t2ilab.systems.encoders import load_encoder, load_matcher
from t2ilab.systems.single import load_reader
from t2ilab.text.characters import Alphabet

WORLD = paperworld.world("birds")
NAMES = [n for n in weights.bundled() if n.startswith("encoder") and n.endswith("-birds")]


@pytest.fixture(scope="module")
def test():
    data = WORLD.load("test", 32, 500)
    data = data.subset(unseen(data, WORLD))
    return data, reader_features(load_reader("birds"), data)


@pytest.mark.parametrize("name", NAMES)
def test_shipped_encoders_do_what_their_files_say(test, name):
    data, features = test
    matcher = load_matcher(name)
    measured = weights.load(name).about["measured"]
    top1 = class_retrieval(matcher, features, data)["top1"]
    assert top1 == pytest.approx(measured["top1_unseen"], abs=0.06)
    found = binding(matcher, features, data, WORLD)
    assert found["all"] == pytest.approx(measured["binding_unseen"], abs=0.03)
    if name == "encoder_mean-birds":  # a bag of words cannot
        assert {found[form] for form in FORMS["birds"]} == {0.5}


def test_an_encoder_that_reads_in_order_ships():
    measured = weights.load("encoder-birds").about["measured"]
    assert measured["binding_unseen"] >= 0.95 and measured["top1_unseen"] >= 0.80


def read_by_hand(vocabulary, caption):
    """Numbers as they were given when the shipped encoders were trained."""
    if isinstance(vocabulary, Alphabet):
        return [vocabulary.index.get(c, vocabulary.index[" "]) for c in caption.lower()[:201]]
    words = re.findall(r"[a-z0-9]+(?:['-][a-z0-9]+)*", caption.lower())
    return [vocabulary.index.get(word, 1) for word in words[:60]]


@pytest.mark.parametrize("world", paperworld.WORLDS)
def test_shipped_encoders_read_the_captions_of_each_world_as_when_they_were_trained(world):
    world = paperworld.world(world)
    captions = [
        caption
        for split, n in SPLITS.items()
        for i in range(0, n, n // 25)
        for unseen in (False, True)
        for caption in world.captions(split, i, unseen_words=unseen)
    ]
    for name in (n for n in weights.bundled() if n.startswith("encoder")):
        vocabulary = load_encoder(name).vocabulary
        numbers = vocabulary.numbers(captions)
        for row, caption in zip(numbers, captions, strict=True):
            expected = torch.tensor(read_by_hand(vocabulary, caption))
            assert torch.equal(row[: len(expected)], expected) and not row[len(expected) :].any()
