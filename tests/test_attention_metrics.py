"""R-precision on captions one attribute off; attention tested as an explanation."""

import pytest
import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError
from t2ilab.metrics.attention import (
    Span,
    central,
    changed,
    enlarged,
    even,
    inside,
    pointing,
    spans,
    uniform,
    without,
)
from t2ilab.metrics.one_off import judged, question, r_precision
from t2ilab.systems.single import TrainedReader

BIRDS = paperworld.world("birds")


def test_wrong_captions_are_false_in_one_attribute_and_say_what_they_claim():
    facts = BIRDS.facts("test", 0)
    asked = question(BIRDS, facts, wrong=60)
    assert len(asked.captions) == 61 and len(set(asked.captions)) > 40
    for k, (text, stated) in enumerate(zip(asked.captions, asked.stated, strict=True)):
        assert BIRDS.read(text) == stated
        assert sum(facts[name] != value for name, value in stated.items()) == (k > 0)
    assert question(BIRDS, facts, wrong=60).captions == asked.captions
    off = {n for s in asked.stated for n in s if facts[n] != s[n]}
    assert off == set(BIRDS.content)


def test_ties_share_and_a_constant_examiner_gets_one_in_a_hundred():
    assert r_precision(torch.zeros(5, 100)) == pytest.approx(0.01)
    scores = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    assert r_precision(scores) == pytest.approx((1 + 0.5 + 0) / 3)
    with pytest.raises(UsageError, match="no pictures"):
        r_precision(torch.zeros(0, 100))


def test_a_judge_finds_the_captions_of_real_pictures_and_those_of_noise_by_chance():
    judge = TrainedReader.load("judge-birds").network
    asked = [question(BIRDS, BIRDS.facts("test", i), wrong=30, seed=i) for i in range(12)]
    real = to_float(BIRDS.load("test", 64, 12).images)
    assert r_precision(judged(judge, BIRDS, real, asked)) > 0.9
    noise = torch.rand(12, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert r_precision(judged(judge, BIRDS, noise, asked)) == pytest.approx(1 / 31)


def test_where_a_caption_tells_what():
    facts = dict(size="small", breast="red", crown="red", wing="blue", tail="blue", beak="long")
    text = "this small red bird has blue wings, a blue tail, a crimson head and a long beak"
    found = spans(BIRDS, text, facts)
    assert found["breast"] == Span(2, 3) and found["wing"] == Span(5, 6)
    assert found["crown"] == Span(11, 12) and found["beak"] == Span(15, 16)
    behind = spans(BIRDS, "the bird has a red breast, its wings are blue", facts)
    assert behind == {"breast": Span(4, 5), "wing": Span(9, 7)}


def test_pointing_of_a_peak_a_flat_map_and_a_heap():
    maps, mask = torch.zeros(1, 4, 4), torch.zeros(1, 4, 4, dtype=torch.bool)
    maps[0, 1, 2], maps[0, 3, 3], mask[0, 1, 2] = 3.0, 1.0, True
    assert pointing(maps, mask) == pytest.approx((1.0, 0.75))
    assert pointing(uniform(mask), mask) == pytest.approx((1 / 16, 1 / 16))
    assert pointing(central(mask), mask).mass > 1 / 16
    two = torch.cat([mask, torch.zeros_like(mask)])  # a picture without the part does not count
    assert pointing(maps.expand(2, 4, 4), two) == pytest.approx((1.0, 0.75))


def test_words_taken_out_leave_the_rest_in_proportion():
    b = torch.tensor([0.5, 0.3, 0.2])[None, :, None, None]
    left = without(b, [[0]])
    assert left.flatten().tolist() == pytest.approx([0, 0.6, 0.4])
    some = without(b / 2, [[0]])  # half to none of the words: it takes its share
    assert some.flatten().tolist() == pytest.approx([0, 0.2, 0.4 / 3])
    real = torch.tensor([[True, True, False]])
    assert even(b, real).flatten().tolist() == pytest.approx([0.5, 0.5, 0])


def test_what_changed_and_where():
    before = torch.zeros(1, 3, 8, 8)
    after = before.clone()
    after[0, 0, 2, 2], after[0, 1, 7, 7], after[0, 2, 0, 0] = 1.0, 0.5, 0.1
    moved, mask = changed(before, after), torch.zeros(1, 8, 8, dtype=torch.bool)
    assert moved.sum() == 2
    mask[0, 3, 3] = True
    assert inside(moved, mask).item() == 0.5 and inside(moved, mask, rim=0).item() == 0.0
    assert inside(changed(before, before), mask).isnan().all()


def test_maps_are_enlarged_place_by_place():
    assert enlarged(torch.tensor([[[[1.0, 2.0]]]]).expand(1, 1, 2, 2), 4)[0, 0, 0].tolist() == (
        [1, 1, 2, 2]
    )
