"""VAE and IWAE: the bounds against what is exact, the networks, training and the command line."""

import itertools
import json
import os
import signal

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence

from t2ilab.cli import main
from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError
from t2ilab.fit import fit
from t2ilab.losses.variational import (
    bernoulli,
    discretised_logistic,
    gaussian_kl,
    gaussian_log_density,
    importance_bound,
    terms,
    with_free_bits,
)
from t2ilab.metrics.bounds import bounds
from t2ilab.models.vae import VAE
from t2ilab.recipes.train import train
from t2ilab.systems.vae import VAESystem
from t2ilab.trainers.vae import SCHEDULES, Recipe, Variational

ABOUT = {"command": "none", "data": "none", "seconds": 0, "measured": {}}


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=rng(seed))


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="t2ilab")


# Densities


def test_densities_and_kl_are_those_of_torch():
    z, mu, logvar = randn(3, 4), randn(4, seed=1), randn(4, seed=2)
    q = Normal(mu, (logvar / 2).exp())
    assert torch.allclose(gaussian_log_density(z, mu, logvar), q.log_prob(z).sum(-1), atol=1e-5)
    assert torch.allclose(gaussian_kl(mu, logvar), kl_divergence(q, Normal(0.0, 1.0)), atol=1e-5)
    x, logits = (randn(2, 1, 3, 3) > 0).float(), 9 * randn(5, 2, 1, 3, 3)
    exact = Bernoulli(logits=logits).log_prob(x).sum((-3, -2, -1))
    assert torch.allclose(bernoulli(x, logits), exact, atol=1e-4)


def test_the_kl_in_closed_form_is_that_of_samples():
    mu, logvar = torch.tensor([0.0, 1.5, -0.3]), torch.tensor([0.0, -2.0, 1.0])
    z = mu + (logvar / 2).exp() * randn(200_000, 3)
    log_ratio = Normal(mu, (logvar / 2).exp()).log_prob(z) - Normal(0.0, 1.0).log_prob(z)
    error = log_ratio.std(0) / 200_000**0.5
    assert ((log_ratio.mean(0) - gaussian_kl(mu, logvar)).abs() <= 4 * error + 1e-6).all()


@pytest.mark.parametrize("location", [-1.3, -1.0, 0.1, 0.999, 40.0])
@pytest.mark.parametrize("log_scale", [-9.0, -3.0, 2.0])
def test_the_256_values_have_chances_that_sum_to_1(location, log_scale):
    values = torch.arange(256).div(127.5).sub(1).view(256, 1, 1, 1)
    log_p = discretised_logistic(
        values, torch.full((256, 1, 1, 1), location), torch.tensor(log_scale)
    )
    assert log_p.isfinite().all()
    assert log_p.double().exp().sum() == pytest.approx(1, abs=1e-4)
    centre = min(max(location, -1), 1)
    assert abs(float(values[log_p.argmax()]) - centre) <= 1 / 255 + 1e-6 or log_scale > 0


def test_free_bits_cost_nothing():
    kl = torch.tensor([[0.1, 3.0], [0.3, 5.0]], requires_grad=True)
    assert with_free_bits(kl, 0.0).item() == pytest.approx(4.2)
    loss = with_free_bits(kl, 0.5)
    assert loss.item() == pytest.approx(4.5)
    (gradient,) = torch.autograd.grad(loss, kl)
    assert gradient.tolist() == [[0.0, 0.5], [0.0, 0.5]]


# Bounds, where log p(x) is known: z ~ N(0, I), x = Wz + b + sigma epsilon

SIGMA = 0.4
W = torch.linalg.qr(randn(5, 2).double())[0] * torch.tensor([2.0, 0.7]).double()
B = randn(5, seed=1).double()
X = randn(6, 5, seed=2).double() + B
EXACT = MultivariateNormal(B, W @ W.T + SIGMA**2 * torch.eye(5).double()).log_prob(X)


