"""DRAW: its filters, its bound, and the system that draws and shows how."""

import json
import math
import struct

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner
from torch.distributions import Bernoulli, Normal, kl_divergence

from t2ilab.cli import main
from t2ilab.errors import DataError, UsageError
from t2ilab.losses.draw import (
    LEVELS,
    bernoulli,
    discretised_logistic,
    importance_weighted,
    kl_to_prior,
    log_ratio,
)
from t2ilab.models.draw import DRAW, Window, filters, read, window, write
from t2ilab.recipes import draw as recipe
from t2ilab.recipes.options import make
from t2ilab.recipes.train import train
from t2ilab.systems.draw import DrawSystem
from t2ilab.trainers.draw import DrawTrainer, values

SHARP = 1e-3  # a filter so narrow that it sees one pixel


def at(x, y, stride, sigma, gamma=1.0, b=1):
    return Window(*(torch.full((b,), float(value)) for value in (x, y, stride, sigma, gamma)))


def anywhere(b, size, seed=0):
    """Windows within, half outside, and far outside the picture."""
    u = torch.rand(5, b, generator=torch.Generator().manual_seed(seed))
    return Window(size * (4 * u[0] - 1.5), size * (4 * u[1] - 1.5), 3 * u[2], 0.2 + u[3], u[4] + 1)


def network(seed=0, **changed):
    torch.manual_seed(seed)
    sizes = {"size": 6, "glimpses": 3, "hidden": 8, "latent": 2, "read": 2, "write": 3}
    made = DRAW(**sizes | changed)
    with torch.no_grad():  # as it is made the canvas is grey and every window the whole picture
        for one in made.parameters():
            one += 0.3 * torch.randn(one.shape)
    return made


def zeros_and_ones(*shape, seed=0):
    return torch.randint(2, shape, generator=torch.Generator().manual_seed(seed)).float()


def noise(net, n, seed=0):
    return net.noise(n, torch.Generator().manual_seed(seed))


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="t2ilab")


# Filters


@pytest.mark.parametrize("side", [2, 5, 12])
def test_rows_of_the_filters_sum_to_one_wherever_they_lie(side):
    w = anywhere(200, 12)
    rows = filters(w.x, w.stride, w.sigma, side=side, size=12)
    assert rows.shape == (200, side, 12) and (rows >= 0).all()
    assert torch.allclose(rows.sum(-1), torch.ones(200, side), atol=1e-6)


@pytest.mark.parametrize("side", [2, 3, 5, 8])
@pytest.mark.parametrize("size", [8, 9, 28])
def test_zeros_make_a_window_over_the_whole_picture(side, size):
    w = window(torch.zeros(1, 5), side=side, size=size)
    assert float(w.x) == float(w.y) == (size + 1) / 2 and float(w.sigma) == float(w.gamma) == 1
    rows = filters(w.x, w.stride, w.sigma, side=side, size=size)[0]
    assert torch.allclose(rows, rows.flip(0, 1), atol=1e-6)  # it lies in the middle
    assert int(rows[0].argmax()) == 0 and int(rows[-1].argmax()) == size - 1  # from end to end


def test_the_five_numbers_mean_what_the_paper_says():
    w = window(torch.tensor([[0.5, -0.5, math.log(4), math.log(0.5), math.log(3)]]), side=5, size=9)
    expected = [7.5, 2.5, 0.5 * 8 / 4, 2.0, 3.0]
    assert [float(value) for value in w] == pytest.approx(expected)


@pytest.mark.parametrize("side", [2, 4, 6])
def test_a_sharp_window_of_stride_one_is_a_crop(side):
    x = torch.rand(1, 2, 8, 8)
    inset = (8 - side) // 2
    middle = read(x, at(4.5, 4.5, 1, SHARP), side=side)
    assert torch.equal(middle, x[..., inset : 8 - inset, inset : 8 - inset])
    corner = read(x, at((side + 1) / 2, (side + 1) / 2, 1, SHARP), side=side)
    assert torch.equal(corner, x[..., :side, :side])  # pixels count from 1
    wide = read(x, at(4.5, (side + 1) / 2, 1, SHARP), side=side)
    assert torch.equal(wide, x[..., :side, inset : 8 - inset])  # x goes along rows, y down


