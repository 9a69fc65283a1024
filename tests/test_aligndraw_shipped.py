"""The alignDRAW that ships: it does what its file says."""

import numpy as np
import pytest
import torch

from t2ilab.data import paperworld
from t2ilab.explore.strokes import replaced
from t2ilab.recipes.aligndraw import attention, named
from t2ilab.systems.aligndraw import AlignDraw


@pytest.fixture(scope="module")
def system():
    return AlignDraw.load("aligndraw-scenes-32")


def test_subject_and_setting_are_drawn_as_its_file_says(system):
    measured = system.about["measured"]
    for drawer, end in ((system, ""), (system.blurry(), "_blurry")):
        found = named(drawer, "scenes", 200)
        for name, share in found.items():
            assert share == pytest.approx(measured[f"{name}{end}"], abs=0.12)
            assert share > 0.25  # by chance one in 48


def test_attention_lies_as_its_file_says(system):
    found, measured = attention(system, "scenes", 200), system.about["measured"]
    assert found["mass"] == pytest.approx(measured["mass"], abs=0.05)
    assert found["mass_even"] == pytest.approx(measured["mass_even"], abs=0.05)


def test_the_bound_it_was_measured_at(system):
    from t2ilab.recipes.aligndraw import bound

    test = paperworld.world("scenes").load("test", 32, 200, asides=True)
    assert bound(system, test, 20)["nats_1"] == pytest.approx(
        system.about["measured"]["nats_1"], rel=0.03
    )


def test_the_same_noise_and_another_word_make_another_picture(system):
    one = "a yellow school bus is flying in blue skies"
    other = replaced(one, "yellow school bus", "herd of elephants")
    first, again, changed = (system.draw(c, n=4, seed=2).astype(int) for c in (one, one, other))
    assert (first == again).all() and np.abs(first - changed).mean() > 5
    assert torch.is_inference_mode_enabled() is False
