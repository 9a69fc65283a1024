"""pix2pix: maps, the U-Net, patches, the losses, the trainer, the score, the system, the table."""

import sys

import numpy as np
import pytest
import torch

from t2ilab.data import maps
from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError
from t2ilab.exact.receptive import receptive_field, seen
from t2ilab.fit import fit
from t2ilab.losses.pix2pix import generator_loss, l1
from t2ilab.metrics.maps import agreement, colourfulness, map_score, sharpness
from t2ilab.models.pix2pix import PATCHES, PatchDiscriminator, UNet
from t2ilab.paths import ROOT
from t2ilab.recipes import pix2pix as recipe
from t2ilab.recipes.train import train
from t2ilab.systems import weights
from t2ilab.systems.pix2pix import Pix2PixSystem
from t2ilab.systems.single import load_parts
from t2ilab.trainers.pix2pix import Pix2Pix

sys.path.insert(0, str(ROOT / "scripts"))

import pix2pix_table  # noqa: E402

NAMES = ("tail", "beak", "breast", "crown", "eye", "wing", "legs")


@pytest.fixture(scope="module")
def birds():
    return maps.load("birds", "test", 32, 48)


def half_and_half(step):
    """Maps whose left or right half is label 1; pictures are red there, and black or white."""
    rng = torch.Generator().manual_seed(step)
    labels = torch.zeros(8, 16, 16, dtype=torch.uint8)
    for one, right in zip(labels, torch.randint(2, (8,), generator=rng), strict=True):
        one[:, 8 * right : 8 * right + 8] = 1
    ground = 255 * torch.randint(2, (8, 1, 1, 1), generator=rng)
    red = torch.tensor([255, 0, 0])[:, None, None]
    images = torch.where(labels[:, None] == 1, red, ground).to(torch.uint8)
    return {"maps": labels, "images": images}


def trainer(loss="l1+cgan", **changed):
    torch.manual_seed(0)
    sees = loss in ("cgan", "l1+cgan")
    judge = PatchDiscriminator(inputs=2 if sees else 0, patch=16, width=8)
    return Pix2Pix(
        UNet(inputs=2, size=16, width=8),
        None if loss == "l1" else judge,
        **{"loss": loss, "labels": 2, "lr": 2e-3} | changed,
    )


# Maps


def test_maps_lie_on_their_pictures(birds):
    """Where the map says a wing, the picture has the wing's colour, whichever it is."""
    world = maps.paperworld.world("birds")
    paint = np.array([world.colours["paint"][name] for name in world.content["wing"]], float)
    right, wing = 0, 1 + birds.names.index("wing")
    for i in range(len(birds)):
        inside = birds.pictures.images[i][birds.maps[i] == wing].astype(float)
        colour = np.median(inside, 0)
        right += np.abs(paint - colour).sum(1).argmin() == birds.pictures.attributes["wing"][i]
    assert right > 0.9 * len(birds)


