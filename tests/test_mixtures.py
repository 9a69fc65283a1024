"""Mixtures with known centres, their batches, and what is counted on them."""

import itertools
from math import exp, log

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from t2ilab.data.mixtures import MIXTURES, PointBatches, grid, line, mixture, ring, seen
from t2ilab.errors import UsageError
from t2ilab.metrics.modes import exact_w1, modes


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("make", "number", "apart"), [(ring, 8, 0.76), (grid, 25, 0.5)])
def test_centres_are_distinct_and_far_apart(make, number, apart):
    centres = make().centres
    assert len(centres) == number
    nearest = torch.pdist(centres).min()
    assert nearest > apart - 0.01 and nearest > 30 * make().std


def test_linspace_with_both_ends_would_double_a_mode():
    angle = torch.linspace(0, 2 * torch.pi, 8)
    assert torch.pdist(torch.stack([angle.cos(), angle.sin()], 1)).min() < 1e-6


@pytest.mark.parametrize("name", MIXTURES)
def test_samples_have_the_mean_and_width_of_the_mixture(name):
    of = mixture(name)
    x = of.sample(40_000, rng())
    assert torch.allclose(x.mean(0), of.centres.mean(0), atol=0.02)
    whole = of.centres.var(0, unbiased=False) + of.std**2
    assert torch.allclose(x.var(0), whole, atol=0.02)


def test_the_density_integrates_to_1():
    side = torch.linspace(-1.5, 1.5, 3001).double()
    p = line().log_density(side[:, None]).exp()
    assert torch.trapezoid(p, side).item() == pytest.approx(1, abs=1e-3)  # what lies beyond is left
    assert p[0] < p[900] and p.argmax() in range(850, 2200)
    x = grid().centres[:1].double()
    at_centre = 1 / (25 * 2 * torch.pi * grid().std ** 2)
    assert grid().log_density(x).exp().item() == pytest.approx(at_centre, rel=1e-4)


def test_batches_depend_on_seed_and_step_alone():
    a, b = PointBatches(ring(), batch_size=6, seed=1), PointBatches(ring(), batch_size=6, seed=1)
    assert torch.equal(a(3)["points"], b(3)["points"])
    steps = [a(0), a(1), PointBatches(ring(), batch_size=6, seed=2)(0)]
    for one, other in itertools.combinations(steps, 2):
        assert not torch.equal(one["points"], other["points"])
    assert PointBatches(ring(), batch_size=6, copies=3)(0)["points"].shape == (6, 3, 2)
    with pytest.raises(UsageError, match="at least 1"):
        PointBatches(ring(), batch_size=0)


def test_data_itself_has_the_quality_of_three_standard_deviations():
    found = modes(ring().sample(40_000, rng()), ring())
    assert found.captured == 8 and found.reverse_kl < 0.001
    assert found.quality == pytest.approx(1 - exp(-4.5), abs=0.002)


def test_what_is_missing_is_counted():
    of = ring()
    half = of.centres[:4].repeat(100, 1)
    found = modes(half, of)
    assert found.captured == 4 and found.quality == 1
    assert found.reverse_kl == pytest.approx(log(2), abs=1e-6)
    astray = torch.cat([half, torch.zeros(400, 2)])
    assert modes(astray, of).quality == 0.5
    assert modes(0.5 * of.centres, of).captured == 0
    assert sum(found.shares) == pytest.approx(1)
    for wrong in (torch.zeros(3, 1), torch.zeros(0, 2)):
        with pytest.raises(UsageError, match=r"give \[n, 2\]"):
            modes(wrong, of)


def test_w1_is_that_of_scipy_on_a_line_and_a_shift_in_the_plane():
    a, b = torch.randn(200, 1, generator=rng()), 2 * torch.rand(200, 1, generator=rng(1))
    assert exact_w1(a, b) == pytest.approx(wasserstein_distance(a[:, 0], b[:, 0]), abs=1e-6)
    x = grid().sample(300, rng())
    assert exact_w1(x, x[torch.randperm(300)]) == pytest.approx(0, abs=1e-5)
    assert exact_w1(x, x + torch.tensor([0.3, 0.4])) == pytest.approx(0.5, abs=1e-5)
    with pytest.raises(UsageError, match="two samples of one size"):
        exact_w1(x, x[:10])


def test_a_picture_of_points_shows_where_they_lie():
    picture = seen(torch.tensor([[1.0, 1.0]]).repeat(50, 1), 32)
    dark = np.argwhere(picture[..., 0] < 128)
    assert picture.shape == (32, 32, 3) and len(dark) == 1
    assert dark[0][0] < 8 and dark[0][1] > 24  # above, and on the right
    assert (seen(torch.zeros(5, 1))[..., 0] < 255).sum() == 1


def test_what_is_refused():
    with pytest.raises(UsageError, match="2 or more"):
        ring(1)
    with pytest.raises(UsageError, match="2 or more a side"):
        grid(1)
    with pytest.raises(UsageError, match="did you mean 'ring'"):
        mixture("rings")
