"""Attacks on networks small enough that the answers are known, and what they refuse."""

import math

import pytest
import torch
from torch import nn

from t2ilab.errors import UsageError
from t2ilab.inputs.attacks import fgsm, fool, pgd
from t2ilab.inputs.constraints import Box, grey_levels
from t2ilab.inputs.scores import log_probability, logit, predict, surprise
from t2ilab.inputs.starts import near, uniform_noise
from t2ilab.inputs.szegedy import lbfgs_attack

CLASSES = 5


def linear(seed=0, scale=0.3):
    """Logits w_k · x on 3 x 4 x 4 pictures."""
    w = torch.randn(CLASSES, 48, generator=torch.Generator().manual_seed(seed)) * scale
    return w, lambda x: x.flatten(1) @ w.T.to(x)


def convolutional():
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(3, 12, 3),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(12 * 2 * 2, CLASSES),
    )
    network[-1].weight.data.mul_(8)  # as sure of itself as a trained one
    return network.eval()


def pictures(n=6, seed=0):
    return torch.rand(n, 3, 4, 4, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.8


def test_fgsm_on_two_linear_logits_in_closed_form():
    w = torch.randn(2, 48, generator=torch.Generator().manual_seed(0))
    x, epsilon = pictures() / 2, 8 / 255
    away = fgsm(lambda x: x.flatten(1) @ w.T, x, epsilon=epsilon, labels=0).pictures
    uphill = (w[1] - w[0]).sign().view(3, 4, 4)
    assert torch.allclose(away, x + 2 * epsilon * uphill, atol=1e-6)
    towards = fgsm(lambda x: x.flatten(1) @ w.T, x, epsilon=epsilon, targets=0).pictures
    assert torch.allclose(towards, x - 2 * epsilon * uphill, atol=1e-6)
    assert (away - x).abs().max().item() <= 2 * epsilon  # to the last bit
    # the logits' difference moves by exactly epsilon · width · |w1 - w0|_1
    moved = ((away - x).flatten(1) @ (w[1] - w[0])) / (2 * epsilon * (w[1] - w[0]).abs().sum())
    assert torch.allclose(moved, torch.ones(6), atol=1e-4)


def test_fgsm_stays_in_the_box():
    _, network = linear()
    x = torch.ones(2, 3, 4, 4)
    found = fgsm(network, x, epsilon=0.5, labels=0, box=Box(0, 1)).pictures
    assert found.min() >= 0 and found.max() <= 1 and (found != x).any()


def test_pgd_in_the_l2_ball_of_a_linear_score_goes_straight_to_its_edge():
    w = torch.randn(2, 48, generator=torch.Generator().manual_seed(0))
    x = pictures() / 4
    found = pgd(lambda x: x.flatten(1) @ w.T, x, epsilon=0.01, labels=0, norm="l2", steps=5)
    direction = ((w[1] - w[0]) / (w[1] - w[0]).norm()).view(3, 4, 4)
    radius = 0.01 * 2 * math.sqrt(48)
    assert torch.allclose(found.pictures, x + radius * direction, atol=1e-6)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pgd_reaches_its_target_within_epsilon(norm):
    network, x, epsilon = convolutional(), pictures(), 0.25
    targets = (predict(network, x)[0] + 1) % CLASSES
    found = pgd(network, x, epsilon=epsilon, targets=targets, norm=norm, frames=4)
    assert (predict(network, found.pictures)[0] == targets).float().mean() >= 0.8
    largest, rms = grey_levels(found.pictures, x)
    assert ((largest if norm == "linf" else rms) <= 255 * epsilon).all()
    assert found.pictures.abs().max() <= 1 and len(found.frames) == 4
    assert all(p.grad is None for p in network.parameters())


def test_pgd_beats_fgsm_and_stronger_is_stronger():
    network, x = convolutional(), pictures(40)
    labels = predict(network, x)[0]

    def surprised(found):
        return surprise(network)(found.pictures, labels).mean().item()

    with torch.no_grad():
        weak = surprised(fgsm(network, x, epsilon=0.05, labels=labels))
        strong = surprised(pgd(network, x, epsilon=0.05, labels=labels))
        stronger = surprised(pgd(network, x, epsilon=0.1, labels=labels))
    assert weak < strong < stronger


def test_a_confident_picture_is_done_and_the_others_go_on():
    network, x = convolutional(), pictures(20)
    found = pgd(network, x, epsilon=0.5, targets=2, confidence=0.9)
    sure = found.scores.exp()
    assert found.done.any() and (sure[found.done] >= 0.9 - 1e-6).all()
    assert len(found.steps[found.done].unique()) > 1
    away = pgd(network, x, epsilon=0.5, labels=2, confidence=0.99)
    left = log_probability(network)(away.pictures, torch.full((20,), 2)).exp()
    assert away.done.any() and (left[away.done] <= 0.01 + 1e-6).all()


def test_a_random_start_is_drawn_from_the_generator_and_within_the_ball():
    network, x = convolutional(), pictures()

    def found(seed):
        generator = torch.Generator().manual_seed(seed)
        return pgd(network, x, epsilon=0.1, labels=0, steps=1, generator=generator, frames=2)

    assert torch.equal(found(0).pictures, found(0).pictures)
    start = found(0).frames[0][1]
    assert not torch.equal(start, x) and not torch.equal(start, found(1).frames[0][1])
    assert (start - x).abs().max().item() <= 0.2


def test_an_epsilon_of_zero_changes_nothing():
    network, x = convolutional(), pictures()
    for norm in ("linf", "l2"):
        assert torch.equal(pgd(network, x, epsilon=0, labels=0, norm=norm, steps=3).pictures, x)
    assert torch.equal(fgsm(network, x, epsilon=0, labels=0).pictures, x)


def test_fooling_images_reach_their_confidence_from_noise_and_from_the_mean():
    network = convolutional()
    targets = torch.arange(CLASSES)
    generator = torch.Generator().manual_seed(0)
    for start in (
        uniform_noise(CLASSES, (3, 4, 4), generator=generator),
        near(pictures(50).mean(0), CLASSES, generator=generator),
    ):
        found = fool(network, start, targets=targets, confidence=0.9, steps=500)
        assert found.done.all() and found.pictures.abs().max() <= 1
        classes, sure = predict(network, found.pictures)
        assert torch.equal(classes, targets) and (sure >= 0.9 - 1e-6).all()


def test_lbfgs_finds_the_smallest_change_of_a_linear_classifier():
    w = torch.randn(2, 48, generator=torch.Generator().manual_seed(0)) * 3
    x = pictures(4) / 4

    def network(x):
        return x.flatten(1) @ w.T

    targets = 1 - predict(network, x)[0]
    found = lbfgs_attack(network, x, targets=targets, searches=10)
    assert found.found.all()
    assert torch.equal(predict(network, found.pictures)[0], targets)
    gap = (network(x)[:, 0] - network(x)[:, 1]).abs() / (w[0] - w[1]).norm()  # to the plane
    smallest = gap / (2 * math.sqrt(48))
    assert (found.distortion >= smallest * (1 - 1e-4)).all()
    assert (found.distortion <= smallest * 1.25).all()


def test_lbfgs_spends_less_than_pgd_and_reports_what_it_did_not_find():
    network, x = convolutional(), pictures(4)
    targets = (predict(network, x)[0] + 1) % CLASSES
    small = lbfgs_attack(network, x, targets=targets, searches=6)
    large = pgd(network, x, epsilon=0.5, targets=targets).pictures
    assert small.found.all()
    assert (small.distortion * 255 < grey_levels(large, x)[1]).all()
    assert small.pictures.abs().max() <= 1
    blind = lbfgs_attack(
        lambda x: network(x) * 0 + torch.tensor([1.0, 0, 0, 0, 0]), x, targets=3, searches=2
    )
    assert not blind.found.any() and torch.equal(blind.pictures, x) and blind.c.isnan().all()


def test_scores_agree_with_the_softmax():
    _, network = linear()
    x, targets = pictures(), torch.tensor([0, 1, 2, 3, 4, 0])
    p = network(x).softmax(1)[torch.arange(6), targets]
    assert torch.allclose(log_probability(network)(x, targets).exp(), p)
    assert torch.allclose(surprise(network)(x, targets), -p.log(), atol=1e-6)
    assert torch.equal(logit(network)(x, targets), network(x)[torch.arange(6), targets])
    classes, sure = predict(network, x, batch=4)
    assert torch.equal(classes, network(x).argmax(1))
    assert torch.allclose(sure, network(x).softmax(1).amax(1))


ATTACKS = [fgsm, pgd]


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"targets": CLASSES}, "target class 5 does not exist.* 5 classes, 0 to 4"),
        ({"targets": -1}, "target class -1 does not exist"),
        ({"targets": torch.tensor([0, 1])}, r"one for each of the 6 pictures"),
        ({"targets": 1.0}, "whole number"),
        ({"targets": 1, "labels": 2}, "either `targets`"),
        ({}, "either `targets`"),
        ({"targets": 1, "epsilon": -0.1}, "epsilon -0.1: a number from 0 to 1"),
        ({"targets": 1, "epsilon": 8}, "8 / 255"),
    ],
)
def test_attacks_refuse_in_words(attack, wrong, message):
    with pytest.raises(UsageError, match=message):
        attack(convolutional(), pictures(), **{"epsilon": 0.1, **wrong})


