"""Phrase localisation, on boxes whose overlaps can be worked out by hand."""

import numpy as np
import pytest

from t2ilab.data.grounded import GroundedPictures, Phrase, area
from t2ilab.data.paperworld import crowds
from t2ilab.errors import UsageError
from t2ilab.metrics.localisation import hits, iou, localise, merged, propose

pytestmark = pytest.mark.usefixtures("own_cache")

RED, BLUE = (200, 0, 0), (0, 0, 200)


def colours(crops, texts):
    """Scores a box by how much of the named colour is in it, and by its being full of it."""
    channel = {"red": 0, "blue": 2}
    return np.stack([crops[..., channel[t.split()[-1]]].mean((1, 2)) for t in texts], 1)


@pytest.fixture
def data():
    """Two pictures of 40 x 20 pixels: a red and a blue square; two red squares side by side."""
    one, two = np.zeros((2, 20, 40, 3), np.uint8)
    one[5:15, 2:12], one[5:15, 25:35] = RED, BLUE
    two[0:10, 0:10] = two[0:10, 20:30] = RED
    boxes = [(2, 5, 12, 15), (25, 5, 35, 15), (0, 0, 10, 10), (20, 0, 30, 10)]
    phrases = [
        Phrase(0, "something red", (0,), ("colour",)),
        Phrase(0, "something blue", (1,), ("colour",)),
        Phrase(1, "two things in red", (2, 3), ("colour", "count")),
    ]
    return GroundedPictures(
        "some", np.stack([one, two]), np.array(boxes, float), np.array([0, 0, 1, 1]), phrases
    )


def exact(data):
    return [data.boxes[data.boxes_of(i)] for i in range(len(data))]


def test_overlaps_by_hand():
    a = np.array([(0, 0, 2, 2), (0, 0, 1, 1)], float)
    b = np.array([(1, 0, 3, 2), (0, 0, 2, 2), (5, 5, 6, 6)], float)
    np.testing.assert_allclose(iou(a, b), [[1 / 3, 1, 0], [0, 1 / 4, 0]])
    np.testing.assert_allclose(area(a), [4, 1])
    assert merged(b[:2]).tolist() == [[0, 0, 3, 2]]


def test_a_scorer_that_knows_finds_all_and_a_liar_nothing(data):
    found = localise(colours, data, exact(data), size=8)
    assert found.protocol == "any" and found.phrases == 3
    assert (found.r1, found.r5, found.upper) == (1, 1, 1)
    assert found.chance == pytest.approx((0.5 + 0.5 + 1) / 3)  # either red square will do
    assert found.kinds == {"colour": 1, "count": 1}
    liar = localise(lambda crops, texts: -colours(crops, texts), data, exact(data), size=8)
    assert liar.r1 == pytest.approx(1 / 3) and liar.r5 == 1
    assert liar.kinds == {"colour": pytest.approx(1 / 3), "count": 1}


def test_the_protocols_differ_where_a_phrase_names_several_boxes(data):
    pair = data.only(lambda phrase: len(phrase.boxes) == 2)
    around = np.array([(0, 0, 30, 10)], float)  # both and what is between
    boxes = np.concatenate([exact(data)[1], around])
    assert hits(data, pair.phrases[0], boxes, protocol="any").tolist() == [True, True, False]
    assert hits(data, pair.phrases[0], boxes, protocol="merged").tolist() == [False, False, True]
    proposals = [boxes[:0], boxes]
    found = localise(colours, pair, proposals, size=8, protocol="merged")
    assert (found.r1, found.upper, found.largest) == (0, 1, 1)
    assert found.chance == pytest.approx(1 / 3)
    found = localise(colours, pair, proposals, size=8, protocol="any")
    assert (found.r1, found.largest) == (1, 0)
    with pytest.raises(UsageError, match="unknown protocol 'all'.*any, merged"):
        localise(colours, pair, proposals, size=8, protocol="all")


def test_one_half_is_enough_and_less_is_not(data):
    phrase = data.phrases[0]  # a square of 10 pixels
    half = np.array([(2, 5, 12, 10), (2, 5, 12, 9.9)])
    assert hits(data, phrase, half).tolist() == [True, False]
    off = [half[1:], exact(data)[1]]
    found = localise(colours, data.only(lambda p: p is phrase), off, size=8)
    assert found.upper == 0 and found.r1 == 0


def test_proposals_hold_the_exact_boxes_and_others_and_depend_on_the_seed_alone():
    data = crowds.load("val", 64, 30)
    one, again, other = (propose(data, seed=s) for s in (0, 0, 1))
    assert all((a == b).all() for a, b in zip(one, again, strict=True))
    assert not all(a.shape == b.shape and (a == b).all() for a, b in zip(one, other, strict=True))
    places = []
    for i, boxes in enumerate(one):
        own = data.boxes[data.boxes_of(i)]
        at = [int(np.flatnonzero((boxes == box).all(1))[0]) for box in own]
        places += [k / (len(boxes) - 1) for k in at]
        assert len(boxes) <= len(own) * 7 + 8 and len(boxes) > len(own) * 6
        assert boxes.min() >= 0 and boxes.max() <= 64 and (area(boxes) >= 1).all()
    assert 0.35 < np.mean(places) < 0.65  # their places in the list give nothing away
    overlaps = np.concatenate([iou(b, data.boxes[data.boxes_of(i)]).max(1)
                               for i, b in enumerate(one)])  # fmt: skip
    assert 0.1 < (overlaps >= 0.5).mean() < 0.5  # most are wrong, and wrong by more or less
    assert ((overlaps > 0.2) & (overlaps < 0.5)).mean() > 0.2


def test_on_crowds_the_exact_boxes_are_an_upper_bound_of_one_and_equal_scores_are_at_chance():
    data = crowds.load("test", 64, 60).only(lambda phrase: len(phrase.boxes) == 1)
    found = localise(lambda c, t: np.zeros((len(c), len(t))), data, propose(data), size=8)
    assert found.upper == 1 and found.r1 < 0.45 and abs(found.r1 - found.chance) < 0.1
    assert found.largest < 0.6 and set(found.kinds) == set(crowds.LEVELS[:4]) & set(data.kinds)
    assert found.r1 <= found.r5 <= found.r10 <= found.upper


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dict(proposals=[]), "proposals for 0 pictures, and 3 phrases"),
        (dict(proposals=[np.empty((0, 4))] * 2), "picture 0 of some has phrases and no proposals"),
        (dict(match=lambda c, t: np.zeros((len(t), len(c) + 1))), "scores .2, 3. of 2 boxes and 2"),
        (dict(shape="round"), "unknown shape 'round'"),
    ],
)
def test_what_does_not_go_together_is_refused(data, change, said):
    given = dict(match=colours, data=data, proposals=exact(data), size=8) | change
    with pytest.raises(UsageError, match=said):
        localise(**given)
    with pytest.raises(UsageError, match="0 phrases"):
        localise(colours, data.only(lambda phrase: False), exact(data), size=8)
