"""The deep Boltzmann machine: exact sums, the bound, the gradient, three ways to train."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from t2ilab.errors import UsageError
from t2ilab.exact.partition import Base, ais, log_p_star, log_z
from t2ilab.fit import fit
from t2ilab.models.dbm import DBM
from t2ilab.models.rbm import RBM
from t2ilab.recipes.train import train
from t2ilab.systems.boltzmann import TrainedDBM
from t2ilab.trainers.dbm import (
    PRETRAINING,
    DBMTrainer,
    Gradient,
    Units,
    centred,
    likelihood_gradient,
)
from t2ilab.trainers.rbm import BinaryBatches

D, K, L = 4, 3, 2


def states(n):
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=n)), dtype=torch.float64)


def machine(scale=1.0, seed=0, sizes=(D, K, L)):
    rng = torch.Generator().manual_seed(seed)
    dbm = DBM(visible=sizes[0], hidden=sizes[1], top=sizes[2]).double()
    with torch.no_grad():
        for p in dbm.parameters():
            p.copy_(scale * torch.randn(p.shape, generator=rng, dtype=torch.float64))
    return dbm


def everything(dbm):
    """All states of all units, and minus their energy, written out once more."""
    v, h1, h2 = states(D + K + L).split((D, K, L), 1)
    e = -(v @ dbm.W * h1).sum(1) - (h1 @ dbm.U * h2).sum(1) - v @ dbm.a - h1 @ dbm.b - h2 @ dbm.c
    return Units(v, h1, h2), -e


def probabilities(dbm):
    """p(v) of every state."""
    return everything(dbm)[1].view(2**D, -1).logsumexp(1).softmax(0)


def mean(units, p):
    """Statistics under a distribution over rows: the function under test, row by row."""
    every = torch.vmap(lambda *row: tuple(Units(*(x[None] for x in row)).statistics()))(*units)
    return Gradient(*(torch.tensordot(p, one, 1) for one in every))


def exact_gradient(dbm, data):
    """<.>_data - <.>_model with the true p(h1, h2 | v) and p(v, h1, h2)."""
    units, minus_e = everything(dbm)
    of_v = minus_e.view(2**D, -1).softmax(1)
    seen = (data @ torch.tensor([8.0, 4, 2, 1]).double()).long().bincount(minlength=2**D)
    clamped = (of_v * (seen / len(data))[:, None]).flatten()
    pairs = zip(mean(units, clamped), mean(units, minus_e.softmax(0)), strict=True)
    return Gradient(*(one - other for one, other in pairs))


# ---- exact sums and the bound


@torch.no_grad()
def test_log_z_and_log_p_are_the_sums_over_all_states():
    dbm = machine()
    _, minus_e = everything(dbm)
    assert float(log_z(dbm.bipartite())) == pytest.approx(float(minus_e.logsumexp(0)), abs=1e-12)
    wanted = minus_e.view(2**D, -1).logsumexp(1)
    assert torch.allclose(log_p_star(dbm, states(D)), wanted, atol=1e-12)
    wide = machine(0.2, sizes=(100, 5, 60))  # 2^5 terms, whatever stands beside h1
    base = Base(torch.zeros(5).double(), torch.zeros(160).double())
    found = ais(wide.bipartite(), base, steps=1000, chains=200)
    assert found.log_z == pytest.approx(float(log_z(wide.bipartite())), abs=0.1)
    with pytest.raises(UsageError, match="at most 20"):
        log_p_star(machine(sizes=(4, 21, 2)), states(4))


@torch.no_grad()
def test_the_bound_never_falls_and_never_passes_log_p():
    dbm, v = machine(1.5), states(D)
    truth = log_p_star(dbm, v)
    for start in (torch.zeros(16, L).double(), torch.ones(16, L).double()):
        before = torch.full((16,), -torch.inf).double()
        h2 = start
        for _ in range(30):
            h1 = dbm.first(v, h2)
            for means in ((h1, h2), (h1, dbm.second(h1))):  # a layer at a time
                now = dbm.bound(v, *means)
                assert (now >= before - 1e-12).all() and (now <= truth + 1e-12).all()
                before = now
            h2 = dbm.second(h1)
        settled = dbm.mean_field(v, updates=30, tolerance=0, h2=start)
        assert torch.allclose(dbm.bound(v, *settled), before, atol=1e-12)
    assert (truth - before).max() > 0.01  # q is no posterior here


@torch.no_grad()
def test_without_the_upper_weights_it_is_an_rbm():
    dbm = machine()
    dbm.U.zero_()
    rbm, v = RBM.of(dbm.W.detach(), dbm.a.detach(), dbm.b.detach()), states(D)
    top = torch.nn.functional.softplus(dbm.c).sum()
    assert torch.allclose(log_z(dbm.bipartite()), log_z(rbm) + top)
    assert torch.allclose(log_p_star(dbm, v), -rbm.free_energy(v) + top)
    assert torch.allclose(dbm.bound(v, *dbm.mean_field(v)), log_p_star(dbm, v))  # q is exact


@torch.no_grad()
def test_gibbs_sampling_draws_from_the_machine():
    dbm, n = machine(), 20_000
    start = torch.zeros(n, D).double(), torch.zeros(n, L).double()
    v, h2 = dbm.gibbs(*start, 60, torch.Generator().manual_seed(0))
    place = torch.cat([v, h2], 1) @ (2.0 ** torch.arange(D + L).flip(0)).double()
    joint = everything(dbm)[1].view(2**D, 2**K, 2**L).logsumexp(1).flatten().softmax(0)
    counts = torch.bincount(place.long(), minlength=2 ** (D + L))
    assert chisquare(counts, n * joint).pvalue > 1e-3
    assert chisquare(counts, n * joint.roll(1)).pvalue < 1e-9


# ---- the gradient


def test_the_gradient_is_that_of_the_exact_log_likelihood():
    dbm, data = machine(), states(D)[[3, 5, 5, 14]]
    log_p = everything(dbm)[1].view(2**D, -1).logsumexp(1).log_softmax(0)
    wanted = torch.autograd.grad(log_p[[3, 5, 5, 14]].mean(), list(dbm.parameters()))
    for one, other in zip(exact_gradient(dbm, data), wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-12)
    units, _ = everything(dbm)
    same = likelihood_gradient(units, Units(*(x[::1].repeat(3, 1) for x in units)))
    assert all(one.abs().max() < 1e-12 for one in same)


@pytest.mark.parametrize("offsets", [True, False])
def test_centred_training_does_not_mind_which_colour_is_called_one(offsets):
    data, here, there = states(D)[[1, 2, 2, 8]], machine(0.1), machine(0.1)
    with torch.no_grad():
        there.b += there.W.sum(0)
        there.W.neg_()
        there.a.neg_()
    share = [torch.full((n,), 0.5 * offsets).double() for n in (K, L)]
    for _ in range(20):
        for dbm, seen in ((here, data), (there, 1 - data)):
            with torch.no_grad():
                g = exact_gradient(dbm, seen)
                decayed = 0.01 * dbm.W, 0.01 * dbm.U
                g = centred(g, (seen.mean(0) * offsets, *share), decayed)
                for name, one in g._asdict().items():
                    getattr(dbm, name).add_(0.5 * one)
    same = torch.allclose(probabilities(here), probabilities(there).flip(0), atol=1e-9)
    assert same == offsets  # without offsets it does mind


# ---- training


def trainer(**changed):
    torch.manual_seed(0)
    ranks = np.random.default_rng(0).permuted(np.tile(np.arange(15), (D, 1)), axis=1).T
    grey = (ranks < np.array([3, 8, 12, 6])).astype(np.uint8) * 255
    arguments = {"chains": torch.zeros(10, D), "v_mean": torch.from_numpy(grey / 255).mean(0)}
    arguments["v_mean"] = arguments["v_mean"].float()
    batches = BinaryBatches(grey, batch_size=10, binarise="threshold")
    dbm = DBM(visible=D, hidden=K, top=L)
    return DBMTrainer(dbm, **arguments | {"lr": 0.5, "k": 2} | changed), batches


@pytest.mark.parametrize("method", ["plain", "pretrained", "centred"])
def test_every_way_learns_the_mean(method):
    one, batches = trainer(method=method)
    fit(one, batches, steps=300, show=False, strips=0)
    learned = probabilities(one.dbm.double()) @ states(D)
    assert torch.allclose(learned, one.v_mean.double(), atol=0.08), learned


def test_pretraining_takes_one_layer_after_the_other():
    one, batches = trainer(method="pretrained")
    moved = []

    def watched(batch, step=one.step):
        before = {name: p.detach().clone() for name, p in one.dbm.named_parameters()}
        losses = step(batch)
        after = dict(one.dbm.named_parameters())
        moved.append("".join(n for n in before if not torch.equal(before[n], after[n])))
        return losses

    one.step = watched
    fit(one, batches, steps=100, show=False, strips=0)
    ends = round(50 * PRETRAINING), round(100 * PRETRAINING)
    assert set(moved[: ends[0]]) == {"Wab"} and set(moved[ends[0] : ends[1]]) == {"Uc"}
    assert set(moved[ends[1] : -1]) == {"WUabc"}


def test_a_resumed_run_goes_on_exactly_chains_and_all(tmp_path):
    straight, batches = trainer()
    fit(straight, batches, steps=12, show=False)
    first, _ = trainer()

    def stops(step):
        if step == 6:
            raise KeyboardInterrupt
        return batches(step)

    with pytest.raises(KeyboardInterrupt):
        fit(first, stops, steps=12, out=tmp_path, save_every_s=0, show=False)
    again, _ = trainer()
    fit(again, batches, steps=12, out=tmp_path, resume=True, show=False)
    for name, p in again.dbm.named_parameters():
        assert torch.equal(p, getattr(straight.dbm, name)), name
    assert torch.equal(again.h2, straight.h2) and torch.equal(again.h1_mean, straight.h1_mean)


# ---- the system and its recipe


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("dbm") / "run"
    return train("dbm", profile="smoke", hidden=6, top=5, lr=0.2, out=out, show=False)


def test_a_few_steps_beat_independent_pixels_and_the_gap_is_exact(trained):
    found = TrainedDBM.load(trained.path).about["measured"]
    assert found["log_p"] > found["log_p_independent"]
    assert found["bound_gap"] == pytest.approx(found["log_p"] - found["log_p_bound"], abs=2e-4)
    assert found["bound_gap"] > -1e-4


def test_a_machine_too_large_for_sums_is_measured_from_both_sides():
    one = train("dbm", profile="smoke", hidden=21, top=5, steps=5, show=False)
    from t2ilab.recipes import dbm as recipe

    found = recipe.measure(one.system, recipe.Options(system="dbm", profile="smoke"), n=50)
    assert "log_p" not in found and found["pictures"] == 50 and found["walks"] == 100
    low, high = found["log_p_bound_reverse_ais"], found["log_p_bound_ais"]
    assert low == pytest.approx(high, abs=0.5)


def test_it_draws_digits_in_their_own_size_by_its_seed(trained):
    one, again = trained.system.draw(3, seed=1), trained.system.draw(3, seed=1)
    assert one.shape == (3, 8, 8, 3) and np.array_equal(one, again)
    assert not np.array_equal(one, trained.system.draw(3, seed=2))
    assert TrainedDBM.load(trained.path).arguments() == trained.system.arguments()


@torch.no_grad()
def test_drawing_samples_the_machine():
    dbm = machine().float()
    drawn = TrainedDBM(dbm, torch.zeros(D)).probabilities(1024, seed=0).mean(0).double()
    assert torch.allclose(drawn, probabilities(dbm.double()) @ states(D), atol=0.05)


def test_what_is_refused():
    with pytest.raises(UsageError, match="did you mean 'centred'"):
        train("dbm", method="centered", show=False)
    with pytest.raises(UsageError, match="did you mean 'plain'"):
        trainer(method="plane")
    with pytest.raises(UsageError, match="both are at least 1"):
        trainer(k=0)
    with pytest.raises(UsageError, match="--root FOLDER"):
        train("dbm", data="mnist", show=False)