def linear_log_weights(k, *, away=0.0, seed=0):
    """log w of k samples; `away` shifts q from the true posterior (W has orthogonal columns)."""
    variance = SIGMA**2 / (SIGMA**2 + W.square().sum(0))
    mu, logvar = (X - B) @ W * variance / SIGMA**2 + away, variance.log()
    z = mu + variance.sqrt() * randn(k, len(X), 2, seed=seed).double()
    noise = torch.full((5,), 2 * np.log(SIGMA)).double()
    nought = torch.zeros(2).double()
    log_px = gaussian_log_density(X, z @ W.T + B, noise)
    return log_px + gaussian_log_density(z, nought, nought) - gaussian_log_density(z, mu, logvar)


def test_with_the_true_posterior_the_elbo_is_log_p_whatever_the_sample():
    log_w = linear_log_weights(3)
    assert torch.allclose(log_w, EXACT.expand(3, -1), atol=1e-9)
    assert torch.allclose(importance_bound(log_w), EXACT, atol=1e-9)


def test_the_gap_of_the_elbo_is_the_kl_to_the_posterior():
    variance = SIGMA**2 / (SIGMA**2 + W.square().sum(0))
    gap = (0.2**2 / variance / 2).sum()
    log_w = linear_log_weights(100_000, away=0.2)
    assert torch.allclose(EXACT - log_w.mean(0), gap.expand(6), atol=4 * float(log_w.std()) / 300)


def test_the_bound_rises_with_k_and_stays_below_log_p():
    log_w = linear_log_weights(65_536, away=0.2)
    means = [
        importance_bound(log_w.unflatten(0, (-1, k)).transpose(0, 1).flatten(1)).mean()
        for k in (1, 4, 16, 64, 256)
    ]
    assert all(low + 0.005 < high for low, high in itertools.pairwise(means[:4])), means
    assert means[-1] < EXACT.mean() and EXACT.mean() - means[-1] < 0.05 * (EXACT.mean() - means[0])


def test_one_sample_gives_the_elbo_and_log_k_is_taken_off():
    log_w = randn(1, 4)
    assert torch.equal(importance_bound(log_w), log_w[0])
    assert torch.allclose(importance_bound(log_w.expand(50, -1)), log_w[0])


def test_the_gradient_weighs_samples_by_their_normalised_importance():
    theta = randn(7, 3).requires_grad_()
    log_w = torch.sin(3 * theta)
    (found,) = torch.autograd.grad(importance_bound(log_w).sum(), theta)
    weights = log_w.detach().exp() / log_w.detach().exp().sum(0)
    assert torch.allclose(found, weights * 3 * torch.cos(3 * theta.detach()), atol=1e-6)


# Networks


def tiny(layers=1, pixels="threshold", size=2, seed=0):
    torch.manual_seed(seed)
    vae = VAE(size=size, pixels=pixels, latents=[3, 2][:layers], hidden=[8, 6][:layers])
    for p in vae.parameters():
        torch.nn.init.normal_(p, 0.0, 0.3)
    return vae


@pytest.mark.parametrize("layers", [1, 2])
def test_the_chances_of_all_pictures_sum_to_1(layers):
    every = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=4))).view(16, 1, 2, 2)
    vae = tiny(layers)
    for p in vae.encoders.parameters():  # near the prior: few samples do
        p.data /= 3
    torch.nn.init.normal_(vae.last.weight, 0.0, 2.0)
    found = [bounds(vae, x.expand(2, -1, -1, -1), k=4000)["log_p_at_least"] for x in every]
    assert np.exp(found).sum() == pytest.approx(1, abs=0.02)


