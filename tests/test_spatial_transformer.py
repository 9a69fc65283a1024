"""Cluttered digits, the network that looks through a window, and how it is trained."""

import numpy as np
import pytest
import torch

from t2ilab.data import cluttered
from t2ilab.data.digits import load_digits
from t2ilab.errors import UsageError
from t2ilab.models.spatial_transformer import DigitNetwork, Localisation, boxes
from t2ilab.recipes import spatial_transformer as recipe
from t2ilab.recipes.train import train
from t2ilab.systems.spatial_transformer import DigitSystem, ink


def test_the_digit_is_in_its_box_and_pieces_are_elsewhere():
    bare, full = cluttered.load("test", 12, pieces=0), cluttered.load("test", 12)
    for i, (left, top, right, bottom) in enumerate((bare.boxes * 40).round().astype(int)):
        picture = bare.pictures.images[i].copy()
        assert picture[top:bottom, left:right].max() > 200
        picture[top:bottom, left:right] = 0
        assert picture.max() == 0
    sides = (bare.boxes[:, 2:] - bare.boxes[:, :2]).max(1) * 40 / cluttered.BORDER
    assert sides.max() <= 20.001 and bare.boxes.min() >= 0 and bare.boxes.max() <= 1
    assert (full.boxes != bare.boxes).any()  # another place: the pieces took their chance first
    assert full.pictures.images.mean() > 1.2 * bare.pictures.images.mean()


def test_digits_are_of_their_split_and_a_picture_of_its_place_alone():
    few, more = cluttered.load("train", 2), cluttered.load("train", 4)
    assert (few.pictures.images == more.pictures.images[:2]).all()
    test = cluttered.load("test", 200, pieces=0)
    known = load_digits("test", 20).images[..., 0].astype(float)
    whole = np.abs(test.boxes[:, 2:] - test.boxes[:, :2] - 0.5 * cluttered.BORDER).max(1) < 1e-6
    assert whole.sum() > 3
    for i in np.flatnonzero(whole)[:10]:  # of 20 pixels, the border within the picture
        left, top, right, bottom = (test.boxes[i] * 40 + [4, 4, -4, -4]).round().astype(int)
        digit = test.pictures.images[i, top:bottom, left:right, 0]
        near = np.abs(known - digit).mean((1, 2)).argmin()
        assert (load_digits("test", 20).images[near, ..., 0] == digit).all()
    with pytest.raises(UsageError, match="1 to 1000 cluttered digits"):
        cluttered.load("test", 1001)


def test_at_first_the_window_is_the_picture_wherever_the_digit_is():
    torch.manual_seed(0)
    network = DigitNetwork(side=40).eval()
    x = torch.rand(3, 1, 40, 40)
    done = network.look(x)
    assert (done.scale == 1).all() and done.move.abs().max() < 1e-6
    assert torch.allclose(done.seen, x, atol=1e-5)
    assert boxes(done.scale, done.move).tolist()[0] == pytest.approx([0, 0, 1, 1], abs=1e-6)


def test_the_loss_moves_the_window_and_nothing_else_tells_it_where():
    torch.manual_seed(0)
    network = DigitNetwork()
    x = ink(cluttered.load("train", 8).pictures.images)
    torch.nn.functional.cross_entropy(network(x), torch.arange(8)).backward()
    for layer in (network.localise.where, network.localise.how_large):
        assert layer.weight.grad.abs().max() > 0


def test_a_map_with_all_its_mass_on_one_place_looks_there():
    torch.manual_seed(0)
    find = Localisation(channels=(4, 4)).eval()
    find.where.weight.data.fill_(50.0)  # features are not negative: the largest takes all
    x = torch.zeros(1, 1, 40, 40)
    x[..., 28:34, 4:10] = 1
    _, move = find(x)
    assert move[0, 0] < -0.4 and move[0, 1] > 0.3


def test_boxes_of_windows():
    found = boxes(torch.tensor([0.5, 1.5]), torch.tensor([[0.5, -0.5], [0.0, 0.0]]))
    assert found.tolist() == [[0.5, 0.0, 1.0, 0.5], [0.0, 0.0, 1.0, 1.0]]


def test_both_networks_have_as_many_parameters():
    sizes = [
        sum(p.numel() for p in DigitNetwork(**how).parameters()) for how in recipe.NETWORKS.values()
    ]
    assert abs(sizes[0] - sizes[1]) < 0.03 * min(sizes)


@pytest.mark.parametrize("transformer", ["on", "off"])
def test_it_trains_saves_and_loads(transformer, tmp_path):
    done = train(
        "stn", transformer=transformer, profile="smoke", steps=3, out=tmp_path / "run", show=False
    )
    again = DigitSystem.load(done.path)
    pictures = cluttered.load("test", 5).pictures.images
    found = again.look(pictures)
    assert found.digits.shape == (5,) and found.boxes.shape == (5, 4)
    assert found.seen.shape == ((5, 20, 20, 3) if transformer == "on" else (5, 40, 40, 3))
    assert ("iou_median" in again.about["measured"]) == (transformer == "on")
    with pytest.raises(UsageError, match=r"this network reads \[n, 40, 40, 3\]"):
        again.look(pictures[:, :20, :20])


@pytest.mark.parametrize("name", ["stn-cluttered-40", "stn_plain-cluttered-40"])
def test_what_ships_errs_as_often_as_it_says(name):
    system = DigitSystem.load(name)
    found, told = recipe.measure(system, recipe.Options(system="stn")), system.about["measured"]
    for key in ("error", "iou_median"):
        if key in told:
            assert found[key] == pytest.approx(told[key], abs=0.005)
