"""Verification and transfer of style: pairs, ROC worked out by hand, discriminants."""

import numpy as np
import pytest
import torch

from t2ilab.checks import n19_style_and_interpolation as checks
from t2ilab.data import paperworld
from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError
from t2ilab.metrics.style import (
    agreement,
    background_groups,
    cosine,
    discriminant,
    nearness,
    roc,
    style_pairs,
    transfer_success,
    verification,
)
from t2ilab.systems.single import load_reader


def gaussians(n: int = 400, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Three groups in six dimensions, apart in the first two, with much noise in the others."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    means = torch.tensor([[0.0, 4.0], [3.5, -2.0], [-3.5, -2.0]])
    x = torch.randn(n, 6, generator=rng) * torch.tensor([1, 1, 8, 8, 8, 8])
    x[:, :2] += means[labels]
    return x, labels


# -------------------------------------------------------------------------------------------- pairs


def test_half_of_the_pairs_are_of_the_same_style_and_none_is_a_picture_with_itself():
    labels = np.arange(200) % 3
    pairs = style_pairs(labels, pairs=301, seed=2)
    assert (labels[pairs.first] == labels[pairs.second]).tolist() == pairs.same.tolist()
    assert pairs.same.sum() == 151 and len(pairs.same) == 301
    assert (pairs.first != pairs.second).all()
    again = style_pairs(labels, pairs=301, seed=2)
    assert (again.first == pairs.first).all() and (again.second == pairs.second).all()
    assert (style_pairs(labels, pairs=301, seed=3).first != pairs.first).any()


def test_what_is_held_is_equal_in_both_pictures_of_every_pair():
    rng = np.random.default_rng(0)
    labels, held = rng.integers(0, 2, 100), rng.integers(0, 3, 100)
    pairs = style_pairs(labels, held=held, pairs=200)
    assert (held[pairs.first] == held[pairs.second]).all()
    free = style_pairs(labels, pairs=200)
    assert (held[free.first] != held[free.second]).any()


def test_no_pairs_of_one_kind_is_said_in_words():
    with pytest.raises(UsageError, match="different style"):
        style_pairs(np.zeros(10, int))
    with pytest.raises(UsageError, match="same style"):
        style_pairs(np.arange(10))


# ---------------------------------------------------------------------------------------------- ROC


def test_the_area_of_scores_worked_out_by_hand():
    same = np.array([1, 1, 1, 0, 0], bool)
    # 0.9, 0.4, 0.4 against 0.4, 0.2: four comparisons won, two even, of six
    assert roc(torch.tensor([0.9, 0.4, 0.4, 0.4, 0.2]), same).auc == pytest.approx(5 / 6)


def test_only_the_order_of_scores_counts_however_large_they_are():
    scores = torch.tensor([-3000.0, 12.0, 12.5, 13.0, 500.0, 501.0])
    same = np.array([0, 0, 1, 0, 1, 1], bool)
    expected = roc(torch.tensor([0.0, 0.1, 0.2, 0.3, 0.4, 0.5]), same)
    found = roc(scores, same)
    assert found.auc == pytest.approx(expected.auc) == pytest.approx(8 / 9)
    assert found.true_positive.tolist() == expected.true_positive.tolist()


def test_the_curve_goes_from_nobody_to_everybody():
    rng = np.random.default_rng(0)
    found = roc(torch.from_numpy(rng.normal(size=50)), rng.random(50) < 0.5)
    for shares in (found.false_positive, found.true_positive):
        assert shares[0] == 0 and shares[-1] == 1 and (np.diff(shares) >= 0).all()


def test_equal_scores_are_worth_a_guess():
    assert roc(torch.ones(6), np.arange(6) < 2).auc == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("scores", "same", "words"),
    [
        (torch.ones(3), np.ones(3, bool), "different style"),
        (torch.tensor([1.0, float("nan")]), np.array([True, False]), "finite"),
    ],
)
def test_bad_scores_are_refused_in_words(scores, same, words):
    with pytest.raises(UsageError, match=words):
        roc(scores, same)


