"""The script of conditioning augmentation and heads: its runs, their pictures, what is kept."""

import sys

import numpy as np
import pytest
import torch
from test_augmentation import make

from t2ilab import catalogue
from t2ilab.models.reed import Generator
from t2ilab.paths import ROOT
from t2ilab.recipes.conditioned_gan import AugmentedGenerator
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.text.encoders import MeanVectorEncoder
from t2ilab.text.tokens import Vocabulary

sys.path.insert(0, str(ROOT / "scripts"))

import conditioning  # noqa: E402


def system(augmented=True):
    torch.manual_seed(0)
    encoder = MeanVectorEncoder(Vocabulary.of(conditioning.CAPTIONS), text=6)
    inner = Generator(size=32, text=4 if augmented else 6, z=3, projected=4, width=2)
    return TextToImage(encoder, AugmentedGenerator(make(), inner) if augmented else inner)


@pytest.mark.parametrize("name", conditioning.RUNS)
def test_every_run_is_of_the_catalogue_and_takes_its_options(name):
    options = conditioning.RUNS[name]
    catalogue.recipe(options["system"]).Options(**options, profile="smoke")


def test_one_z_with_other_eps_then_other_z_with_one_eps():
    with torch.inference_mode():
        drawn, plain = (conditioning.pictures(system(x)) for x in (True, False))
    few = conditioning.FEW
    assert drawn.shape == plain.shape == (3, 2 * few, 32, 32, 3)
    assert (plain[:, 1:few] == plain[:, :1]).all(), "without eps one z draws one picture"
    assert (drawn[:, 1:few] != drawn[:, :1]).any() and (
        drawn[:, few + 1 :] != drawn[:, few:-1]
    ).any()


def test_still_leaves_z_and_takes_eps_away():
    moving = system()
    still = conditioning.Still(moving.encoder, moving.generator)
    z, other = moving.noise(4), still.noise(4)
    assert torch.equal(z[:, :3], other[:, :3]) and (other[:, 3:] == 0).all()


def test_pictures_are_kept_beside_those_of_other_runs(tmp_path):
    file = tmp_path / "kept.npz"
    for name in ("a", "b"):
        conditioning.keep(file, name, np.zeros((1, 2, 3), np.uint8))
    assert set(np.load(file)) == {"a", "b"}
