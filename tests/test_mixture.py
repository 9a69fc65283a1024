"""Mixtures of independent pixels: every probability against a sum over all pictures."""

import itertools

import pytest
import torch

from t2ilab.data.digits import load_digits
from t2ilab.errors import DataError, UsageError
from t2ilab.exact import spaces
from t2ilab.exact.divergences import kl
from t2ilab.exact.families import gaussian
from t2ilab.models.mixture import em_step, fit, posterior

ALL = torch.tensor(list(itertools.product((0.0, 1.0), repeat=6)), dtype=torch.float64)  # [64, 6]


@pytest.fixture(scope="module")
def data():
    rng = torch.Generator().manual_seed(0)
    y = torch.arange(60) % 3
    theta = torch.rand(3, 6, generator=rng, dtype=torch.float64)
    return torch.bernoulli(theta[y], generator=rng), y


@pytest.fixture(scope="module")
def model(data):
    return fit(*data, components=2, steps=20)


def test_all_probabilities_sum_to_one(model):
    assert float(model.log_p(ALL).exp().sum()) == pytest.approx(1, abs=1e-12)
    assert float(model.log_joint(ALL).exp().sum()) == pytest.approx(1, abs=1e-12)
    assert torch.allclose(model.posterior(ALL).sum(1), torch.ones(64).double())


def test_a_hole_is_summed_out(model):
    known = torch.tensor([True, True, False, True, False, False])
    one = ALL[37:38]
    fits = (ALL[:, known] == one[:, known]).all(1)  # all pictures with this rest
    p = model.log_p(ALL[fits]).exp()
    assert torch.allclose(model.log_p(one, known), p.sum().log())
    ink = (p / p.sum()) @ ALL[fits]
    assert torch.allclose(model.ink(one, known)[0], ink)
    joint = model.log_joint(ALL[fits]).exp().sum(0)
    assert torch.allclose(model.posterior(one, known)[0], joint / joint.sum())


def test_draws_have_the_shares_of_the_model(model):
    rng, n = torch.Generator().manual_seed(0), 40_000
    places = 2 ** torch.arange(5, -1, -1)
    shares = torch.bincount((model.draw(n, rng).long() * places).sum(1), minlength=64) / n
    p = model.log_p(ALL).exp()
    assert float(((shares - p) ** 2 / p).sum() * n) < 110  # chi squared, 63 degrees of freedom
    known = torch.tensor([True, False, False, True, True, True])
    filled = model.fill(ALL[21:22].expand(n, -1), known, rng)
    assert torch.equal(filled[:, known], ALL[21:22, known].expand(n, -1))
    assert torch.allclose(filled.mean(0), model.ink(ALL[21:22], known)[0], atol=0.02)
    of_class = model.draw(n, rng, label=2).mean(0)
    inside = model.labels == 2
    assert torch.allclose(of_class, model.log_w[inside].softmax(0) @ model.theta[inside], atol=0.02)


def test_one_component_is_counting(data):
    x, y = data
    naive = fit(x, y, smoothing=0.5)
    for k in range(3):
        counted = (x[y == k].sum(0) + 0.5) / ((y == k).sum() + 1)
        assert torch.allclose(naive.theta[k], counted)
        assert float(naive.log_w[k].exp()) == pytest.approx(float((y == k).double().mean()))
    log_likelihood = naive.log_joint(x) - naive.log_w
    assert torch.allclose(posterior(log_likelihood, naive.log_w.exp()), naive.posterior(x))


def test_em_never_lowers_the_likelihood(data):
    x, _ = data
    rng = torch.Generator().manual_seed(1)
    w = torch.full((4,), 0.25, dtype=torch.float64)
    theta = 0.2 + 0.6 * torch.rand(4, 6, generator=rng, dtype=torch.float64)
    values = []
    for _ in range(15):
        log_joint = w.log() + x @ theta.log().T + (1 - x) @ (-theta).log1p().T
        values.append(float(log_joint.logsumexp(1).sum()))
        w, theta = em_step(x, w, theta, 0.0)
    assert all(b >= a - 1e-9 for a, b in itertools.pairwise(values)) and values[-1] > values[0] + 1


