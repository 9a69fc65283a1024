"""StackGAN: stage II in view of stage I, its trainer with all its parts, and both as one system."""

import copy

import numpy as np
import pytest
import torch
from scipy.stats import betabinom

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.data.pairs import LabelledBatches
from t2ilab.errors import UsageError
from t2ilab.fit import fit
from t2ilab.metrics.consistency import caption_consistency
from t2ilab.metrics.detail import detail, pieces
from t2ilab.metrics.evaluate import drawn_for
from t2ilab.metrics.maps import sharpness
from t2ilab.models.augmentation import ConditioningAugmentation
from t2ilab.models.auxiliary import AuxiliaryDiscriminator
from t2ilab.models.pyramid import up
from t2ilab.models.reader import AttributeReader
from t2ilab.models.reed import Generator
from t2ilab.models.stackgan import StageTwo
from t2ilab.recipes import conditioned_gan, stackgan
from t2ilab.recipes.train import train
from t2ilab.systems import weights
from t2ilab.systems.single import load_reader
from t2ilab.systems.stackgan import StackGAN
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.text.encoders import MeanVectorEncoder
from t2ilab.text.tokens import Vocabulary
from t2ilab.trainers.conditioned_gan import ConditionedGAN, Parts, softened
from t2ilab.trainers.text_gan import Recipe

TEXT, Z, C = 6, 4, 5
PLAIN = {"device": "cpu", "precision": "32-true", "show": False, "strips": 0}


def stage_one():
    return Generator(size=32, text=TEXT, z=Z, projected=4, width=2)


def stage_two(**more):
    return StageTwo(size=64, z=Z, condition=C, width=4, blocks=1, **more)


def data(n=12, size=64):
    rng = np.random.default_rng(0)
    return CaptionedImages(
        "noise",
        rng.integers(0, 256, (n, size, size, 3), dtype=np.uint8),
        [["a red bird", "a bird"]] * n,
        np.arange(n) % 3,
        ["a", "b", "c"],
        {"breast": np.arange(n) % 3, "beak": np.arange(n) % 2},
        np.array([[[True, True], [False, False]]] * n),
    )


def make(heads=True, first=True, **parts):
    torch.manual_seed(0)
    named = {"breast": 3, "beak": 2} if heads else {}
    size = 64 if first else 32
    of = dict(size=size, text=TEXT, projected=4, width=2, norm="spectral")
    return ConditionedGAN(
        stage_two() if first else Generator(size=32, text=C, z=Z, projected=4, width=2),
        AuxiliaryDiscriminator(heads=named, alone=first, **of),
        ConditioningAugmentation(text=TEXT, size=C),
        first=stage_one().eval().requires_grad_(False) if first else None,
        recipe=Recipe(hinge=True, varied=1.0, average=0.9),
        parts=Parts(**parts),
        shown=torch.randn(2, TEXT),
    )


def batches(size=64, labels="attributes"):
    torch.manual_seed(1)
    return LabelledBatches(data(size=size), torch.randn(12, 2, TEXT), labels, batch_size=6, wrong=2)


# Stage II


def test_stage_two_draws_twice_the_side_and_begins_with_the_enlarged_picture():
    g, x = stage_two(), torch.rand(2, 3, 32, 32) * 2 - 1
    drawn = g(torch.randn(2, Z), torch.randn(2, C), x)
    assert drawn.shape == (2, 3, 64, 64)
    assert torch.allclose(drawn, up(x), atol=1e-6)


def test_condition_noise_and_picture_bear_on_what_stage_two_draws():
    torch.manual_seed(0)
    g = stage_two().eval()
    torch.nn.init.normal_(g.correct.weight)
    for scale in (g.up_1, g.up_2, g.up_3):
        torch.nn.init.normal_(scale.strength)
    z, c, x = torch.randn(2, Z), torch.randn(2, C), torch.rand(2, 3, 32, 32)
    drawn = g(z, c, x)
    for other in ((z + 1, c, x), (z, c + 1, x), (z, c, x.flip(3))):
        assert not torch.allclose(drawn, g(*other), atol=1e-4)


def test_another_side_is_refused():
    with pytest.raises(UsageError, match="a multiple of 16 pixels a side, not 72"):
        StageTwo(size=72)


# The trainer


def test_stage_one_is_bit_for_bit_the_same_after_training():
    """Its batch norm too, which the public code leaves in training mode."""
    gan = make(close=1.0)
    before = copy.deepcopy(gan.first.state_dict())
    fitted = fit(gan, batches(), steps=3, **PLAIN)
    after = gan.first.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert set(fitted.last_losses) >= {"loss_d", "loss_g", "heads_d", "heads_g", "kl"}


