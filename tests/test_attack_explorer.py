"""The explorer of adversarial inputs: what it draws, how fast, and what it refuses."""

import time
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from watcher import Watcher

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.explore import attack
from t2ilab.explore.attack import AWAY, AttackExplorer, attack_renderer, magnified
from t2ilab.plots import RED
from t2ilab.systems.single import load_reader

CLASSES = ("bus", "giraffe", "boat")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 144, 3)
    )
    network[-1].weight.data.mul_(4)
    return network.eval()


@pytest.fixture(scope="module")
def pictures():
    return torch.rand(3, 3, 24, 24, generator=torch.Generator().manual_seed(0)) * 1.8 - 0.9


def test_a_change_is_grey_where_there_is_none_and_magnified_where_there_is():
    change = torch.zeros(1, 3, 2, 2)
    change[0, 0, 0, 0], change[0, 1, 0, 0] = 0.05, -0.5
    shown = magnified(change, 8)
    assert shown[0, 0, 0, 0] == pytest.approx(0.4) and shown[0, 1, 0, 0] == -1
    assert (shown[0, :, 1] == 0).all()


def panel(sheet, k: int) -> np.ndarray:
    """The k-th picture of a sheet, 24 x 24 as it was made of, in whole grey levels."""
    times, x = attack.PANEL // 24, k * (attack.PANEL + attack.GAP)
    pixels = np.asarray(sheet)[attack.HEAD : attack.HEAD + attack.PANEL, x : x + attack.PANEL]
    return pixels[times // 2 :: times, times // 2 :: times].astype(int)


def red_bar(sheet, k: int) -> int:
    """How long the bar "after" of class k is, of 3 classes."""
    y = int(attack.HEAD + (k + 0.67) * attack.PANEL / 3)
    bars = np.asarray(sheet)[y, -(attack.BARS + 32) :].astype(int)
    return int((np.abs(bars - RED).sum(-1) < 30).sum())


def test_the_sum_is_the_picture_and_its_change_which_is_at_most_epsilon(network, pictures):
    render = attack_renderer(network, pictures, CLASSES)
    sheet = render(picture=1, target=AWAY, epsilon=8)
    assert (panel(sheet, 0) == to_uint8(pictures[1:2])[0]).all()
    change = panel(sheet, 2) - panel(sheet, 0)
    assert 6 <= np.abs(change).max() <= 9  # 8, and rounding to whole grey levels
    assert np.abs(panel(sheet, 1) - 127.5 - 8 * change).max() <= 9
    still = render(picture=1, target=AWAY, epsilon=0)
    assert (panel(still, 2) == panel(still, 0)).all() and (panel(still, 1) == 128).all()


@pytest.mark.parametrize("k", range(3))
def test_the_bar_of_the_target_grows_with_epsilon(network, pictures, k):
    render = attack_renderer(network, pictures, CLASSES)
    sheets = [render(picture=0, target=CLASSES[k], epsilon=e) for e in (0, 8)]
    p = network(pictures[:1]).softmax(1)[0, k].item()
    assert abs(red_bar(sheets[0], k) - p * attack.BARS) <= 2
    assert red_bar(sheets[1], k) > red_bar(sheets[0], k) + 5 * (p < 0.9)
    assert sheets[1] == render(picture=0, target=CLASSES[k], epsilon=8)


def test_moving_the_controls_shows_what_was_asked_for(network, pictures):
    lab = Watcher()
    explorer = AttackExplorer(network, pictures, CLASSES, names=("a", "b", "c"), lab=lab)
    for name, value in (("epsilon", 12), ("target", "giraffe"), ("picture", 2)):
        explorer.controls[name].value = value
        shown = Image.open(BytesIO(explorer.image.value))
        assert shown.tobytes() == explorer.render(**explorer.state).tobytes()
    assert (panel(shown, 0) == to_uint8(pictures[2:])[0]).all()
    assert red_bar(shown, 1) > 20 and not lab.errors and not explorer.message.value


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"picture": 3}, "picture 3: there are 3"),
        ({"target": "zebra"}, "unknown target 'zebra'"),
        ({"epsilon": -1.0}, "epsilon"),
        ({"epsilon": 999.0}, "epsilon"),
    ],
)
def test_bad_states_are_refused_in_words(network, pictures, state, said):
    render = attack_renderer(network, pictures, CLASSES)
    with pytest.raises(UsageError, match=said):
        render(**({"picture": 0, "target": "bus", "epsilon": 4.0} | state))


def test_pictures_need_names_and_targets_must_exist(network, pictures):
    with pytest.raises(UsageError, match="3 pictures and 1 names"):
        AttackExplorer(network, pictures, CLASSES, names=["a"])
    with pytest.raises(UsageError, match="unknown target 'ostrich'"):
        AttackExplorer(network, pictures, CLASSES, target="ostrich")


def test_a_move_of_the_shipped_reader_is_answered_fast(pictures):
    reader = load_reader("scenes")
    x = torch.nn.functional.interpolate(pictures, (64, 64))
    classes = [str(k) for k in range(8)]
    render = attack_renderer(lambda x: reader(x)["subject"], x, classes)
    render(picture=0, target="1", epsilon=4.0)
    spent = []
    for epsilon in (5.0, 6.0, 7.0, 8.0):
        began = time.process_time()
        render(picture=0, target="1", epsilon=epsilon)
        spent.append(time.process_time() - began)
    assert min(spent) / torch.get_num_threads() < 0.15