def test_writing_is_the_adjoint_of_reading():
    w, rng = anywhere(50, 9), torch.Generator().manual_seed(1)
    x = torch.randn(50, 3, 9, 9, generator=rng)
    patch = torch.randn(50, 3, 4, 4, generator=rng)
    plain = w._replace(gamma=torch.ones(50))
    left = (write(patch, plain, size=9) * x).sum((1, 2, 3))
    assert torch.allclose(left, (patch * read(x, plain, side=4)).sum((1, 2, 3)), atol=1e-5)
    by_gamma = w.gamma[:, None, None, None]
    assert torch.allclose(read(x, w, side=4), by_gamma * read(x, plain, side=4))
    assert torch.allclose(write(patch, w, size=9) * by_gamma, write(patch, plain, size=9))


@pytest.mark.parametrize("side", [4, 5])
def test_a_picture_shifted_by_a_stride_is_read_one_cell_further(side):
    x = torch.zeros(1, 1, 40, 40)
    x[..., 14:26, 14:26] = torch.rand(12, 12, generator=torch.Generator().manual_seed(0))
    w = at(20.5, 20.5, 3, 0.8)
    here = read(x, w, side=side)
    right, down = read(x.roll(3, -1), w, side=side), read(x.roll(3, -2), w, side=side)
    assert torch.allclose(right[..., 1:], here[..., :-1], atol=1e-6)
    assert torch.allclose(down[..., 1:, :], here[..., :-1, :], atol=1e-6)
    assert not torch.allclose(right, here, atol=0.01)


# The bound


@pytest.mark.parametrize("latents", [1, 3, 100])
def test_kl_is_that_of_torch_and_nothing_at_the_prior(latents):
    rng = torch.Generator().manual_seed(0)
    mu, log_sigma = torch.randn(2, 4, 5, latents, generator=rng, dtype=torch.double)
    q, prior = Normal(mu, log_sigma.exp()), Normal(torch.zeros_like(mu), 1.0)
    found = kl_to_prior(mu, log_sigma)
    assert found.shape == (4, 5)
    assert torch.allclose(found, kl_divergence(q, prior).sum(-1))
    assert float(kl_to_prior(torch.zeros(7, latents), torch.zeros(7, latents)).abs().max()) == 0
    z = mu + log_sigma.exp() * torch.randn(mu.shape, generator=rng, dtype=torch.double)
    assert torch.allclose(log_ratio(z, mu, log_sigma), (q.log_prob(z) - prior.log_prob(z)).sum(-1))


def test_likelihoods_are_of_the_pictures_that_there_are():
    assert float(bernoulli(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))) == pytest.approx(
        -4 * math.log(2)
    )
    every = torch.arange(LEVELS + 1.0, dtype=torch.double).view(-1, 1, 1, 1) / LEVELS
    for mean in (0.0, 0.3, 1.0):
        for log_scale in (-7.0, -3.0, 0.0):
            of = torch.full_like(every, mean)
            log_p = discretised_logistic(every, of, torch.tensor([log_scale], dtype=torch.double))
            assert float(log_p.exp().sum()) == pytest.approx(1, abs=1e-9)
    far = discretised_logistic(
        torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), torch.tensor([-9.0])
    )
    assert -1e5 < float(far) < -1000  # of a byte that is out of the question, no infinity


def test_one_glimpse_without_attention_is_a_variational_autoencoder():
    """Written here anew, from the equations of an LSTM at rest and of Kingma and Welling 2014."""
    net = network(glimpses=1, read=None, write=None, channels=2).double()
    x, eps = zeros_and_ones(5, 2, 6, 6).double(), noise(net, 5).double()

    def unit(cell, inputs):  # h = o tanh(i g): at rest there is nothing to forget
        gates = inputs @ cell.weight_ih.T + cell.bias_ih + cell.bias_hh
        i, _, g, o = gates.chunk(4, 1)
        return o.sigmoid() * (i.sigmoid() * g.tanh()).tanh()

    error = x - net.empty.sigmoid()
    seen = torch.cat([x.flatten(1), error.flatten(1), torch.zeros(5, 8)], 1)
    h = unit(net.encoder, seen)
    q = Normal(net.to_mu(h), net.to_log_sigma(h).exp())
    z = q.loc + q.scale * eps[0]
    logits = net.to_patch(unit(net.decoder, z)).view_as(x) + net.empty
    log_p = Bernoulli(logits=logits).log_prob(x).sum((1, 2, 3))
    expected = log_p - kl_divergence(q, Normal(0.0, 1.0)).sum(1)

    done = net(x, eps)
    found = bernoulli(x, done.canvases[-1]) - kl_to_prior(done.mu, done.log_sigma).sum(0)
    assert torch.allclose(found, expected, rtol=0, atol=1e-6)


