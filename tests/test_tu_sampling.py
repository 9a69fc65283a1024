"""Three ways to sample from p_t, against the exact distribution."""

from functools import partial

import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.exact import spaces, tu
from t2ilab.exact.divergences import total_variation
from t2ilab.exact.small_classifiers import boosted, logistic
from t2ilab.exact.tu_sampling import gibbs, importance, langevin
from t2ilab.models import features

N = 4000


@pytest.fixture(scope="module")
def ring():
    space = spaces.plane(10)
    p_data = spaces.ring(space)
    fit = partial(logistic, features=features.bumps(5, dimensions=2), ridge=1e-3)
    return tu.rounds(space, p_data, fit, 3)


def shares(index, n):
    return torch.bincount(index, minlength=n).double() / len(index)


def rng():
    return torch.Generator().manual_seed(0)


def test_the_classifiers_know_the_model_up_to_a_constant(ring):
    log_ratio = ring.log_density(ring.space.states)
    torch.testing.assert_close(log_ratio.detach().softmax(0), ring.p[-1])
    torch.testing.assert_close(
        ring.log_density(ring.space.states, 1).detach().softmax(0), ring.p[1]
    )


def test_importance_weights_bring_the_uniform_to_the_model(ring):
    n = len(ring.space)
    log_ratio = ring.log_density(ring.space.states).detach()
    drawn = importance(ring.space.uniform, log_ratio + 5, N, rng())
    assert total_variation(shares(drawn.index, n), ring.p[-1]) < 0.12
    expected = float(N / (ring.p[-1] ** 2 * n).sum())  # n / sum p_t^2 / p_0
    assert drawn.effective == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("shape", ["plane", "pictures"])
def test_gibbs_reaches_the_exact_distribution(ring, shape):
    if shape == "plane":
        space, p = ring.space, ring.p[-1]
    else:
        space = spaces.pictures()
        p = spaces.bars_and_stripes(space, flip=0.2)
    start = torch.zeros(N, dtype=torch.long)
    index = gibbs(space, p.log() + 3, start, 30, rng())
    exact = torch.multinomial(p, N, replacement=True, generator=rng())
    floor = float(total_variation(shares(exact, len(space)), p))
    assert float(total_variation(shares(index, len(space)), p)) < 1.6 * floor
    assert torch.equal(gibbs(space, p.log(), start, 0, rng()), start)


def test_gibbs_changes_one_coordinate_at_a_time():
    space = spaces.pictures()
    frozen = torch.full((512,), -1e4, dtype=torch.float64)
    frozen[0] = frozen[3] = 0.0  # two pictures that differ in two pixels: no way between them
    assert (gibbs(space, frozen, torch.zeros(50, dtype=torch.long), 5, rng()) == 0).all()


def test_langevin_reaches_a_smooth_density_and_stays_in_the_box(ring):
    start = 2 * torch.rand(N, 2, generator=rng(), dtype=torch.float64) - 1
    x = langevin(ring.log_density, start, steps=60, size=0.08, rng=rng())
    assert (x.abs() <= 1).all()
    before = total_variation(shares(ring.space.index(start), len(ring.space)), ring.p[-1])
    after = total_variation(shares(ring.space.index(x), len(ring.space)), ring.p[-1])
    assert after < 0.2 < before


def test_without_noise_it_climbs(ring):
    start = 2 * torch.rand(200, 2, generator=rng(), dtype=torch.float64) - 1
    x = langevin(ring.log_density, start, steps=40, size=0.05, rng=rng(), noise=0)
    assert ring.log_density(x).mean() > ring.log_density(start).mean() + 1
    assert (ring.log_density(x) > ring.log_density(start) - 1e-6).double().mean() > 0.95
    assert not x.requires_grad and all(
        p.grad is None for c in ring.classifiers for p in c.parameters()
    )


def test_stumps_have_no_gradient_to_follow(ring):
    fit = partial(boosted, features=features.directions(4), stumps=3)
    stairs = tu.rounds(ring.space, ring.p_data, fit, 1)
    with pytest.raises(UsageError, match="staircase"):
        langevin(stairs.log_density, ring.space.states, steps=1, size=0.1, rng=rng())
    with pytest.raises(UsageError, match="step size"):
        langevin(ring.log_density, ring.space.states, steps=1, size=0.0, rng=rng())
