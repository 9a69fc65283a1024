"""Progressive growing: fades, three rules, the schedule, the trainer, the recipe."""

import json

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from t2ilab.cli import main
from t2ilab.errors import UsageError
from t2ilab.fit import fit
from t2ilab.models.progressive import (
    EqualConv2d,
    EqualLinear,
    ProgressiveDiscriminator,
    ProgressiveGenerator,
    enlarged,
    faded,
    minibatch_deviation,
    pixel_norm,
)
from t2ilab.systems.gan import ProgressiveSystem
from t2ilab.trainers.progressive import Progressive, shrunk, stage

OPTIONS = dict(device="cpu", precision="32-true", show=False, strips=0)
SHAPE = dict(size=32, channels=1, width=4, most=16)


def generator(**changed):
    torch.manual_seed(0)
    return ProgressiveGenerator(**SHAPE | {"z": 6} | changed)


def discriminator(**changed):
    torch.manual_seed(1)
    return ProgressiveDiscriminator(**SHAPE | changed)


@torch.no_grad()
@pytest.mark.parametrize("level", [1, 2, 3])
def test_at_alpha_0_a_level_is_the_one_below_enlarged_and_at_1_it_ignores_it(level):
    G, D, z = generator(), discriminator(), torch.randn(4, 6)
    assert G(z, level).shape == (4, 1, 4 * 2**level, 4 * 2**level)
    assert torch.allclose(G(z, level, 0.0), enlarged(G(z, level - 1)), atol=1e-6)
    x = torch.randn(4, 1, 4 * 2**level, 4 * 2**level)
    coarse = nn.functional.avg_pool2d(x, 2)
    assert torch.allclose(D(x, level, 0.0), D(coarse, level - 1), atol=1e-6)

    whole, half, judged = G(z, level), G(z, level, 0.5), D(x, level)
    assert torch.allclose(half, (whole + enlarged(G(z, level - 1))) / 2, atol=1e-6)
    for old in (G.to_rgb[level - 1], D.from_rgb[level - 1]):
        old.weight.normal_()
    assert torch.equal(G(z, level, 1.0), whole) and torch.equal(D(x, level, 1.0), judged)
    assert not torch.allclose(G(z, level, 0.5), half)


def test_the_whole_network_is_the_last_level():
    G, z = generator(), torch.randn(2, 6)
    assert torch.equal(G(z), G(z, 3, 1.0)) and G(z).shape == (2, 1, 32, 32)
    for level, alpha in ((4, 1.0), (-1, 1.0), (2, 1.5)):
        with pytest.raises(UsageError, match="levels go from 0 to 3"):
            G(z, level, alpha)
    with pytest.raises(UsageError, match="growing networks end at"):
        ProgressiveGenerator(size=48)


def test_reals_are_faded_as_pictures_are():
    x = torch.randn(2, 3, 8, 8)
    coarse = enlarged(nn.functional.avg_pool2d(x, 2))
    assert torch.equal(faded(x, 1.0), x) and torch.allclose(faded(x, 0.0), coarse)
    assert torch.allclose(faded(x, 0.25), 0.25 * x + 0.75 * coarse, atol=1e-6)
    assert torch.allclose(shrunk(x, 4), nn.functional.avg_pool2d(x, 2)) and shrunk(x, 8) is x


def test_pixel_norm_makes_the_mean_square_1_at_each_place():
    h = 7 * torch.randn(3, 12, 5, 5) + 2
    found = pixel_norm(h)
    assert torch.allclose(found.square().mean(1), torch.ones(3, 5, 5), atol=1e-4)
    assert torch.allclose(found / found[:, :1], h / h[:, :1], rtol=1e-3)  # the direction is kept
    assert torch.allclose(pixel_norm(torch.randn(4, 9)).square().mean(1), torch.ones(4), atol=1e-4)


@pytest.mark.parametrize("layer", [
    EqualLinear(400, 300, gain=1), EqualConv2d(64, 200, 3, gain=1), EqualConv2d(300, 100, 1, gain=1)
])  # fmt: skip
@torch.no_grad()
def test_equalised_layers_keep_the_variance_at_initialisation(layer):
    torch.manual_seed(0)
    shape = (64, layer.weight.shape[1]) + (() if layer.weight.dim() == 2 else (9, 9))
    found = layer(torch.randn(*shape))
    inner = found[..., 1:-1, 1:-1] if found.dim() == 4 else found  # the rim sees zeros
    assert float(inner.var()) == pytest.approx(1.0, abs=0.1)
    assert float(layer.weight.std()) == pytest.approx(1.0, abs=0.05)


