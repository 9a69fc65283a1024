"""The explorer of adversarial inputs: what it draws, how fast, and what it refuses."""

import time

import numpy as np
import pytest
import torch
from torch import nn

from t2ilab.errors import UsageError
from t2ilab.explore.attack import AWAY, AttackExplorer, attack_renderer, magnified
from t2ilab.systems.single import load_reader

CLASSES = ("bus", "giraffe", "boat")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 3))
    network[-1].weight.data.mul_(4)
    return network.eval()


@pytest.fixture(scope="module")
def pictures():
    return torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 1.8 - 0.9


def test_a_change_is_grey_where_there_is_none_and_magnified_where_there_is():
    change = torch.zeros(1, 3, 2, 2)
    change[0, 0, 0, 0], change[0, 1, 0, 0] = 0.05, -0.5
    shown = magnified(change, 8)
    assert shown[0, 0, 0, 0] == pytest.approx(0.4) and shown[0, 1, 0, 0] == -1
    assert (shown[0, :, 1] == 0).all()


def test_the_picture_changes_with_epsilon_and_target_and_is_the_same_again(network, pictures):
    render = attack_renderer(network, pictures, CLASSES)
    drawn = {
        (t, e): np.asarray(render(picture=0, target=t, epsilon=e))
        for t in (AWAY, *CLASSES)
        for e in (0.0, 8.0)
    }
    assert len({one.shape for one in drawn.values()}) == 1
    assert all((drawn[t, 0.0] != drawn[t, 8.0]).any() for t in (AWAY, *CLASSES))
    assert (drawn["bus", 8.0] != drawn["boat", 8.0]).any()
    assert (drawn["bus", 0.0] == drawn["boat", 0.0]).all()
    assert (np.asarray(render(picture=0, target="bus", epsilon=8.0)) == drawn["bus", 8.0]).all()


def test_it_works_as_explorers_call_it_and_reports_nothing(network, pictures):
    class Lab:
        errors = []

        def watch(self, error):
            self.errors.append(error)

    explorer = AttackExplorer(network, pictures, CLASSES, names=("a", "b", "c"), lab=Lab())
    seen = {explorer.image.value}
    for name, value in (("epsilon", 12), ("target", "giraffe"), ("picture", 2)):
        explorer.controls[name].value = value
        seen.add(explorer.image.value)
    assert len(seen) == 4 and not Lab.errors and not explorer.message.value
    assert explorer.contact_sheet([{"epsilon": 0}, {"epsilon": 4}]).width > 400


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
