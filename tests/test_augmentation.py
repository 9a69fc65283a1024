"""Conditioning augmentation: the Gaussian around a caption, its KL, and the generator behind it."""

import math

import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.losses.auxiliary import conditioning_kl
from t2ilab.models.augmentation import AugmentedGenerator, ConditioningAugmentation
from t2ilab.models.gated import describe_generator, make_generator
from t2ilab.models.reed import Generator
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.text.encoders import MeanVectorEncoder
from t2ilab.text.tokens import Vocabulary


def make(text=6, size=4):
    torch.manual_seed(0)
    return ConditioningAugmentation(text=text, size=size)


def test_kl_is_zero_for_a_standard_normal_and_as_worked_out_by_hand():
    zero = torch.zeros(3, 4)
    assert conditioning_kl(zero, zero) == 0
    # mu = 1, sigma² = e: (1 + e - 1 - 1) / 2 a number; mu = 2, sigma = 1: 2 a number.
    mu, logvar = torch.tensor([[1.0, 1.0], [2.0, 2.0]]), torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    assert conditioning_kl(mu, logvar) == pytest.approx(((math.e - 1) / 2 + 2) / 2)


def test_sigma_below_one_is_reached_by_training_on_noise_that_hurts():
    """The public code's ReLU cannot: its log sigma² is never negative."""
    layer, phi = make(), torch.ones(16, 6)
    optimizer = torch.optim.Adam(layer.parameters(), 0.05)
    for _ in range(60):
        c = layer(phi, torch.randn(16, 4, generator=torch.Generator().manual_seed(0))).c
        optimizer.zero_grad()
        (c - 1).square().mean().backward()
        optimizer.step()
    assert (layer(phi).logvar / 2).exp().max() < 0.5


def test_c_is_the_mean_without_noise_and_mu_plus_sigma_eps_with_it():
    layer, phi, eps = make(), torch.randn(5, 6), torch.randn(5, 4)
    c, mu, logvar = layer(phi, eps)
    assert torch.equal(layer(phi).c, mu) and torch.equal(layer(phi, torch.zeros(5, 4)).c, mu)
    assert torch.allclose(c, mu + logvar.exp().sqrt() * eps, atol=1e-6)


def test_a_gradient_reaches_mean_and_variance():
    layer = make()
    layer(torch.randn(5, 6), torch.ones(5, 4)).c.sum().backward()
    mean, logvar = layer.layer.weight.grad.chunk(2)
    assert mean.abs().max() > 0 and logvar.abs().max() > 0


def test_the_generator_takes_eps_behind_its_noise():
    g = AugmentedGenerator(make(), Generator(size=32, text=4, z=3, projected=4, width=2)).eval()
    z, phi = torch.randn(2, 7), torch.randn(2, 6)
    drawn = g(z, phi)
    assert drawn.shape == (2, 3, 32, 32) and g.z == 7
    assert torch.equal(drawn, g.generator(z[:, :3], g.augmentation(phi, z[:, 3:]).c))
    other = z.clone()
    other[:, 3:] += 1
    assert not torch.equal(drawn, g(other, phi))


def test_it_is_saved_and_loaded_as_any_generator(tmp_path):
    g = AugmentedGenerator(make(), Generator(size=32, text=4, z=3, projected=4, width=2))
    assert type(make_generator(describe_generator(g))) is AugmentedGenerator
    encoder = MeanVectorEncoder(Vocabulary.of(["a red bird"]), text=6)
    system = TextToImage(encoder, g)
    told = dict(command="x", data="x", seconds=1.0, measured={})
    again = TextToImage.load(system.save(tmp_path, "augmented", **told))
    z, phi = system.noise(2), system.encoder.encode(["a bird", "red"])
    assert torch.allclose(system(z, phi), again(z, phi), atol=2e-2)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="gives 4 numbers, and this generator takes 5"):
        AugmentedGenerator(make(), Generator(size=32, text=5, z=3, width=2))
    with pytest.raises(UsageError, match="to 0 numbers"):
        ConditioningAugmentation(text=6, size=0)
