"""A Boltzmann machine of several layers: exact sums, sampling, mean field, its smaller cousins."""

import itertools

import pytest
import torch
from scipy.stats import chisquare

from t2ilab.errors import UsageError
from t2ilab.exact import partition
from t2ilab.models.dbm import DBM
from t2ilab.models.rbm import RBM
from t2ilab.models.tower import Tower, log_p_star

SIZES = (4, 3, 2, 2)  # three layers above four pixels


def states(n):
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=n)), dtype=torch.float64)


def tower(sizes=SIZES, scale=1.0, seed=0):
    rng = torch.Generator().manual_seed(seed)
    one = Tower(sizes).double().requires_grad_(False)
    for p in one.parameters():
        p.copy_(scale * torch.randn(p.shape, generator=rng, dtype=torch.float64))
    return one


def minus_e(one):
    """Of all states, a row a picture, written out from the weights once more."""
    x = states(sum(one.sizes)).split(one.sizes, 1)
    value = sum(torch.einsum("ni,ij,nj->n", x[k], W, x[k + 1]) for k, W in enumerate(one.W))
    value = value + sum(torch.einsum("ni,i->n", x[k], b) for k, b in enumerate(one.b))
    assert torch.allclose(-one.energy(list(x)), value, atol=1e-12)
    return value.view(2 ** one.sizes[0], -1)


@pytest.mark.parametrize("sizes", [(4, 3), (4, 3, 2), SIZES, (3, 2, 2, 2, 2)])
def test_log_z_and_log_p_are_the_sums_over_all_states(sizes):
    one = tower(sizes)
    everything = minus_e(one)
    found = partition.log_z(one.bipartite())
    assert found.item() == pytest.approx(everything.logsumexp((0, 1)).item(), abs=1e-9)
    per_picture = log_p_star(one, states(sizes[0]))
    assert torch.allclose(per_picture, everything.logsumexp(1), atol=1e-9)
    assert (per_picture - found).logsumexp(0).item() == pytest.approx(0, abs=1e-9)


def test_one_layer_is_an_rbm_and_two_are_a_dbm():
    one, v = tower((4, 3)), states(4)
    rbm = RBM.of(one.W[0], one.b[0], one.b[1])
    assert torch.allclose(log_p_star(one, v), -rbm.free_energy(v), atol=1e-12)
    assert torch.allclose(one.mean_field(v, 1)[1], rbm.hidden(v))
    assert torch.allclose(one.bound(one.mean_field(v, 1)), log_p_star(one, v))  # q is exact
    two = tower((4, 3, 2))
    dbm = DBM(visible=4, hidden=3, top=2).double().requires_grad_(False)
    for name, p in zip("WUabc", (*two.W, *two.b), strict=True):
        getattr(dbm, name).copy_(p)
    assert torch.allclose(log_p_star(two, v), partition.log_p_star(dbm, v), atol=1e-12)
    half = torch.full((16, 2), 0.5).double()
    _, h1, h2 = two.mean_field(v, 7)
    for ours, theirs in zip((h1, h2), dbm.mean_field(v, updates=7, h2=half), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)  # which stops where nothing moves
    assert torch.allclose(two.bound([v, h1, h2]), dbm.bound(v, h1, h2), atol=1e-12)


def test_the_bound_never_falls_and_never_passes_log_p():
    one, v = tower(scale=1.5), states(4)
    truth, before = log_p_star(one, v), torch.full((16,), -torch.inf).double()
    for sweeps in range(1, 12):
        now = one.bound(one.mean_field(v, sweeps))
        assert (now >= before - 1e-12).all() and (now <= truth + 1e-12).all()
        before = now
    assert (truth - before).max() > 0.01  # q is no posterior here


def test_gibbs_sampling_draws_from_the_machine():
    one, n = tower(scale=0.7), 20_000
    x = one.gibbs(one.start(torch.zeros(n, 4).double()), 60, torch.Generator().manual_seed(0))
    place = torch.cat(x, 1) @ (2.0 ** torch.arange(sum(SIZES)).flip(0)).double()
    counts = torch.bincount(place.long(), minlength=2 ** sum(SIZES)).view(64, -1).sum(1)
    joint = minus_e(one).flatten().softmax(0).view(64, -1).sum(1)
    assert chisquare(counts, n * joint).pvalue > 1e-3
    assert chisquare(counts, n * joint.roll(1)).pvalue < 1e-9


@pytest.mark.parametrize("sizes", [(4,), (4, 0, 2), ()])
def test_sizes_that_make_no_tower_are_refused(sizes):
    with pytest.raises(UsageError, match="at least one layer"):
        Tower(sizes)


def test_too_many_units_to_sum_are_refused():
    with pytest.raises(UsageError, match="at most 20"):
        log_p_star(tower((4, 15, 2, 6)), states(4))
