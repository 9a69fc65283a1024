"""LAPGAN: the pyramid, the networks of a level, the trainer, the recipe."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from t2ilab.cli import main
from t2ilab.data.captioned import to_float
from t2ilab.data.digits import load_digits
from t2ilab.errors import UsageError
from t2ilab.fit import fit
from t2ilab.models.dcgan import Discriminator
from t2ilab.models.lapgan import LaplacianGenerator, ResidualDiscriminator, ResidualGenerator
from t2ilab.models.pyramid import down, laplacian, rebuilt, up
from t2ilab.recipes import lapgan as recipe
from t2ilab.systems.gan import LAPGANSystem
from t2ilab.trainers.lapgan import LAPGAN

OPTIONS = dict(device="cpu", precision="32-true", show=False, strips=0)


@pytest.mark.parametrize("levels", [0, 1, 3])
def test_a_pyramid_rebuilds_its_picture_exactly(levels):
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    pyramid = laplacian(x, levels)
    assert [p.shape[-1] for p in pyramid] == [32 // 2**k for k in range(levels)] + [32 // 2**levels]
    assert torch.allclose(rebuilt(pyramid), x, atol=1e-12)


def test_residuals_are_small_where_pictures_are_smooth_and_0_where_flat():
    flat = torch.full((1, 1, 16, 16), 0.3)
    h, small = laplacian(flat, 1)
    assert h.abs().max() < 1e-6 and torch.allclose(small, torch.full((1, 1, 8, 8), 0.3))
    ramp = torch.linspace(-1, 1, 16).expand(1, 1, 16, 16)
    noise = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    of_ramp, of_noise = (laplacian(x, 1)[0].square().mean() for x in (ramp, noise))
    assert of_ramp < 0.01 * of_noise
    digits = to_float(load_digits("train", 16).images[:50])
    assert laplacian(digits, 1)[0].square().mean() < 0.5 * digits.square().mean()


def test_down_takes_means_and_up_goes_linearly_between():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert down(x)[0, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert up(torch.tensor([0.0, 4.0]).expand(1, 1, 2, 2))[0, 0, 0].tolist() == [0, 1, 3, 4]


@pytest.mark.parametrize("levels", [-1, 4])
def test_what_cannot_be_halved_is_refused(levels):
    with pytest.raises(UsageError, match="cannot be halved"):
        laplacian(torch.zeros(1, 1, 24, 24), levels)


def test_a_level_has_no_batch_norm_and_a_linear_output():
    G = ResidualGenerator(size=16, channels=1, width=4)
    kinds = [type(m).__name__ for m in G.modules()]
    assert "BatchNorm2d" not in kinds and isinstance(G.layers[-1], nn.Conv2d)
    assert [m.kernel_size[0] for m in G.layers if isinstance(m, nn.Conv2d)] == [7, 7, 5]
    with torch.no_grad():
        G.layers[-1].bias.fill_(5.0)
    z, coarse = torch.randn(2, 1, 16, 16), torch.randn(2, 1, 16, 16)
    assert G(z, coarse).min() > 1  # not squeezed into a box


def pyramid(**changed):
    torch.manual_seed(0)
    return LaplacianGenerator(**dict(size=32, start=8, channels=1, z=5, width=4) | changed).eval()


@torch.no_grad()
def test_levels_stand_on_each_other_with_noise_of_their_own():
    G = pyramid()
    assert G.noise_shape == (5 + 16**2 + 32**2,)
    z = torch.randn(2, *G.noise_shape)
    small = G.base(z[:, :5])
    middle = up(small) + G.levels[0](z[:, 5 : 5 + 256].view(2, 1, 16, 16), up(small))
    assert torch.allclose(G(z), G.refine(middle, z)) and torch.allclose(G(z), G.refine(small, z))
    other = z.clone()
    other[:, 5 + 256 :] += 1  # the last level's noise
    assert torch.allclose(G.refine(small, other)[0].mean(), G(other)[0].mean())
    assert not torch.allclose(G(other), G(z))
    full = torch.randn(2, 1, 32, 32)
    assert torch.equal(G.refine(full, z), full)  # nothing is above it


@torch.no_grad()
def test_levels_that_add_nothing_leave_the_small_picture_enlarged():
    G = pyramid()
    for level in G.levels:
        nn.init.zeros_(level.layers[-1].weight)
    z = torch.randn(2, *G.noise_shape)
    assert torch.allclose(G(z), up(up(G.base(z[:, :5]))))


def test_sizes_that_make_no_pyramid_are_refused():
    with pytest.raises(UsageError, match="from 32 to 16"):
        LaplacianGenerator(size=16, start=32)
    with pytest.raises(UsageError, match="from 16 to 48"):
        LaplacianGenerator(size=48)


def trainer(**changed):
    torch.manual_seed(0)
    G = LaplacianGenerator(size=16, start=8, channels=1, z=4, width=4)
    D = [Discriminator(size=8, channels=1, width=4), ResidualDiscriminator(size=16, channels=1)]
    return LAPGAN(G, D, **{"lr": 1e-3} | changed)


def batch(step=0):
    rng = torch.Generator().manual_seed(step)
    return {"images": torch.randint(256, (8, 1, 16, 16), generator=rng, dtype=torch.uint8)}


def test_a_level_plays_on_the_real_coarse_picture_and_not_on_what_is_made(monkeypatch):
    one, seen = trainer(), []
    real = ResidualGenerator.forward

    def watched(self, z, coarse):
        seen.append(coarse.clone())
        return real(self, z, coarse)

    monkeypatch.setattr(ResidualGenerator, "forward", watched)
    fit(one, batch, steps=1, **OPTIONS)
    x = batch()["images"].float().div(127.5).sub(1)
    assert len(seen) == 1 and torch.allclose(seen[0], up(down(x)), atol=1e-6)


def test_every_network_learns_at_every_step_and_losses_are_named_by_level():
    one = trainer()
    before = {n: p.detach().clone() for n, p in one.generator.named_parameters()}
    judges = [p.detach().clone() for k in range(2) for p in one.of(k)[1].parameters()]
    history = fit(one, batch, steps=2, **OPTIONS).history
    assert {"loss_d0", "loss_g0", "loss_d1", "loss_g1"} <= set(history.columns)
    assert all(not torch.equal(before[n], p) for n, p in one.generator.named_parameters())
    after = [p for k in range(2) for p in one.of(k)[1].parameters()]
    assert all(not torch.equal(a, b) for a, b in zip(judges, after, strict=True))
    assert one.strip().shape == (16, 16, 16, 3)


def test_a_number_of_judges_that_does_not_fit_is_refused():
    G = LaplacianGenerator(size=16, start=8, channels=1, width=4)
    with pytest.raises(UsageError, match="2 levels, 1 discriminators"):
        LAPGAN(G, [Discriminator(size=8, channels=1, width=4)])


def test_resume_gives_the_same_weights(tmp_path):
    whole, cut, again = trainer(), trainer(), trainer()
    fit(whole, batch, steps=4, **OPTIONS)
    fit(cut, batch, steps=2, out=tmp_path / "a", **OPTIONS)
    fit(again, batch, steps=4, out=tmp_path / "a", resume=True, **OPTIONS)
    del cut
    for a, b in zip(whole.average.parameters(), again.average.parameters(), strict=True):
        assert a.shape == b.shape  # the rates differ: the first run's budget was another
    z = torch.randn(2, *whole.generator.noise_shape)
    assert again.sample(z).isfinite().all()


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="t2ilab")


@pytest.mark.parametrize("words", [("--world", "birds"), ("--data", "digits")])
def test_train_sample_evaluate(words, tmp_path):
    out, picture = tmp_path / "run", tmp_path / "drawn.png"
    given = ("--profile", "smoke", "--steps", 2, "--out", out)
    done = call("train", "lapgan", *words, *given)
    assert done.exit_code == 0, done.output
    (about,) = (json.loads(p.read_text()) for p in out.glob("*.json") if p.stem[:3] == "lap")
    assert about["kind"] == "lapgan"
    if "birds" in words:
        forced = [about["measured"][name] for name in ("fid", "fid_from_16", "fid_from_32")]
        assert forced == sorted(forced, reverse=True)  # the less is made, the better
    drawn = call("sample", "lapgan", "--weights", out, "-n", 2, "-o", picture)
    assert drawn.exit_code == 0 and picture.exists(), drawn.output
    loaded = LAPGANSystem.load(out)
    assert torch.equal(loaded.sample(2, seed=1), loaded.sample(2, seed=1))
    assert loaded.draw(2).shape == (2, loaded.size, loaded.size, 3)
    assert np.ptp(loaded.draw(2)) > 0


def test_a_size_without_a_pyramid_is_refused():
    with pytest.raises(UsageError, match="16 pixels or more"):
        recipe.trainer_of(recipe.Options(system="lapgan"), size=8, channels=3, width=4)