def test_the_measured_bound_is_log_p_integrated_over_a_grid():
    torch.manual_seed(0)
    vae = VAE(size=2, pixels="threshold", latents=[1], hidden=[8])
    torch.nn.init.normal_(vae.last.weight, 0.0, 2.0)
    pictures = randn(12, 1, 2, 2).sign()
    z = torch.linspace(-6, 6, 2001)[:, None, None]
    log_px = bernoulli((pictures > 0).float(), *vae.decode(z.expand(-1, 12, 1)))
    prior = Normal(0.0, 1.0).log_prob(z[:, 0]) + np.log(12 / 2000)
    exact = (log_px + prior).logsumexp(0).mean().item()
    found = bounds(vae, pictures, k=3000)
    assert found["log_p_at_least"] == pytest.approx(exact, abs=0.01)
    assert found["elbo"] < exact - 0.01 and found["samples"] == 3000 and found["tested"] == 12
    assert found["bits_per_value"] == pytest.approx(-exact / 4 / np.log(2), abs=0.01)


def test_samples_are_drawn_in_parts_without_a_change(monkeypatch):
    vae, pictures = tiny(2), randn(5, 1, 2, 2).sign()
    whole = bounds(vae, pictures, k=20_000)
    monkeypatch.setattr("t2ilab.metrics.bounds.VALUES", 4 * 7000)  # 7000 samples of one picture
    parts = bounds(vae, pictures, k=20_000)
    for name in ("log_p_at_least", "elbo", "kl"):
        assert parts[name] == pytest.approx(whole[name], abs=0.03), name
    with pytest.raises(UsageError, match="2 or more"):
        bounds(vae, pictures[:1], k=2)
    with pytest.raises(UsageError, match="this VAE is for 2 x 2"):
        bounds(vae, torch.zeros(5, 1, 3, 3), k=2)


@pytest.mark.parametrize("k", [0, -1, 1.5, True])
def test_a_bound_of_no_samples_is_refused(k):
    with pytest.raises(UsageError, match=r"k = .*1 sample of z or more"):
        bounds(tiny(2), torch.zeros(5, 1, 2, 2), k=k)
    with pytest.raises(UsageError, match="k of 1 or more"):
        importance_bound(torch.zeros(0, 5))


@pytest.mark.parametrize("wrong", [{"size": 0}, {"latents": [0]}, {"hidden": [-1]}])
def test_sizes_below_1_are_refused(wrong):
    with pytest.raises(UsageError, match="each is 1 or more"):
        VAE(**{"size": 8, "pixels": "drawn", "latents": [3], "hidden": [5], **wrong})


@pytest.mark.parametrize("size", [16, 32, 64])
def test_colour_is_convolutional(size):
    vae = VAE(size=size, pixels="colour", latents=[5], hidden=[4])
    x = to_float(np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8))
    passed = vae(x, vae.noise(2, 3, rng()))
    assert passed.pixels[0].shape == (2, 3, 3, size, size)
    of = terms(x, passed, vae.likelihood)
    assert of.log_px.shape == of.log_qz.shape == (2, 3) and of.log_px.isfinite().all()
    of.log_weights().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in vae.parameters())


def test_pixels_are_what_they_are_said_to_be():
    grey = torch.tensor([0, 127, 128, 255]).div(127.5).sub(1).view(1, 1, 2, 2)
    assert tiny().seen(grey, rng()).flatten().tolist() == [0, 0, 1, 1]
    drawn = tiny(pixels="drawn").seen(grey.expand(4000, 3, -1, -1), rng()).mean(0).flatten()
    assert drawn.tolist() == pytest.approx([0, 127 / 255, 128 / 255, 1], abs=0.03)


def test_what_networks_cannot_be():
    for wrong in (
        dict(size=20, pixels="colour"),
        dict(size=32, pixels="colour", latents=[5, 5], hidden=[4, 4]),
        dict(size=8, pixels="grey"),
        dict(size=8, pixels="drawn", latents=[5, 5]),
    ):
        with pytest.raises(UsageError):
            VAE(**wrong)


# Training


def trainer(vae, **changed):
    made = Variational(vae, recipe=Recipe(**{"lr": 0.01, "schedule": "constant"} | changed))
    made.network, made.device = vae, torch.device("cpu")
    return made