def test_pictures_are_made_small_and_soft_by_their_softness():
    x = torch.rand(2, 3, 32, 32)
    hard, soft = (softened(x, torch.full((2,), t)) for t in (0.0, 1.0))
    assert torch.equal(hard, torch.nn.functional.avg_pool2d(x, 2))
    assert soft.shape == hard.shape and soft.std() < hard.std()
    assert torch.allclose(softened(torch.ones(1, 3, 32, 32), torch.ones(1)), torch.ones(1))


def test_restoring_begins_with_what_enlarging_misses():
    gan, x = make(), torch.rand(4, 3, 64, 64)
    softness = torch.rand(2, generator=torch.Generator().set_state(gan.rng.get_state()))
    missed = (up(softened(x[:2], softness)) - x[:2]).abs().mean()
    found = gan._restored(x, torch.randn(4, TEXT), torch.randn(4, Z)).detach()
    assert float(found) == pytest.approx(float(missed), rel=1e-4)
    fitted = fit(make(restore=1.0), batches(), steps=1, **PLAIN)
    assert fitted.last_losses["restore"] > 0


@pytest.mark.parametrize("first", [False, True])
def test_all_networks_learn(first):
    gan = make(first=first)
    before = {k: v.clone() for k, v in gan.G.state_dict().items() if "weight" in k}
    fit(gan, batches(64 if first else 32), steps=2, **PLAIN)
    after = gan.G.module.state_dict()
    assert all(not torch.equal(before[k], after[k]) for k in before)
    assert "augmentation.layer.weight" in before


def steps_of(gan, batch=None):
    """D's weights after one step."""
    fit(gan, lambda step: batch or batches()(0), steps=1, **PLAIN)
    return torch.cat([p.detach().flatten() for p in gan.D.parameters()])


def test_what_fakes_show_reaches_d_only_where_it_is_asked_for():
    batch = batches()(0)
    other = batch | {"stated": {k: (v + 1) % 2 for k, v in batch["stated"].items()}}
    assert torch.equal(steps_of(make(), batch), steps_of(make(), other))
    assert not torch.equal(steps_of(make(fakes=True), batch), steps_of(make(fakes=True), other))


def test_a_kl_of_great_weight_draws_the_gaussian_to_the_standard_one():
    def left(kl):
        gan = make(first=False, kl=kl, heads=0.0)
        fit(gan, batches(32), steps=8, **PLAIN)
        _, mu, logvar = gan.G.module.augmentation(torch.randn(50, TEXT))
        return float((mu.abs().mean() + logvar.abs().mean()).detach())

    assert left(300.0) < left(0.0)


def test_going_on_is_exact(tmp_path):
    whole, parts = make(), make()
    fit(whole, batches(), steps=4, **PLAIN)
    fit(parts, batches(), steps=2, out=tmp_path, **PLAIN)
    again = make()
    fit(again, batches(), steps=4, out=tmp_path, resume=True, **PLAIN)
    first, second = (x.average.state_dict() for x in (whole, again))
    assert all(torch.equal(first[k], second[k]) for k in first)


# The system


def system():
    torch.manual_seed(0)
    encoder = MeanVectorEncoder(Vocabulary.of(["a red bird"]), text=TEXT)
    first = TextToImage(encoder, stage_one())
    return StackGAN(first, ConditioningAugmentation(text=TEXT, size=C), stage_two())


def test_both_stages_are_of_the_same_noise():
    stacked = system()
    phi, z = stacked.encoder.encode(["a red bird", "a bird"]), stacked.noise(2, seed=3)
    small, large = stacked.stages(phi, z)
    assert small.shape == (2, 3, 32, 32) and large.shape == (2, 3, 64, 64)
    assert torch.equal(small, stacked.first.draw_vectors(phi, stacked.first.noise(2, seed=3)))
    assert torch.equal(large, stacked.draw_vectors(phi, z))
    assert torch.equal(z[:1], stacked.noise(1, seed=3))


def test_at_the_mean_the_noise_of_the_condition_does_not_count():
    stacked = system()
    torch.nn.init.normal_(stacked.second.correct.weight)
    phi, z = stacked.encoder.encode(["a red bird"]), stacked.noise(1)
    other = z.clone()
    other[:, Z:] += 1
    means = [stacked.stages(phi, one, sample=False)[1] for one in (z, other)]
    assert torch.equal(*means)
    assert not torch.equal(stacked.stages(phi, z)[1], stacked.stages(phi, other)[1])


