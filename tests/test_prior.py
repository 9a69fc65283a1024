"""The completing prior: keeps what a caption states, varies what it leaves open."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.models.gated import GatedGenerator
from t2ilab.models.prior import CompletingPrior
from t2ilab.recipes import prior as recipe
from t2ilab.recipes import text_gan
from t2ilab.recipes.data import encode_all
from t2ilab.recipes.prior import completed
from t2ilab.recipes.text_gan import RECIPES
from t2ilab.recipes.train import train
from t2ilab.systems import weights
from t2ilab.systems.encoders import load_encoder
from t2ilab.systems.single import TrainedPrior
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.trainers.prior import PriorBatches, PriorTrainer, matching_loss


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("encoder-birds")


def small(**more):
    torch.manual_seed(0)
    return CompletingPrior(**dict(text=6, z=8, components=3, hidden=32, condition=16) | more)


def test_a_prior_of_no_steps_or_for_another_generator_is_refused(encoder):
    for steps in (0, None, 1001, 2.5):
        with pytest.raises(UsageError, match="expected a whole number from 1 to 1000"):
            small(steps=steps)
    with pytest.raises(UsageError, match="noise of 8, and this generator takes 256 and 100"):
        TextToImage(encoder, GatedGenerator(size=32, width=4), small())


def test_components_make_complete_captions_white_and_give_them_back():
    vectors = torch.randn(500, 3, generator=rng()) @ torch.randn(3, 6, generator=rng(1)) + 2
    prior = small()
    prior.learn_components(vectors)
    y = prior.coordinates(vectors)
    assert torch.allclose(y.T @ y / len(y), torch.eye(3), atol=1e-4)
    assert torch.allclose(prior.mean + y @ prior.basis, vectors, atol=1e-4)


def test_its_noise_is_normal_where_that_of_the_generator_is():
    prior = small()
    prior.learn_components(torch.randn(50, 6, generator=rng()))
    assert torch.allclose(prior.mix.T @ prior.mix, torch.eye(3), atol=1e-5)


def test_the_loss_is_zero_for_who_knows_and_the_variance_for_who_guesses_the_mean():
    y, noise, t = torch.randn(4000, 3), torch.randn(4000, 3), torch.rand(4000)
    assert matching_loss(lambda x, t, phi: y, y, noise, t, None) == 0
    guess = matching_loss(lambda x, t, phi: torch.zeros_like(y), y, noise, t, None)
    assert float(guess) == pytest.approx(1.0, abs=0.1)


def test_the_flow_ends_where_a_network_that_knows_says(monkeypatch):
    prior, y = small(), torch.tensor([[1.0, -2.0, 0.5]])
    monkeypatch.setattr(CompletingPrior, "forward", lambda self, x, t, phi: y.expand_as(x))
    found = prior.complete(torch.zeros(4, 6), torch.randn(4, 8))
    assert torch.allclose(found, (prior.mean + y @ prior.basis).expand(4, -1), atol=1e-5)


def test_it_keeps_what_is_stated_and_varies_what_is_not():
    signs = torch.where(torch.rand(600, 3, generator=rng()) < 0.5, -1.0, 1.0)
    full = signs @ torch.randn(3, 6, generator=rng(1))
    bare = torch.zeros_like(full)
    bare[:, 0] = signs[:, 0]  # a sparse caption states the first of three facts
    prior = small()
    prior.learn_components(full)
    trainer = PriorTrainer(prior, lr=3e-3)
    trainer.network = prior
    trainer.device = torch.device("cpu")
    batches = PriorBatches(torch.stack([full, bare], 1), full, levels=(0.5, 0.5), batch_size=256)
    for step in range(400):
        trainer.progress = step / 400
        trainer.step(batches(step))
    inverse = torch.linalg.pinv(torch.randn(3, 6, generator=rng(1)))
    z = torch.randn(600, 8, generator=rng(2))
    read = (prior.complete(bare, z) @ inverse).sign()
    assert (read[:, 0] == signs[:, 0]).float().mean() > 0.97
    for k in (1, 2):  # independent of the truth, and both values as often
        assert (read[:, k] == signs[:, k]).float().mean() == pytest.approx(0.5, abs=0.08)
        assert (read[:, k] > 0).float().mean() == pytest.approx(0.5, abs=0.1)
    assert torch.equal((prior.complete(full, z) @ inverse).sign(), signs)
    again = prior.complete(bare[:5], z[:5])
    assert torch.allclose(again, prior.complete(bare, z)[:5], atol=1e-5)


def test_a_gate_hands_on_what_the_caption_says_itself():
    prior, phi = small(), torch.randn(4, 6, generator=rng())
    torch.nn.init.zeros_(prior.leave.weight)
    torch.nn.init.zeros_(prior.leave.bias)
    last = prior.keep[-1]
    torch.nn.init.zeros_(last.weight)
    last.bias.data = torch.tensor([50.0, -50.0, 0.0])  # open, closed, half open
    own = prior.coordinates(phi)
    told = prior(torch.randn(4, 3), torch.rand(4), phi)
    assert torch.allclose(told, own * torch.tensor([1.0, 0.0, 0.5]), atol=1e-5)
    far = prior(torch.randn(4, 3), torch.rand(4), 100 * phi)
    assert far.abs().max() <= 4


def test_batches_are_a_function_of_seed_and_step_and_of_one_picture_each():
    n, k = 40, 3
    phi = torch.arange(n * 2 * k).view(n, 2 * k, 1).float()
    complete = torch.arange(n)[:, None].float()
    make = PriorBatches(phi, complete, levels=(1.0, 1.0, 1.0), batch_size=200, seed=3)
    one, again = make(7), make(7)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["phi"], make(8)["phi"])
    assert torch.equal((one["phi"] / (2 * k)).floor(), one["complete"])
    assert (one["phi"] % (2 * k) < k).float().mean() == pytest.approx(0.7, abs=0.1)
    without = PriorBatches(phi[:, :k], complete, levels=(1.0, 0.0, 0.0), batch_size=50)
    assert not (without(0)["phi"] % (2 * k)).any()
    with pytest.raises(UsageError, match="expected 2 or, with asides, 4 a picture"):
        PriorBatches(phi, complete, levels=(1.0, 1.0))


@pytest.mark.parametrize("world", paperworld.WORLDS)
def test_a_completed_caption_states_all_that_captions_ever_state_and_it_is_so(world):
    one = paperworld.world(world)
    data, k = one.load("val", 32, 200, asides=True), paperworld.LEVELS
    full = completed(data)
    states = data.stated[:, [0, k]].any(1)  # content, and what an aside may state
    of = [n for n, ever in zip(data.attributes, data.stated.any((0, 1)), strict=False) if ever]
    said_most = 0
    for i, (before, (after,)) in enumerate(zip(data.captions, full.captions, strict=True)):
        assert after.startswith(before[0])
        found = one.read(after)
        for name, value in found.items():
            assert one.attributes[name][data.attributes[name][i]] == value
        said_most += set(one.style) & set(of) <= set(found)
        assert len(found) >= states[i].sum() - 1
    assert said_most == len(data)


def test_a_system_with_a_prior_completes_what_it_draws_and_is_kept_with_it(encoder, tmp_path):
    torch.manual_seed(0)
    generator, prior = GatedGenerator(size=32, width=4), CompletingPrior(hidden=16)
    data = paperworld.world("birds").load("val", 32, 60)
    prior.learn_components(encode_all(encoder, data)[:, 0].float())
    system = TextToImage(encoder, generator, prior)
    z, phi = system.noise(4, 2), encoder.encode(["a bird"]).expand(4, -1)
    full = prior.complete(phi, z)
    assert not torch.allclose(full[0], full[1], atol=1e-3)  # other noise, another bird
    drawn = system.draw("a bird", n=4, seed=2)
    assert np.array_equal(drawn, to_uint8(system(z, full)))
    plain = TextToImage(encoder, generator)
    assert torch.equal(plain.complete(phi, z), phi)
    assert np.array_equal(plain.draw("a bird", n=4, seed=2), to_uint8(plain(z, phi)))
    about = dict(system="gan_cls", command="a test", data="none", seconds=0.0, measured={})
    system.save(tmp_path, "kept", **about)
    again = TextToImage.load(tmp_path)
    assert np.abs(again.draw("a bird", n=4, seed=2).astype(int) - drawn).max() <= 3


def test_a_training_with_an_encoder_of_its_own_trains_a_prior_first(encoder, tmp_path):
    assert RECIPES["gated"].prior and not RECIPES["varied"].prior
    recipe = replace(RECIPES["gated"], near=16)
    trained = train(
        "gan_cls",
        recipe=recipe,
        encoder=encoder,
        profile="smoke",
        steps=2,
        out=tmp_path,
        show=False,
    )
    assert trained.system.prior is not None
    assert (tmp_path / "prepared" / "prior").is_dir() or list(tmp_path.rglob("prior-birds.json"))


@pytest.mark.parametrize("world", ["flowers", "phrases", "scenes"])
def test_a_world_without_a_prior_of_its_own_takes_that_of_its_generator(world):
    def prepare(name, **options):
        raise AssertionError(f"{name} would be trained")

    options = text_gan.Options(system="gan_cls", world=world, recipe="gated")
    encoder = load_encoder(f"encoder-{world}")
    prior = text_gan._prior(options, encoder, prepare)
    assert prior.state_dict().keys() == CompletingPrior(**prior.arguments).state_dict().keys()
    next(encoder.parameters()).data += 1  # another encoder, another space
    with pytest.raises(AssertionError, match="prior would be trained"):
        text_gan._prior(options, encoder, prepare)


@pytest.mark.parametrize("name", [name for name in weights.bundled() if name.startswith("prior-")])
def test_a_shipped_prior_keeps_and_varies_as_its_file_says(name, monkeypatch):
    monkeypatch.setattr(recipe, "READ_FROM", 1000)
    prior, n = TrainedPrior.load(name), 300
    options = recipe.Options(system="prior", world=name.split("-")[1])
    found, stated = recipe.measure(prior, options, n), prior.about["measured"]
    for what in ("known", "kept_0", "kept_0_unseen", "kept_2", "kept_4", "kept_aside"):
        assert found[what] == pytest.approx(stated[what], abs=0.03)
    assert found["variety_4"] > stated["variety_4"] - 0.1 and found["kept_0_unseen"] > 0.95
    system, own = TrainedPrior.load(name), prior.network
    untrained = CompletingPrior(**own.arguments)  # an untrained one must not pass
    system.network = untrained
    untrained.learn_components(torch.randn(200, own.text, generator=rng()))
    assert recipe.measure(system, options, n)["kept_0"] < 0.5
