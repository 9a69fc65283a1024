"""The explorer of maps: edits, the brush, undo, and the switch between generators."""

import time

import numpy as np
import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.explore.maps import NOTHING, MapExplorer, edited
from t2ilab.models.pix2pix import UNet
from t2ilab.systems.pix2pix import Pix2PixSystem

NAMES = ("tail", "beak", "breast", "crown", "eye", "wing", "legs")


def system(seed=0, size=32):
    torch.manual_seed(seed)
    return Pix2PixSystem(UNet(width=4, size=size), world="birds", names=NAMES)


@pytest.fixture(scope="module")
def explorer():
    return MapExplorer({"L1": system(), "L1 + cGAN": system(1)})


def square():
    start = np.zeros((9, 9), np.uint8)
    start[3:6, 3:6] = 2
    start[4, 4] = 5
    return start


def test_a_map_is_moved_scaled_and_swapped():
    start = square()
    moved = edited(start, right=2, down=-3)
    assert moved[1, 6] == 5 and (moved == 2).sum() == 8 and start[4, 4] == 5
    assert (edited(start, right=20) == 0).all()  # out of the picture, and not back on the left
    assert (edited(start, scale=2.0) > 0).sum() == 25 > 9 > (edited(start, scale=0.5) > 0).sum()
    swapped = edited(start, swap=(2, 5))
    assert swapped[4, 4] == 2 and (swapped == 5).sum() == 8
    assert (edited(start, swap=(2, 0)) == start).all()  # with nothing: as it is
    with pytest.raises(UsageError, match="above 0"):
        edited(start, scale=0)


def test_a_brush_paints_discs_the_later_one_on_top():
    one = edited(square(), dabs=((3, 4, 4, 0),))
    assert one[4, 4] == 3 and (one != square()).sum() == 1
    two = edited(square(), dabs=((3, 2, 6, 1), (0, 2, 6, 0)))
    assert two[6, 2] == 0 and two[6, 1] == two[5, 2] == 3 and two[5, 1] == 0
    assert (edited(square(), dabs=((4, 40, 40, 2),)) == square()).all()


def test_paint_undo_and_as_it_was(explorer):
    first = explorer.map_of(explorer.state)
    explorer.set(brush="eye", x=2, y=3, radius=0)
    explorer.buttons["Paint"].click()
    explorer.set(brush="wing", x=20, radius=2)
    explorer.buttons["Paint"].click()
    assert explorer.state["dabs"] == "eye 2 3 0; wing 20 3 2"
    painted = explorer.map_of(explorer.state)
    assert painted[3, 2] == 5 and painted[3, 20] == 6
    explorer.buttons["Undo"].click()
    assert explorer.state["dabs"] == "eye 2 3 0"
    explorer.set(right=3, scale=1.2, swap="wing", with_="tail")
    explorer.buttons["As it was"].click()
    assert (explorer.map_of(explorer.state) == first).all()
    explorer.buttons["Undo"].click()  # of nothing: nothing
    assert explorer.state["dabs"] == ""


def test_what_is_typed_is_checked_and_told(explorer):
    for words, told in (("wing 3", "a part, x, y and a radius"), ("feather 1 1 1", "feather")):
        explorer.controls["dabs"].value = words
        assert told in explorer.message.value
    explorer.controls["dabs"].value = f"{NOTHING} 16 16 3"
    assert explorer.message.value == ""
    explorer.controls["dabs"].value = ""


def test_generators_see_the_same_map_and_draw_otherwise(explorer):
    one, other = (np.asarray(explorer.picture(loss=name)) for name in explorer.systems)
    half = one.shape[1] // 2 - 8
    assert (one[24:312, :half] == other[24:312, :half]).all() and (one != other).any()
    again = explorer.picture(loss="L1", noise=5)
    assert (np.asarray(again) != one).any()
    assert explorer.contact_sheet([{"map": 1}, {"map": 2}]).size[0] > 600


def test_a_move_is_fast(explorer):
    explorer.picture(map=50)
    began = time.process_time()
    explorer.picture(map=51)
    assert time.process_time() - began < 1  # a slow machine; some 0.02 s on a laptop


def test_generators_of_two_kinds_are_refused():
    with pytest.raises(UsageError, match="of 2 kinds"):
        MapExplorer({"a": system(), "b": system(size=64)})
    with pytest.raises(UsageError, match="of 0 kinds"):
        MapExplorer({})
