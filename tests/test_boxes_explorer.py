"""The explorer of a box that is moved over the canvas."""

import numpy as np
import pytest
import torch

from t2ilab.data import paperworld
from t2ilab.errors import UsageError
from t2ilab.explore.boxes import PANEL, BoxExplorer, framed
from t2ilab.models.what_where import WhatWhereGenerator
from t2ilab.plots import RED
from t2ilab.systems.encoders import load_encoder
from t2ilab.systems.single import load_parts, load_reader
from t2ilab.systems.what_where import WhatWhere


@pytest.fixture(scope="module")
def explorer():
    torch.manual_seed(0)
    system = WhatWhere(load_encoder("encoder-birds"), WhatWhereGenerator(width=32))
    world = paperworld.world("birds")
    return BoxExplorer(system, load_parts("birds"), load_reader("birds"), world)


def test_a_box_is_drawn_where_it_is():
    image = np.array(framed(np.zeros((64, 64, 3), np.uint8), {RED: np.array([0.25, 0.5, 0.75, 1])}))
    red = (image == RED).all(-1)
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    assert abs(columns[0] - PANEL / 4) <= 2 and abs(columns[-1] - 3 * PANEL / 4) <= 2
    assert abs(rows[0] - PANEL / 2) <= 2


def test_a_move_of_the_box_draws_anew(explorer):
    before = explorer.image.value
    explorer.controls["x"].value = 0.3
    assert explorer.image.value != before and explorer.message.value == ""
    explorer.buttons["Other noise"].click()
    assert explorer.controls["seed"].value == 1


def test_the_caption_decides_and_what_it_says_wrongly_is_answered(explorer):
    one = np.array(explorer.picture(caption="a red bird"))
    assert (np.array(explorer.picture(caption="a bird")).shape) != one.shape  # nothing to tick
    with pytest.raises(UsageError):
        explorer.picture(caption="")
