"""The RBM: exact sums, the gradient, Gibbs sampling, annealing, training, the recipe."""

import itertools
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.stats import chisquare

from t2ilab.cli import main
from t2ilab.data.digits import load_mnist
from t2ilab.errors import UsageError
from t2ilab.exact.partition import (
    Base,
    ais,
    base_rates,
    log_sum,
    log_z,
    log_zs,
    reverse_ais,
    temperatures,
)
from t2ilab.fit import fit
from t2ilab.models.rbm import RBM, as_pictures, negative_phase
from t2ilab.recipes import rbm as recipe
from t2ilab.recipes.train import train
from t2ilab.systems.boltzmann import TrainedRBM
from t2ilab.trainers.rbm import (
    BinaryBatches,
    Gradient,
    RBMTrainer,
    Units,
    binary,
    centred,
    likelihood_gradient,
)


def states(n):
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=n)), dtype=torch.float64)


def machine(visible=4, hidden=3, scale=1.0, seed=0):
    rng = torch.Generator().manual_seed(seed)
    sizes = (visible, hidden), (visible,), (hidden,)
    parts = (scale * torch.randn(size, generator=rng, dtype=torch.float64) for size in sizes)
    return RBM.of(*parts)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def probabilities(rbm):
    """p(v) of every state."""
    return (-rbm.free_energy(states(len(rbm.a)))).softmax(0)


def units(rbm, v):
    return Units(v, rbm.hidden(v))


def exact_gradient(rbm, data):
    """<v h>_data - <v h>_model with the true p(v): the function under test, row by row."""
    rows = zip(probabilities(rbm), states(len(rbm.a)), strict=True)
    seen = units(rbm, data)
    parts = [[p * x for x in likelihood_gradient(seen, units(rbm, v[None]))] for p, v in rows]
    return Gradient(*(sum(one) for one in zip(*parts, strict=True)))


@torch.no_grad()
def test_log_z_is_the_sum_over_all_states_whichever_side_is_smaller():
    for sizes in ((4, 3), (3, 5)):
        rbm = machine(*sizes)
        v, h = states(sizes[0]), states(sizes[1])
        pairs = v.repeat_interleave(len(h), 0), h.repeat(len(v), 1)
        every = -rbm.energy(*pairs).view(len(v), len(h))
        assert float(log_z(rbm)) == pytest.approx(float(every.logsumexp((0, 1))), abs=1e-12)
        assert torch.allclose(-rbm.free_energy(v), every.logsumexp(1))
    assert float(log_sum(14, lambda s: s.sum(1))) == pytest.approx(14 * np.log1p(np.e))
    with pytest.raises(UsageError, match="at most 20"):
        log_z(RBM(visible=21, hidden=21))


def test_the_gradient_is_that_of_the_exact_log_likelihood():
    rbm, data = machine(), states(4)[[3, 5, 5, 14]]
    log_p = -rbm.free_energy(data).mean() - (-rbm.free_energy(states(4))).logsumexp(0)
    wanted = torch.autograd.grad(log_p, (rbm.W, rbm.a, rbm.b))
    for one, other in zip(exact_gradient(rbm, data), wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-12)


@torch.no_grad()
def test_contrastive_divergence_comes_near_the_gradient_as_k_grows():
    rbm, data = machine(scale=1.5), states(4)[[3, 5, 5, 14]]
    wanted = exact_gradient(rbm, data)

    def error(k):
        model = rbm.gibbs(data.repeat(20_000, 1), k, rng())
        found = likelihood_gradient(units(rbm, data), units(rbm, model))
        return max(float((x - y).abs().max()) for x, y in zip(found, wanted, strict=True))

    errors = [error(k) for k in (1, 4, 16, 64)]
    assert errors[0] > 2 * errors[1] > 4 * errors[2] and errors[3] < 0.01, errors