@torch.no_grad()
def test_more_draws_come_nearer_to_the_exact_likelihood_from_below():
    """With one latent log p(x) is an integral over a line; over all pictures p sums to 1."""
    net = network(size=2, glimpses=1, latent=1, read=None, write=None)
    every = torch.tensor([[float(k >> i & 1) for i in range(4)] for k in range(16)])
    every = every.view(16, 1, 2, 2)
    z = torch.linspace(-8, 8, 2001)
    canvases, _ = net.generate(z.view(1, -1, 1))
    logits = canvases[-1].flatten(1)
    each = torch.stack([-F.softplus(-(2 * x.flatten() - 1) * logits).sum(1) for x in every])
    weight = Normal(0.0, 1.0).log_prob(z) + math.log(z[1] - z[0])
    exact = torch.logsumexp(each + weight, 1)
    assert float(exact.exp().sum()) == pytest.approx(1, abs=1e-4)

    log_w, _ = recipe.log_weights(net, every, 20_000, torch.Generator().manual_seed(0))
    one, some = log_w.mean(0), importance_weighted(log_w.view(10, -1)).view(2000, 16).mean(0)
    assert (one < some).all() and (some < exact + 0.01).all()
    assert torch.allclose(importance_weighted(log_w), exact, atol=0.05)
    assert float((exact - one).min()) > 0.01  # the gap that the draws close


@torch.no_grad()
def test_one_draw_is_the_bound():
    net, x = network(), zeros_and_ones(400, 1, 6, 6)
    log_w, kl = recipe.log_weights(net, x, 50, torch.Generator().manual_seed(0))
    assert log_w.shape == (50, 400) and kl.shape == (3, 400)
    assert torch.equal(importance_weighted(log_w[:1]), log_w[0])
    done = net(x.repeat(20, 1, 1, 1), noise(net, 8000, seed=1))
    closed = bernoulli(x.repeat(20, 1, 1, 1), done.canvases[-1])
    closed = closed - kl_to_prior(done.mu, done.log_sigma).sum(0)
    assert float(log_w.mean()) == pytest.approx(float(closed.mean()), abs=0.1)


# The network


@pytest.mark.parametrize("windows", [{}, {"read": None, "write": None}])
def test_drawing_takes_the_same_way_as_drawing_again(windows):
    net = network(channels=3, colours=True, **windows)
    done = net(torch.rand(4, 3, 6, 6), noise(net, 4))
    canvases, writes = net.generate(done.z)
    assert torch.allclose(canvases, done.canvases, atol=1e-5)
    assert torch.equal(canvases[0], net.empty.expand(4, -1, -1, -1))
    assert (writes is None) == bool(windows)
    if writes is not None:
        assert torch.allclose(writes.x, done.writes.x, atol=1e-5)
        assert not torch.allclose(done.reads.x, done.writes.x, atol=0.01)  # layers of their own


@pytest.mark.parametrize("windows", [{}, {"read": None, "write": None}])
def test_every_weight_learns(windows):
    net = network(channels=3, colours=True, **windows)
    x = torch.rand(4, 3, 6, 6)
    done = net(x, noise(net, 4))
    mean = done.canvases[-1].sigmoid()
    log_p = discretised_logistic(x, mean, done.log_scale)
    (kl_to_prior(done.mu, done.log_sigma).sum(0) - log_p).mean().backward()
    still = [name for name, one in net.named_parameters() if not one.grad.abs().max() > 0]
    assert still == []


def test_noise_is_new_at_every_glimpse_and_every_step(monkeypatch):
    net = network(latent=50)
    trainer, made = DrawTrainer(net), []
    trainer.network, trainer.device = net, torch.device("cpu")
    monkeypatch.setattr(
        net, "forward", lambda x, eps: made.append(eps) or DRAW.forward(net, x, eps)
    )
    batch = {"images": torch.randint(256, (64, 1, 6, 6), dtype=torch.uint8)}
    trainer.step(batch)
    trainer.step(batch)
    rows = torch.cat(made).flatten(1)  # 2 steps x 3 glimpses, 3200 numbers each
    assert len(rows) == 6
    correlation = torch.corrcoef(rows) - torch.eye(6)
    assert float(correlation.abs().max()) < 0.1  # 5.6 standard deviations
    eps = noise(net, 8)
    done = net(zeros_and_ones(8, 1, 6, 6), eps)
    assert torch.allclose((done.z - done.mu) / done.log_sigma.exp(), eps, atol=1e-4)


