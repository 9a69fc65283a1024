"""The Wasserstein critic's loss and the gradient penalty."""

import torch
from torch import nn

from t2ilab.losses.wasserstein import critic_loss, gradient_penalty, slopes


def linear(w):
    critic = nn.Linear(len(w), 1, bias=False)
    critic.weight.data = torch.tensor([w])
    return lambda x: critic(x.flatten(1))[:, 0], critic.weight


def pictures(n=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 1, 2, 2, generator=generator), torch.rand(n, generator=generator)


def test_the_loss_is_minus_the_difference_of_the_means():
    assert critic_loss(torch.tensor([3.0, 5.0]), torch.tensor([1.0])) == -3


def test_a_linear_critic_of_norm_one_costs_nothing():
    critic, _ = linear([0.5, -0.5, 0.5, 0.5])
    (x, share), (fake, _) = pictures(), pictures(seed=1)
    assert gradient_penalty(critic, x, fake, share).abs() < 1e-10


def test_the_norm_is_over_all_pixels_and_its_gradient_reaches_the_weights():
    critic, weight = linear([1.0, 1.0, 1.0, 1.0])  # norm 2
    (x, share), (fake, _) = pictures(), pictures(seed=1)
    penalty = gradient_penalty(critic, x, fake, share)
    assert torch.isclose(penalty, torch.tensor(1.0))
    penalty.backward()  # d (|w| - 1)² / dw = 2 (|w| - 1) w / |w|
    assert torch.allclose(weight.grad, torch.ones(1, 4))


def test_the_penalty_looks_between_real_and_fake():
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.flatten(1).sum(1)

    real, fake = torch.ones(2, 1, 1, 1), torch.zeros(2, 1, 1, 1)
    gradient_penalty(critic, real, fake, torch.tensor([0.25, 1.0]))
    assert seen[0].flatten().tolist() == [0.25, 1.0]


def test_slopes_are_of_each_sample_alone():
    def critic(x):
        return x.flatten(1).square().sum(1) / 2  # its gradient at x is x

    x, _ = pictures()
    found = slopes(critic, x, learn=False)
    assert torch.allclose(found, x.flatten(1).norm(dim=1)) and not found.requires_grad
    _, weight = scaled = linear([3.0, 4.0, 0.0, 0.0])
    assert torch.allclose(slopes(scaled[0], x), torch.full((5,), 5.0))
    assert slopes(scaled[0], x).requires_grad and not x.requires_grad and weight.grad is None