def test_what_a_network_sees_of_a_map():
    one = torch.zeros(1, 4, 4, dtype=torch.uint8)
    one[0, 1:3, 1:3] = 2
    shown = maps.encoded(one, 3)
    assert shown.shape == (1, 3, 4, 4) and torch.equal(shown.sum(1), torch.ones(1, 4, 4))
    assert torch.equal(shown[0, 2].bool(), one[0] == 2)
    edges = maps.encoded(one, 3, "edges")
    assert edges.shape == (1, 1, 4, 4) and maps.channels(3, "edges") == 1
    drawn = [[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]
    assert torch.equal(edges[0, 0], torch.tensor(drawn).float())
    with pytest.raises(UsageError, match="labels go from 0 to 1"):
        maps.encoded(one, 2)


def test_batches_keep_pairs_together_and_the_null_test_does_not(birds):
    whole = {image.tobytes(): one for image, one in zip(birds.pictures.images, birds.maps,
                                                        strict=True)}  # fmt: skip
    batch = maps.MapBatches(birds, batch_size=16, flip=True)(0)
    images, labels = batch["images"].permute(0, 2, 3, 1).numpy(), batch["maps"].numpy()
    mirrored = 0
    for image, one in zip(images, labels, strict=True):
        turned = np.ascontiguousarray(image[:, ::-1])
        if image.tobytes() in whole:
            assert (whole[image.tobytes()] == one).all()
        else:
            mirrored += 1
            assert (whole[turned.tobytes()] == one[:, ::-1]).all()
    assert 2 <= mirrored <= 14
    other = maps.MapBatches(birds, batch_size=16, flip=True, shuffled=True)(0)
    assert torch.equal(other["images"], batch["images"])
    assert not torch.equal(other["maps"], batch["maps"])


# Networks


@pytest.mark.parametrize("size", [16, 32, 64])
@pytest.mark.parametrize("skips", [True, False])
def test_a_picture_for_each_map_in_the_box_whatever_the_batch(size, skips):
    torch.manual_seed(0)
    G = UNet(inputs=3, size=size, width=8, skips=skips, dropout=0.0).eval()
    y = torch.randn(3, 3, size, size)
    made = G(y)
    assert made.shape == (3, 3, size, size) and made.abs().max() <= 1
    assert torch.allclose(G(y[:1]), made[:1], atol=1e-5)  # no batch norm
    assert torch.equal(G(y), made)


def test_dropout_is_the_noise_and_stays_on():
    torch.manual_seed(0)
    G = UNet(inputs=3, size=16, width=8).eval()
    y = torch.randn(1, 3, 16, 16)
    assert not torch.equal(G(y), G(y))


def test_a_unet_without_what_is_handed_over_is_the_encoder_decoder():
    """The encoder-decoder's weights, and 0 for what the skips bring."""
    torch.manual_seed(0)
    sizes = dict(inputs=3, size=16, width=8, dropout=0.0)
    plain, unet = UNet(skips=False, **sizes), UNet(skips=True, **sizes)
    y = torch.randn(2, 3, 16, 16)
    state = unet.state_dict()
    for name, value in plain.state_dict().items():
        if (
            state[name].shape != value.shape
        ):  # [in, out, 4, 4] of a doubling; the last: [3, in, ...]
            across = int(name.startswith("last"))
            more = state[name].narrow(across, 0, state[name].shape[across] - value.shape[across])
            value = torch.cat([value, torch.zeros_like(more)], across)
        state[name] = value
    assert not torch.allclose(unet(y), plain(y), atol=1e-3)
    unet.load_state_dict(state)
    assert torch.allclose(unet(y), plain(y), atol=1e-5)


@pytest.mark.parametrize("patch", list(PATCHES))
def test_a_logit_sees_its_patch_by_gradient_and_by_formula(patch):
    torch.manual_seed(0)
    D = PatchDiscriminator(inputs=2, patch=patch, width=4)
    x, y = torch.randn(1, 3, 128, 128), torch.randn(1, 2, 128, 128)
    middle = D(x, y).shape[1] // 2
    pixels = seen(lambda x: D(x, y), x, middle, middle)
    assert int(pixels.any(0).sum()) == int(pixels.any(1).sum()) == patch
    convolutions = [m for m in D.modules() if isinstance(m, torch.nn.Conv2d)]
    kernels, strides = ([getattr(c, name)[0] for c in convolutions]
                        for name in ("kernel_size", "stride"))  # fmt: skip
    assert receptive_field(kernels, strides) == patch


def test_patches_do_not_hear_of_each_other():
    """A norm over the picture would tell a patch what is far away."""
    torch.manual_seed(0)
    D = PatchDiscriminator(inputs=2, patch=16, width=4)
    x, y = torch.randn(1, 3, 64, 64), torch.randn(1, 2, 64, 64)
    before = D(x, y)
    x[..., 40:, 40:] += 1
    changed = (D(x, y) != before)[0]
    assert changed[-1, -1] and not changed[:10, :10].any()


def test_what_networks_refuse():
    with pytest.raises(UsageError, match="16, 32, 64 pixels, not 48"):
        UNet(size=48)
    with pytest.raises(UsageError, match="not 12"):
        PatchDiscriminator(patch=12)
    with pytest.raises(UsageError, match="one of each"):
        receptive_field([3], [1, 2])


# Losses and the trainer


def test_l1_is_least_at_the_median_and_l2_at_the_mean():
    x = torch.tensor([0.0, 0.0, 1.0]).view(3, 1, 1, 1).expand(-1, 3, -1, -1)
    candidates = torch.linspace(0, 1, 101)
    found = torch.stack([l1(torch.full_like(x, c), x) for c in candidates.tolist()])
    assert candidates[found.argmin()] == 0.0
    squared = torch.stack([(x - c).square().mean() for c in candidates])
    assert float(candidates[squared.argmin()]) == pytest.approx(1 / 3, abs=0.01)


def test_the_generators_loss_by_hand():
    made, x = torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 0.25)
    fake = torch.zeros(2, 3, 3)
    assert float(generator_loss(fake, made, x, 100.0)) == pytest.approx(0.693147 + 25)
    assert float(generator_loss(None, made, x, 10.0)) == pytest.approx(2.5)
    assert float(generator_loss(fake, made, x, 0.0)) == pytest.approx(0.693147)