def test_grey_becomes_zeros_and_ones_anew_and_colours_stay():
    grey = torch.full((1, 1, 100, 100), 51, dtype=torch.uint8)
    rng = torch.Generator().manual_seed(0)
    one, two = values(grey, network(), rng), values(grey, network(), rng)
    assert set(one.unique().tolist()) == {0, 1} and not torch.equal(one, two)
    assert float(one.mean()) == pytest.approx(0.2, abs=0.02)
    colours = torch.randint(256, (2, 3, 6, 6), dtype=torch.uint8)
    kept = values(colours, network(channels=3, colours=True), rng)
    assert torch.equal((kept * 255).round().byte(), colours)


@pytest.mark.parametrize("wrong", [{"read": 1}, {"read": 7}, {"write": 7}])
def test_a_window_that_does_not_fit_is_refused(wrong):
    (name,) = wrong
    with pytest.raises(UsageError, match=f"--{name} {wrong[name]}: a window has 2 to 6 filters"):
        network(**wrong)


@pytest.mark.parametrize("name", ["size", "channels", "glimpses", "hidden", "latent"])
@pytest.mark.parametrize("number", [0, -1])
def test_a_number_below_1_is_refused_by_its_name(name, number):
    with pytest.raises(UsageError, match=f"{name} {number}: DRAW needs 1 or more"):
        DRAW(**{name: number})
    with pytest.raises(UsageError, match="k of 1 or more"):
        importance_weighted(torch.zeros(0, 3))


# The system


def test_a_film_ends_with_what_is_drawn():
    system = DrawSystem(network())
    film = system.film(4, seed=1)
    assert len(film) == 3 and film.canvases.shape == (4, 4, 6, 6, 3)
    assert film.canvases.dtype == np.uint8
    assert np.array_equal(film.canvases[-1], system.draw(4, seed=1))
    many = system.film(70, seed=1).canvases[-1].astype(int)  # drawn in two parts
    assert np.abs(many - system.draw(70, seed=1)).max() <= 1  # the same, up to rounding
    assert not np.array_equal(system.draw(4, seed=1), system.draw(4, seed=2))
    assert film.reads is None and film.kl is None
    assert film.writes.centres.shape == (3, 4, 2) and film.writes.strides.shape == (3, 4)
    assert np.allclose(film.writes.sizes, 2 * film.writes.strides)  # three filters
    left, top, right, bottom = film.writes.box(3, 2)
    assert right - left == pytest.approx(film.writes.sizes[2, 2], abs=1e-4)
    x, y = film.writes.centres[2, 2] - 0.5
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((x, y), abs=1e-4)
    without = DrawSystem(network(write=None)).film(2)
    assert without.writes is None and len(without) == 3
    for n in (0, 1025):
        with pytest.raises(UsageError, match="1 to 1024"):
            system.film(n)


@torch.no_grad()
def test_strokes_lie_where_the_film_says():
    net = network(size=20, write=2)
    for one in net.writing.parameters():
        one.zero_()
    net.writing.to_window.bias += torch.tensor([-0.5, 0.25, -4.0, math.log(2 / 19), 0.0])
    film = DrawSystem(net).film(8)
    canvases, _ = net.generate(noise(net, 8))
    stroke = (canvases[1] - canvases[0])[:, 0].abs().sum(0)
    left, top, right, bottom = film.writes.box(1, 0)
    assert (left, right) == pytest.approx((3.75, 5.75)) and top == pytest.approx(11.625)
    where = torch.arange(20) + 0.5
    assert float((stroke.sum(0) * where).sum() / stroke.sum()) == pytest.approx(4.75, abs=1)
    assert float((stroke.sum(1) * where).sum() / stroke.sum()) == pytest.approx(12.625, abs=1)
    assert float(stroke[int(top) - 1 : int(bottom) + 2, int(left) - 1 : int(right) + 2].sum()) > (
        0.99 * float(stroke.sum())
    )


def test_a_picture_is_looked_at_and_drawn_again():
    system = DrawSystem(network())
    film = system.redraw(zeros_and_ones(5, 1, 6, 6))
    assert len(film) == 3 and film.kl.shape == (3, 5) and (film.kl > 0).all()
    assert film.reads.centres.shape == (3, 5, 2) and np.allclose(
        film.reads.sizes, film.reads.strides
    )
    with pytest.raises(UsageError, match=r"pictures of \[3, 6, 6\]; this DRAW looks at \[1, 6, 6"):
        system.redraw(torch.rand(5, 3, 6, 6))