def test_it_is_saved_and_loaded(tmp_path):
    stacked = system()
    path = stacked.save(tmp_path, "stacked", command="x", data="x", seconds=1.0, measured={})
    again = StackGAN.load(path)
    names = {name.split(".")[0] for name in stacked.tensors()}
    assert names == {"encoder", "first", "augmentation", "second"}
    one, other = (x.draw("a red bird", n=2).astype(int) for x in (stacked, again))
    assert np.abs(one - other).max() <= 4


def test_stages_that_do_not_fit_are_refused():
    stacked = system()
    with pytest.raises(UsageError, match="stage I draws 32 pixels"):
        StackGAN(stacked.first, stacked.augmentation, StageTwo(size=128, z=Z, condition=C, width=4))


# Recipes


def test_a_stage_one_of_another_size_is_refused():
    options = stackgan.Options(
        system="stackgan", profile="smoke", size=64, stage_one="gan_int_cls-birds-64"
    )
    with pytest.raises(UsageError, match="--size 64: this first stage draws 64 pixels"):
        stackgan.build(options, None)


@pytest.mark.parametrize(
    ("system", "given", "heads", "augmented"),
    [
        ("stackgan_one", {}, set(), True),
        ("stackgan_one", {"ca": 0}, set(), False),
        (
            "tac_gan",
            {},
            {"size", "breast", "crown", "wing", "tail", "beak", "setting", "tone"},
            False,
        ),
        ("tac_gan", {"heads": "class"}, {"class"}, False),
    ],
)
def test_each_system_has_its_parts(system, given, heads, augmented):
    options = conditioned_gan.Options(system=system, profile="smoke", **given)
    trainer = conditioned_gan.build(options, None).trainer
    assert set(trainer.D.heads) == heads
    assert (trainer.G.augmentation is not None) == augmented


def test_a_short_training_draws(tmp_path):
    trained = train(
        "stackgan_one", profile="smoke", steps=2, show=False, out=tmp_path, device="cpu"
    )
    assert trained.system.draw("a red bird", n=2).shape == (2, 32, 32, 3)
    assert trained.path.stem == "stackgan_one-birds-32"


# What ships


@pytest.mark.skipif("stackgan-birds-128" not in weights.bundled(), reason="not trained yet")
def test_what_ships_draws_as_was_measured():
    stacked, n = StackGAN.load("stackgan-birds-128"), 128
    world, measured = paperworld.world("birds"), stacked.about["measured"]
    test = world.load("test", 128, 500, asides=True).subset(slice(200, 200 + n))
    drawn, reader = drawn_for(stacked, test, 0), load_reader("birds")
    right = caption_consistency(reader, drawn, test, world.content, level=0)["all"]
    of = measured["consistency_all"]
    low, high = betabinom.interval(0.9999, n, 1 + 1000 * of, 1 + 1000 * (1 - of))
    assert low <= round(right * n) <= high
    sharp = sharpness(drawn) / sharpness(to_float(test.images))
    assert sharp == pytest.approx(measured["sharpness"], abs=0.06)


# What the extractor cannot see


def test_pieces_are_all_of_the_picture_at_full_size():
    x = torch.arange(2 * 3 * 8 * 8).float().view(2, 3, 8, 8)
    cut = pieces(x, 4)
    assert cut.shape == (8, 3, 4, 4)
    assert torch.equal(cut[1], x[0, :, :4, 4:]) and torch.equal(cut[4], x[1, :, :4, :4])
    with pytest.raises(UsageError, match="cannot be cut into pieces of 5"):
        pieces(x, 5)


def test_detail_tells_an_enlarged_picture_from_a_large_one():
    torch.manual_seed(0)
    reader = AttributeReader(attributes={"a": 2}, width=4, features=8).eval()
    real = torch.rand(100, 3, 128, 128) * 2 - 1
    small = torch.nn.functional.avg_pool2d(real, 2)
    itself, soft = (detail(reader, real[:50], real[50:]), detail(reader, real[:50], up(small[50:])))
    assert itself["sharpness"] == pytest.approx(1, abs=0.05) and soft["sharpness"] < 0.2
    assert soft["fid_detail"] > 5 * itself["fid_detail"]
    with pytest.raises(UsageError, match="at least 50 of each kind"):
        detail(reader, real[:20], real)
