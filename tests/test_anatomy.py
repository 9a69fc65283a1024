"""Parts of birds: where the drawing says they are, what is found, and what is said to be wrong."""

import numpy as np
import pytest
import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError
from t2ilab.fit import fit
from t2ilab.metrics.anatomy import Anatomy
from t2ilab.models.parts import PartFinder
from t2ilab.recipes.parts import labels
from t2ilab.systems import weights
from t2ilab.systems.single import load_parts
from t2ilab.trainers.parts_finder import PartsBatches, PartsTrainer, balanced

WORLD = paperworld.world("birds")
PARTS = WORLD.part_names


def test_parts_are_where_the_drawing_has_their_colour():
    for i in range(12):
        facts, picture = WORLD.facts("test", i), WORLD.picture("test", i, 128).astype(int)
        found = WORLD.parts("test", i, 128)
        assert found.shape == (128, 128) and found.max() <= len(PARTS)
        for part in ("breast", "wing", "tail"):
            inside = picture[found == 1 + PARTS.index(part)]
            paint = np.array(WORLD.colours["paint"][facts[part]])
            assert np.abs(np.median(inside, axis=0) - paint).max() < 12, (i, part)


def test_birds_on_the_ground_have_legs_and_flying_ones_have_none():
    for i in range(20):
        legs = (WORLD.parts("test", i, 64) == 1 + PARTS.index("legs")).any()
        assert legs == (WORLD.facts("test", i)["setting"] != "sky")


def test_a_mirrored_bird_has_mirrored_parts():
    one = dict(WORLD.facts("test", 0), setting="grass")
    place = [0.0] * 4
    from t2ilab.data.paperworld import birds

    left, right = (birds.parts(one | {"side": side}, 64, place) for side in ("left", "right"))
    assert (left == right[:, ::-1]).mean() > 0.985


def test_a_world_without_parts_says_so():
    with pytest.raises(UsageError, match="parts of scenes are not told apart; those of birds are"):
        paperworld.world("scenes").parts("test", 0, 64)


def make(width=4):
    torch.manual_seed(0)
    return PartFinder(parts=PARTS, width=width)


@pytest.mark.parametrize("size", [32, 64, 128])
def test_a_label_for_each_pixel_of_64(size):
    finder = make()
    x = torch.rand(2, 3, size, size)
    assert finder(x).shape == (2, 1 + len(PARTS), 64, 64)
    assert finder.find(x).shape == (2, 64, 64) and finder.training


def test_batches_mirror_pictures_and_labels_together():
    data = WORLD.load("reader", 64, 8)
    known = labels("birds", "reader", 8)
    batch = PartsBatches(data, known, batch_size=40)(3)
    images, found = batch["images"].permute(0, 2, 3, 1).numpy(), batch["labels"].numpy()
    seen = set()
    for image, label in zip(images, found, strict=True):
        i, flip = next(
            (i, f)
            for i in range(8)
            for f in (False, True)
            if np.array_equal(image[:, ::-1] if f else image, data.images[i])
        )
        assert np.array_equal(label[:, ::-1] if flip else label, known[i])
        seen.add(flip)
    assert seen == {True, False}


def test_what_is_seldom_weighs_more():
    found = balanced(np.array([[0] * 100 + [1] * 25 + [3] * 4]), 5)
    assert found.tolist() == pytest.approx([1, 2, 10, 5, 10])  # absent: as if it were one pixel


def test_the_finder_learns():
    data, known = WORLD.load("reader", 64, 32), labels("birds", "reader", 32)
    trainer = PartsTrainer(make(), lr=3e-2)
    batches = PartsBatches(data, known, batch_size=8)
    fitted = fit(trainer, batches, steps=60, device="cpu", show=False)
    losses = fitted.history["cross_entropy"]
    assert losses.iloc[-5:].mean() < 0.3 * losses.iloc[0]


class Oracle(PartFinder):
    """Knows the parts of real pictures, by their first pixel row; others by what they were told."""

    def __init__(self):
        super().__init__(parts=PARTS, width=2)
        self.of = {}

    def find(self, images):
        return torch.stack([self.of[key(image)] for image in images])


def key(image):
    return round(float(image.double().sum()), 5)


@pytest.fixture(scope="module")
def known():
    finder = Oracle()
    for split, n in (("train", 60), ("val", 60), ("test", 20)):
        pictures = to_float(WORLD.load(split, 64, n).images)
        for image, label in zip(pictures, labels("birds", split, n), strict=True):
            finder.of[key(image)] = torch.from_numpy(label).long()
    return finder


def test_real_pictures_lack_nothing(known):
    anatomy = Anatomy(known, WORLD, n=60)
    found = anatomy.measure(to_float(WORLD.load("test", 64, 20).images))
    assert found["no_eye"] == found["no_beak"] == 0 and found["part_wrong"] <= 0.1
    assert set(found) == {f"no_{p}" for p in PARTS if p != "legs"} | {"part_wrong", "odd_shape"}


@pytest.mark.parametrize("part", ["eye", "beak", "wing"])
def test_a_part_that_is_taken_away_is_missed(known, part):
    anatomy = Anatomy(known, WORLD, n=60)
    x = to_float(WORLD.load("test", 64, 20).images) + 0.25  # other pictures, by their key
    for image, label in zip(x, labels("birds", "test", 20), strict=True):
        spoiled = torch.from_numpy(label).long()
        known.of[key(image)] = spoiled.masked_fill(spoiled == 1 + PARTS.index(part), 0)
    found = anatomy.measure(x)
    assert found[f"no_{part}"] == 1 and found["part_wrong"] == 1
    assert all(v == 0 for name, v in found.items() if name.startswith("no_") and part not in name)


def test_a_bird_upside_down_is_oddly_shaped(known):
    anatomy = Anatomy(known, WORLD, n=60)
    x = to_float(WORLD.load("test", 64, 20).images) - 0.25
    for image, label in zip(x, labels("birds", "test", 20), strict=True):
        known.of[key(image)] = torch.from_numpy(label[::-1].copy()).long()
    assert anatomy.measure(x)["odd_shape"] == 1


def test_a_finder_of_other_parts_is_refused():
    with pytest.raises(UsageError, match="this finder knows a, b; birds has tail, beak"):
        Anatomy(PartFinder(parts=("a", "b"), width=2), WORLD, n=4)


@pytest.mark.skipif("parts-birds" not in weights.bundled(), reason="not trained yet")
def test_the_shipped_finder_finds_the_parts_of_real_birds():
    found = load_parts("birds").find(to_float(WORLD.load("test", 64, 100).images)).numpy()
    true = labels("birds", "test", 100)
    for k, part in enumerate(PARTS, 1):
        both, either = ((found == k) & (true == k)).sum(), ((found == k) | (true == k)).sum()
        assert both / either >= (0.6 if part in ("eye", "legs") else 0.85), part