def blobs(n=256):
    """8 x 8 pictures that are nearly all white or nearly all black."""
    chance = torch.tensor([0.1, 0.9])[torch.randint(2, (n,), generator=rng(1))]
    white = torch.rand(n, 1, 8, 8, generator=rng(2)) < chance.view(-1, 1, 1, 1)
    return white.mul(255).byte()


def learn(made, steps=150):
    images = blobs()
    for step in range(steps):
        shown = made.step({"images": images[32 * (step % 8) :][:32]})
    return {name: value.item() for name, value in shown.items()}


@pytest.mark.parametrize("recipe", [{}, {"objective": "importance", "k": 5}])
def test_training_finds_the_factor_that_there_is(recipe):
    vae = tiny(size=8)
    learn(trainer(vae, **recipe))
    found = bounds(vae, blobs().float().div(127.5).sub(1), k=200)
    entropy = np.log(2) - 64 * (0.1 * np.log(0.1) + 0.9 * np.log(0.9))  # of the data
    assert -entropy - 2 < found["log_p_at_least"] < -entropy + 1
    assert 0.5 < found["kl"] and found["active_units"] >= 1


def test_a_decoder_that_ignores_z_loses_it():
    vae = tiny(size=8)
    first = vae.decoder[0][0].weight
    torch.nn.init.zeros_(first)
    first.requires_grad_(False)
    before = bounds(vae, blobs().float().div(127.5).sub(1), k=10)
    learn(trainer(vae))
    after = bounds(vae, blobs().float().div(127.5).sub(1), k=10)
    assert before["kl"] > 0.1 and after["kl"] < 0.01
    assert before["active_units"] > 0 and after["active_units"] == 0


def test_free_bits_and_warm_up_keep_what_the_kl_would_take():
    held = tiny(size=8)
    learn(trainer(held, free_bits=1.0))
    assert bounds(held, blobs().float().div(127.5).sub(1), k=10)["kl"] > 2.5  # 3 numbers of z
    made = trainer(tiny(size=8), warmup=0.5)
    x, noise = torch.ones(4, 1, 8, 8), [randn(1, 4, 3)]
    losses = []
    for made.progress in (0.0, 0.25, 0.5, 1.0):
        loss, shown = made._loss(x, noise)
        losses.append(loss.item())
        assert shown["bound"] == made._loss(x, noise)[1]["bound"]
    assert losses[0] == pytest.approx(-shown["log_px"].item(), rel=1e-5)
    assert losses[3] == losses[2] == pytest.approx(-shown["bound"].item(), rel=1e-5)
    assert losses[1] == pytest.approx((losses[0] + losses[2]) / 2, rel=1e-5)


def test_one_sample_makes_both_objectives_one():
    x, noise = torch.ones(4, 1, 8, 8), [randn(1, 4, 3), randn(1, 4, 2, seed=1)]
    vae = tiny(2, size=8)
    both = [trainer(vae, objective=name)._loss(x, noise)[0] for name in ("elbo", "importance")]
    assert both[0].item() == pytest.approx(both[1].item(), rel=1e-6)