# The recipe


def test_training_lowers_the_bound(tmp_path):
    trained = train("draw", data="digits", profile="smoke", steps=200, lr=0.01, hidden=64,
                    attention="off", out=tmp_path, show=False)  # fmt: skip
    history = trained.fitted.history
    assert history["nats"].iloc[:20].mean() - history["nats"].iloc[-20:].mean() > 1
    assert history["kl"].iloc[-1] > 0.5  # z says something of the picture
    assert trained.path.name == "draw_whole-digits-8.safetensors"
    assert trained.fitted.strips[-1][1].shape == (16, 8, 8, 3)
    found = json.loads(trained.path.with_suffix(".json").read_text())["measured"]
    assert 15 < found["nats_100"] < found["nats_1"] < 30 and found["pictures"] == 16
    assert found["kl"] == pytest.approx(sum(found[f"kl_{t:02d}"] for t in (1, 2, 3)), abs=1e-3)

    words = ("evaluate", "draw", "--weights", tmp_path, "--json", "-n", 16)
    done = call(*words)  # the weights say of which data they are
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["nats_100"] == pytest.approx(found["nats_100"], abs=0.05)
    wrong = call(*words, "--world", "birds")
    assert wrong.exit_code == 2 and "this DRAW looks at [1, 8, 8]" in wrong.stderr


def test_a_world_is_learned_in_colour(tmp_path, few_test_pictures):
    trained = train("draw", profile="smoke", steps=2, out=tmp_path, show=False)
    about = json.loads(trained.path.with_suffix(".json").read_text())
    assert trained.path.name == "draw-birds-32.safetensors" and about["arguments"]["colours"]
    bits = about["measured"]["nats_100"] / (3 * 32 * 32 * math.log(2))
    assert about["measured"]["bits_a_value"] == pytest.approx(bits, abs=1e-4) and 2 < bits < 9
    drawn = trained.system.draw(8)
    assert drawn.shape == (8, 32, 32, 3) and (drawn[..., 0] != drawn[..., 2]).any()
    again = DrawSystem.load(tmp_path).film(8).canvases[-1].astype(int)
    assert np.abs(again - drawn).max() <= 2  # half floats

    picture = tmp_path / "birds.png"
    done = call("sample", "draw", "--weights", tmp_path, "-n", 3, "-o", picture)
    assert done.exit_code == 0 and picture.exists(), done.output


def test_mnist_is_learned_in_its_own_size(tmp_path):
    grey = np.random.default_rng(0).integers(256, size=(30, 28, 28), dtype=np.uint8)
    head = struct.pack(">4I", 0x803, 30, 28, 28)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(head + grey.tobytes())
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 30) + bytes(30))
    given = {"data": "mnist", "root": str(tmp_path)}
    pictures = recipe.load(make(recipe.Options, "draw", given), "train")
    assert pictures.name == "mnist/train/28" and np.array_equal(pictures.images[..., 1], grey)
    with pytest.raises(DataError, match="t10k-images"):  # missed now, not after training
        train("draw", profile="smoke", steps=1, show=False, **given)
    with pytest.raises(UsageError, match="28 x 28 pixels, not 32"):
        recipe.load(make(recipe.Options, "draw", given | {"size": 32}), "train")
    with pytest.raises(UsageError, match="--root FOLDER"):
        recipe.load(make(recipe.Options, "draw", {"data": "mnist"}), "train")


def test_the_canvas_begins_as_the_mean_picture():
    o = make(recipe.Options, "draw", {"data": "digits"})
    built, pictures = recipe.build(o, None), recipe.load(o, "train")
    canvas = built.trainer.draw.empty.sigmoid()[0].detach().numpy()
    assert np.allclose(canvas, pictures.images[..., 0].mean(0) / 255, atol=1e-3)
    assert 0 < canvas.min() < 1e-3  # where no digit has ink


def test_options_that_contradict_are_refused():
    with pytest.raises(UsageError, match="--attention off has no window"):
        make(recipe.Options, "draw", {"attention": "off", "read": 3})
    with pytest.raises(UsageError, match="--write 9: a window has 2 to 8 filters"):
        train("draw", data="digits", write=9, steps=1, show=False)
