"""BigGAN: truncation, spectral norm, orthogonal regularisation, the trainer, what ships."""

import json

import pytest
import torch
from click.testing import CliRunner
from scipy.stats import betabinom, kstest, truncnorm
from torch import nn

from t2ilab.cli import main
from t2ilab.data.digits import load_digits
from t2ilab.errors import UsageError
from t2ilab.fit import fit
from t2ilab.losses.orthogonal import orthogonal, orthogonal_gradient
from t2ilab.models.biggan import (
    BigGANDiscriminator,
    BigGANGenerator,
    baked,
    filters,
    standing_statistics,
    truncated_normal,
)
from t2ilab.recipes import biggan as recipe
from t2ilab.systems import weights
from t2ilab.systems.biggan import BigGANSystem
from t2ilab.systems.single import load_reader
from t2ilab.trainers.biggan import BigGAN, singular_values

OPTIONS = dict(device="cpu", precision="32-true", show=False, strips=0)
SHAPE = dict(size=16, channels=1, classes=3, width=4)


def generator(**changed):
    torch.manual_seed(0)
    return BigGANGenerator(**SHAPE | {"z": 12, "embedding": 6} | changed)


def discriminator(**changed):
    torch.manual_seed(1)
    return BigGANDiscriminator(**SHAPE | changed)


# Orthogonal regularisation


@pytest.mark.parametrize("shape", [(5, 9), (6, 3, 3, 3), (9, 4)])
def test_the_closed_form_is_the_gradient_and_the_authors_code_half_of_it(shape):
    torch.manual_seed(0)
    w = torch.randn(*shape, dtype=torch.float64, requires_grad=True)
    orthogonal(w).backward()
    assert torch.allclose(w.grad, orthogonal_gradient(w))
    flat = w.detach().flatten(1)
    products = flat @ flat.T
    theirs = 2 * (products * (1 - torch.eye(len(flat)))) @ flat
    assert torch.allclose(theirs.view(shape), w.grad / 2)


def test_orthogonal_filters_of_any_length_cost_nothing():
    q = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64))[0]
    assert orthogonal(q) < 1e-20 and orthogonal(torch.diag(torch.arange(1.0, 7)) @ q.float()) < 1e-8
    w = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    assert float(orthogonal(w)) == 2.0  # two products of 1, both ways


def test_going_down_the_gradient_makes_filters_orthogonal():
    torch.manual_seed(0)
    w = torch.randn(4, 8)
    first = float(orthogonal(w))
    for _ in range(300):
        w = w - 0.005 * orthogonal_gradient(w)
    assert float(orthogonal(w)) < 1e-3 * first and w.norm(dim=1).min() > 0.5


# Truncation


@pytest.mark.parametrize("threshold", [0.3, 1.0, 2.5])
def test_truncated_noise_has_the_truncated_distribution(threshold):
    rng = torch.Generator().manual_seed(0)
    z = truncated_normal(4000, threshold=threshold, rng=rng)
    assert z.abs().max() <= threshold
    assert kstest(z.numpy(), truncnorm(-threshold, threshold).cdf).pvalue > 1e-3


def test_without_a_threshold_it_is_normal_and_0_is_refused():
    rng = torch.Generator().manual_seed(0)
    z = truncated_normal(50, 80, threshold=None, rng=rng)
    assert z.shape == (50, 80) and kstest(z.flatten().numpy(), "norm").pvalue > 1e-3
    with pytest.raises(UsageError, match="above 0"):
        truncated_normal(3, threshold=0.0, rng=rng)


def test_as_the_threshold_goes_to_0_a_class_has_one_picture():
    system = BigGANSystem(generator(spectral=False), names=("a", "b", "c"))
    y = torch.tensor([0, 0, 0, 1])
    wide, narrow = (system.sample(y, threshold=t) for t in (None, 1e-4))
    assert (wide[0] - wide[1]).abs().mean() > 1e-3
    assert (narrow[0] - narrow[1]).abs().max() < 1e-3 < (narrow[0] - narrow[3]).abs().mean()


# The networks


@torch.no_grad()
def test_each_block_sees_its_part_of_the_noise():
    G, y = generator().eval(), torch.tensor([0, 1])
    z = torch.randn(2, 12)
    seen = []
    for block in G.blocks:
        block.register_forward_hook(lambda m, inputs, out: seen.append(inputs[1]))
    G(z, y)
    assert [len(c[0]) for c in seen] == [6 + 4, 6 + 4]  # e and a part of z
    assert torch.equal(seen[0][:, 6:], z[:, 4:8]) and torch.equal(seen[1][:, 6:], z[:, 8:])
    assert torch.equal(seen[0][:, :6], seen[1][:, :6])  # one embedding for all
    flat = generator(hierarchical=False)
    assert flat.first.in_features == 12 and flat(z, y).shape == (2, 1, 16, 16)
    with pytest.raises(UsageError, match="multiple of 3"):
        generator(z=13)
    with pytest.raises(UsageError, match="not 48"):
        generator(size=48)


