"""Mixtures of independent pixels: against sums over every picture, and maximum likelihood."""

import itertools

import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.models.bernoulli import SMOOTHING, BernoulliMixture, fitted

ALL = torch.tensor(list(itertools.product((0.0, 1.0), repeat=4)), dtype=torch.float64)


@pytest.fixture
def mixture():
    rng = torch.Generator().manual_seed(0)
    pi = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    theta = torch.rand(3, 4, generator=rng, dtype=torch.float64) * 0.8 + 0.1
    return BernoulliMixture(pi, theta, torch.tensor([0, 1, 1]))


def test_everything_sums_to_one(mixture):
    assert torch.isclose(mixture.log_p(ALL).exp().sum(), torch.tensor(1.0).double())
    assert torch.allclose(mixture.posterior(ALL).sum(1), torch.ones(16).double())


def test_bayes_holds(mixture):
    joint = mixture.log_joint(ALL).exp()
    by_class = torch.stack([joint[:, 0], joint[:, 1] + joint[:, 2]], 1)
    assert torch.allclose(mixture.posterior(ALL), by_class / by_class.sum(1, keepdim=True))


def test_a_hole_is_filled_by_the_conditional(mixture):
    known = torch.tensor([1.0, 0, 1, 0]).double()
    x = torch.tensor([[1.0, 0, 0, 0], [1, 1, 0, 1]]).double()  # they differ in the hole alone
    filled = mixture.filled(x, known)
    fits = (ALL[:, 0] == 1) & (ALL[:, 2] == 0)
    p = mixture.log_p(ALL).exp() * fits
    for pixel in (1, 3):
        right = (p * ALL[:, pixel]).sum() / p.sum()
        assert torch.allclose(filled[:, pixel], right.expand(2))
    assert (filled[:, [0, 2]] == torch.tensor([1.0, 0])).all()


def test_draws_are_of_the_model(mixture):
    x, y = mixture.draw(40_000, torch.Generator().manual_seed(1))
    index = (x @ torch.tensor([8.0, 4, 2, 1]).double()).long()
    shares = torch.bincount(index, minlength=16) / 40_000
    assert (shares - mixture.log_p(ALL).exp()).abs().max() < 0.01
    assert abs(float((y == 1).double().mean()) - 0.5) < 0.02


def test_one_component_a_class_is_counted(mixture):
    x, y = mixture.draw(500, torch.Generator().manual_seed(2))
    found = fitted(x, y, generator=torch.Generator().manual_seed(0))
    for k in (0, 1):
        of = x[y == k]
        assert torch.allclose(found.theta[k], (of.sum(0) + SMOOTHING) / (len(of) + 2 * SMOOTHING))
        assert torch.isclose(found.pi[k], torch.tensor(len(of) / 500).double())


def test_more_components_explain_more(mixture):
    x, y = mixture.draw(2000, torch.Generator().manual_seed(3))
    few, many = (
        fitted(x, y, per_class=n, generator=torch.Generator().manual_seed(0)) for n in (1, 3)
    )
    assert many.log_p(x).mean() > few.log_p(x).mean() and len(many.pi) == 6
    assert torch.isclose(many.pi.sum(), torch.tensor(1.0).double())


def test_what_is_refused():
    rng, y = torch.Generator(), torch.zeros(3, dtype=torch.long)
    with pytest.raises(UsageError, match="compare grey ones with a threshold"):
        fitted(torch.full((3, 2), 0.5), y, generator=rng)
    with pytest.raises(UsageError, match="class 0 has 3 pictures for 4"):
        fitted(torch.ones(3, 2), y, per_class=4, generator=rng)
    with pytest.raises(UsageError, match="give 1 or more"):
        fitted(torch.ones(3, 2), y, per_class=0, generator=rng)