def test_cd_begins_at_the_data_and_pcd_where_its_chains_are():
    v, chains = torch.zeros(2, 3), torch.ones(4, 3)
    samples, kept = negative_phase(v, chains, "cd", 3, lambda x: x + 1)
    assert torch.equal(samples, v + 3) and kept is chains
    samples, kept = negative_phase(v, chains, "pcd", 3, lambda x: x + 1)
    assert torch.equal(samples, chains + 3) and kept is samples
    with pytest.raises(UsageError, match="at least 1"):
        negative_phase(v, chains, "cd", 0, lambda x: x)
    with pytest.raises(UsageError, match="pcd"):
        negative_phase(v, chains, "pdc", 1, lambda x: x)


@torch.no_grad()
def test_gibbs_sampling_draws_from_the_machine():
    rbm, n = machine(), 20_000
    drawn = rbm.gibbs(torch.zeros(n, 4, dtype=torch.float64), 60, rng())
    counts = torch.bincount((drawn @ torch.tensor([8.0, 4, 2, 1]).double()).long(), minlength=16)
    expected = n * probabilities(rbm)
    assert chisquare(counts, expected).pvalue > 1e-3
    assert chisquare(counts, n * probabilities(machine(seed=1))).pvalue < 1e-9


# ---- annealing


def test_temperatures_are_those_of_the_papers_program():
    betas = temperatures()
    assert len(betas) == 14_501 and betas[0] == 0 and betas[-1] == 1
    assert np.allclose([betas[1], betas[500], betas[501] - 0.5], [1e-3, 0.5, 1e-4])
    assert np.allclose([betas[4500], 1 - betas[-2]], [0.9, 1e-5]) and len(temperatures(10)) == 11


def test_base_rates_are_the_smoothed_means_of_the_pixels():
    rates = torch.sigmoid(base_rates(torch.tensor([0.0, 0.25, 1.0]), 20))
    assert torch.allclose(rates, torch.tensor([5 / 30, 10 / 30, 25 / 30]))


def test_without_weights_annealing_is_exact():
    rbm = machine()
    with torch.no_grad():
        rbm.W.zero_()
    base = Base(rbm.a.detach(), rbm.b.detach())
    found = ais(rbm, base, steps=5, chains=7)
    assert found.log_w.std() < 1e-12
    assert found.log_z == pytest.approx(float(log_z(rbm)), abs=1e-9)


def test_annealing_is_too_small_on_average_and_the_way_back_too_large():
    rbm, walks = machine(5, 4, scale=1.5), 4000
    base, truth = Base(torch.zeros(5, dtype=torch.float64)), float(log_z(rbm))
    chosen = probabilities(rbm).multinomial(walks, replacement=True, generator=rng(1))
    forward = ais(rbm, base, steps=8, chains=walks)
    back = reverse_ais(rbm, base, states(5)[chosen], steps=8, seed=2)
    z0, error = float(base.log_z(rbm)), 4 / walks**0.5
    low, high = z0 + forward.log_w, z0 - back.log_w  # what each walk alone would say
    assert low.mean() + error * low.std() < truth < high.mean() - error * high.std()
    for one in (forward, back):
        assert one.low < truth < one.high and one.low < one.log_z < one.high
    many = ais(rbm, base, steps=1000, chains=200)
    assert many.log_z == pytest.approx(truth, abs=0.05)


def test_log_z_is_summed_where_it_can_be_and_else_closed_in_on():
    assert log_zs(machine(), Base(torch.zeros(4))) == {"": float(log_z(machine()))}
    rbm = machine(24, 22, scale=0.3)
    base = Base(rbm.a.detach())
    found = log_zs(rbm, base, steps=400, chains=50)
    assert found["_reverse_ais"] == pytest.approx(found["_ais"], abs=0.3)


# ---- training


def flipped(rbm):
    """The machine that says of 1 - v what `rbm` says of v."""
    return RBM.of(-rbm.W.detach(), -rbm.a.detach(), (rbm.b + rbm.W.sum(0)).detach())


