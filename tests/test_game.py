"""The game in closed form: the optimal D, its value, what pushes, and Dirac-GAN's spirals."""

from math import log

import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.exact import game, spaces
from t2ilab.exact.divergences import kl
from t2ilab.losses.adversarial import generator_nonsaturating, generator_saturating, r1


def two(seed=0, n=40):
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(2, n, generator=rng, dtype=torch.float64).pow(3).softmax(1)


@pytest.mark.parametrize("seed", range(3))
def test_the_value_at_the_optimal_d_is_2_js_less_log_4(seed):
    p, q = two(seed)
    best = game.optimal_discriminator(p, q)
    m = (p + q) / 2
    js = game.jensen_shannon(p, q)
    assert js == pytest.approx(float(kl(p, m) + kl(q, m)) / 2, abs=1e-12)
    assert game.value(best, p, q) == pytest.approx(float(2 * js) - log(4), abs=1e-12)
    assert game.value(game.optimal_discriminator(p, p), p, p) == pytest.approx(game.LOWEST)


def test_no_other_d_has_a_larger_value():
    p, q = two()
    best = game.optimal_discriminator(p, q)
    others = (best.logit() + torch.randn(200, len(p), dtype=torch.float64)).sigmoid()
    assert (game.value(others, p, q) < game.value(best, p, q)).all()


def test_densities_apart_have_js_log_2_and_value_0():
    p = torch.tensor([0.5, 0.5, 0.0, 0.0, 0.0])
    q = torch.tensor([0.0, 0.0, 0.7, 0.3, 0.0])
    best = game.optimal_discriminator(p, q)
    assert best.tolist() == [1, 1, 0, 0, 0.5]
    assert game.value(best, p, q) == 0
    assert game.jensen_shannon(p, q).item() == pytest.approx(log(2))


def test_the_pushes_are_the_gradient_of_the_value_and_balance_at_the_optimal_d():
    p, q = two()
    f = torch.randn(len(p), dtype=torch.float64, requires_grad=True)
    game.value(f.sigmoid(), p, q).backward()
    up, down = game.push(f.detach().sigmoid(), p, q)
    assert torch.allclose(f.grad, up - down, atol=1e-12)
    up, down = game.push(game.optimal_discriminator(p, q), p, q)
    assert torch.allclose(up, down) and (up > 0).all()


def test_the_course_has_densities_to_play_on():
    space, p = spaces.load("hills")
    q = space.uniform
    found = game.value(game.optimal_discriminator(p, q), p, q)
    assert -log(4) < found < 0


def test_the_two_generator_losses_have_gradients_in_the_ratio_of_d_to_1_less_d():
    f = torch.linspace(-6, 6, 13, requires_grad=True)
    (minimax,) = torch.autograd.grad(generator_saturating(f), f)
    (practice,) = torch.autograd.grad(generator_nonsaturating(f), f)
    D = f.detach().sigmoid()
    assert torch.allclose(practice / minimax, (1 - D) / D, rtol=1e-4)
    assert (minimax < 0).all() and (practice < 0).all()  # both want f to rise
    assert abs(minimax[0]) < 0.01 * abs(practice[0])  # D is sure: the first has died


def test_r1_is_the_mean_squared_gradient():
    w = torch.tensor([3.0, 4.0])
    x = torch.randn(7, 2).requires_grad_()
    assert r1(x @ w, x).item() == pytest.approx(25)
    games = torch.randn(7, 5, 2).requires_grad_()  # five side by side
    scale = torch.arange(5.0)
    assert r1((games @ w) * scale, games).item() == pytest.approx(25 * 30 / 5)


# Dirac-GAN


def radius(**options):
    path = game.dirac_path(1.0, 0.0, **{"lr": 0.05, "steps": 2000} | options)
    return path.norm(dim=1)


@pytest.mark.parametrize("name", ["saturating", "wasserstein"])
def test_simultaneous_steps_spiral_out(name):
    r = radius(game=name)
    assert r[-1] > 1.05 and (r[1:] >= r[:-1] - 1e-12).all()


@pytest.mark.parametrize("name", game.GAMES)
def test_r1_spirals_in(name):
    assert radius(game=name, r1=1.0)[-1] < 0.02


def test_the_non_saturating_game_shrinks_slowly_to_a_circle_that_large_steps_keep_large():
    small, large = (radius(game="non-saturating", lr=lr, steps=4000)[-500:] for lr in (0.05, 0.5))
    assert 0.1 < small.mean() < 0.5 < large.mean()


@pytest.mark.parametrize("name", ["saturating", "wasserstein"])
def test_alternating_steps_stay_on_a_loop(name):
    r = radius(game=name, alternating=True, steps=4000, lr=0.1)
    assert r.min() > 0.5 and r.max() < 1.6


def test_clipping_does_not_come_to_rest():
    path = game.dirac_path(1.0, 0.0, game="wasserstein", lr=0.1, steps=3000, clip=0.5)
    late = path[1500:]
    assert late[:, 1].abs().max() == 0.5 and late[:, 0].abs().max() > 0.1


def test_a_step_of_the_field_by_hand():
    one = torch.tensor(1.0)
    half = 1 / (1 + 2.718281828**-1)
    dt, ds = game.dirac_field(one, one, game="saturating")
    assert (dt.item(), ds.item()) == pytest.approx((half, -half), abs=1e-6)
    dt, ds = game.dirac_field(one, one, game="non-saturating", r1=0.5)
    assert (dt.item(), ds.item()) == pytest.approx((1 - half, -half - 0.5), abs=1e-6)
    for name in game.GAMES:
        at_rest = game.dirac_field(0 * one, 0 * one, game=name, r1=1.0)
        assert [float(x) for x in at_rest] == [0, 0]


def test_what_is_refused():
    with pytest.raises(UsageError, match="did you mean 'wasserstein'"):
        game.dirac_field(torch.zeros(1), torch.zeros(1), game="waserstein")
    with pytest.raises(UsageError, match="0 or more"):
        game.dirac_path(1, 0, game="saturating", lr=0.1, steps=-1)