def test_the_exercise_and_torchmetrics_agree():
    namespace: dict = {}
    exec(checks.q2.setup + "\n" + checks.q2.answer, namespace)
    rng = np.random.default_rng(1)
    scores = torch.from_numpy(rng.integers(0, 12, 80) / 12)
    same = rng.random(80) < 0.4
    mine = float(namespace["auc"](scores[same], scores[~same]))
    assert roc(scores, same).auc == pytest.approx(mine, abs=1e-6)


def test_cosine_minds_the_angle_and_nearness_the_distance():
    a = torch.tensor([[1.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    b = torch.tensor([[5.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert cosine(a, b).tolist() == pytest.approx([1.0, 0.0, -1.0])
    assert nearness(a, b).tolist() == pytest.approx([-4.0, -(2**0.5), -3.0])


# ------------------------------------------------------------------------------------- discriminant


def test_a_discriminant_finds_the_directions_that_matter_among_louder_ones():
    x, labels = gaussians()
    pairs = style_pairs(labels.numpy())
    plain = verification(x, pairs).auc
    found = discriminant(x, labels)
    test_x, test_labels = gaussians(seed=1)
    test_pairs = style_pairs(test_labels.numpy())
    assert found.directions(test_x).shape == (400, 2)
    told = verification(found.directions(test_x), test_pairs, cosine).auc
    surer = verification(found.probabilities(test_x), test_pairs, agreement).auc
    assert plain < 0.7 < 0.9 < told and surer > 0.9
    right = (found.probabilities(test_x).argmax(1) == test_labels).float().mean()
    assert right > 0.9


def test_probabilities_are_those_of_two_gaussians_worked_out_by_hand():
    x = torch.tensor([[-2.0], [0.0], [0.0], [2.0]])  # means -1 and 1, variance 1 in both
    found = discriminant(x, torch.tensor([0, 0, 1, 1]), shrink=0.0)
    p = found.probabilities(torch.tensor([[0.0], [0.5]]))
    assert p[0].tolist() == pytest.approx([0.5, 0.5], abs=1e-4)
    assert float(p[1, 1]) == pytest.approx(float(torch.sigmoid(torch.tensor(1.0))), abs=1e-4)
    assert abs(float(found.directions(torch.tensor([[1.0]])))) == pytest.approx(1.0, abs=1e-4)


def test_agreement_is_the_probability_of_the_same_value():
    p, q = torch.tensor([[1.0, 0.0], [0.5, 0.5]]), torch.tensor([[0.25, 0.75], [0.9, 0.1]])
    assert agreement(p, q).tolist() == pytest.approx([0.25, 0.5])


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 0, 1], [0, 2, 2]])
def test_labels_too_few_for_a_discriminant_are_refused(labels):
    with pytest.raises(UsageError, match="at least twice"):
        discriminant(torch.randn(3, 2), torch.tensor(labels))


# ---------------------------------------------------------------------------- transfer, backgrounds


def test_real_pictures_taken_for_transfers_have_their_own_content_and_style():
    world, reader = paperworld.world("birds"), load_reader("birds")
    data = world.load("test", 32, 60)
    x, turned = to_float(data.images), data.subset(np.roll(np.arange(60), 1))
    args = (("breast", "wing", "beak"), ("setting", "side"))
    own = transfer_success(reader, x, data, data, *args)
    assert own["both"] > 0.9
    other_caption = transfer_success(reader, x, turned, data, *args)
    assert other_caption["content"] < 0.2 and other_caption["style"] > 0.9
    other_style = transfer_success(reader, x, data, turned, *args)
    assert other_style["style"] < 0.5 and other_style["content"] > 0.9
    assert other_style["both"] <= min(other_style["content"], other_style["style"])
    with pytest.raises(UsageError, match="as many"):
        transfer_success(reader, x[:5], data, data, *args)
    with pytest.raises(UsageError, match="attribute"):
        transfer_success(reader, x, data, data, ("beast",), ())


def test_pictures_of_like_edges_are_one_group():
    rng = np.random.default_rng(0)
    colours = np.array([[200, 30, 30], [30, 30, 200], [30, 200, 30]])
    truth = np.arange(30) % 3
    images = np.clip(colours[truth][:, None, None] + rng.integers(-9, 9, (30, 16, 16, 3)), 0, 255)
    groups = background_groups(images.astype(np.uint8), groups=3)
    assert len({(a, b) for a, b in zip(truth, groups, strict=True)}) == 3
