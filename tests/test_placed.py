"""Placed birds: their boxes are those of what is drawn, their captions are true and say no size."""

import numpy as np
import pytest

from t2ilab.data.paperworld import birds, placed, world
from t2ilab.data.paperworld.paper import Sheet
from t2ilab.errors import UsageError

pytestmark = pytest.mark.usefixtures("own_cache")


def test_boxes_are_those_of_what_is_drawn_to_a_pixel():
    side = 128
    for i in range(30):
        laid = placed.bird("test", i)
        sheet, flying = Sheet(side), laid.facts["setting"] == "sky"
        for _, outline in birds._outlines(laid.facts, flying=flying):
            sheet.cut(laid.pose(outline), (9, 9, 9))
        drawn = np.array(sheet.image.getchannel("a").getbbox()) / sheet.side
        assert np.abs(drawn - laid.box).max() < 1.1 / side


def test_places_and_scales_are_drawn_widely_and_birds_lie_in_the_picture():
    every = [placed.bird("train", i) for i in range(200)]
    boxes = np.array([one.box for one in every])
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert boxes.min() >= 0.01 and boxes.max() <= 0.99
    assert middle.min() >= 0.25 and middle.max() <= 0.75 and (middle.std(0) > 0.1).all()
    scales = [one.pose.scale / placed.UNIT for one in every]
    assert 0.5 <= min(scales) < 0.6 and 1.1 < max(scales) <= 1.2


def test_facts_are_those_of_birds_and_no_caption_says_how_large():
    found, of = placed.load("test", 32, 40), world("birds")
    words = {word for value in ("small", "large") for word in of.words("both")[value]}
    for i in range(40):
        facts = of.facts("test", i)
        for name in placed.CONTENT:
            value = of.attributes[name][found.pictures.attributes[name][i]]
            assert value == facts[name] == placed.bird("test", i).facts[name]
        for level, text in enumerate(found.pictures.captions[i]):
            assert not words & {*text.split()}, text
            stated = of.read(text)
            assert stated.items() <= facts.items(), text
            names = [n for n, s in zip(found.pictures.attributes, found.pictures.stated[i, level],
                                       strict=True) if s]  # fmt: skip
            assert {*stated} <= {*names}, text
    assert found.boxes.shape == (40, 4) and found.boxes.dtype == np.float32


def test_a_picture_is_a_function_of_its_place_alone():
    few, more = placed.load("val", 32, 2), placed.load("val", 32, 4)
    assert (few.pictures.images == more.pictures.images[:2]).all()
    assert (placed.picture("val", 1, 32) == few.pictures.images[1]).all()


def test_a_bird_can_be_laid_where_one_likes():
    facts = world("birds").facts("train", 0)
    one, other = (placed.lay(facts, np.array(at), 0.8) for at in ((0.3, 0.4), (0.6, 0.7)))
    assert other.box - one.box == pytest.approx([0.3, 0.3, 0.3, 0.3])
    assert (one.box[:2] + one.box[2:]) / 2 == pytest.approx([0.3, 0.4])


def test_what_is_refused():
    with pytest.raises(UsageError, match="32, 64, 128 pixels, not 48"):
        placed.load("test", 48, 2)
    with pytest.raises(UsageError, match="at least 1; got 0"):
        placed.load("test", 32, 0)
    with pytest.raises(UsageError, match="split"):
        placed.load("tst", 32, 2)
