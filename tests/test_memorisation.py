"""New or remembered: by hand on a line of points, and on copies that were planted."""

import numpy as np
import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.metrics.memorisation import Memory, nearest, planted


def on_a_line(*places: float) -> torch.Tensor:
    return torch.tensor(places)[:, None]


def test_the_nearest_by_hand():
    found = nearest(on_a_line(0.0, 4.2, 9.0), on_a_line(1.0, 4.0, 7.0))
    assert found.index.tolist() == [0, 1, 2]
    assert found.distance.tolist() == pytest.approx([1.0, 0.2, 2.0], abs=1e-3)
    itself = on_a_line(1.0, 4.0, 6.0)
    found = nearest(itself, itself, but=torch.arange(3))
    assert found.index.tolist() == [1, 2, 1] and found.distance.tolist() == [3, 2, 2]


def test_the_three_numbers_by_hand():
    train = on_a_line(*(10.0 * k for k in range(10)))  # 0, 10, ..., 90: each 10 from its nearest
    held = train + 4.0  # 4 from a training point, each
    memory = Memory(train, held)
    assert memory.too_near == pytest.approx(4.0)
    x = on_a_line(0.0, 11.0, 24.0, 32.0, 101.0)  # a copy; 1 away; held out; half-way; 11 away
    found = memory.measure(x)
    assert found.nearer == pytest.approx((2 + 0.5) / 5)  # 32 is 2 from 30 and from 34: a tie
    too_near = (3 / 5 - 0.01) / 0.99  # 0, 11 and 32 lie nearer than 4
    assert found.copied == pytest.approx(too_near)
    assert found.authentic == pytest.approx(1 / 5)  # 101 alone: 11 from 90, which is 10 from 80


def test_pictures_that_are_new_look_new_and_copies_are_counted():
    rng = np.random.default_rng(0)
    every = rng.integers(0, 256, (1300, 4, 4, 3), np.uint8)
    train, held, fresh = every[:500], every[500:1000], every[1000:]
    memory = Memory(train, held)
    for share in (0.0, 0.05, 0.2, 0.5):
        found = memory.measure(planted(fresh, train, share))
        assert found.copied == pytest.approx(share, abs=0.03)
        assert found.nearer == pytest.approx(0.5 + share / 2, abs=0.08)
    assert memory.measure(train).copied == 1 and memory.measure(train).authentic == 0
    assert memory.measure(held).nearer == 0


def test_planting_leaves_the_rest_as_it_was():
    fresh, train = np.zeros((10, 2, 2, 3), np.uint8), np.full((20, 2, 2, 3), 7, np.uint8)
    mixed = planted(fresh, train, 0.3)
    assert (mixed == 7).all((1, 2, 3)).sum() == 3 and (mixed == 0).all((1, 2, 3)).sum() == 7
    assert (fresh == 0).all()


def test_what_cannot_be_compared_is_refused():
    ten = np.zeros((10, 2, 2, 3), np.uint8)
    with pytest.raises(UsageError, match="10 training and 9 held-out"):
        Memory(ten, ten[:9])
    with pytest.raises(UsageError, match="vectors of 2 numbers"):
        nearest(torch.zeros(3, 2), torch.zeros(3, 4))
    for share in (-0.1, 1.5):
        with pytest.raises(UsageError, match="from 0 to 1"):
            planted(ten, ten, share)
    with pytest.raises(UsageError, match="5 training pictures"):
        planted(ten, ten[:5], 0.9)
