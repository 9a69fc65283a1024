"""Binding: pairs of swapped captions, and who can tell them apart."""

from collections import Counter

import numpy as np
import pytest
import torch

from t2ilab.data import paperworld
from t2ilab.errors import UsageError
from t2ilab.metrics.binding import AFTER, FORMS, binding, swapped
from t2ilab.text.encoders import MeanVectorEncoder
from t2ilab.text.matcher import Matcher
from t2ilab.text.tokens import Vocabulary, tokenize

WORLD = paperworld.world("birds")
FORM = "a {breast} bird with {wing} wings"


@pytest.fixture(scope="module")
def birds():
    return WORLD.load("test", 32, 120)


def value(data, i, name):
    return WORLD.content[name][data.attributes[name][i]]


def matcher_of(data, cosine=True):
    torch.manual_seed(0)
    said = [t for p in swapped(data, WORLD) for t in (p.right, p.wrong)]
    encoder = MeanVectorEncoder(Vocabulary.of(said), text=16, word=8)
    return Matcher(encoder, features=5, cosine=cosine).eval()


class Oracle:
    """A matcher that reads the captions for what they state."""

    arguments = {"cosine": True, "features": 20}

    def __init__(self, *, wrong=False):
        self.sign = -1 if wrong else 1

    def pictures(self, v):
        return torch.nn.functional.normalize(v, dim=1)

    def captions(self, captions):
        x = torch.zeros(len(captions), 20)
        for row, text in zip(x, captions, strict=True):
            stated = WORLD.read(text)
            row[WORLD.content["breast"].index(stated["breast"])] = self.sign
            row[10 + WORLD.content["wing"].index(stated["wing"])] = self.sign
        return torch.nn.functional.normalize(x, dim=1)


def facts_as_features(data):
    breast, wing = (torch.from_numpy(data.attributes[name]) for name in ("breast", "wing"))
    one_hot = torch.nn.functional.one_hot
    return torch.cat([one_hot(breast, 10), one_hot(wing, 10)], 1).float()


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("forms", [FORMS, AFTER])
def test_one_caption_fits_and_the_other_does_not(name, forms):
    world = paperworld.world(name)
    data = world.load("test", 32, 120)
    pairs = swapped(data, world, forms[name])
    assert {p.form for p in pairs} == set(range(len(forms[name])))
    for p in pairs:
        stated, other = world.read(p.right), world.read(p.wrong)
        one, two = [k for k in stated if k in FORMS[name][0]]
        facts = {k: world.content[k][data.attributes[k][p.picture]] for k in (one, two)}
        assert {k: stated[k] for k in facts} == facts, p
        assert other == {one: stated[two], two: stated[one]} != stated, p


def test_both_have_the_same_words(birds):
    for p in swapped(birds, WORLD):
        assert p.right != p.wrong
        assert Counter(tokenize(p.right)) == Counter(tokenize(p.wrong))


def test_birds_of_one_colour_give_no_pair_nor_do_those_that_an_article_betrays(birds):
    given = {p.picture for p in swapped(birds, WORLD, (FORM,))}
    for i in range(len(birds)):
        colours = {value(birds, i, "breast"), value(birds, i, "wing")}
        assert (i in given) == (len(colours) == 2 and "orange" not in colours)


def test_what_binds_is_right_every_time_and_the_opposite_never(birds):
    v = facts_as_features(birds)
    for oracle, share in ((Oracle(), 1.0), (Oracle(wrong=True), 0.0)):
        found = binding(oracle, v, birds, WORLD)
        assert set(found) == {*FORMS["birds"], "all", "pairs"}
        assert {found[k] for k in (*FORMS["birds"], "all")} == {share}
        assert found["pairs"] == len(swapped(birds, WORLD))


@pytest.mark.parametrize("cosine", [True, False])
def test_a_bag_of_words_is_at_chance_exactly(birds, cosine):
    v = torch.rand(len(birds), 5, generator=torch.Generator().manual_seed(0)) * 20
    found = binding(matcher_of(birds, cosine), v, birds, WORLD)
    assert {share for name, share in found.items() if name != "pairs"} == {0.5}


def test_sentences_of_one_s_own(birds):
    found = binding(Oracle(), facts_as_features(birds), birds, WORLD, (FORM,))
    assert found[FORM] == found["all"] == 1 and len(found) == 3


@pytest.mark.parametrize("form", ["a bird", "a {breast} bird", "a {breast} bird in the {setting}"])
def test_a_sentence_needs_two_slots_of_content(birds, form):
    with pytest.raises(UsageError, match="expected two of size, breast, crown, wing"):
        swapped(birds, WORLD, (form,))


def test_a_world_without_sentences_wants_them():
    scenes = paperworld.world("scenes")
    with pytest.raises(UsageError, match="no sentences are known for scenes; give forms="):
        swapped(scenes.load("test", 32, 2), scenes)


def test_where_there_is_no_pair_there_is_nothing_to_measure(birds):
    one_colour = birds.subset(birds.attributes["breast"] == birds.attributes["wing"])
    one_colour = one_colour if len(one_colour) else birds.subset(np.zeros(len(birds), bool))
    with pytest.raises(UsageError, match="no picture of birds/test/32 gives a pair"):
        binding(Oracle(), facts_as_features(one_colour), one_colour, WORLD)