@torch.no_grad()
def test_with_the_gain_of_a_relu_the_mean_square_stays_1_through_many_layers():
    torch.manual_seed(0)
    h = torch.randn(256, 256)
    for _ in range(10):
        h = EqualLinear(256, 256)(torch.relu(h))
    assert 0.3 < float(h.square().mean()) < 3
    plain = torch.randn(256, 256)
    for _ in range(10):
        plain = nn.functional.linear(torch.relu(plain), 0.02 * torch.randn(256, 256))
    assert plain.square().mean() < 1e-3  # DCGAN's 0.02: nothing is left


def test_adam_moves_equalised_weights_of_all_layers_by_the_same_share():
    torch.manual_seed(0)
    moved = {}
    for inputs in (16, 1600):
        for kind, c in (("equal", None), ("plain", (2 / inputs) ** 0.5)):
            layer = EqualLinear(inputs, 8) if c is None else nn.Linear(inputs, 8, bias=False)
            if c is not None:
                nn.init.normal_(layer.weight, 0.0, c)
            before = layer.weight.detach().clone()
            optimizer = torch.optim.Adam([layer.weight], 1e-3)
            layer(torch.randn(32, inputs)).square().mean().backward()
            optimizer.step()
            change = (layer.weight.detach() - before).norm() / before.norm()
            moved[kind, inputs] = float(change)
    assert moved["equal", 16] == pytest.approx(moved["equal", 1600], rel=0.1)
    assert moved["plain", 1600] > 5 * moved["plain", 16]


def test_the_deviation_map_is_that_of_the_group():
    h = torch.zeros(4, 2, 3, 3)
    assert minibatch_deviation(h)[:, 2].abs().max() < 1e-3  # all alike
    h[:2] = 2.0
    found = minibatch_deviation(h)
    assert found.shape == (4, 3, 3, 3) and torch.equal(found[:, :2], h)
    assert torch.allclose(found[:, 2], torch.ones(4, 3, 3), atol=1e-3)  # 2, 2, 0, 0
    x = torch.randn(8, 2, 3, 3)
    maps = minibatch_deviation(x)[:, 2, 0, 0]
    members = x.view(4, 2, 2, 3, 3)[:, 0]  # pictures 0, 2, 4, 6
    expected = members.var(0, unbiased=False).add(1e-8).sqrt().mean()
    assert torch.allclose(maps[::2], expected.expand(4)) and maps[0] != maps[1]
    assert minibatch_deviation(torch.randn(5, 2, 3, 3)).shape == (5, 3, 3, 3)
    assert minibatch_deviation(torch.randn(7, 2, 3, 3), 4)[:, 2].max() < 1e-3  # groups of one


def test_without_the_deviation_a_score_does_not_depend_on_the_others():
    x = torch.randn(4, 1, 32, 32)
    apart = discriminator(deviation=False)
    assert torch.allclose(apart(x)[:1], apart(x[:1]), atol=1e-5)
    together = discriminator()
    assert not torch.allclose(together(x)[:1], together(x[:1]), atol=1e-5)


def test_the_schedule_fades_each_level_in_once_and_ends_at_the_last():
    progress = [i / 1000 for i in range(1001)]
    stages = [stage(p, last=3, growing=0.6) for p in progress]
    assert stages[0] == (0, 1.0) and stages[-1] == stages[600] == (3, 1.0)
    levels = [level for level, _ in stages]
    assert levels == sorted(levels) and set(levels) == {0, 1, 2, 3}
    for level in (1, 2, 3):
        alphas = [alpha for found, alpha in stages if found == level]
        assert alphas == sorted(alphas) and alphas[0] < 0.02 and alphas[-1] == 1.0
    held = [sum(s == (level, 1.0) for s in stages) for level in range(4)]
    assert held[0] == pytest.approx(100, abs=2) and held[1] == pytest.approx(100, abs=2)
    assert held[3] == pytest.approx(400, abs=2)
    assert stage(0.0, last=3, growing=0) == (3, 1.0) and stage(0.4, last=0) == (0, 1.0)


