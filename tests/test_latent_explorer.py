"""Explorers of a latent variable: what they draw, and what moving them does."""

import time
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from watcher import Watcher

from t2ilab.errors import UsageError
from t2ilab.exact.posterior import OneLatent
from t2ilab.explore.latent import (
    GAP,
    LEAST,
    SIDE,
    STRIP,
    WIDE,
    GapExplorer,
    PlaneExplorer,
    gap_image,
    plane_renderer,
)
from t2ilab.plots import BLUE, INK, RED


def near(picture, colour):
    return np.abs(np.asarray(picture).astype(int) - colour).sum(-1) < 30


def red_nats(sheet) -> float:
    """Nats that the red bar of the strip stands for."""
    row = near(sheet, RED)[-STRIP + 42]
    return row.sum() / (SIDE + GAP + WIDE - 20) * -LEAST


@pytest.mark.parametrize("mu", [0.0, 0.9, 1.4])
def test_the_red_bar_is_the_gap(mu):
    model = OneLatent("fold", 0.4)
    gap = model.log_p(0.8) - model.elbo(0.8, mu, 0.3)
    sheet = gap_image("fold", 0.8, mu, 0.3)
    assert sheet.size == (SIDE + GAP + WIDE, 24 + SIDE + STRIP)
    shown = min(gap, model.log_p(0.8) - LEAST)
    assert red_nats(sheet) == pytest.approx(shown, abs=0.06)
    assert sheet == gap_image("fold", 0.8, mu, 0.3)


def test_with_the_true_posterior_there_is_no_red_bar():
    variance = 1.5**2 + 0.4**2
    sheet = gap_image("line", 1.0, 1.5 / variance, 0.4 / variance**0.5)
    assert red_nats(sheet) == 0 and near(sheet, BLUE).sum() > 1000


def test_the_button_finds_the_best_q_and_a_move_is_quick():
    watcher = Watcher()
    explorer = GapExplorer(watcher)
    explorer.set(shape="wave", x=0.4)
    model, before = OneLatent("wave", 0.4), explorer.state
    explorer.buttons["Best q"].click()
    after = explorer.state
    assert model.elbo(0.4, after["mu"], after["sigma"]) > model.elbo(
        0.4, before["mu"], before["sigma"]
    )
    began = time.perf_counter()
    for k in range(5):
        explorer.controls["x"].value = -1.0 + 0.3 * k
    assert (time.perf_counter() - began) / 5 < 0.15
    assert watcher.errors == []


def decode(z):
    """Grey that says where it was asked: red is z1, green z2."""
    one = np.zeros((len(z), 8, 8, 3), np.uint8)
    one[..., 0], one[..., 1] = [(100 + 20 * z[:, i].numpy())[:, None, None] for i in (0, 1)]
    return one


def test_the_walk_decodes_the_place_and_marks_it():
    codes = torch.tensor([[1.0, 1.0], [-1.0, 2.0]])
    render = plane_renderer(decode, codes, np.array([0, 1]))
    sheet = np.asarray(render(z1=2.0, z2=-1.0))
    assert tuple(sheet[200, -10, :2]) == (140, 80)
    rows, columns = near(sheet[24:324, :300], INK).nonzero()
    assert columns.mean() == pytest.approx(150 * (1 + 2 / 3.5), abs=2)
    assert rows.mean() == pytest.approx(150 * (1 + 1 / 3.5), abs=2)
    explorer = PlaneExplorer(decode, codes, np.array([0, 1]))
    before = explorer.image.value
    explorer.controls["z1"].value = 1.5
    assert explorer.image.value != before
    assert Image.open(BytesIO(explorer.image.value)).size == (300 + GAP + 300, 324)


def test_what_cannot_be_drawn_is_refused_in_words():
    with pytest.raises(UsageError, match="one label for each"):
        plane_renderer(decode, torch.zeros(3, 2), np.zeros(2, int))
    with pytest.raises(UsageError, match="sigma 0.001"):
        gap_image("fold", 0.0, 0.0, 0.001)
