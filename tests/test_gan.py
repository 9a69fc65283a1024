"""GAN and WGAN-GP: the networks of DCGAN, multilayer perceptrons, the trainer and the recipes."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from t2ilab.cli import main
from t2ilab.data.mixtures import PointBatches, line, ring
from t2ilab.errors import UsageError
from t2ilab.fit import fit
from t2ilab.inputs.resampling import effective, resampled
from t2ilab.models.dcgan import Discriminator, Generator
from t2ilab.models.introspective import Critic
from t2ilab.models.mlp_gan import MLPDiscriminator, MLPGenerator
from t2ilab.recipes import dcgan as dcgan_recipe
from t2ilab.recipes import wgan as wgan_recipe
from t2ilab.systems.gan import DCGANSystem, GANSystem
from t2ilab.trainers.gan import GAN


def squares(step):
    """White squares on black, left or right."""
    rng = torch.Generator().manual_seed(step)
    images = torch.zeros(16, 1, 8, 8, dtype=torch.uint8)
    for picture, right in zip(images, torch.randint(2, (16,), generator=rng), strict=True):
        picture[:, 2:6, 4 * right : 4 * right + 4] = 255
    return {"images": images}


def gan(**changed):
    torch.manual_seed(0)
    return GAN(
        Generator(size=8, channels=1, z=8, width=8),
        Critic(size=8, channels=1, width=8),
        **{"lr": 2e-3, "average": 0.9} | changed,
    )


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (16, 3), (32, 3), (64, 1)])
def test_pictures_fill_the_size_and_stay_in_the_box(size, channels):
    pictures = Generator(size=size, channels=channels, z=5, width=4)(torch.randn(3, 5))
    assert pictures.shape == (3, channels, size, size)
    assert pictures.abs().max() <= 1


def shares(pictures):
    """The shares of pictures [n, 1, 8, 8] with a black rim, and with a white half: left, right."""
    rows, rim = pictures[:, 0, 2:6], torch.cat([pictures[:, 0, :1], pictures[:, 0, 7:]], 1)
    left, right = rows[:, :, :4].mean((1, 2)), rows[:, :, 4:].mean((1, 2))
    on_the_left = (left > 0.5) & (right < -0.5)
    on_the_right = (right > 0.5) & (left < -0.5)
    halves = [on_the_left.float().mean().item(), on_the_right.float().mean().item()]
    return (rim.mean((1, 2)) < -0.5).float().mean().item(), *halves


@pytest.mark.parametrize("objective", ["logistic", "wasserstein"])
def test_it_learns_squares_on_both_sides(objective):
    trainer = gan(objective=objective)
    fit(trainer, squares, steps=250, device="cpu", show=False)
    pictures = trainer.sample(torch.randn(64, 8, generator=torch.Generator().manual_seed(1)))
    black, left, right = shares(pictures)
    assert black > 0.9 and left + right > 0.75  # one white half, and not a bar of grey
    assert min(left, right) > 0.2  # no mode is lost


def test_a_lost_mode_or_a_bar_of_grey_would_be_noticed():
    real = squares(0)["images"].float().div(127.5).sub(1)
    black, left, right = shares(real)
    assert black == 1 and left + right == 1 and min(left, right) > 0.2
    always_left, grey = real.clone(), real.clone()
    always_left[:, :, 2:6] = torch.tensor([1.0] * 4 + [-1.0] * 4)
    grey[:, :, 2:6] = 0
    assert shares(always_left) == (1, 1, 0) and shares(grey) == (1, 0, 0)
    assert shares(-real)[0] == 0


def test_the_first_losses_are_those_of_scores_of_zero():
    trainer = gan(objective="logistic")
    for parameter in trainer.critic.score.parameters():
        parameter.data.zero_()
    history = fit(trainer, squares, steps=1, device="cpu", show=False).history
    assert history.loss_f[0] == pytest.approx(2 * 0.693147, abs=1e-3)


@pytest.mark.parametrize("changed", [{}, {"clip": 0.01, "optimizer": "rmsprop"}])
def test_resume_goes_on_bit_for_bit(changed, tmp_path):
    whole, first, again = gan(**changed), gan(**changed), gan(seed=3, **changed)
    fit(whole, squares, steps=8, device="cpu", show=False)

    def stops(step):
        if step == 5:
            raise KeyboardInterrupt
        return squares(step)

    with pytest.raises(KeyboardInterrupt):
        fit(first, stops, steps=8, device="cpu", show=False, out=tmp_path / "run", save_every_s=0)
    fit(again, squares, steps=8, device="cpu", show=False, out=tmp_path / "run", resume=True)
    for a, b in zip(whole.average.parameters(), again.average.parameters(), strict=True):
        assert torch.equal(a, b)


def test_what_is_refused():
    with pytest.raises(UsageError, match="28"):
        Generator(size=28)
    with pytest.raises(UsageError, match="objective"):
        gan(objective="hinge")
    with pytest.raises(UsageError, match="for 8, 16, 32, 64 pixels, not 28"):
        Discriminator(size=28)
    with pytest.raises(UsageError, match="objective logistic"):
        gan(objective="wasserstein", r1_weight=0.1)
    with pytest.raises(UsageError, match="catch_up = 0.5"):
        gan(objective="wasserstein", catch_up=0.5)
    with pytest.raises(UsageError, match="clip = 0.1: 0 or more, of the objective wasserstein"):
        gan(objective="logistic", clip=0.1)
    with pytest.raises(UsageError, match="optimizer"):
        gan(optimizer="sgd")
    with pytest.raises(UsageError, match="k = 0"):
        gan(k=0)
    with pytest.raises(UsageError, match="at least 1 each"):
        MLPGenerator(width=0)


# Multilayer perceptrons, one game or several side by side


def game(*, of=ring, copies=1, seed=0, **changed):
    torch.manual_seed(seed)
    sizes = {"shape": (of().dimensions,), "width": 16, "depth": 2, "copies": copies}
    networks = MLPGenerator(z=2, **sizes), MLPDiscriminator(**sizes)
    return GAN(*networks, **{"objective": "logistic", "lr": 2e-3, "fresh": True} | changed)


def trained(trainer, of=ring, *, steps=3, batch_size=16):
    batches = PointBatches(of(), batch_size=batch_size, copies=trainer.G.copies)
    fit(trainer, batches, steps=steps, device="cpu", show=False)
    return trainer


def test_a_network_of_copies_is_as_many_networks():
    torch.manual_seed(0)
    many = MLPDiscriminator(width=5, depth=2, copies=3)
    x = torch.randn(7, 3, 2)
    for c in range(3):
        one = MLPDiscriminator(width=5, depth=2)
        state = {name: value[c : c + 1] for name, value in many.state_dict().items()}
        one.load_state_dict(state)
        assert torch.allclose(one(x[:, c]), many(x)[:, c], atol=1e-6)
    assert MLPGenerator(copies=3)(torch.randn(7, 3, 8)).shape == (7, 3, 2)
    pictures = MLPGenerator(shape=(1, 4, 4))(9 * torch.randn(7, 8))
    assert pictures.shape == (7, 1, 4, 4) and pictures.abs().max() <= 1
    assert MLPDiscriminator(shape=(1, 4, 4))(pictures).shape == (7,)


def test_games_side_by_side_do_not_touch_each_other():
    """Another third game leaves the first two as they were, with the penalty and all."""
    one, other = game(copies=3, r1_weight=0.1), game(copies=3, r1_weight=0.1)
    with torch.no_grad():
        for network in (other.G, other.critic, other.average):
            for p in network.parameters():
                p[2] *= 1.3
    for trainer in (one, other):
        trained(trainer, steps=5)
    for p, q in zip(one.average.parameters(), other.average.parameters(), strict=True):
        assert torch.allclose(p[:2], q[:2], atol=1e-6) and not torch.allclose(p[2], q[2])


class Counted(nn.Module):
    """Counts how often, and on how many samples, a network was called."""

    def __init__(self, network):
        super().__init__()
        self.network, self.calls = network, []
        self.noise_shape = getattr(network, "noise_shape", None)
        self.shape = network.shape

    def forward(self, x):
        self.calls.append(len(x))
        return self.network(x)


@pytest.mark.parametrize(("fresh", "made"), [(True, 4), (False, 3)])
def test_the_critic_makes_k_updates_on_parts_of_the_batch(fresh, made):
    torch.manual_seed(0)
    G, D = Counted(MLPGenerator(z=2, width=4)), Counted(MLPDiscriminator(width=4))
    trainer = GAN(G, D, objective="logistic", k=3, fresh=fresh)
    steps = []
    trainer.opt_f.register_step_post_hook(lambda *_: steps.append("f"))
    trainer.opt_G.register_step_post_hook(lambda *_: steps.append("G"))
    fit(trainer, PointBatches(ring(), batch_size=12), steps=1, device="cpu", show=False, strips=0)
    assert steps == ["f", "f", "f", "G"]
    assert G.calls == [4] * made and D.calls == [4] * 7


def test_each_step_moves_one_network_alone():
    trainer = trained(game(), steps=1)
    kept, seen = {}, []

    def copy_of(network):
        return [p.detach().clone() for p in network.parameters()]

    def same(a, b):
        return all(torch.equal(p, q) for p, q in zip(a, b, strict=True))

    def after_critic(*_):
        kept["D"] = copy_of(trainer.critic)
        seen.append(same(kept["G"], copy_of(trainer.G)))

    trainer.opt_f.register_step_post_hook(after_critic)
    trainer.opt_G.register_step_post_hook(
        lambda *_: seen.append(same(kept["D"], copy_of(trainer.critic)))
    )
    kept["G"] = copy_of(trainer.G)
    trainer.step(PointBatches(ring(), batch_size=8)(0))
    assert seen == [True, True]
    assert not same(kept["G"], copy_of(trainer.G))
    assert all(p.requires_grad for p in trainer.critic.parameters())


@pytest.mark.parametrize("saturating", [False, True])
def test_it_finds_both_hills_of_a_line(saturating):
    of = line()
    trainer = game(of=line, saturating=saturating, r1_weight=0.05, average=0.98, lr=4e-3)
    trained(trainer, line, steps=400, batch_size=64)
    x = trainer.sample(torch.randn(500, 2, generator=torch.Generator().manual_seed(3)))
    near = (x - of.centres.T).abs().min(1).values < 3 * of.std
    assert near.float().mean() > 0.7 and 0.15 < (x > 0).float().mean() < 0.85


def test_in_the_last_part_the_critic_catches_up_and_g_stands_still():
    trainer = trained(game(catch_up=0.5), steps=1)
    trainer.progress = 0.6
    before = [p.detach().clone() for p in [*trainer.G.parameters(), *trainer.average.parameters()]]
    critic = [p.detach().clone() for p in trainer.critic.parameters()]
    losses = trainer.step(PointBatches(ring(), batch_size=8)(0))
    after = [*trainer.G.parameters(), *trainer.average.parameters()]
    assert all(torch.equal(p, q) for p, q in zip(before, after, strict=True))
    assert not all(map(torch.equal, critic, trainer.critic.parameters())) and "loss_f" in losses
    trainer.progress = 0.25  # half of the game that is left
    trainer.step(PointBatches(ring(), batch_size=8)(0))
    assert not all(torch.equal(p, q) for p, q in zip(before, after, strict=True))


def test_r1_falls_geometrically_to_its_end():
    trainer = game(r1_weight=0.1, r1_end=0.001)
    assert [trainer._r1(played) for played in (0, 0.5, 1)] == pytest.approx([0.1, 0.01, 0.001])
    assert game(r1_weight=0.1)._r1(0.7) == pytest.approx(0.1) and game()._r1(0.5) == 0


def test_a_sharp_critic_bends_all_over_the_square():
    torch.manual_seed(0)
    plain, sharp = (MLPDiscriminator(width=400, depth=1, sharp=s).layers[0] for s in (0.0, 4.0))
    apart = [(one.bias[0] / one.weight[0].norm(dim=0)).abs() for one in (plain, sharp)]
    assert apart[0].max() == 0 and 1.0 < apart[1].max() <= 1.2 and 0.4 < apart[1].mean() < 0.8
    ratio = sharp.weight.norm() / plain.weight.norm()
    assert 3.5 < ratio < 4.5


def test_drawing_again_by_the_odds_gives_the_data_where_g_reaches_it():
    """Made points: uniform on [-2, 2]; data: a normal density; f = log p/q is known."""
    rng = torch.Generator().manual_seed(0)
    x = 4 * torch.rand(40_000, 1, generator=rng) - 2
    f = torch.distributions.Normal(0.5, 0.4).log_prob(x[:, 0]) + 3.0  # up to a constant
    again = resampled(x, f, 20_000, rng)
    assert again.mean().item() == pytest.approx(0.5, abs=0.02)
    assert again.std().item() == pytest.approx(0.4, abs=0.02)
    assert torch.isin(again, x).all()
    assert effective(torch.zeros(50)) == pytest.approx(1)
    assert effective(torch.tensor([50.0] + [0.0] * 9)) == pytest.approx(0.1)
    assert 0.2 < effective(f) < 0.7
    with pytest.raises(UsageError, match="logits are finite"):
        resampled(x[:2], torch.tensor([0.0, float("nan")]), 1, rng)


def test_strips_of_points_are_pictures_of_them():
    strip = game(copies=2).strip()
    assert strip.shape == (1, 64, 64, 3) and strip.dtype == np.uint8 and strip.min() < 200


def test_the_weights_of_a_clipped_critic_are_cut_after_its_step_and_before_gs():
    trainer, seen = game(objective="wasserstein", clip=0.01, optimizer="rmsprop", k=2), []

    def widest(*_):
        seen.append(max(float(p.detach().abs().max()) for p in trainer.critic.parameters()))

    trainer.opt_f.register_step_post_hook(widest)
    trainer.opt_G.register_step_post_hook(widest)
    trained(trainer, steps=2, batch_size=32)
    steps, at_g = [seen[i] for i in (0, 1, 3, 4)], [seen[2], seen[5]]
    assert min(steps) > 0.01 >= max(at_g)  # the step leads out of the box, and the cut back
    assert max(float(p.detach().abs().max()) for p in trainer.G.parameters()) > 0.01


def test_the_clipped_critic_minimises_the_difference_alone():
    trainer = trained(game(objective="wasserstein", clip=0.5), steps=1)
    x, fakes = torch.randn(8, 2), torch.randn(8, 2)
    loss = trainer._critic_loss(x, fakes)
    f = trainer.critic
    assert torch.allclose(loss, f(fakes).mean() - f(x).mean())
    trainer.clip = 0.0
    assert trainer._critic_loss(x, fakes) > loss + 1e-6  # the penalty


# DCGAN with and without each guideline


def kinds(network):
    return {type(m).__name__ for m in network.modules()}


def test_by_default_all_five_guidelines_hold():
    G, D = Generator(size=16, width=4), Discriminator(size=16, width=4)
    assert not {"MaxPool2d", "UpsamplingNearest2d"} & (kinds(G) | kinds(D))
    assert "BatchNorm2d" in kinds(G) and "BatchNorm2d" in kinds(D)
    assert [type(m).__name__ for m in G.modules()].count("Linear") == 1
    assert [type(m).__name__ for m in D.modules()].count("Linear") == 1
    assert {"ReLU", "Tanh"} <= kinds(G) and {m.negative_slope for m in D.modules() if
                                             isinstance(m, nn.LeakyReLU)} == {0.2}  # fmt: skip


@pytest.mark.parametrize(
    ("of_G", "of_D", "sign"),
    [
        ({"strides": False}, {"strides": False}, lambda G, D: "MaxPool2d" in kinds(D)),
        ({"batch_norm": False}, {"batch_norm": False},
         lambda G, D: not any("BatchNorm" in k for k in kinds(G) | kinds(D))),
        ({"dense": True}, {"dense": True},
         lambda G, D: sum(isinstance(m, nn.Linear) for m in [*G.modules(), *D.modules()]) == 4),
        ({"relu": False}, {}, lambda G, D: "ReLU" not in kinds(G)),
        ({}, {"leaky": False}, lambda G, D: all(m.negative_slope == 0 for m in D.modules() if
                                                isinstance(m, nn.LeakyReLU))),
    ],
)  # fmt: skip
def test_a_guideline_can_be_taken_away_and_it_still_learns(of_G, of_D, sign):
    torch.manual_seed(0)
    G = Generator(size=16, channels=1, z=4, width=4, **of_G)
    D = Discriminator(size=16, channels=1, width=4, **of_D)
    assert sign(G, D) and G(torch.randn(3, 4)).shape == (3, 1, 16, 16)
    trainer = GAN(G, D, objective="logistic", fresh=True)
    before = [p.detach().clone() for p in [*G.parameters(), *D.parameters()]]

    def batch(step):
        return {"images": torch.randint(256, (6, 1, 16, 16), dtype=torch.uint8)}

    exact = dict(device="cpu", precision="32-true")  # in bfloat16 a gradient near 0 may vanish
    history = fit(trainer, batch, steps=2, show=False, **exact).history
    assert np.isfinite(history[["loss_f", "loss_g"]].to_numpy()).all()
    after = [*G.parameters(), *D.parameters()]
    moved = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert all(moved)
    assert trainer.strip().shape == (16, 16, 16, 3)


# Recipes, from the command line


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="t2ilab")


@pytest.mark.parametrize(
    ("words", "kind", "system"),
    [
        (("gan", "--data", "ring"), "gan", GANSystem),
        (("gan", "--data", "digits", "--k", 2, "--loss", "saturating"), "gan", GANSystem),
        (("dcgan", "--world", "birds", "--leaky", "off"), "dcgan", DCGANSystem),
        (("wgan", "--data", "digits", "--clip", 0.02, "--k", 2), "dcgan", DCGANSystem),
        (("wgan_gp", "--world", "birds", "--penalty", 1), "dcgan", DCGANSystem),
    ],
)
def test_train_sample_evaluate(words, kind, system, tmp_path):
    out, picture = tmp_path / "run", tmp_path / "drawn.png"
    done = call("train", *words, "--profile", "smoke", "--steps", 3, "--out", out)
    assert done.exit_code == 0, done.output
    (about,) = (json.loads(p.read_text()) for p in out.glob(f"{words[0]}-*.json"))
    assert about["kind"] == kind and (about["measured"] or words[0] == "wgan")  # digits: none
    drawn = call("sample", words[0], "--weights", out, "-n", 2, "-o", picture)
    assert drawn.exit_code == 0 and picture.exists(), drawn.output
    loaded = system.load(out)
    assert torch.equal(loaded.sample(3, seed=1), loaded.sample(3, seed=1))
    assert loaded.draw(2).shape == (2, loaded.size, loaded.size, 3)
    if "ring" in words:
        assert about["measured"]["quality_of_data"] == pytest.approx(0.989, abs=0.006)
        assert loaded.of_points and loaded.sample(3).shape == (3, 2)
        found = json.loads(call("evaluate", "gan", "--weights", out, "--json").stdout)
        assert "reverse_kl" in json.dumps(found)


def test_both_wasserstein_recipes_have_the_constants_of_their_papers():
    built = {}
    for name in ("wgan", "wgan_gp"):
        o = wgan_recipe.Options(system=name, data="digits", profile="smoke")
        built[name] = wgan_recipe.build(o, None).trainer
    clipped, penalised = built["wgan"], built["wgan_gp"]
    assert clipped.k == penalised.k == 5 and clipped.fresh and penalised.fresh
    assert isinstance(clipped.opt_f, torch.optim.RMSprop) and clipped.lr == 5e-5
    assert (clipped.clip, penalised.clip, penalised.penalty) == (0.01, 0.0, 10.0)
    assert isinstance(penalised.opt_f, torch.optim.Adam) and penalised.lr == 1e-4
    assert penalised.opt_f.param_groups[0]["betas"] == (0.0, 0.9)
    assert "BatchNorm2d" in kinds(clipped.critic) and "BatchNorm2d" not in kinds(penalised.critic)
    assert str(clipped.G) == str(penalised.G)
    with pytest.raises(UsageError, match="--penalty is no option of wgan"):
        wgan_recipe.Options(system="wgan", penalty=1.0)
    with pytest.raises(UsageError, match="--clip is no option of wgan_gp"):
        wgan_recipe.Options(system="wgan_gp", clip=1.0)


def test_the_recipe_takes_each_guideline_away():
    for name in dcgan_recipe.GUIDELINES:
        o = dcgan_recipe.Options(system="dcgan", **{name: "off"})
        G, D = dcgan_recipe.networks_of(o, size=16, channels=3, width=4)
        whole = dcgan_recipe.networks_of(
            dcgan_recipe.Options(system="dcgan"), size=16, channels=3, width=4
        )
        assert (str(G), str(D)) != (str(whole[0]), str(whole[1])), name