def test_the_class_sets_scale_and_shift():
    G, z = generator().eval(), torch.randn(1, 12)
    pictures = G(z.expand(3, -1), torch.arange(3))
    assert (pictures[0] - pictures[1]).abs().mean() > 1e-3
    with torch.no_grad():
        G.embed.weight.copy_(G.embed.weight[:1].expand(3, -1))
    alike = G(z.expand(3, -1), torch.arange(3))
    assert torch.allclose(alike[0], alike[1], atol=1e-5)


def test_every_layer_has_the_largest_singular_value_1():
    G, D = generator(), discriminator()
    x, y = torch.randn(4, 1, 16, 16), torch.tensor([0, 1, 2, 0])
    with torch.no_grad():
        for network in (G, D):  # weights as after some training
            for name, w in network.named_parameters():
                if name.endswith("original"):
                    w.add_(0.3 * torch.randn_like(w))
        for _ in range(60):  # steps of the power iteration
            D(x, y)
            G(torch.randn(4, 12), y)
    for network in (G.eval(), D.eval()):
        found = singular_values(network)
        assert len(found) > 6 and all(abs(s - 1) < 0.05 for s in found.values()), found
    assert "embed" not in singular_values(G) and "embed" in singular_values(D)


def test_the_logit_is_that_of_the_picture_and_a_projection_on_the_class():
    D, x = discriminator().eval(), torch.randn(2, 1, 16, 16)
    with torch.no_grad():
        phi = torch.relu(D.body(x)).sum((2, 3))
        for y in range(3):
            logits = D(x, torch.tensor([y, y]))
            expected = D.score(phi)[:, 0] + phi @ D.embed.weight[y]
            assert torch.allclose(logits, expected, atol=1e-5)


def test_a_baked_generator_draws_the_same_and_is_a_copy():
    G = generator()
    with torch.no_grad():
        for _ in range(40):
            G(torch.randn(4, 12), torch.tensor([0, 1, 2, 0]))
    G.eval()
    plain, z, y = baked(G), torch.randn(4, 12), torch.tensor([0, 1, 2, 0])
    assert torch.allclose(plain(z, y), G(z, y), atol=1e-3)
    assert not any("parametrizations" in key for key in plain.state_dict())
    G.train()(z, y).sum().backward()  # the other still learns


def test_standing_statistics_are_those_of_the_activations():
    G = baked(generator()).eval()
    norm = G.norm
    with torch.no_grad():
        norm.running_mean.fill_(3.0)
    standing_statistics(G, batches=40, size=64)
    seen = []
    norm.register_forward_hook(lambda m, inputs, out: seen.append(inputs[0]))
    rng = torch.Generator().manual_seed(5)
    G(truncated_normal(512, 12, threshold=None, rng=rng), torch.randint(3, (512,), generator=rng))
    mean = seen[0].mean((0, 2, 3))
    assert torch.allclose(mean, norm.running_mean, atol=0.15) and not norm.training
    assert norm.momentum == 0.1
    standing_statistics(G, threshold=0.1)
    assert not torch.allclose(mean, norm.running_mean, atol=1e-3)


# The trainer


def batch(step=0, n=12):
    rng = torch.Generator().manual_seed(step)
    y = torch.randint(3, (n,), generator=rng)
    images = (80 * y).to(torch.uint8).view(n, 1, 1, 1).expand(n, 1, 16, 16).contiguous()
    return {"images": images, "labels": y}


def test_it_learns_classes_that_are_grey_tones():
    one = BigGAN(generator(), discriminator(), lr=2e-3, lr_d=4e-3, average=0.9)
    fit(one, batch, steps=150, **OPTIONS)
    made = one.sample(torch.randn(30, 12), torch.arange(3).repeat(10))
    tones = made.mean((1, 2, 3)).view(10, 3).mean(0)
    assert (tones.diff() > 0.3).all(), tones


def test_the_regularisation_makes_filters_less_alike():
    alike = {}
    for beta in (0.0, 1.0):
        one = BigGAN(generator(), discriminator(), beta=beta, lr=1e-2)
        with torch.no_grad():
            for w in filters(one.G):
                w.add_(0.2)
        fit(one, batch, steps=30, **OPTIONS)
        alike[beta] = sum(float(orthogonal(w.detach())) for w in filters(one.G))
    assert alike[1.0] < 0.5 * alike[0.0], alike


def test_what_is_regularised_are_the_layers_of_g_before_spectral_norm():
    G = generator()
    found = {id(w) for w in filters(G)}
    names = [name for name, p in G.named_parameters() if id(p) in found]
    assert len(names) == 7 and all(name.endswith("original") for name in names)  # to_rgb has one
    assert filters(generator(spectral=False)) == []


