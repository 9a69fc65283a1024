"""Precision, recall, density and coverage: by hand, by formula, and what each of them sees."""

import math

import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.metrics.manifold import manifold


def points(n, d=8, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_a_line_by_hand():
    real = torch.arange(8.0)[:, None]  # 0 ... 7: radii of k = 3 are 3, 2, 2, 2, 2, 2, 2, 3
    fake = torch.tensor([0.0, 3.5, 9.5, 10.5, 30, 31])[:, None]
    found = manifold(real, fake)
    assert found.precision == pytest.approx(3 / 6)  # 0, 3.5, and 9.5 within 3 of 7
    # Of the generated ones the third nearest lies 10.5, 7, 9.5, 10.5, 21.5 and 21.5 away.
    assert found.recall == 1.0
    # Radii of k = 5: 5, 4, 3, 3, 3, 3, 4, 5. 0 lies in the balls of 0 to 3, 3.5 in all eight, 9.5
    # in those of 6 and 7, and 10.5 in that of 7.
    assert found.density == pytest.approx((4 + 8 + 2 + 1) / 6 / 5)
    assert found.coverage == 1.0


def test_two_sets_of_one_distribution_meet_the_formula():
    n, k = 1500, 5
    found = manifold(points(n), points(n, seed=1))
    expected = 1 - math.prod((n - i) / (2 * n - i) for i in range(1, k + 1))
    assert found.coverage == pytest.approx(expected, abs=0.02)
    assert found.density == pytest.approx(1, abs=0.06)
    assert found.precision == pytest.approx(found.recall, abs=0.04)


def test_a_copy_is_perfect():
    real = points(200)
    assert manifold(real, real.clone())[:2] == (1.0, 1.0)
    assert manifold(real, real.clone()).coverage == 1.0


def test_a_collapsed_generator_is_precise_and_recalls_nothing():
    real = points(500)
    found = manifold(real, real[:1] + 0.001 * points(500, seed=2))
    assert found.precision == 1.0 and found.recall < 0.05 and found.coverage < 0.05


def test_noise_is_not_precise():
    found = manifold(points(500), 4 * points(500, seed=3))
    assert found.precision < 0.1 and found.recall > 0.9


@pytest.mark.parametrize("n", [0, 5])
def test_too_few_are_refused(n):
    with pytest.raises(UsageError, match="at least 6 of each"):
        manifold(points(10), points(10)[:n])


def test_what_is_not_finite_is_refused():
    with pytest.raises(UsageError, match="not finite"):
        manifold(points(10), points(10) * float("nan"))
