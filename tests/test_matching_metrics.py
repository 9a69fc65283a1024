"""Retrieval by facts and by partners, its ceiling, and the purity of neighbourhoods."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from t2ilab.data import paperworld
from t2ilab.data.pairs import Truth
from t2ilab.errors import UsageError
from t2ilab.metrics.binding import swapped, told_apart
from t2ilab.metrics.matching import KS, WAYS, neighbours, purity, recalls

WORLD = paperworld.world("birds")


def truth(n, level):
    data, every = WORLD.load("test", 32, n), np.arange(n)
    return torch.from_numpy(Truth(data).fits(every, every, np.full(n, level)))


def test_recalls_by_hand():
    scores = torch.tensor([[0.9, 0.1, 0.2], [0.8, 0.7, 0.1], [0.3, 0.6, 0.5]])
    fits = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]]).bool()
    found = recalls(scores, fits)
    # Pictures: 0 finds its own, 1 finds caption 0 (true of it, not its own), 2 a wrong one.
    assert found["facts_caption_1"] == pytest.approx(2 / 3)
    assert found["naive_caption_1"] == pytest.approx(1 / 3)
    # Captions: 0 finds picture 0, 1 picture 1, 2 picture 2.
    assert found["facts_picture_1"] == 1 and found["naive_picture_1"] == 1
    # Of two true captions a perfect model takes its own half of the time.
    assert found["ceiling_caption_1"] == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert found["ceiling_caption_5"] == 1
    only = recalls(scores, fits, torch.tensor([False, False, True]))
    assert only["facts_caption_1"] == 0 and only["ceiling_caption_1"] == 1


@pytest.mark.parametrize("level", [0, 1, 4])
def test_who_knows_the_facts_finds_all_and_reaches_the_ceiling_by_partners(level):
    n, fits = 300, truth(300, level)
    rng = torch.Generator().manual_seed(0)
    many = [recalls(fits + 0.5 * torch.rand(n, n, generator=rng), fits) for _ in range(60)]
    for way in WAYS:
        for k in KS:
            assert {found[f"facts_{way}_{k}"] for found in many} == {1.0}
            naive = [found[f"naive_{way}_{k}"] for found in many]
            error = 4 * np.std(naive) / len(naive) ** 0.5 + 1e-9
            assert np.mean(naive) == pytest.approx(many[0][f"ceiling_{way}_{k}"], abs=error)
    if level == 4:  # "a bird"
        assert many[0]["ceiling_caption_1"] == pytest.approx(1 / n)


def test_retrieval_refuses_what_cannot_be():
    fits = torch.tensor([[0, 1], [1, 1]]).bool()
    with pytest.raises(UsageError, match="not true of its own picture"):
        recalls(torch.zeros(2, 2), fits)
    with pytest.raises(UsageError, match="at least one"):
        recalls(torch.zeros(2, 2), fits | True, torch.zeros(2, dtype=torch.bool))


def test_neighbours_leave_oneself_out():
    angles = torch.tensor([0.0, 0.1, 1.0, 1.3])
    v = torch.stack([angles.cos(), angles.sin()], 1)
    assert neighbours(v, 1)[:, 0].tolist() == [1, 0, 3, 2]
    with pytest.raises(UsageError, match="1 to 3"):
        neighbours(v, 4)


def test_purity_is_1_where_the_space_is_sorted_by_an_attribute_and_0_by_chance():
    rng = np.random.default_rng(0)
    colour, side = rng.integers(4, size=600), rng.integers(2, size=600)
    v = F.one_hot(torch.from_numpy(colour), 4) + 0.05 * torch.randn(
        600, 4, generator=torch.Generator().manual_seed(0)
    )
    found = purity(F.normalize(v, dim=1), {"colour": colour, "side": side, "all": colour * 0})
    assert found["colour"] == 1.0 and abs(found["side"]) < 0.08
    assert set(found) == {"colour", "side"}  # of what is always so there is nothing to tell


class Reader:
    """Scores captions by what they state, as `told_apart` asks: pictures are their numbers."""

    def __init__(self, data, sign=1.0):
        self.data, self.sign = data, sign

    def match(self, images, captions):
        assert images is self.data.images
        facts = [WORLD.facts("test", i) for i in range(len(self.data))]
        stated = [WORLD.read(c) for c in captions]
        right = [[sum(f[k] == v for k, v in s.items()) for s in stated] for f in facts]
        return self.sign * torch.tensor(right).float()


def test_swapped_colours_are_told_apart_by_who_knows_whose_they_are():
    data = WORLD.load("test", 32, 60)
    right, wrong = (told_apart(Reader(data, s).match, data, WORLD) for s in (1.0, -1.0))
    assert right["all"] == 1 and wrong["all"] == 0
    assert right["pairs"] == len(swapped(data, WORLD))
    tied = told_apart(Reader(data, 0.0).match, data, WORLD)
    assert tied["all"] == 0.5
