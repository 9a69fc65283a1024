"""W1 exactly: sorted, as a plan, as a potential; what a linear critic under the penalty finds."""

import math

import pytest
import torch
from scipy.stats import wasserstein_distance

from t2ilab.errors import UsageError
from t2ilab.exact.transport import (
    best_plan,
    best_potential,
    extended,
    line_w1,
    parallel_lines,
    penalised,
    steepest,
)
from t2ilab.losses.wasserstein import critic_loss, gradient_penalty
from t2ilab.metrics.modes import exact_w1


def points(n, d, seed=0, move=0.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)).double() + move


@pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 7), (7, 4), (30, 45)])
def test_on_a_line_it_is_scipys(n, m):
    a, b = points(n, 1)[:, 0], points(m, 1, 1, 0.3)[:, 0]
    assert line_w1(a, b) == pytest.approx(wasserstein_distance(a, b), abs=1e-12)
    assert line_w1(a, b) == pytest.approx(line_w1(b, a), abs=1e-12)


def test_on_a_line_equal_numbers_are_sorted_and_paired():
    a, b = torch.tensor([3.0, 0.0, 1.0]), torch.tensor([1.0, 5.0, 0.0])
    assert line_w1(a, b) == pytest.approx((0 + 0 + 2) / 3)
    assert line_w1(a, a + 2.5) == pytest.approx(2.5) and line_w1(a, a.flip(0)) == 0


@pytest.mark.parametrize(("n", "m", "d"), [(20, 20, 1), (20, 13, 2), (16, 16, 64)])
def test_primal_and_dual_are_equal_to_six_digits(n, m, d):
    a, b = points(n, d), points(m, d, 1, 0.4)
    plan, potential = best_plan(a, b), best_potential(a, b)
    assert abs(plan.value - potential.value) < 1e-6 * plan.value
    assert torch.allclose(plan.gamma.sum(1), torch.full((n,), 1 / n).double(), atol=1e-9)
    assert torch.allclose(plan.gamma.sum(0), torch.full((m,), 1 / m).double(), atol=1e-9)
    cost = float((plan.gamma * torch.cdist(a, b)).sum())
    assert cost == pytest.approx(plan.value) and float(plan.gamma.min()) > -1e-12
    if n == m:
        assert plan.value == pytest.approx(exact_w1(a, b), rel=1e-9)
    mean = float(potential.at_a.mean() - potential.at_b.mean())
    assert mean == pytest.approx(potential.value, abs=1e-9)
    tight = potential.at_a[:, None] - potential.at_b - torch.cdist(a, b)
    assert float(tight.max()) < 1e-9  # feasible; and where mass goes, it is used up:
    assert float(tight[plan.gamma > 1e-9].abs().max()) < 1e-7


def test_the_extension_is_lipschitz_and_worth_no_less():
    a, b = points(25, 2), points(18, 2, 1, 0.7)
    found = best_potential(a, b)
    x = torch.cat([points(60, 2, 5, 0.3) * 2, a, b])
    f = extended(x, b, found.at_b)
    assert steepest(x, f) <= 1 + 1e-9
    value = float(f[60:85].mean() - f[85:].mean())
    assert value == pytest.approx(found.value, abs=1e-9)
    given = x[:, 0].sin()  # is 1-Lipschitz already: it stays, and is extended
    assert torch.allclose(extended(x, x, given), given, atol=1e-9)
    assert steepest(x, 2 * x[:, 0]) == pytest.approx(2, rel=0.05)


def test_no_lipschitz_function_is_worth_more():
    a, b = points(40, 2), points(40, 2, 1, 0.5)
    w = best_plan(a, b).value
    for seed in range(20):
        anchors = points(10, 2, 10 + seed) * 2
        f = points(10, 1, 50 + seed)[:, 0]
        values = [extended(x, anchors, f).mean() for x in (a, b)]
        assert abs(float(values[0] - values[1])) <= w


def test_the_slope_under_the_penalty_is_where_the_loss_is_least():
    real, fake = points(50, 3), points(50, 3)
    fake[:, 0] -= 1.5
    s = torch.linspace(0, 12, 241).double()
    direction = torch.tensor([1.0, 0, 0]).double()
    share = torch.full((50,), 0.5).double()

    def loss(slope, weight):
        def f(x):
            return slope * (x @ direction)

        return critic_loss(f(real), f(fake)) + weight * gradient_penalty(f, real, fake, share)

    for weight in (0.1, 1.0, 10.0):
        best = s[torch.stack([loss(one, weight) for one in s]).argmin()]
        slope, value = penalised(1.5, weight)
        assert float(best) == pytest.approx(slope, abs=0.051) and value == pytest.approx(
            1.5 * slope
        )


def test_js_jumps_and_w1_slides():
    found = parallel_lines(torch.tensor([-0.5, 0.0, 0.001]))
    assert found["w1"].tolist() == pytest.approx([0.5, 0, 0.001])
    assert found["js"].tolist() == pytest.approx([math.log(2), 0, math.log(2)])
    assert found["kl"].tolist() == [math.inf, 0, math.inf] and found["tv"].tolist() == [1, 0, 1]


def test_what_is_refused():
    with pytest.raises(UsageError, match="1 to 512"):
        best_plan(points(513, 1), points(3, 1))
    with pytest.raises(UsageError, match="0 and 3 points"):
        best_potential(points(0, 2), points(3, 2))
    with pytest.raises(UsageError, match="not empty"):
        line_w1(torch.zeros(0), torch.zeros(3))
    with pytest.raises(UsageError, match="above 0"):
        penalised(1.0, 0.0)
