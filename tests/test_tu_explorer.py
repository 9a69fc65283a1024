"""The explorer of rounds: what it draws, and what moving it does."""

from functools import partial
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from watcher import Watcher

from t2ilab.errors import UsageError
from t2ilab.exact import spaces, tu
from t2ilab.exact.small_classifiers import bayes, boosted
from t2ilab.explore.rounds import (
    GAP,
    PANEL,
    RoundsExplorer,
    density_image,
    logit_image,
    painted,
    rounds_renderer,
    systematic,
)
from t2ilab.models import features
from t2ilab.plots import BLUE, RED


@pytest.fixture(scope="module")
def runs():
    fit = partial(boosted, features=features.coordinates, stumps=3)
    found = {name: tu.rounds(*spaces.load(name), fit, 2) for name in ("hills", "diagonal")}
    return found | {"pictures": tu.rounds(*spaces.load("bars and stripes"), bayes, 1)}


def near(sheet, colour, region=(slice(None), slice(None))) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels of one colour."""
    return (np.abs(np.asarray(sheet)[region].astype(int) - colour).sum(-1) < 40).nonzero()


@pytest.mark.parametrize("name", ["hills", "diagonal", "pictures"])
def test_the_round_asked_for_is_marked_at_its_place_on_the_curve(runs, name):
    render, run = rounds_renderer(runs), runs[name]
    for t in range(len(run) + 1):
        sheet = render(run=name, round=t)
        assert sheet == render(run=name, round=t) and sheet.size == (748, 408)
        y, x = near(sheet, RED, (slice(-130, None), slice(None)))
        assert x.mean() == pytest.approx(64 + t / len(run) * (748 - 12 - 64), abs=1.5)
        level = (1 - np.log10(np.clip(float(run.kl[t]), 1e-4, 10))) / 5 * 110
        assert y.mean() == pytest.approx(level, abs=1.5)
    assert render(run=name, round=len(run)) == render(run=name, round=len(run) + 5)


def test_a_plane_shows_data_model_and_logit_cell_by_cell(runs):
    run, times = runs["diagonal"], PANEL // 40
    sheet = np.asarray(rounds_renderer(runs)(run="diagonal", round=1))[24 : 24 + PANEL]
    most = float(run.p_data.max())
    drawn = (
        density_image(run.p_data, (40, 40), most),
        density_image(run.p[1], (40, 40), most),
        logit_image(run.h[1], (40, 40)),
    )
    for k, expected in enumerate(drawn):
        panel = sheet[:, k * (PANEL + GAP) : k * (PANEL + GAP) + PANEL]
        assert (panel[times // 2 :: times, times // 2 :: times] == np.asarray(expected)).all()


def test_a_line_rises_where_the_model_does(runs):
    sheet = rounds_renderer(runs)(run="hills", round=1)
    y, x = near(sheet, BLUE, (slice(30, 24 + PANEL - 2), slice(2, PANEL * 3 // 2 - 2)))
    p = runs["hills"].p[1].numpy()
    assert 2 + x[y.argmin()] == pytest.approx((p.argmax() + 0.5) / len(p) * PANEL * 1.5, abs=6)


def test_samples_are_those_of_the_model_and_are_coloured_by_the_classifier(runs):
    run = runs["pictures"]
    sheet = np.asarray(rounds_renderer(runs)(run="pictures", round=0))[24 : 24 + PANEL]
    model = run.space.states.numpy()[systematic(run.p[0], 49)].reshape(7, 7, 3, 3) > 0
    places = np.array([3 + 34 * k + 5 + 10 * j for k in range(7) for j in range(3)])
    for k in (1, 2):  # in grey, and coloured
        panel = sheet[:, k * (PANEL + GAP) : k * (PANEL + GAP) + PANEL]
        ink = panel[np.ix_(places, places)].reshape(7, 3, 7, 3, 3).transpose(0, 2, 1, 3, 4)
        assert ((ink.min(-1) < 240) == model).all()
    logit = run.h[0][torch.as_tensor(systematic(run.p[0], 49))].reshape(7, 7).numpy()
    red = ink[..., 0].astype(int) - ink[..., 2]
    assert (np.sign(np.where(model, red, 0).sum((2, 3))) == np.sign(logit)).mean() > 0.9


def test_what_cannot_be_drawn_is_said(runs):
    with pytest.raises(UsageError, match="unknown run 'hill'"):
        rounds_renderer(runs)(run="hill", round=0)
    with pytest.raises(UsageError, match="the first is 0"):
        rounds_renderer(runs)(run="hills", round=-1)
    with pytest.raises(UsageError, match="at least one"):
        RoundsExplorer({})


def test_moving_the_controls_shows_what_was_asked_for(runs):
    lab = Watcher()
    explorer = RoundsExplorer(runs, lab=lab)
    assert explorer.state == {"run": "hills", "round": 0}
    explorer.controls["round"].value = 2
    shown = [Image.open(BytesIO(explorer.image.value))]
    explorer.set(run="pictures", round=1)
    shown.append(Image.open(BytesIO(explorer.image.value)))
    asked = [explorer.render(run="hills", round=2), explorer.render(run="pictures", round=1)]
    assert [one.tobytes() for one in shown] == [one.tobytes() for one in asked]
    assert lab.errors == []


def test_systematic_samples_have_the_shares_of_the_distribution(runs):
    p = runs["pictures"].p_data
    index = systematic(p, 1000)
    for state in p.argsort(descending=True)[:5].tolist():
        assert abs((index == state).mean() - float(p[state])) <= 1.01e-3


def test_colours_run_from_low_over_the_middle_to_high():
    low, middle, high = (0, 0, 0), (100, 100, 100), (200, 0, 0)
    assert painted(np.array([-3.0, 0.0, 0.5, 1.0]), low, middle, high).tolist() == [
        [0, 0, 0],
        [100, 100, 100],
        [150, 50, 50],
        [200, 0, 0],
    ]