@pytest.mark.parametrize("offsets", [True, False])
def test_centred_training_does_not_mind_which_colour_is_called_one(offsets):
    data = states(4)[[1, 2, 2, 8]]
    here, there = machine(scale=0.1), flipped(machine(scale=0.1))
    mu = torch.full((3,), 0.5 * offsets, dtype=torch.float64)
    for _ in range(30):
        for rbm, seen in ((here, data), (there, 1 - data)):
            g = exact_gradient(rbm, seen)
            g = centred(g, seen.mean(0) * offsets, mu, 0.01 * rbm.W.detach())
            for name, one in g._asdict().items():
                getattr(rbm, name).data += 0.5 * one
    same = torch.allclose(probabilities(here), probabilities(there).flip(0), atol=1e-9)
    assert same == offsets  # without offsets it does mind


MEANS = torch.tensor([0.2, 0.5, 0.8, 0.4])


def pictures():
    """15 pictures of 4 pixels with these means (0.5: 8 of 15)."""
    ranks = np.random.default_rng(0).permuted(np.tile(np.arange(15), (4, 1)), axis=1).T
    return (ranks < np.round(15 * MEANS.numpy())).astype(np.uint8) * 255


def trainer(batch_size=10, **changed):
    torch.manual_seed(0)
    rbm, chains = RBM(visible=4, hidden=3), torch.zeros(10, 4)
    arguments = {"chains": chains, "v_mean": MEANS, "lr": 0.5, "k": 2} | changed
    batches = BinaryBatches(pictures(), batch_size=batch_size, binarise="threshold")
    return RBMTrainer(rbm, **arguments), batches


@pytest.mark.parametrize("batch_size", [10, 14, 40])
@pytest.mark.parametrize("method", ["cd", "pcd"])
def test_any_batch_size_learns_the_mean(method, batch_size):
    """scikit-learn's BernoulliRBM learns 0.07 for 0.5 where 14 of 15 pictures make a batch."""
    one, batches = trainer(batch_size, method=method)
    fit(one, batches, steps=250, show=False, strips=0)
    learned = probabilities(one.rbm.double()) @ states(4)
    assert torch.allclose(learned, torch.from_numpy(pictures() / 255).mean(0), atol=0.08), learned


def test_every_picture_comes_once_an_epoch_whatever_the_batch_size():
    whole = BinaryBatches(np.eye(15, dtype=np.uint8) * 255, batch_size=4, binarise="threshold")
    seen = torch.cat([whole(step)["v"] for step in range(15)]).argmax(1)
    for epoch in seen.view(4, 15):
        assert sorted(epoch.tolist()) == list(range(15))
    assert not torch.equal(seen[:15], seen[15:30])
    assert torch.equal(whole(7)["v"], whole(7)["v"])


def test_both_ways_to_binarise():
    grey = np.array([[0, 127, 128, 255, 51]] * 4000, dtype=np.uint8)
    hard = binary(grey[:1], "threshold", np.random.default_rng(0))
    assert hard.tolist() == [[0, 0, 1, 1, 0]]
    soft = binary(grey, "stochastic", np.random.default_rng(0)).mean(0)
    assert torch.allclose(soft, torch.tensor([0, 0.5, 0.5, 1, 0.2]), atol=0.03)


def test_a_resumed_run_goes_on_exactly_chains_and_all(tmp_path):
    straight, batches = trainer()
    fit(straight, batches, steps=12, show=False)
    first, batches = trainer()

    def stops(step):
        if step == 6:
            raise KeyboardInterrupt
        return batches(step)

    with pytest.raises(KeyboardInterrupt):
        fit(first, stops, steps=12, out=tmp_path, save_every_s=0, show=False)
    again, batches = trainer()
    fit(again, batches, steps=12, out=tmp_path, resume=True, show=False)
    for name in ("W", "a", "b"):
        assert torch.equal(getattr(again.rbm, name), getattr(straight.rbm, name))
    assert torch.equal(again.chains, straight.chains)


# ---- the system and its recipe


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("rbm") / "run"
    return train("rbm", profile="smoke", hidden=16, out=out, show=False)


def test_a_few_steps_beat_independent_pixels_and_are_measured_exactly(trained):
    found = TrainedRBM.load(trained.path).about["measured"]
    assert set(found) == {"log_p", "log_z", "log_p_independent", "pictures"}
    assert found["log_p"] > found["log_p_independent"] and found["pictures"] == 297