@pytest.mark.parametrize("loss", ["l1", "gan", "cgan", "l1+gan", "l1+cgan"])
def test_every_loss_trains_what_it_should(loss):
    one = trainer(loss)
    before = [p.detach().clone() for p in one.drawing.parameters()]
    history = fit(one, half_and_half, steps=3, device="cpu", precision="32-true", show=False,
                  strips=0).history  # fmt: skip
    assert any(not torch.equal(a, b) for a, b in zip(before, one.drawing.parameters(), strict=True))
    assert ("loss_d" in history) == (loss != "l1")
    assert one.weight == (0 if loss in ("gan", "cgan") else 100)


def test_d_is_half_the_loss_and_g_is_not_moved_by_it():
    one = trainer()
    for parameter in one.judge.layers[-1].parameters():
        parameter.data.zero_()
    history = fit(one, half_and_half, steps=1, device="cpu", precision="32-true", show=False,
                  strips=0).history  # fmt: skip
    assert history.loss_d[0] == pytest.approx(0.693147, abs=1e-4)  # not 2 ln 2


def test_l1_learns_the_sure_part_and_greys_the_unsure():
    """Red where the map says so; the ground is black or white, and L1 goes between."""
    torch.manual_seed(1)
    one = trainer("l1", lr=5e-3)
    fit(one, half_and_half, steps=120, device="cpu", precision="32-true", show=False, strips=0)
    batch = half_and_half(999)
    made = one.G(one.seen(batch["maps"])).detach()
    inside = batch["maps"] == 1
    assert made[:, 0][inside].mean() > 0.8 and made[:, 1][inside].mean() < -0.7
    assert made[:, 1][~inside].std() < 0.6 < 1.0  # one colour for all, of -1 and 1


def test_d_hears_of_the_map_where_it_is_shown_it():
    one = trainer("cgan", lr=5e-3)
    fit(one, half_and_half, steps=60, device="cpu", precision="32-true", show=False, strips=0)
    batch = half_and_half(999)
    x, y = batch["images"].float() / 127.5 - 1, one.seen(batch["maps"])
    other = one.seen(1 - batch["maps"])
    assert one.judge(x, y).mean() > one.judge(x, other).mean() + 0.5


def test_what_the_trainer_refuses():
    with pytest.raises(UsageError, match="unknown loss .l2."):
        trainer("l2")
    with pytest.raises(UsageError, match="there is no D"):
        Pix2Pix(UNet(width=4), PatchDiscriminator(), loss="l1")
    with pytest.raises(UsageError, match="D must be shown y"):
        Pix2Pix(UNet(width=4), PatchDiscriminator(inputs=0), loss="cgan")
    with pytest.raises(UsageError, match="is not shown y"):
        Pix2Pix(UNet(width=4), PatchDiscriminator(), loss="gan")


def test_resume_goes_on_bit_for_bit(tmp_path):
    options = dict(steps=6, device="cpu", precision="32-true", show=False)
    whole, first, again = trainer(), trainer(), trainer()
    fit(whole, half_and_half, **options)

    def stops(step):
        if step == 4:
            raise KeyboardInterrupt
        return half_and_half(step)

    with pytest.raises(KeyboardInterrupt):
        fit(first, stops, out=tmp_path / "run", save_every_s=0, **options)
    fit(again, half_and_half, out=tmp_path / "run", resume=True, **options)
    for a, b in zip(whole.drawing.parameters(), again.drawing.parameters(), strict=True):
        assert torch.equal(a, b)


# The score


def test_agreement_by_hand():
    of = torch.tensor([[[0, 0, 1], [0, 1, 1]]])
    found = torch.tensor([[[0, 1, 1], [0, 1, 0]]])
    score = agreement(found, of, 2)
    assert score.pixel == pytest.approx(4 / 6)
    assert score.class_ == pytest.approx(2 / 3) and score.iou == pytest.approx(0.5)
    assert agreement(of, of, 4)[:3] == (1, 1, 1)  # labels that are nowhere do not count


def test_real_pictures_show_their_maps_and_not_those_of_others(birds):
    finder, images = load_parts("birds"), to_float(birds.pictures.images)
    of = torch.from_numpy(birds.maps)
    own, others = map_score(finder, images, of), map_score(finder, images, of.roll(1, 0))
    grey = map_score(finder, torch.zeros_like(images), of)
    assert own.iou > 0.65 > 0.4 > others.iou > 0.05 and own.pixel > 0.95
    assert grey.iou < 0.25


def test_sharpness_and_colour_by_hand():
    x = torch.zeros(1, 3, 4, 4)
    x[:, 0, :, 2:] = 1.0
    assert sharpness(x) == pytest.approx(1 / 3 / 3)  # one of three steps across, one channel
    assert colourfulness(x) == pytest.approx(0.25)
    assert colourfulness(x, x[:, 0] > 0) == pytest.approx(0.5)
    blurred = torch.nn.functional.avg_pool2d(x, 3, 1, 1)
    assert sharpness(blurred) < sharpness(x)


