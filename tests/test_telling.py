"""A classifier that is trained to tell two sets apart: what it can and cannot tell."""

import pytest
import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError
from t2ilab.metrics.telling import telling_auc


@pytest.fixture(scope="module")
def birds():
    return to_float(paperworld.world("birds").load("test", 32, 480).images)


def test_two_halves_of_one_set_are_hardly_told_apart(birds):
    assert telling_auc(birds[:240], birds[240:], steps=30) == pytest.approx(0.5, abs=0.15)


def test_a_chequered_grain_is_told_at_once(birds):
    rows = torch.arange(32)
    grain = 0.15 * ((rows[:, None] + rows) % 2 * 2.0 - 1)
    assert telling_auc(birds[:240], birds[240:] + grain, steps=150) > 0.95


def test_the_same_again_for_the_same_seed(birds):
    once, again = (telling_auc(birds[:200], birds[200:] * 0.9, steps=10) for _ in range(2))
    assert once == again


def test_too_few_pictures_are_refused(birds):
    with pytest.raises(UsageError, match="99 pictures are too few to learn from"):
        telling_auc(birds, birds[:99])
