"""The caption encoders of birds that ship, with the reader that ships: they do what is said."""

import pytest

from t2ilab.data import paperworld
from t2ilab.metrics.binding import FORMS, binding
from t2ilab.metrics.retrieval import class_retrieval, unseen
from t2ilab.recipes.data import reader_features
from t2ilab.systems import weights
from t2ilab.systems.encoders import load_matcher
from t2ilab.systems.single import load_reader

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
