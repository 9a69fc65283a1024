"""The attacks as chapter 12 shows them do what the package's attacks do."""

import pytest
import torch
from torch import nn

from t2ilab.inputs import attacks, textbook


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 16), nn.Tanh(), nn.Linear(16, 5)).eval()


@pytest.fixture(scope="module")
def pictures():
    return torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("targeted", [True, False])
def test_pgd_goes_where_the_packages_pgd_goes(network, pictures, targeted):
    classes = torch.arange(6) % 5
    aim = {"targets": classes} if targeted else {"labels": classes}
    ours = textbook.pgd(network, pictures, classes, 0.05, 7, targeted)
    theirs = attacks.pgd(network, pictures, epsilon=0.05, steps=7, **aim).pictures
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("targeted", [True, False])
def test_one_step_of_epsilon_is_fgsm(network, pictures, targeted):
    classes = torch.zeros(6, dtype=torch.long)
    aim = {"targets": classes} if targeted else {"labels": classes}
    gradient = textbook.input_gradient(network, pictures, classes)
    ours = textbook.fgsm_step(pictures, gradient, 0.1, targeted)
    theirs = attacks.fgsm(network, pictures, epsilon=0.1, **aim).pictures
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    assert all(p.grad is None for p in network.parameters())


def test_the_projection_stays_in_ball_and_box():
    centre = torch.tensor([[0.0, 0.9, -1.0]])
    found = textbook.project(torch.tensor([[0.5, 1.3, -1.4]]), centre, 0.1)
    torch.testing.assert_close(found, torch.tensor([[0.2, 1.0, -1.0]]))


def test_a_step_climbs_the_score_and_descends_the_penalty():
    x, slope = torch.tensor([[0.2, -0.4]]), torch.tensor([[1.0, 3.0]])
    found = textbook.ascent_step(x, lambda x: (x * slope).sum(1), lambda x: (x**2).sum(1), 0.5, 0.1)
    torch.testing.assert_close(found, x + 0.1 * (slope - x))