def test_k_updates_of_d_take_parts_of_the_batch_and_g_leaves_d_alone(monkeypatch):
    one, sizes = BigGAN(generator(), discriminator(), k=3), []
    real = BigGANDiscriminator.forward
    monkeypatch.setattr(
        BigGANDiscriminator, "forward", lambda s, x, y: sizes.append(len(x)) or real(s, x, y)
    )
    fit(one, batch, steps=1, **OPTIONS)
    assert sizes == [8, 8, 8, 4]  # 4 real ones and 4 made ones, three times; then G's turn
    steps = {int(s["step"]) for s in one.opt_D.optimizer.state.values()}
    assert steps == {3} and {int(s["step"]) for s in one.opt_G.optimizer.state.values()} == {1}


def test_the_average_takes_directions_as_they_are():
    one = BigGAN(generator(), discriminator(), average=0.99)
    fit(one, batch, steps=3, **OPTIONS)
    now = one.G.module.state_dict() if hasattr(one.G, "module") else one.G.state_dict()
    kept = one.average.state_dict()
    directions = [name for name in kept if name.endswith(("._u", "._v"))]
    assert directions and all(torch.equal(kept[name], now[name]) for name in directions)
    assert not torch.equal(kept["embed.weight"], now["embed.weight"])


# Recipe, system, what ships


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="t2ilab")


@pytest.mark.parametrize(
    "words", [("--world", "flowers", "--label", "shape"), ("--data", "digits", "--k", 2)]
)
def test_train_sample_evaluate(words, tmp_path):
    out, picture = tmp_path / "run", tmp_path / "drawn.png"
    done = call("train", "biggan", *words, "--profile", "smoke", "--steps", 3, "--out", out)
    assert done.exit_code == 0, done.output
    (about,) = (json.loads(p.read_text()) for p in out.glob("biggan-*.json"))
    assert about["kind"] == "biggan"
    loaded = BigGANSystem.load(out)
    if "flowers" in words:
        assert about["measured"]["read_real"] > 0.9 and "recall_0.4" in about["measured"]
        assert loaded.label == "shape" and loaded.names == ("round", "pointed")
    else:
        assert loaded.names == tuple(load_digits("train", 16).class_names)
    drawn = call("sample", "biggan", "--weights", out, "-n", 2, "-o", picture)
    assert drawn.exit_code == 0 and picture.exists(), drawn.output
    assert loaded.draw(3).shape == (3, loaded.size, loaded.size, 3)
    with pytest.raises(UsageError, match="classes go from 0 to"):
        loaded.sample(torch.tensor([len(loaded.names)]))


def test_what_the_recipe_refuses():
    with pytest.raises(UsageError, match="a data set has its own classes"):
        recipe.Options(system="biggan", data="digits", label="breast")
    with pytest.raises(UsageError, match="attribute"):
        recipe.Options(system="biggan", world="birds", label="beek")
    with pytest.raises(UsageError, match="--size 8"):
        recipe.build(recipe.Options(system="biggan", profile="smoke", size=8), None)


def test_pictures_of_other_values_are_left_out():
    from t2ilab.data import paperworld

    o = recipe.Options(system="biggan", classes=3)
    birds = paperworld.world("birds").load("train", 32, 64)
    some, labels, names = recipe.of_classes(birds, o)
    assert names == ["red", "orange", "yellow"] and 0 < len(some) < 64 and labels.max() == 2


SHIPPED = [name for name in weights.bundled() if name.startswith("biggan")]


@pytest.mark.parametrize("name", SHIPPED)
def test_classes_are_read_from_what_ships_as_often_as_it_is_said(name):
    system, n = BigGANSystem.load(name), 240
    stated, total = system.about["measured"]["read"], system.about["measured"]["pictures"]
    y = torch.arange(n) % system.classes
    made = system.sample(y, seed=5)  # not the noise it was measured with
    read = load_reader(name.split("-")[1]).read(made)[system.label]
    found = int((read == y).sum())
    low, high = betabinom.interval(0.9999, n, 1 + total * stated, 1 + total * (1 - stated))
    assert low <= found <= high, (stated, found / n)
    assert not low <= int((read == y.roll(1)).sum()) <= high  # other classes


@pytest.mark.parametrize("name", SHIPPED)
def test_truncation_makes_pictures_of_a_class_alike(name):
    system = BigGANSystem.load(name)

    def spread(threshold):
        of_each = [
            system.sample(torch.full((30,), k), seed=6, threshold=threshold).std(0).mean()
            for k in range(system.classes)
        ]
        return float(torch.stack(of_each).mean())

    wide, middle, narrow = (spread(t) for t in (None, 1.0, 0.1))
    assert narrow < middle < wide and narrow < 0.6 * wide, (narrow, middle, wide)


def test_layers_are_equal_but_for_spectral_norm():
    plain, normed = generator(spectral=False), generator()
    assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in normed.parameters())
    assert not any(isinstance(m, nn.BatchNorm2d) for m in discriminator().modules())
