"""Explorers of chapter 21, first part: two stages side by side, and the weight of the KL term."""

import numpy as np
import pytest
import torch
from test_stackgan import system

from t2ilab.errors import UsageError
from t2ilab.explore.conditioning import KLExplorer, kl_image
from t2ilab.explore.stages import StagesExplorer, stages_image

CAPTIONS = ("a red bird", "a bird")


def runs():
    rng = np.random.default_rng(0)
    one = rng.integers(0, 256, (2, 6, 32, 32, 3), dtype=np.uint8)
    one[:, :3] = one[:, :1]  # the condition does not bear on them
    return {"0": one, "2": rng.integers(0, 256, (2, 6, 32, 32, 3), dtype=np.uint8)}


def test_both_stages_are_drawn_and_the_spread_bears_on_the_second_alone():
    stacked = system()
    torch.nn.init.normal_(stacked.second.correct.weight)
    near, far = (np.array(stages_image(stacked, "a red bird", x, 0)) for x in (0.0, 3.0))
    half = near.shape[0] // 2
    assert near.shape == far.shape and not np.array_equal(near[half:], far[half:])
    assert np.array_equal(near[:half], far[:half])
    with pytest.raises(UsageError, match="spread -1: give 0 or more"):
        stages_image(stacked, "a red bird", -1, 0)


def test_the_stages_explorer_draws_at_once_and_again():
    explorer = StagesExplorer(system(), caption="a red bird")
    before = explorer.image.value
    explorer.controls["seed"].value = 3
    assert before and explorer.image.value != before


def test_the_kl_explorer_shows_the_run_and_how_far_its_pictures_are_apart():
    explorer = KLExplorer(runs(), CAPTIONS)
    before = explorer.image.value
    explorer.controls["weight"].value = "2"
    assert explorer.image.value != before
    first, second = (np.array(kl_image(runs(), CAPTIONS, c, "0")) for c in CAPTIONS)
    assert first.shape == second.shape and not np.array_equal(first, second)


def test_what_is_not_kept_is_refused():
    with pytest.raises(UsageError, match="weight"):
        kl_image(runs(), CAPTIONS, "a bird", "7")
    with pytest.raises(UsageError, match="3 captions"):
        KLExplorer(runs(), (*CAPTIONS, "x"))