def batch(step=0):
    rng = torch.Generator().manual_seed(step)
    return {"images": torch.randint(256, (8, 1, 32, 32), generator=rng, dtype=torch.uint8)}


@pytest.mark.parametrize("objective", ["wasserstein", "logistic"])
def test_it_grows_through_all_levels(objective, monkeypatch):
    one, seen = Progressive(generator(), discriminator(), objective=objective), []
    real = ProgressiveDiscriminator.forward

    def watched(self, x, level=None, alpha=1.0):
        seen.append((x.shape[-1], level))
        return real(self, x, level, alpha)

    monkeypatch.setattr(ProgressiveDiscriminator, "forward", watched)
    before = [p.detach().clone() for p in one.G.parameters()]
    history = fit(one, batch, steps=16, **OPTIONS).history
    assert set(seen) == {(4 * 2**k, k) for k in range(4)}
    assert history[["loss_f", "loss_g"]].notna().all().all()
    after = [*one.G.parameters()]
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert one.strip().shape == (16, 32, 32, 3) and one.level == 3


def test_a_level_begins_with_empty_optimisers_and_reals_fade(monkeypatch):
    one = Progressive(generator(), discriminator(), growing=0.5)
    shown = []
    monkeypatch.setattr(one, "_critic_loss", lambda x, made, now: shown.append((x, now)) or
                        (one.f(x, *now) - one.f(made, *now)).mean())  # fmt: skip
    fit(one, batch, steps=1, **OPTIONS)
    one.progress = 0.14  # level 1, alpha 0.68
    one.step(batch())
    steps = {int(s["step"]) for s in one.opt_f.optimizer.state.values() if "step" in s}
    assert steps == {1}  # not 2
    x, (level, alpha) = shown[-1]
    real = nn.functional.avg_pool2d(batch()["images"].float().div(127.5).sub(1), 4)
    assert level == 1 and 0 < alpha < 1 and torch.allclose(x, faded(real, alpha), atol=1e-6)


def test_resume_in_the_middle_is_exact(tmp_path):
    def made():
        return Progressive(generator(), discriminator(), objective="logistic")

    class Stop(Exception):
        pass

    whole, cut, again = made(), made(), made()
    fit(whole, batch, steps=10, **OPTIONS)

    def until_five(step):
        if step == 5:
            raise Stop
        return batch(step)

    with pytest.raises(Stop):
        fit(cut, until_five, steps=10, out=tmp_path / "a", save_every_s=0, **OPTIONS)
    fit(again, batch, steps=10, out=tmp_path / "a", resume=True, **OPTIONS)
    for a, b in zip(whole.average.parameters(), again.average.parameters(), strict=True):
        assert torch.equal(a, b)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="G ends at 32 pixels, the critic at 16"):
        Progressive(generator(), discriminator(size=16))
    with pytest.raises(UsageError, match="objective"):
        Progressive(generator(), discriminator(), objective="hinge")
    with pytest.raises(UsageError, match="growing = 2"):
        Progressive(generator(), discriminator(), growing=2)


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="t2ilab")


@pytest.mark.parametrize(
    "words", [("--world", "birds"), ("--data", "digits", "--loss", "logistic")]
)
def test_train_sample_evaluate(words, tmp_path):
    out, picture = tmp_path / "run", tmp_path / "drawn.png"
    done = call("train", "progressive", *words, "--profile", "smoke", "--steps", 9, "--out", out)
    assert done.exit_code == 0, done.output
    (about,) = (json.loads(p.read_text()) for p in out.glob("progressive-*.json"))
    assert about["kind"] == "progressive" and ("fid" in about["measured"]) == ("birds" in words)
    drawn = call("sample", "progressive", "--weights", out, "-n", 2, "-o", picture)
    assert drawn.exit_code == 0 and picture.exists(), drawn.output
    loaded = ProgressiveSystem.load(out)
    assert loaded.draw(2).shape == (2, loaded.size, loaded.size, 3)
    assert torch.equal(loaded.grown(3, seed=1), loaded.sample(3, seed=1))
    assert loaded.grown(3, level=0).shape[-1] == 4
