"""The five toys, and an RBM of grey values: against the sum over its hidden states and a grid."""

import numpy as np
import pytest
import torch

from t2ilab.data import toys
from t2ilab.errors import UsageError
from t2ilab.models.gaussian_rbm import GaussianRBM
from t2ilab.models.rbm import bernoulli
from t2ilab.trainers.rbm import RBMTrainer


def test_toys_differ_and_turn():
    seen = {name: toys.render(name, 0.6, 0.5) for name in toys.TOYS}
    assert all(p.shape == (24, 24) and p.dtype == np.uint8 for p in seen.values())
    pairs = [(a, b) for a in seen for b in seen if a < b]
    assert min(np.abs(seen[a].astype(int) - seen[b]).mean() for a, b in pairs) > 5
    for name, one in seen.items():
        ground = one == round(255 * toys.GROUND)
        assert 0.4 < ground.mean() < 0.9, name
        turned, lit = toys.render(name, 1.6, 0.5), toys.render(name, 0.6, 2.5)
        assert np.abs(one.astype(int) - turned).mean() > 1, name
        assert np.abs(one.astype(int) - lit).mean() > 1, name
        outline = toys.render(name, 0.6, 2.5) == round(255 * toys.GROUND)
        assert (ground == outline).mean() > 0.97  # the light changes no outline
        assert np.array_equal(toys.render(name, 0.6 + 2 * np.pi, 0.5), one)


def test_a_data_set_of_toys():
    train, test = (toys.load(split, views=6) for split in ("train", "test"))
    assert (len(train), len(test)) == (5 * 5 * 4, 5 * 4)
    assert set(test.attributes["view"]) == {5} and train.captions[0] == ["a box"]
    with pytest.raises(UsageError, match="multiple of 6"):
        toys.load(views=7)
    with pytest.raises(UsageError, match="8 to 256"):
        toys.render("box", 0, 0, 7)
    with pytest.raises(UsageError, match="did you mean 'cone'"):
        toys.render("cones", 0, 0)
    with pytest.raises(UsageError, match="finite angle"):
        toys.render("cone", float("nan"), 0)


@pytest.fixture
def small():
    torch.manual_seed(0)
    rbm = GaussianRBM(mean=torch.full((2,), 0.5), hidden=3, scale=0.2).double()
    for p in rbm.parameters():
        p.data.normal_(0, 0.8)
    return rbm.requires_grad_(False)


def grid():
    side = torch.linspace(-9, 9, 241, dtype=torch.float64)
    return torch.cartesian_prod(side, side), (side[1] - side[0]) ** 2


def test_log_z_is_the_integral(small):
    v, cell = grid()
    assert torch.isclose(
        (-small.free_energy(v)).logsumexp(0) + cell.log(), small.log_z(), atol=1e-8
    )
    h = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * 3)
    few = v[::5000]
    summed = torch.stack([-small.energy(few, one.expand(len(few), 3)) for one in h]).logsumexp(0)
    assert torch.allclose(summed, -small.free_energy(few))


def test_gibbs_draws_from_p(small):
    rng = torch.Generator().manual_seed(1)
    drawn = small.gibbs(torch.zeros(20_000, 2, dtype=torch.float64), 60, rng)
    v, cell = grid()
    p = (-small.free_energy(v) - small.log_z()).exp() * cell
    mean = (p[:, None] * v).sum(0)
    assert torch.allclose(drawn.mean(0), mean, atol=0.06)
    assert torch.allclose(drawn.var(0), (p[:, None] * (v - mean) ** 2).sum(0), rtol=0.06)


def test_training_raises_the_exact_likelihood():
    class Alone:
        device = torch.device("cpu")
        all_reduce = staticmethod(lambda x: x)

        def setup(self, *both):
            return both

    rng = torch.Generator().manual_seed(0)
    middle = bernoulli(torch.full((400, 1), 0.5), rng).expand(-1, 6) * 0.6 + 0.2
    grey = (middle + 0.1 * torch.randn(400, 6, generator=rng)).clamp(0, 1)
    torch.manual_seed(0)
    rbm = GaussianRBM(mean=grey.mean(0), hidden=4, scale=0.1)
    trainer = RBMTrainer(
        rbm, chains=torch.randn(100, 6, generator=rng), v_mean=torch.zeros(6), lr=0.02
    )
    trainer.setup(Alone())
    v = rbm.units(grey)

    def log_p():
        with torch.no_grad():
            return float((-rbm.free_energy(v)).mean() - rbm.log_z())

    before = log_p()
    for _ in range(400):
        trainer.step({"v": v})
    assert log_p() > before + 5
    assert 0 <= float(rbm.seen(torch.ones(1, 4)).detach().min()) <= 1


def test_what_a_gaussian_rbm_refuses():
    with pytest.raises(UsageError, match="above 0"):
        GaussianRBM(mean=torch.zeros(2), hidden=2, scale=0.0)
    with pytest.raises(UsageError, match="at most 20"):
        GaussianRBM(mean=torch.zeros(2), hidden=21).log_z()
