"""Adversarial losses: values worked out by hand, optima, signs and sizes of gradients."""

import math

import pytest
import torch

from t2ilab.losses.adversarial import (
    discriminator_bce,
    discriminator_hinge,
    generator_hinge,
    generator_nonsaturating,
    generator_saturating,
    matching_aware_bce,
    matching_aware_hinge,
    sameness,
)

LN2 = math.log(2)
ZERO = torch.zeros(5)


def D(logit):
    return 1 / (1 + math.exp(-logit))


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


@pytest.mark.parametrize(
    "loss, logits, value",
    [
        (discriminator_bce, 2, 2 * LN2),
        (matching_aware_bce, 3, 2 * LN2),
        (generator_nonsaturating, 1, LN2),
        (generator_saturating, 1, -LN2),
        (discriminator_hinge, 2, 2.0),
        (matching_aware_hinge, 3, 2.0),
        (generator_hinge, 1, 0.0),
    ],
)
def test_value_at_logits_0(loss, logits, value):
    assert loss(*[ZERO] * logits).item() == pytest.approx(value, abs=1e-6)


def test_cross_entropy_by_hand():
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 3.0])
    by_hand = (-math.log(D(2)) - math.log(D(-1)) - math.log(1 - D(0.5)) - math.log(1 - D(3))) / 2
    assert discriminator_bce(real, fake).item() == pytest.approx(by_hand, rel=1e-6)


def test_matching_aware_cross_entropy_by_hand():
    loss = matching_aware_bce(torch.tensor([2.0]), torch.tensor([-1.0]), torch.tensor([0.5]))
    by_hand = -math.log(D(2)) - (math.log(1 - D(-1)) + math.log(1 - D(0.5))) / 2
    assert loss.item() == pytest.approx(by_hand, rel=1e-6)


def test_hinge_by_hand():
    real, wrong, fake = torch.tensor([2.0, 0.0]), torch.tensor([0.0]), torch.tensor([-3.0, 1.0])
    assert discriminator_hinge(real, fake).item() == pytest.approx(0.5 + 1.0)
    assert matching_aware_hinge(real, wrong, fake).item() == pytest.approx(0.5 + (1.0 + 1.0) / 2)


@pytest.mark.parametrize("loss, slope", [(matching_aware_bce, 0.5), (matching_aware_hinge, 1.0)])
def test_wrong_and_fake_weigh_half_as_much_as_real(loss, slope):
    real, wrong, fake = leaf(0.0), leaf(0.0), leaf(0.0)
    loss(real, wrong, fake).backward()
    assert real.grad.item() == pytest.approx(-slope)
    assert wrong.grad.item() == fake.grad.item() == pytest.approx(slope / 2)


def test_several_wrong_captions_a_picture_are_averaged():
    wrong = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    one = matching_aware_bce(torch.zeros(2), wrong, torch.zeros(2))
    other = matching_aware_bce(torch.zeros(2), wrong.flatten(), torch.zeros(2))
    assert one == other
    twice = torch.cat([wrong, wrong], 1)  # more of them do not weigh more
    assert matching_aware_bce(torch.zeros(2), twice, torch.zeros(2)).item() == pytest.approx(
        one.item()
    )


def test_optimal_discriminator_and_its_loss():
    """D* = p / (p + q), where the loss is 2 ln 2 - 2 JSD(p, q): Goodfellow et al. 2014, sec. 4.1.

    Two points; p has shares 3/4 and 1/4 of them, q 1/4 and 3/4. So D*'s logits are +-ln 3.
    """
    s = leaf(math.log(3), -math.log(3))
    loss = discriminator_bce(s[[0, 0, 0, 1]], s[[0, 1, 1, 1]])
    loss.backward()
    assert s.grad.abs().max() < 1e-6
    jsd = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert loss.item() == pytest.approx(2 * LN2 - 2 * jsd, rel=1e-6)


@pytest.mark.parametrize("loss", [discriminator_bce, discriminator_hinge])
def test_discriminator_raises_real_and_lowers_fake(loss):
    real, fake = leaf(0.3, -0.4), leaf(0.2, -0.7)
    loss(real, fake).backward()
    assert (real.grad < 0).all() and (fake.grad > 0).all()


@pytest.mark.parametrize("loss", [generator_nonsaturating, generator_saturating, generator_hinge])
def test_generator_raises_fake(loss):
    fake = leaf(-2.0, 0.0, 2.0)
    loss(fake).backward()
    assert (fake.grad < 0).all()


def test_saturating_gradient_dies_while_the_discriminator_is_sure():
    slopes = {}
    for loss in (generator_saturating, generator_nonsaturating):
        fake = leaf(-10.0)
        loss(fake).backward()
        slopes[loss] = fake.grad.item()
    assert slopes[generator_saturating] == pytest.approx(-D(-10), rel=1e-4)
    assert slopes[generator_nonsaturating] == pytest.approx(-D(10), rel=1e-4)


def test_hinge_leaves_alone_what_is_beyond_the_margin():
    real, fake = leaf(1.5), leaf(-1.5)
    loss = discriminator_hinge(real, fake)
    loss.backward()
    assert loss.item() == real.grad.item() == fake.grad.item() == 0


@pytest.mark.parametrize(
    "loss, logits",
    [
        (discriminator_bce, 2),
        (matching_aware_bce, 3),
        (generator_nonsaturating, 1),
        (generator_saturating, 1),
    ],
)
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_huge_logits_stay_finite(loss, logits, size):
    s = leaf(size)
    value = loss(*[s] * logits)
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(s.grad).all()


def test_equal_pictures_cost_what_is_enough_and_different_ones_nothing():
    x, z, other = torch.zeros(2, 3, 4, 4), torch.zeros(2, 5), torch.full((2, 5), 2.0)
    assert sameness(x, x, z, other, enough=0.15).item() == pytest.approx(0.15)
    assert sameness(x, x + 0.2, z, other, enough=0.15).item() == pytest.approx(0.05)  # 0.2 / 2
    assert sameness(x, x + 0.4, z, other, enough=0.15).item() == 0


def test_sameness_pushes_pictures_apart_until_they_differ_enough():
    z, other = torch.zeros(1, 5), torch.ones(1, 5)
    for apart, slope in ((0.1, -1.0), (0.2, 0.0)):
        x = torch.full((1, 3, 4, 4), apart, requires_grad=True)
        sameness(x, torch.zeros(1, 3, 4, 4), z, other, enough=0.15).backward()
        assert x.grad.sum().item() == pytest.approx(slope, abs=1e-6)
