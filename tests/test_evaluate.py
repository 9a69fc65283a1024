"""All that is measured of a system, on one that was never trained and on one that copies."""

import pytest
import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError
from t2ilab.metrics.evaluate import DISTANCES, by_level, evaluate, floors, style_of, variety
from t2ilab.models.reed import Generator
from t2ilab.systems.encoders import load_encoder
from t2ilab.systems.single import load_reader
from t2ilab.systems.text_to_image import TextToImage

WORLD = paperworld.world("birds")
COUNTED = tuple(WORLD.content)
LEVEL = {"right", "right_unseen", "readable", "fid", "precision", "recall", "variety"}
KEYS = {
    "diversity",
    "extractor",
    "fid",
    "kid",
    "precision",
    "recall",
    "density",
    "coverage",
    "inception_score",
    "inception_score_share",
    "pictures",
    "readable",
    "consistency_aside",
    *(f"{name}_bare" for name in LEVEL),
    "consistency_all",
    "consistency_all_unseen",
    *(f"consistency_{name}{which}" for name in COUNTED for which in ("", "_unseen")),
}


@pytest.fixture(scope="module", autouse=True)
def few_test_pictures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(paperworld.SPLITS, "test", 160)
        yield


@pytest.fixture(scope="module")
def reader():
    return load_reader("birds")


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(0)
    return TextToImage(load_encoder("encoder-birds"), Generator(size=32, text=256, width=2))


class Copies(TextToImage):
    """Knows the test pictures by heart; where it is asked for one caption only, any of them."""

    def forward(self, z, phi):
        pictures = to_float(WORLD.load("test", 32).images)
        one = (phi == phi[0]).all()
        return pictures[-len(z) :] if one and len(z) != len(pictures) else pictures[: len(z)]


@pytest.fixture(scope="module")
def found(untrained, reader):
    return evaluate(untrained, WORLD, reader, n=64, noises=8)


def test_everything_is_measured(found):
    assert set(found) == KEYS
    assert found["extractor"] == "PaperWorld birds reader" and found["pictures"] == 64
    assert all(0 <= v <= 1 for k, v in found.items() if k.startswith("consistency"))


def test_an_untrained_system_obeys_no_better_than_chance(found):
    assert found["consistency_all"] < 0.1 and found["readable"] < 0.1 and found["diversity"] < 0.3
    assert found["consistency_aside"] < 0.1 and found["right_bare"] < 0.1
    assert found["inception_score_share"] < 0.5 and found["fid"] > 1


def test_measuring_again_finds_the_same(found, untrained, reader):
    assert evaluate(untrained, WORLD, reader, n=64, noises=8) == found


def test_a_system_that_knows_the_real_pictures_is_measured_as_perfect(untrained, reader):
    copies = Copies(untrained.encoder, untrained.generator)
    found = evaluate(copies, WORLD, reader, n=160, noises=150)
    assert found["consistency_all"] >= 0.98 and found["consistency_all_unseen"] >= 0.98
    assert found["consistency_aside"] >= 0.98 and found["readable"] >= 0.99
    assert found["variety_bare"] == pytest.approx(1, abs=0.02)
    assert found["fid"] == pytest.approx(0, abs=1e-3)
    assert found["diversity"] == pytest.approx(1, abs=0.05)
    assert found["inception_score_share"] == pytest.approx(1)


def test_all_that_a_complete_caption_states_is_counted(found):
    shares = [found[f"consistency_{name}"] for name in COUNTED]
    assert found["consistency_all"] <= min(shares)


def test_style_is_all_that_the_five_captions_leave_open():
    assert style_of(WORLD) == ["setting", "side", "tone"]


def test_a_row_of_the_table_over_the_levels(untrained, reader):
    copies = Copies(untrained.encoder, untrained.generator)
    for level in (0, 2, 4):
        row = by_level(copies, WORLD, reader, level, n=100)
        assert set(row) == LEVEL and row["right"] >= 0.97 and row["readable"] >= 0.97


def test_variety_counts_readable_pictures_only(reader):
    test = WORLD.load("test", 64, 100)
    x = to_float(test.images)
    assert min(variety(reader, x, test).values()) == pytest.approx(1, abs=0.02)
    one_bird = x[:1].expand(100, -1, -1, -1)
    assert max(variety(reader, one_bird, test).values()) == 0
    grey = torch.zeros_like(x)
    assert max(variety(reader, grey, test).values()) == 0


@pytest.mark.parametrize("n", [0, 49, 161])
def test_numbers_of_captions_out_of_range(untrained, reader, n):
    with pytest.raises(UsageError, match=f"n = {n}: expected 50 to 160 captions"):
        evaluate(untrained, WORLD, reader, n=n)


def test_two_real_sets_are_the_floor(reader, found):
    of_real = floors(WORLD, reader, 100, 32)
    assert set(of_real) == {f"{name}_floor" for name in DISTANCES}
    assert 0 < of_real["fid_floor"] < found["fid"] / 5
    assert of_real["precision_floor"] > 0.9 and of_real["coverage_floor"] > 0.9
    # Precision sees nothing here: an untrained generator draws one grey thing, near some.
    assert found["recall"] < 0.2 and found["coverage"] < 0.5