def test_without_smoothing_all_stays_finite(data):
    x = data[0].clone()
    x[:, 0] = 1  # always inked
    model = fit(x, data[1], components=3, smoothing=0.0)
    assert bool(model.log_p(x).isfinite().all())
    assert float(model.log_p(1 - x).max()) < -15


def test_digits_are_read_and_are_likelier_than_noise():
    sets = {name: load_digits(name, 8) for name in ("train", "test")}
    x, test_x = (
        torch.from_numpy(s.images[..., 0] >= 128).double().flatten(1) for s in sets.values()
    )
    y, test_y = (torch.from_numpy(s.classes) for s in sets.values())
    model = fit(x, y, components=8)
    assert float((model.posterior(test_x).argmax(1) == test_y).double().mean()) > 0.85
    rng = torch.Generator().manual_seed(0)
    noise = torch.bernoulli(x.mean().expand(100, 64), generator=rng)
    assert float(model.log_p(test_x).mean()) > -20 > -40 > float(model.log_p(noise).mean())


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"components": 0}, UsageError, "1 or more"),
        ({"steps": 0}, UsageError, "1 or more"),
        ({"smoothing": -1.0}, UsageError, "0 or more"),
        ({"x": torch.full((60, 6), 0.5)}, DataError, "neither 0 nor 1"),
        ({"y": torch.zeros(59).long()}, DataError, "60 pictures and 59 labels"),
        ({"y": torch.full((60,), 2)}, DataError, "class 0 has no picture"),
        ({"y": torch.arange(60) % 2 - 1}, DataError, "label -1"),
        ({"x": torch.zeros(0, 6), "y": torch.zeros(0).long()}, DataError, "0 pictures"),
    ],
)
def test_what_cannot_be_fitted_is_refused(data, change, error, words):
    with pytest.raises(error, match=words):
        fit(**{"x": data[0], "y": data[1], **change})


def test_what_cannot_be_drawn_is_refused(model):
    rng = torch.Generator()
    with pytest.raises(UsageError, match="class 3: expected 0 to 2"):
        model.draw(1, rng, label=3)
    with pytest.raises(UsageError, match="0 draws"):
        model.draw(0, rng)


def test_more_components_than_pictures_are_as_many_as_pictures(data):
    assert len(fit(*data, components=50, steps=2).log_w) == 60


def test_a_gaussian_on_a_line():
    line = spaces.line()
    mu = torch.tensor([-0.3, 0.2])
    q = gaussian(line, mu, 0.1)
    assert q.shape == (2, 128) and torch.allclose(q.sum(1), torch.ones(2).double())
    assert torch.allclose(q @ line.states[:, 0], mu.double(), atol=1e-3)
    narrow, wide = gaussian(line, 0.0, 0.1), gaussian(line, 0.0, 0.15)
    closed = torch.tensor(0.15 / 0.1).log() + 0.1**2 / (2 * 0.15**2) - 0.5
    assert float(kl(narrow, wide)) == pytest.approx(float(closed), abs=1e-6)
    with pytest.raises(UsageError, match="not positive"):
        gaussian(line, 0.0, 0.0)
    with pytest.raises(UsageError, match="not finite"):
        gaussian(line, float("nan"), 0.1)
    assert gaussian(line, 0.3, 1e-200).max() == 1  # as narrow as it likes, it sums to 1
    with pytest.raises(UsageError, match="lives on a line"):
        gaussian(spaces.plane(4), 0.0, 0.1)


def test_pictures_of_another_size_are_refused():
    model = fit(torch.eye(4).double(), torch.arange(4) % 2)
    with pytest.raises(DataError, match="5 pixels for a mixture of 4"):
        model.log_p(torch.zeros(2, 5))
    with pytest.raises(DataError, match="3 pixels for a mixture of 4"):
        model.posterior(torch.zeros(2, 3), torch.ones(3).bool())