# The system, the recipe, the table


def test_a_system_draws_what_its_map_says(birds):
    torch.manual_seed(0)
    system = Pix2PixSystem(UNet(width=4), world="birds", names=birds.names)
    same, again = (system.pictures(birds.maps[:3], seed=1) for _ in range(2))
    assert same.shape == (3, 32, 32, 3) and (same == again).all()
    assert (same != system.pictures(birds.maps[:3], seed=2)).any()
    assert system.draw(2, seed=1).shape == (2, 32, 32, 3)
    built = Pix2PixSystem.build(system.arguments())
    assert built.names == birds.names and built.given == "parts"
    with pytest.raises(UsageError, match=r"give \[n, 32, 32\]"):
        system.pictures(birds.maps[:1, :16])
    with pytest.raises(UsageError, match="labels go from 0 to 7"):
        system.pictures(np.full((1, 32, 32), 9, np.uint8))


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "pix2pix-birds-32"),
        ({"loss": "l1", "architecture": "encoder-decoder"}, "pix2pix_l1_encdec-birds-32"),
        ({"loss": "gan", "patch": 1, "given": "edges"}, "pix2pix_gan_patch1_edges-birds-32"),
    ],
)
def test_the_recipe_trains_measures_and_saves(tmp_path, options, name):
    trained = train("pix2pix", profile="smoke", out=tmp_path / "run", show=False, **options)
    assert trained.path.stem == name
    again = Pix2PixSystem.load(trained.path)
    measured = again.about["measured"]
    assert measured["tested"] == 32 and measured["kid_real"] < measured["kid"]
    assert measured["iou_real"] > 0.6 > measured["iou"]
    assert (again.draw(2) == trained.system.draw(2)).mean() > 0.5  # saved in half precision
    o = recipe.Options(system="pix2pix", profile="smoke", **options)
    found = recipe.measure(again, o)
    assert found["iou"] == pytest.approx(measured["iou"], abs=0.02)


def test_what_the_recipe_refuses():
    with pytest.raises(UsageError, match="--patch 12"):
        recipe.Options(system="pix2pix", patch=12)
    with pytest.raises(UsageError, match="--size 48"):
        recipe.Options(system="pix2pix", size=48)


def test_the_table_has_a_row_a_variant_and_none_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(pix2pix_table, "VARIANTS", pix2pix_table.VARIANTS[:2])
    file, options = tmp_path / "results" / "table.csv", dict(steps=1, profile="smoke")
    rows = pix2pix_table.measured(file, weights=tmp_path / "w", **options)
    assert list(rows.loss) == ["l1+cgan", "l1"] and np.isfinite(rows.iou).all()
    assert len(list((tmp_path / "w").glob("*/*.safetensors"))) == 2
    drawn = np.load(file.with_suffix(".npz"))
    assert drawn["l1 unet 16"].shape == drawn["real"].shape == (8, 32, 32, 3)
    monkeypatch.setattr(pix2pix_table, "one", None)  # nothing is left to run
    assert len(pix2pix_table.measured(file, **options)) == 2


def test_the_variants_hold_the_three_comparisons():
    from itertools import product

    of = set(pix2pix_table.VARIANTS)
    assert {(loss, "unet", 16) for loss in ("l1", "cgan", "gan", "l1+cgan")} <= of
    assert set(product(("l1", "l1+cgan"), ("unet", "encoder-decoder"), (16,))) <= of
    assert {("l1+cgan", "unet", patch) for patch in (1, 16, 34)} <= of


SHIPPED = [name for name in weights.bundled() if name.startswith("pix2pix")]


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_scores_as_it_is_said_to(name):
    """On other maps than those it was measured on, within five standard errors."""
    system = Pix2PixSystem.load(name)
    other = maps.load("birds", "val", 32, 60)
    made, of = system.sample(other.maps, seed=4), torch.from_numpy(other.maps)
    finder, stated = load_parts("birds"), system.about["measured"]
    large = of.repeat_interleave(2, 1).repeat_interleave(2, 2)
    right = (finder.find(made) == large).float().mean((1, 2))  # of each picture
    error = float(right.std()) * (1 / len(right) + 1 / stated["tested"]) ** 0.5
    assert abs(float(right.mean()) - stated["pixel"]) < 5 * error
    wrong = (finder.find(made) == large.roll(1, 0)).float().mean()
    assert abs(float(wrong) - stated["pixel"]) > 5 * error  # maps of other pictures
