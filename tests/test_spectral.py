"""Ascent with damped high frequencies."""

import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.inputs.ascent import ascend
from t2ilab.inputs.spectral import SpectralAscent, damped


def waves(*turns: int) -> torch.Tensor:
    """One picture [1, 1, 16, 16] a number of turns: a cosine along the columns."""
    x = torch.arange(16.0)
    return torch.stack([torch.cos(2 * torch.pi * k * x / 16).expand(1, 16, 16) for k in turns])


def test_each_frequency_is_divided_by_its_power():
    slow, fast = waves(1), waves(4)  # f = 1/16 and 4/16
    torch.testing.assert_close(damped(slow, 1.0), 16 * slow, atol=1e-4, rtol=0)
    torch.testing.assert_close(damped(fast, 2.0), 16 * fast, atol=1e-4, rtol=0)
    torch.testing.assert_close(damped(fast, 0.0), fast, atol=1e-5, rtol=0)


def test_the_direction_climbs():
    g = torch.randn(3, 3, 9, 14, generator=torch.Generator().manual_seed(0))  # any size
    assert ((damped(g, 1.0) * g).flatten(1).sum(1) > 0).all()


def test_large_shapes_come_first():
    target = (waves(1) + waves(7))[:, :1]

    def near(x):
        return -(x - target).square().flatten(1).sum(1)

    found = ascend(torch.zeros_like(target), near, steps=3, optimiser=SpectralAscent(lr=0.05))
    slow, fast = ((found.pictures * wave).mean() for wave in (waves(1), waves(7)))
    assert slow > 3 * fast > 0


def test_the_step_size_falls_to_0():
    rule = SpectralAscent(lr=0.1, over=4)
    found = ascend(torch.zeros(1, 1, 4, 4), lambda x: x.flatten(1).sum(1), steps=9, optimiser=rule)
    torch.testing.assert_close(
        found.pictures, torch.full((1, 1, 4, 4), 0.25)
    )  # 1 + 3/4 + 2/4 + 1/4


@pytest.mark.parametrize("wrong", [{"power": -1.0}, {"momentum": 1.0}, {"over": -1}, {"lr": 0.0}])
def test_what_is_wrong_is_said_in_words(wrong):
    with pytest.raises(UsageError):
        SpectralAscent(**wrong)