@pytest.mark.parametrize(
    "attack",
    [
        lambda net, x: fgsm(net, x, epsilon=0.1, labels=0),
        lambda net, x: fool(net, x, targets=1),
        lambda net, x: lbfgs_attack(net, x, targets=1),
    ],
)
def test_every_attack_refuses_training_mode_and_pictures_outside_the_box(attack):
    with pytest.raises(UsageError, match="training mode"):
        attack(convolutional().train(), pictures())
    with pytest.raises(UsageError, match="outside the box"):
        attack(convolutional(), pictures() * 2)


def test_what_else_is_refused():
    network, x = convolutional(), pictures()
    with pytest.raises(UsageError, match="unknown norm 'l1'"):
        pgd(network, x, epsilon=0.1, labels=0, norm="l1")
    for confidence in (0, 1, 1.5, math.nan):
        with pytest.raises(UsageError, match="a probability between 0 and 1"):
            fool(network, x, targets=1, confidence=confidence)
    with pytest.raises(UsageError, match="0 searches"):
        lbfgs_attack(network, x, targets=1, searches=0)
    with pytest.raises(UsageError, match="target class 9"):
        lbfgs_attack(network, x, targets=9)
    with pytest.raises(UsageError, match=r"shape \[pictures, classes\].*lambda x: reader"):
        pgd(lambda x: {"breast": network(x)}, x, epsilon=0.1, labels=0)