def test_a_resumed_run_is_the_same_run(tmp_path):
    def run(steps, out, resume=False):
        made = Variational(tiny(2, "drawn", 8), recipe=Recipe(objective="importance", k=3), seed=1)
        fit(
            made, lambda step: {"images": blobs()[step * 8 :][:8]}, steps=steps, out=out,
            resume=resume, device="cpu", show=False,
        )  # fmt: skip
        return made

    whole = run(8, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        step, done = Variational.step, []

        def stopped(self, batch):
            done.append(None)
            if len(done) == 4:
                os.kill(os.getpid(), signal.SIGTERM)
            return step(self, batch)

        patch.setattr(Variational, "step", stopped)
        run(8, tmp_path / "parts")
        assert len(done) == 4
    parts = run(8, tmp_path / "parts", resume=True)
    for name, value in whole.vae.state_dict().items():
        assert torch.equal(value, parts.vae.state_dict()[name]), name
    assert np.array_equal(whole.strip(), parts.strip())


def test_the_schedule_of_burda():
    rates = {0: 1.0, 0.9: 1.0, 1: 0.72, 4: 0.52, 13: 0.37, 1092: 0.14, 1093: 0.1, 3280: 0.1}
    for passes, rate in rates.items():
        assert SCHEDULES["burda"](passes / 3280) == pytest.approx(rate)


def test_what_training_refuses():
    for wrong, words in {
        ("iwae", "free_bits"): (dict(free_bits=0.1), "IWAE's bound has no such part"),
        ("vae", "two"): (dict(free_bits=0.1, layers=2), "closed form"),
        ("vae", "size"): (dict(size=16), "8 x 8 pixels here, not 16"),
        ("vae", "schedule"): (dict(schedule="cos"), "schedule"),
    }.items():
        given, expected = words
        with pytest.raises(UsageError, match=expected):
            train(wrong[0], data="digits", steps=1, show=False, **given)
    with pytest.raises(UsageError, match="--root"):
        train("vae", data="mnist", steps=1, show=False)


# A trained system


def test_a_saved_system_draws_and_encodes_the_same(tmp_path):
    system = VAESystem(tiny(2, "drawn", 8).half().float())
    again = VAESystem.load(system.save(tmp_path, "iwae-tiny-8", **ABOUT))
    drawn = again.draw(5, seed=1)
    assert drawn.shape == (5, 8, 8, 3) and drawn.dtype == np.uint8
    assert np.array_equal(drawn, system.draw(5, seed=1))
    assert not np.array_equal(drawn, system.draw(5, seed=2))
    pictures = to_float(drawn)
    assert again.encode(pictures).shape == (5, 3)
    assert torch.equal(again.encode(pictures, 3), system.encode(pictures, 3))
    assert again.reconstruct(pictures).shape == drawn.shape


@pytest.mark.parametrize("name, layers", [("vae", 1), ("iwae", 2)])
def test_the_command_line_trains_draws_and_measures(name, layers, tmp_path):
    out, picture = tmp_path / "run", tmp_path / "some.png"
    small = ("--data", "digits", "--profile", "smoke", "--hidden", 8, "--layers", layers)
    done = call("train", name, *small, "--steps", 4, "--out", out)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(out / f"{name}-digits-8.safetensors")
    told = json.loads((out / f"{name}-digits-8.json").read_text())
    assert told["kind"] == "vae" and told["data"] == "digits/train/8" and told["size"] == 8
    assert told["measured"]["log_p_at_least"] > -64 and told["measured"]["samples"] == 20
    done = call("sample", name, "--weights", out, "-n", 4, "-o", picture)
    assert done.exit_code == 0 and picture.exists(), done.output
    done = call("evaluate", name, "--weights", out, "-n", 30, "--json")
    assert done.exit_code == 0, done.output  # the weights say of which data they are
    found = json.loads(done.stdout)
    assert "world" not in found and found["samples"] == 20  # in the profile of their training
    done = call("evaluate", name, "--weights", out, "-p", "profile=laptop", "-n", 30, "--json")
    found = json.loads(done.stdout)
    wrong = call("evaluate", name, "--weights", out, "-p", "data=mnist", "-p", "root=.")
    assert "for pixels of the kind 'threshold', and mnist has the kind 'drawn'" in wrong.stderr
    assert found["tested"] == 30 and found["samples"] == 1000 and -64 < found["elbo"] < -20


def test_birds_are_scored_with_the_reader(few_test_pictures, tmp_path):
    torch.manual_seed(0)
    made = VAESystem(VAE(size=32, pixels="colour", latents=[4], hidden=[4]))
    path = made.save(tmp_path, "vae-birds-32", **ABOUT)
    done = call("evaluate", "vae", "--weights", path, "--world", "birds", "-n", 60, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["pictures"] == 60 == found["tested"] and found["fid"] > 100
    assert 3 < found["bits_per_value"] < 12
