"""Class retrieval: top-1 and AP@k, on scores that can be checked by hand."""

import numpy as np
import pytest
import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages
from t2ilab.errors import UsageError
from t2ilab.metrics.retrieval import class_retrieval, unseen
from t2ilab.text.encoders import MeanVectorEncoder
from t2ilab.text.matcher import Matcher
from t2ilab.text.tokens import Vocabulary

COLOURS = ["red", "green", "blue"]


def data_of(classes, captions=None):
    n = len(classes)
    said = captions or [[f"a {COLOURS[c]} bird", COLOURS[c]] for c in classes]
    return CaptionedImages(
        "some", np.zeros((n, 2, 2, 3), np.uint8), said, np.array(classes), COLOURS
    )


@pytest.fixture
def matcher():
    """One that has learned: a picture's features are the vector of its colour's word."""
    torch.manual_seed(0)
    encoder = MeanVectorEncoder(Vocabulary([*COLOURS, "a", "bird"]), text=16, word=8)
    matcher = Matcher(encoder, features=16)
    with torch.no_grad():
        encoder.words.weight[5:] = 0  # "a" and "bird" say nothing
        encoder.out.bias.zero_()
        matcher.head.weight.copy_(torch.eye(16))
        matcher.head.bias.zero_()
    return matcher.eval()


def pictures(matcher, classes):
    return matcher.encoder.encode([COLOURS[c] for c in classes])


def test_what_is_matched_right_is_found(matcher):
    classes = [0, 1, 2, 2, 1, 0, 0]
    found = class_retrieval(matcher, pictures(matcher, classes), data_of(classes))
    assert found == {
        "top1": 1,
        "map": 1,
        "classes": 3,
        "pictures": 7,
        "chance": pytest.approx(1 / 3),
    }


def test_a_picture_that_looks_like_another_class_is_missed(matcher):
    looks, classes = [0, 0, 1, 0], [0, 0, 1, 1]  # the last is green and looks red
    found = class_retrieval(matcher, pictures(matcher, looks), data_of(classes))
    assert found["top1"] == 0.75
    assert class_retrieval(matcher, pictures(matcher, looks), data_of(classes), k=1)["map"] == 1


def test_average_precision_asks_for_the_k_best_and_of_small_classes_for_all(matcher):
    looks, classes = [0, 1, 1, 1], [0, 0, 1, 1]  # a red picture that looks green
    found = class_retrieval(matcher, pictures(matcher, looks), data_of(classes), k=2)
    # Of red's two best the first is red; the second is one of three that look alike. Of green's
    # two best at least one is green.
    assert found["map"] in (0.5, 0.75, 1.0) and found["top1"] == 0.75
    many = class_retrieval(
        matcher, pictures(matcher, [0] * 3 + [1] * 5), data_of([0] * 3 + [1] * 5), k=50
    )
    assert many["map"] == 1  # three and five were asked for, not fifty


def test_a_class_is_the_mean_of_its_captions(matcher):
    captions = [["red", "green"], ["red", "red"], ["blue", "blue"]]
    data = data_of([0, 0, 2], captions)
    phi = matcher.captions(["red", "green", "blue"])
    means = torch.stack([(3 * phi[0] + phi[1]) / 4, phi[2]])
    expected = matcher.pictures(pictures(matcher, [0, 1, 2])) @ means.T
    found = class_retrieval(matcher, pictures(matcher, [0, 1, 2]), data)
    assert found["top1"] == (expected.argmax(1) == torch.tensor([0, 0, 1])).double().mean()


def test_one_level_of_the_captions_can_be_asked_for(matcher):
    captions = [["red", "green"], ["green", "red"]]  # the second caption is wrong
    data = data_of([0, 1], captions)
    v = pictures(matcher, [0, 1])
    assert class_retrieval(matcher, v, data, level=0)["top1"] == 1
    assert class_retrieval(matcher, v, data, level=1)["top1"] == 0


def test_a_class_with_more_captions_has_no_louder_voice(matcher):
    data = data_of([0, 1], [["red"] * 9, ["green"]])
    assert class_retrieval(matcher, pictures(matcher, [0, 1]), data)["top1"] == 1


@pytest.mark.parametrize(
    "classes, n, words",
    [
        ([1, 1], 2, "has 1 class: retrieval takes at least two"),
        ([0, 1], 3, "features of 3 pictures for the 2 of some"),
    ],
)
def test_what_cannot_be_measured_is_refused(matcher, classes, n, words):
    with pytest.raises(UsageError, match=words):
        class_retrieval(matcher, torch.zeros(n, 16), data_of(classes))


def test_unseen_classes_are_in_the_test_split_alone():
    world = paperworld.world("birds")
    test = world.load("test", 32, 64)
    mask = unseen(test, world)
    assert 0 < mask.sum() < 64 and world.unseen.sum() == 50
    assert not unseen(world.load("train", 32, 64), world).any()