def test_it_draws_digits_in_their_own_size_by_its_seed(trained):
    one, again = trained.system.draw(3, seed=1), trained.system.draw(3, seed=1)
    assert one.shape == (3, 8, 8, 3) and one.dtype == np.uint8 and np.array_equal(one, again)
    assert not np.array_equal(one, trained.system.draw(3, seed=2))
    assert (one[..., 0] == one[..., 1]).all() and TrainedRBM.load(trained.path).size == 8
    with pytest.raises(UsageError, match="1 to 1024"):
        trained.system.draw(0)
    assert as_pictures(torch.tensor([[0.0, 1, 0.5, 0]]))[0, ..., 0].tolist() == [[0, 255], [128, 0]]


@torch.no_grad()
def test_drawing_samples_the_machine():
    rbm = machine(4, 3)
    system = TrainedRBM(rbm.float(), torch.zeros(4))
    drawn = system.probabilities(1024, seed=0).mean(0).double()
    wanted = probabilities(rbm.double()) @ states(4)
    assert torch.allclose(drawn, wanted, atol=0.05)


def test_evaluate_measures_with_the_data_and_the_way_of_the_weights(trained, tmp_path):
    other = train(
        "rbm", profile="smoke", hidden=4, binarise="stochastic", steps=5, out=tmp_path, show=False
    )
    for path in (trained.path, other.path):
        stated = TrainedRBM.load(path).about["measured"]["log_p"]
        words = ["evaluate", "rbm", "--weights", str(path), "--json"]
        done = CliRunner().invoke(main, words, prog_name="t2ilab")
        assert json.loads(done.stdout)["log_p"] == pytest.approx(stated, abs=0.01), done.output


def test_what_is_refused():
    with pytest.raises(UsageError, match="--root FOLDER"):
        train("rbm", data="mnist", show=False)
    with pytest.raises(UsageError, match="did you mean 'pcd'"):
        train("rbm", method="pcdd", show=False)
    with pytest.raises(UsageError, match="did you mean 'centred'"):
        trainer(gradient="centered")
    with pytest.raises(UsageError, match="--lr 0"):
        train("rbm", lr=0.0, show=False)
    with pytest.raises(UsageError, match="k = 0"):
        trainer(k=0)
    with pytest.raises(UsageError, match="60 pixels make no square"):
        as_pictures(torch.zeros(1, 60))


@pytest.mark.parametrize(
    ("grey", "changed", "said"),
    [
        (np.full((5, 4), 0.3), {}, "uint8"),
        (np.zeros((0, 4), np.uint8), {}, r"pictures \[0, 4\]"),
        (np.zeros((5, 4), np.uint8), {"batch_size": 0}, "at least 1 picture"),
        (np.zeros((5, 4), np.uint8), {"binarise": "treshold"}, "did you mean 'threshold'"),
    ],
)
def test_pictures_that_are_not_from_0_to_255_are_refused(grey, changed, said):
    with pytest.raises(UsageError, match=said):
        BinaryBatches(grey, **{"batch_size": 2, "binarise": "threshold"} | changed)


def test_mnist_is_read_without_its_border(tmp_path):
    import struct

    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(256, size=(6, 28, 28)).astype(np.uint8)
    for stem in ("train", "t10k"):
        head = struct.pack(">4I", 0x803, 6, 28, 28)
        (raw / f"{stem}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        (raw / f"{stem}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 6) + bytes(6))
    found = recipe.grey(load_mnist(tmp_path, "test", border=0))
    assert np.array_equal(found, pixels.reshape(6, 784))
    options = {"data": "mnist", "root": str(tmp_path), "hidden": 5, "steps": 2, "batch_size": 4}
    one = train("rbm", profile="smoke", out=tmp_path / "run", show=False, **options)
    about = TrainedRBM.load(one.path).about
    assert about["size"] == 28 and about["measured"]["pictures"] == 6
    assert about["data"] == "mnist/train/28, binarised: stochastic"
    assert one.path.stem == "rbm-mnist-28"
