"""The explorer of rounds: what it draws, and what moving it does."""

from functools import partial

import pytest
from PIL import Image, ImageChops
from watcher import Watcher

from t2ilab.errors import UsageError
from t2ilab.exact import spaces, tu
from t2ilab.exact.small_classifiers import bayes, boosted
from t2ilab.explore.rounds import RoundsExplorer, painted, rounds_renderer, systematic
from t2ilab.models import features


@pytest.fixture(scope="module")
def runs():
    fit = partial(boosted, features=features.coordinates, stumps=3)
    found = {name: tu.rounds(*spaces.load(name), fit, 2) for name in ("hills", "diagonal")}
    return found | {"pictures": tu.rounds(*spaces.load("bars and stripes"), bayes, 1)}


@pytest.mark.parametrize("name", ["hills", "diagonal", "pictures"])
def test_render_is_pure_and_each_round_has_its_picture(runs, name):
    render = rounds_renderer(runs)
    first = render(run=name, round=0)
    assert isinstance(first, Image.Image) and first == render(run=name, round=0)
    assert ImageChops.difference(first, render(run=name, round=1)).getbbox()
    last = len(runs[name])
    assert render(run=name, round=last) == render(run=name, round=last + 5)
    assert {render(run=one, round=0).size for one in runs} == {first.size}


def test_what_cannot_be_drawn_is_said(runs):
    with pytest.raises(UsageError, match="unknown run 'hill'"):
        rounds_renderer(runs)(run="hill", round=0)
    with pytest.raises(UsageError, match="the first is 0"):
        rounds_renderer(runs)(run="hills", round=-1)
    with pytest.raises(UsageError, match="at least one"):
        RoundsExplorer({})


def test_moving_the_slider_draws(runs):
    lab = Watcher()
    explorer = RoundsExplorer(runs, lab=lab)
    before = explorer.image.value
    explorer.controls["round"].value = 2
    assert explorer.image.value != before
    explorer.set(run="pictures", round=1)
    assert explorer.message.value == "" and lab.errors == []
    sheet = explorer.contact_sheet([{"round": 0}, {"round": 1}], columns=2)
    assert sheet.width > sheet.height


def test_systematic_samples_have_the_shares_of_the_distribution(runs):
    p = runs["pictures"].p_data
    index = systematic(p, 1000)
    for state in p.argsort(descending=True)[:5].tolist():
        assert abs((index == state).mean() - float(p[state])) <= 1.01e-3


def test_colours_run_from_low_over_the_middle_to_high():
    low, middle, high = (0, 0, 0), (100, 100, 100), (200, 0, 0)
    import numpy as np

    assert painted(np.array([-3.0, 0.0, 0.5, 1.0]), low, middle, high).tolist() == [
        [0, 0, 0],
        [100, 100, 100],
        [150, 50, 50],
        [200, 0, 0],
    ]
