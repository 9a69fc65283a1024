"""Pictures that cannot be read: each kind is one, and reproducible."""

import pytest
import torch

from t2ilab.data import failures, paperworld
from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError

EVERY = failures.LEARNED | failures.HELD_OUT


@pytest.fixture(scope="module")
def birds():
    return to_float(paperworld.world("birds").load("test", 32, 24).images)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_no_kind_is_both_learned_and_held_out():
    assert not failures.LEARNED.keys() & failures.HELD_OUT.keys()
    assert len(failures.LEARNED) >= 10 and len(failures.HELD_OUT) >= 5


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("kind", EVERY)
def test_a_kind_gives_as_many_pictures_in_range_unlike_those_it_was_given(kind, size):
    x = to_float(paperworld.world("birds").load("test", size, 24).images)
    before = x.clone()
    bad = failures.spoil(x, rng(), kind)
    assert bad.shape == x.shape and torch.equal(x, before)
    assert bad.isfinite().all() and bad.min() >= -1 and bad.max() <= 1
    assert (bad - x).abs().mean() > 0.05
    assert torch.equal(bad, failures.spoil(x, rng(), kind))
    if kind != "erased":  # nothing of it is chance
        assert not torch.equal(bad, failures.spoil(x, rng(1), kind))


def test_all_learned_kinds_come_in_turn(birds, monkeypatch):
    asked = {}

    def counting(name):
        def spoiled(x, rng):
            asked[name] = len(x)
            return torch.zeros_like(x)

        return spoiled

    monkeypatch.setattr(failures, "LEARNED", {name: counting(name) for name in failures.LEARNED})
    assert failures.spoil(birds, rng()).shape == birds.shape
    assert sum(asked.values()) == len(birds) and set(asked) == set(failures.LEARNED)
    assert max(asked.values()) - min(asked.values()) <= 1


def test_a_blur_keeps_the_mean_and_a_plain_picture():
    x = torch.rand(2, 3, 24, 24, generator=rng())
    soft = failures.blurred(x, 2.0)
    assert soft.shape == x.shape and soft.var() < x.var() / 4
    assert torch.allclose(failures.blurred(torch.full((1, 3, 9, 9), 0.3), 1.5), torch.tensor(0.3))


def test_a_pinwheel_looks_the_same_after_a_quarter_turn(birds):
    bad = failures.spoil(birds, rng(), "pinwheel")
    assert torch.equal(bad, bad.rot90(1, (2, 3)))


def test_two_heads_are_mirror_images(birds):
    bad = failures.spoil(birds, rng(), "two_headed")
    assert torch.equal(bad, bad.flip(3))


def test_shuffling_keeps_the_pixels(birds):
    bad = failures.spoil(birds, rng(), "shuffled")
    assert torch.allclose(bad.flatten(2).sort(2).values, birds.flatten(2).sort(2).values)


def test_an_unknown_kind_is_told(birds):
    with pytest.raises(UsageError, match="unknown kind of failure 'blurr'.*mean 'blur'"):
        failures.spoil(birds, rng(), "blurr")
