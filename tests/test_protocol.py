"""One protocol for all systems: its arithmetic by hand, and controls that come out in order."""

import numpy as np
import pytest
import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError
from t2ilab.metrics.controls import CONTROLS
from t2ilab.metrics.evaluate import picture_scores
from t2ilab.metrics.protocol import FREE, Drawn, Protocol, averaged, draw, frechet, spread
from t2ilab.systems.biggan import BigGANSystem
from t2ilab.systems.factors import FactorSystem
from t2ilab.systems.introspective import IntrospectiveSystem
from t2ilab.systems.pix2pix import Pix2PixSystem
from t2ilab.systems.text_to_image import TextToImage

N, SEEN = 100, 200
BIRDS = paperworld.world("birds")


@pytest.fixture(scope="module")
def protocol():
    return Protocol("birds", N, memory=SEEN)


@pytest.fixture(scope="module")
def rows(protocol):
    return {
        name: protocol.measure(make("birds", N, 32, SEEN)).row for name, make in CONTROLS.items()
    }


def test_areas_are_averaged_and_rounded():
    picture = np.zeros((1, 4, 4, 3), np.uint8)
    picture[0, :2, :2, 0] = [[1, 2], [4, 4]]  # mean 2.75
    picture[0, 2:, 2:, 2] = 255
    small = averaged(picture, 2)
    assert small.shape == (1, 2, 2, 3) and small.dtype == np.uint8
    assert small[0, :, :, 0].tolist() == [[3, 0], [0, 0]]
    assert small[0, :, :, 2].tolist() == [[0, 0], [0, 255]]
    assert (averaged(picture, 4) == picture).all()
    with pytest.raises(UsageError, match="28 is no multiple of 32"):
        averaged(np.zeros((1, 28, 28, 3), np.uint8), 32)


def test_the_frechet_distance_by_hand():
    square = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert frechet(square, square) == pytest.approx(0, abs=1e-6)
    assert frechet(square, square + torch.tensor([3.0, 4.0])) == pytest.approx(25)
    # covariances 4/3 and 16/3 in each of two directions: (sqrt(16/3) - sqrt(4/3))² twice
    assert frechet(square, 2 * square) == pytest.approx(8 / 3)


def test_the_spread_is_that_of_sets_drawn_anew():
    rng = torch.Generator().manual_seed(0)
    pairs = [(torch.randn(200, 3, generator=rng), torch.randn(200, 3, generator=rng) + 1)
             for _ in range(60)]  # fmt: skip
    true = float(np.std([frechet(*pair) for pair in pairs]))
    told = float(np.mean([spread(*pair) for pair in pairs[:20]]))
    assert 0.7 * true < told < 1.4 * true
    with pytest.raises(UsageError, match="as many of each"):
        spread(torch.zeros(4, 2), torch.zeros(5, 2))


def test_the_distances_are_those_of_evaluate(protocol, rows):
    fake = to_float(CONTROLS["held-out pictures"]("birds", N, 32, SEEN).pictures)
    known = picture_scores(BIRDS, protocol.reader, protocol.real, fake)
    found = rows["held-out pictures"]
    same = ("fid", "precision", "recall", "density", "coverage", "inception_score_share")
    for name in same:
        assert found[name] == pytest.approx(known[name], rel=2e-3, abs=1e-3), name


def test_the_controls_come_out_in_order(rows):
    fid = {name: row["fid"] for name, row in rows.items()}
    right = {name: row.get("right") for name, row in rows.items()}
    good = ("the world itself", "captions shuffled", "held-out pictures", "training pictures")
    assert max(fid[name] for name in good) < 0.3 * min(fid["the mean picture"], fid["noise"])
    assert fid["captions shuffled"] == pytest.approx(fid["the world itself"], rel=1e-3)
    assert right["the world itself"] > 0.95 and right["captions shuffled"] < 0.03
    assert right["the mean picture"] == right["noise"] == 0
    assert right["the world itself"] > right["training pictures that fit"] > 0.05
    assert rows["training pictures that fit"]["right_unseen"] == 0  # it has none of these classes
    assert right["training pictures"] is right["held-out pictures"] is None  # they were not asked


def test_copies_fail_the_memorisation_tests_alone(rows):
    copies, fresh = rows["training pictures"], rows["held-out pictures"]
    for name in ("precision", "recall", "coverage", "readable", "variety"):
        assert copies[name] == pytest.approx(fresh[name], abs=0.15), name
    assert copies["copied"] == copies["nearer"] == 1 and copies["authentic"] == 0
    assert fresh["copied"] < 0.05 and 0.35 < fresh["nearer"] < 0.65
    assert rows["the world itself"]["copied"] < 0.05


@pytest.mark.parametrize(
    ("kind", "weights", "terms", "attributes"),
    [
        (TextToImage, "gan_int_cls-birds-64-alike", "captions", tuple(BIRDS.content)),
        (FactorSystem, "factors-birds-32", "all facts and the place", tuple(BIRDS.content)),
        (BigGANSystem, "biggan-birds-32", "the class: breast", ("breast",)),
        (Pix2PixSystem, "pix2pix-birds-32", "a map of parts", ("size", "beak", "side")),
    ],
)
def test_each_system_is_asked_in_its_own_terms(kind, weights, terms, attributes):
    system = kind.load(weights)
    drawn = draw(system, "birds", 60)
    assert (drawn.terms, drawn.attributes) == (terms, attributes)
    assert drawn.pictures.shape == (60, system.size, system.size, 3)
    again = draw(system, "birds", 60)
    assert (drawn.pictures == again.pictures).all()


def test_what_a_network_has_no_word_for_is_not_counted_against_it(protocol):
    drawn = draw(BigGANSystem.load("biggan-birds-32"), "birds", N)
    breast = np.array(BIRDS.content["breast"])[protocol.test.attributes["breast"]]
    assert (drawn.could == ~np.isin(breast, ["black", "white"])).all() and not drawn.could.all()
    asked = protocol.right(drawn, to_float(drawn.pictures))["right"]
    assert len(asked) == drawn.could.sum()


def test_a_system_of_another_world_is_told_nothing():
    pictures = Pix2PixSystem.load("pix2pix-birds-32")
    assert pictures.draw_as("flowers", "test", 4) is None
    assert BigGANSystem.load("biggan-birds-32").draw_as("flowers", "test", 4) is None
    assert FactorSystem.load("factors-birds-32").draw_as("flowers", "test", 4) is None
    assert IntrospectiveSystem.load("winn-birds-32").draw_as("birds", "test", 4) is None


def test_a_system_that_answers_is_right_and_one_that_is_free_is_not_asked(protocol):
    found = protocol.measure(draw(FactorSystem.load("factors-birds-32"), "birds", N))
    assert found.row["right"] > 0.9 and found.row["right_judge"] > 0.9
    assert found.each["right"].shape == (N,)
    free = protocol.measure(Drawn(protocol.test.images, FREE))
    assert "right" not in free.row and set(free.each) == {"readable"}
    with pytest.raises(UsageError, match="this protocol measures 100"):
        protocol.measure(Drawn(protocol.test.images[:20], FREE))


def test_sparse_captions_and_diversity_are_measured(protocol):
    system = TextToImage.load("gan_int_cls-birds-64")
    bare = protocol.by_level(system, 4, 40)
    assert bare.shape == (40,) and bare.mean() > 0.8  # nothing is stated: it need only be a bird
    assert 0.4 < protocol.diversity(system, 12) < 1.4
