"""Robust accuracy where the answer is known in closed form, and what it refuses."""

import math

import pytest
import torch
from torch import nn

from t2ilab.errors import UsageError
from t2ilab.inputs.constraints import Box
from t2ilab.metrics.robustness import robust_accuracy, standard_error, transfer


def two_classes(seed=0, n=200):
    """Two linear logits on 3 x 4 x 4 pictures: pictures, labels, and each picture's margin.

    A linear picture is fooled in the ball of ε just when ε · 2 · |w1 - w0|_1 exceeds its margin.
    """
    rng = torch.Generator().manual_seed(seed)
    w = torch.randn(2, 48, generator=rng) * 0.3
    x = torch.rand(n, 3, 4, 4, generator=rng) - 0.5
    labels = (x.flatten(1) @ w.T).argmax(1)
    margins = (x.flatten(1) @ (w[1] - w[0])).abs() / (2 * (w[1] - w[0]).abs().sum())
    return (lambda x: x.flatten(1) @ w.T.to(x)), x, labels, margins


def small_network(seed=0):
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 4))
    network[-1].weight.data.mul_(5)
    return network.eval()


def test_of_a_linear_network_it_is_the_share_of_margins_above_epsilon():
    network, x, labels, margins = two_classes()
    epsilons = [0.0, 0.01, 0.03, 0.08]
    found = robust_accuracy(network, x, labels, epsilons=epsilons, steps=5)
    expected = [(margins > e).double().mean().item() for e in epsilons]
    assert list(found) == epsilons and list(found.values()) == pytest.approx(expected, abs=0.011)
    assert 1 == found[0.0] > found[0.01] > found[0.03] > found[0.08] > 0


def test_wrong_labels_are_wrong_at_every_epsilon():
    network, x, labels, _ = two_classes()
    labels = torch.where(torch.arange(len(x)) < 50, 1 - labels, labels)
    found = robust_accuracy(network, x, labels, epsilons=[0.02, 0.0], steps=3)
    assert list(found) == [0.02, 0.0] and found[0.0] == 0.75 and 0 < found[0.02] < 0.75


def test_more_steps_and_restarts_never_flatter_and_it_never_rises_with_epsilon():
    network, x = small_network(), two_classes(n=80)[1]
    labels = network(x).argmax(1)
    epsilons, few = [0.01, 0.02, 0.05, 0.1], {}
    for restarts in (1, 4):
        rng = torch.Generator().manual_seed(0)
        few[restarts] = robust_accuracy(
            network, x, labels, epsilons=epsilons, steps=10, restarts=restarts, generator=rng
        )
        values = list(few[restarts].values())
        assert values == sorted(values, reverse=True) and values[0] > values[-1]
    assert all(few[4][e] <= few[1][e] + 0.02 for e in epsilons)


def test_another_box_and_small_batches_give_the_same():
    network, x, labels, _ = two_classes(n=40)
    here = robust_accuracy(network, x, labels, epsilons=[0.02, 0.05], steps=5)
    there = robust_accuracy(
        lambda y: network(2 * y - 1),
        (x + 1) / 2,
        labels,
        steps=5,
        epsilons=[0.02, 0.05],
        box=Box(0, 1),
        batch=7,
    )
    assert list(here.values()) == pytest.approx(list(there.values()), abs=0.026)


def test_transfer_to_itself_is_what_the_attack_reaches_and_to_a_constant_nothing():
    network, x, labels, _ = two_classes()
    one = labels == 1
    constant = lambda x: torch.tensor([[0.0, 1.0]]).expand(len(x), 2) + 0 * x.flatten(1)[:, :2]  # noqa: E731
    shares = transfer({"linear": network}, x, labels, epsilons=[0.03], steps=5)
    robust = robust_accuracy(network, x, labels, epsilons=[0.03], steps=5)
    assert shares["linear"]["linear"][0.03] == pytest.approx(1 - robust[0.03])
    both = transfer({"linear": network, "constant": constant}, x, labels, epsilons=[0, 0.5])
    assert both["linear"]["linear"] == {0.0: 0.0, 0.5: 1.0}
    assert both["linear"]["constant"] == {0.0: 0.0, 0.5: 0.0} and one.any()
    with pytest.raises(UsageError, match="no picture that all"):
        transfer({"linear": network}, x, 1 - labels, epsilons=[0.03])


def test_the_standard_error_of_a_share():
    assert standard_error(0.5, 100) == pytest.approx(0.05) and standard_error(1.0, 7) == 0
    assert standard_error(0.2, 10) == pytest.approx(math.sqrt(0.016))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"epsilons": []}, "0 epsilons"),
        ({"epsilons": [-0.1]}, "epsilon -0.1"),
        ({"epsilons": [8]}, "8 / 255"),
        ({"restarts": 3}, "only with a generator"),
        ({"restarts": 0}, "at least 1"),
        ({"labels": torch.zeros(3, dtype=torch.long)}, "classes must"),
        ({"labels": torch.full((8,), 5)}, "target class 5 does not exist"),
    ],
)
def test_bad_input_is_refused_in_words(change, said):
    network, x, labels, _ = two_classes(n=8)
    given = {"labels": labels, "epsilons": [0.01], "steps": 2} | change
    with pytest.raises(UsageError, match=said):
        robust_accuracy(network, x, given.pop("labels"), **given)


def test_a_network_in_training_mode_is_refused():
    network, x = small_network().train(), two_classes(n=4)[1]
    labels = small_network()(x).argmax(1)
    with pytest.raises(UsageError, match="training mode"):
        robust_accuracy(network, x, labels, epsilons=[0.01])
