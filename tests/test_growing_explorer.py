"""The explorers of chapter 11: a level that fades in, and truncated noise."""

import time

import numpy as np
import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.explore.growing import FadeExplorer, fade_image
from t2ilab.explore.truncation import ALL, FULL, TruncationExplorer, truncation_image
from t2ilab.models.biggan import BigGANGenerator
from t2ilab.models.progressive import ProgressiveGenerator
from t2ilab.systems.biggan import BigGANSystem


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return ProgressiveGenerator(size=16, channels=1, z=6, width=4, most=8).eval()


@pytest.fixture(scope="module")
def system():
    torch.manual_seed(0)
    generator = BigGANGenerator(size=16, classes=3, z=12, width=4, spectral=False)
    return BigGANSystem(generator, label="breast", names=("red", "green", "blue"))


def rows(image):
    """The three rows of pictures of a fade."""
    found = np.array(image)
    step = len(found) // 3
    return [found[k * step + 24 : (k + 1) * step - 4] for k in range(3)]


def test_alpha_0_shows_the_level_below_and_alpha_1_the_level_alone(network):
    for alpha, of in ((0.0, 0), (1.0, 2)):
        three = rows(fade_image(network, 2, alpha, 0))
        assert (three[1] == three[of]).all() and (three[0] != three[2]).any()
    half = rows(fade_image(network, 2, 0.5, 0))[1]
    assert (half != three[0]).any() and (half != three[2]).any()
    with pytest.raises(UsageError, match="faded in is 1"):
        fade_image(network, 0, 0.5, 0)
    with pytest.raises(UsageError, match="levels go from 0 to 2"):
        fade_image(network, 3, 0.5, 0)


def test_the_fade_explorer_answers_quickly(network):
    explorer = FadeExplorer(network)
    before = explorer.image.value
    explorer.controls["level"].value = 1
    assert explorer.image.value != before
    began = time.process_time()
    explorer.controls["alpha"].value = 0.25
    assert time.process_time() - began < 0.5


def test_a_small_threshold_shows_pictures_that_are_alike(system):
    def apart(threshold):
        sheet = np.array(truncation_image(system, "green", threshold, 0)).astype(float)[26:]
        return sheet[:, :64].std(), np.abs(sheet[2:66, 2:66] - sheet[2:66, 68:132]).mean()

    assert apart(0.1)[1] < 0.3 * apart(FULL)[1]
    one = np.array(truncation_image(system, ALL, 1.0, 0))
    assert (one != np.array(truncation_image(system, "red", 1.0, 0))).any()
    for class_, threshold, said in (("pink", 1.0, "class"), ("red", 0.0, "above 0")):
        with pytest.raises(UsageError, match=said):
            truncation_image(system, class_, threshold, 0)


def test_the_truncation_explorer_follows_its_sliders(system):
    explorer = TruncationExplorer(system)
    seen = {explorer.image.value}
    for name, value in (("threshold", 0.3), ("class_", "blue"), ("seed", 5)):
        explorer.controls[name].value = value
        seen.add(explorer.image.value)
    assert len(seen) == 4
    with pytest.raises(UsageError, match="3 classes, 0 names"):
        TruncationExplorer(BigGANSystem(system.network))
