"""Crowds: figures of the world `phrases` drawn widely, their boxes, and what is said of them."""

import subprocess
import sys
import zlib

import numpy as np
import pytest

from t2ilab.data.pairs import Truth
from t2ilab.data.paperworld import crowds, phrases, world
from t2ilab.data.paperworld.paper import Sheet
from t2ilab.errors import UsageError
from t2ilab.paths import ROOT

pytestmark = pytest.mark.usefixtures("own_cache")
PLACES = [(split, i) for split in crowds.SPLITS for i in range(20)]


def test_a_picture_is_a_function_of_split_number_and_resolution_alone():
    code = (
        "import zlib; from t2ilab.data.paperworld.crowds import picture; "
        "print([zlib.crc32(picture(s, i, 64).tobytes()) for s, i in (('val', 7), ('train', 3))])"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True
    )
    here = [zlib.crc32(crowds.picture(s, i, 64).tobytes()) for s, i in (("train", 3), ("val", 7))]
    assert elsewhere.stdout.strip() == str(here[::-1]) and len(set(here)) == 2


def test_one_to_three_figures_are_spread_widely_and_none_is_hidden():
    crowd = [crowds.figures(*place) for place in PLACES]
    assert {len(one) for one in crowd} == {1, 2, 3}
    every = [figure for one in crowd for figure in one]
    boxes = np.array([figure.box for figure in every])
    middle, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    assert boxes.min() >= 0.01 and boxes.max() <= 0.99 and (sides > 0).all()
    assert middle.min() >= 0.25 and middle.max() <= 0.75 and (middle.std(0) > 0.1).all()
    scales = [
        one.pose.scale / (phrases.HEIGHTS | {"dog": 0.62})[one.facts["subject"]] / crowds.UNIT
        for one in every
    ]
    assert min(scales) >= 0.5 and max(scales) <= 1.2 and max(scales) > 1.8 * min(scales)
    assert min(figure.visible for figure in every) >= crowds.VISIBLE
    assert 0 < sum(figure.visible < 1 for figure in every) < len(every)  # some overlap
    feet = [[figure.box[3] for figure in one] for one in crowd]
    assert all(one == sorted(one) for one in feet)


def test_boxes_are_those_of_what_is_drawn():
    """The figure alone, laid on an empty sheet: its box, to a pixel (and without its shadow)."""
    side, tried = 128, 0
    for place in PLACES:
        for figure in crowds.figures(*place):
            if figure.facts["pose"] not in ("standing", "running"):
                continue
            sheet, colours = Sheet(side), world("phrases").colours
            layers, paints, _ = phrases.dressed(figure.facts, colours, (9, 9, 9), (9, 9, 9))
            for layer in layers:
                layer.cut(sheet, figure.pose, paints)
            drawn = np.array(sheet.image.getchannel("a").getbbox()) / sheet.side
            assert np.abs(drawn - figure.box).max() < 1.1 / side
            tried += 1
    assert tried > 30


def test_the_chair_and_the_shadow_below_are_not_in_the_box():
    for place in PLACES:
        for figure in crowds.figures(*place):
            if figure.facts["subject"] != "dog" and figure.facts["pose"] == "jumping":
                ground = figure.pose(np.array([[0.0, 0.0]]))[0, 1]
                assert figure.box[3] < ground - 0.05 * figure.pose.scale


def test_facts_and_captions_are_those_of_phrases_and_the_setting_is_shared():
    of = world("phrases")
    for split, i in PLACES:
        crowd = crowds.figures(split, i)
        theirs = [of.facts(split, crowds.MOST * i + k) for k in range(len(crowd))]
        assert len({(one.facts["setting"], one.facts["tone"]) for one in crowd}) == 1
        content = sorted(tuple(facts[a] for a in of.content) for facts in theirs)
        assert sorted(tuple(one.facts[a] for a in of.content) for one in crowd) == content
        for one in crowd:
            for text, states in one.said:
                assert of.read(text) == {name: one.facts[name] for name in states}


def test_a_phrase_names_all_figures_of_which_it_is_true_and_no_other():
    data, of = crowds.load("val", 64, 40), world("phrases")
    who = [figure for i in range(40) for figure in crowds.figures("val", i)]
    assert len(who) == len(data.boxes) == len(data.owner) and len(data) == 40
    several = 0
    for phrase in data.phrases:
        stated = of.read(phrase.text)
        true = [
            k
            for k in data.boxes_of(phrase.picture)
            if stated.items() <= {a: who[k].facts[a] for a in of.content}.items()
        ]
        assert list(phrase.boxes) == true, phrase
        several += len(true) > 1
    assert several > 5 and set(data.kinds) == set(crowds.LEVELS)
    texts = [(phrase.picture, phrase.text) for phrase in data.phrases]
    assert len(set(texts)) == len(texts)


def test_boxes_are_in_pixels_and_the_same_at_every_size():
    small, large = (crowds.load("test", size, 12) for size in (64, 128))
    np.testing.assert_allclose(2 * small.boxes, large.boxes)
    assert small.phrases == large.phrases and small.images.shape == (12, 64, 64, 3)
    halved = large.images.reshape(12, 64, 2, 64, 2, 3).mean((2, 4))
    same = np.abs(small.images - halved).mean((1, 2, 3))
    other = np.abs(small.images - np.roll(halved, 1, 0)).mean((1, 2, 3))
    assert same.max() < 8 < other.min()


def test_pictures_are_kept_and_read_again(monkeypatch):
    before = crowds.load("val", 64, 5)
    monkeypatch.setattr(crowds, "picture", lambda *_: pytest.fail("drawn again"))
    assert np.array_equal(crowds.load("val", 64, 5).images, before.images)


def test_crops_show_the_figures_with_captions_and_facts():
    crowd, crops, of = crowds.load("train", 96, 30), crowds.crops("train", 32, 30), world("phrases")
    assert crops.images.shape == (len(crowd.boxes), 32, 32, 3)
    who = [figure for i in range(30) for figure in crowds.figures("train", i)]
    for k, one in enumerate(who):
        assert crops.captions[k] == [text for text, _ in one.said]
        facts = {name: of.attributes[name][v[k]] for name, v in crops.attributes.items()}
        assert facts == one.facts
    truth = Truth(crops)
    every = np.arange(len(crops))
    fits = truth.fits(every, every, np.zeros_like(every))
    assert fits.diagonal().all() and fits.mean() < 0.2  # complete captions fit few others
    assert truth.fits(every, every, np.full_like(every, 4)).all()  # "a figure" fits all
    assert not of.unseen[crops.classes].any()


def test_half_of_the_figures_of_test_are_of_classes_that_were_never_seen():
    share = world("phrases").unseen[crowds.crops("test", 16, 150).classes].mean()
    assert 0.35 < share < 0.65


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("dev", 64), "unknown split 'dev'"),
        (("val", 32), "64, 96, 128 pixels, not 32"),
        (("val", 64, 0), "at least 1; got 0"),
    ],
)
def test_what_cannot_be_drawn_is_said(given, said):
    with pytest.raises(UsageError, match=said):
        crowds.load(*given)
