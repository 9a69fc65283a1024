"""A model of one latent number: sums on the grid against what is known in closed form."""

from math import log, pi

import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.exact.posterior import NODES, SHAPES, STEP, OneLatent


@pytest.mark.parametrize("x", [-3.0, 0.0, 1.7])
def test_a_line_is_gaussian_throughout_and_its_gap_is_0(x):
    model = OneLatent("line", 0.4)
    variance = 1.5**2 + 0.4**2
    assert model.log_p(x) == pytest.approx(-0.5 * (log(2 * pi * variance) + x**2 / variance))
    mu, sigma = 1.5 * x / variance, 0.4 / variance**0.5
    assert model.elbo(x, mu, sigma) == pytest.approx(model.log_p(x), abs=1e-9)
    q = torch.distributions.Normal(mu, sigma).log_prob(NODES).exp()
    assert torch.allclose(q, model.posterior(x), atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gap_is_the_kl_to_the_posterior(shape):
    model = OneLatent(shape, 0.5)
    for x, mu, sigma in ((0.8, 0.5, 0.3), (-1.0, -0.2, 0.7)):
        q = torch.distributions.Normal(mu, sigma).log_prob(NODES)
        log_posterior = model.log_joint(x) - model.log_p(x)
        kl = float((q.exp() * (q - log_posterior)).sum()) * STEP
        assert model.log_p(x) - model.elbo(x, mu, sigma) == pytest.approx(kl, abs=1e-6)
        assert float(model.posterior(x).sum()) * STEP == pytest.approx(1)


@pytest.mark.parametrize(("mu", "sigma"), [(3.0, 2.0), (-3.0, 3.0), (6.0, 1.0)])
def test_a_wide_q_far_from_the_middle_is_not_cut_off(mu, sigma):
    """Against the moments of a Gaussian: E[z²] = mu² + sigma², and so on."""
    x, noise = 1.0, 0.4
    kl = 0.5 * (mu**2 + sigma**2 - 2 * log(sigma) - 1)
    second, fourth = mu**2 + sigma**2, mu**4 + 6 * mu**2 * sigma**2 + 3 * sigma**4
    errors = {
        "line": x**2 - 2 * x * 1.5 * mu + 1.5**2 * second,
        "fold": fourth - 2 * (1 + x) * second + (1 + x) ** 2,
    }
    for shape, error in errors.items():
        right = -0.5 * error / noise**2 - log(noise) - 0.5 * log(2 * pi) - kl
        assert OneLatent(shape, noise).elbo(x, mu, sigma) == pytest.approx(right, rel=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_best_q_is_not_beaten_by_its_neighbours(shape):
    model = OneLatent(shape, 0.4)
    for x in (-0.9, 0.3, 2.0):
        mu, sigma = model.best(x)
        best = model.elbo(x, mu, sigma)
        assert best <= model.log_p(x) + 1e-9
        for by, times in ((0.15, 1.0), (-0.15, 1.0), (0.0, 1.2), (0.0, 0.8)):
            assert model.elbo(x, mu + by, sigma * times) < best


def test_p_of_x_sums_to_1():
    model = OneLatent("wave", 0.5)
    xs = torch.linspace(-12, 12, 481)
    total = sum(torch.tensor(model.log_p(float(x))).exp() for x in xs) * 0.05
    assert float(total) == pytest.approx(1, abs=1e-4)


def test_what_cannot_be_is_refused_in_words():
    with pytest.raises(UsageError, match="sigma_x from"):
        OneLatent("fold", 0.0)
    with pytest.raises(UsageError, match="shape"):
        OneLatent("circle")
    for wrong, words in (((0.0, 0.0, 0.001), "sigma 0.001"), ((0.0, 7.0, 1.0), "mu 7"),
                         ((float("nan"), 0.0, 1.0), "x = nan")):  # fmt: skip
        with pytest.raises(UsageError, match=words):
            OneLatent().elbo(*wrong)
