"""Paths between captions and between noises, and what the reader's probabilities say of them."""

import math

import pytest
import torch

from t2ilab.checks import n19_style_and_interpolation as checks
from t2ilab.errors import UsageError
from t2ilab.metrics.interpolation import crossing, passage, probabilities, spherical, straight
from t2ilab.models.reader import AttributeReader

A, B = torch.tensor([3.0, 0.0, 0.0]), torch.tensor([0.0, 3.0, 0.0])


def test_both_paths_begin_and_end_where_they_should():
    for path in (straight, spherical):
        points = path(A, B, 5)
        assert points.shape == (5, 3)
        assert torch.allclose(points[0], A, atol=1e-5) and torch.allclose(points[-1], B, atol=1e-5)


def test_a_straight_path_cuts_the_corner_and_the_sphere_keeps_the_norm():
    assert float(straight(A, B, 3)[1].norm()) == pytest.approx(3 / math.sqrt(2))
    assert spherical(A, B, 7).norm(dim=1).tolist() == pytest.approx([3.0] * 7, abs=1e-4)


def test_equal_steps_on_the_sphere_are_equal_angles():
    points = spherical(A, B, 4)
    for one, other in zip(points, points[1:], strict=False):
        assert float(torch.dot(one, other)) / 9 == pytest.approx(math.cos(math.pi / 6), abs=1e-4)


def test_where_the_arc_has_no_formula_the_path_is_straight():
    same, against = spherical(A, 2 * A, 3), spherical(A, -A, 3)
    assert torch.allclose(same[1], 1.5 * A) and torch.isfinite(same).all()
    assert torch.isfinite(against).all() and torch.allclose(against[1], 0 * A, atol=1e-5)


def test_random_noise_has_the_norm_that_the_notebook_speaks_of():
    z = torch.randn(2, 200, 100, generator=torch.Generator().manual_seed(0))
    middle = [float(straight(a, b, 3)[1].norm()) for a, b in zip(*z, strict=True)]
    assert sum(middle) / 200 == pytest.approx(math.sqrt(50), rel=0.02)


def test_the_exercise_agrees_with_the_module():
    namespace: dict = {}
    exec(checks.q3.setup + "\n" + checks.q3.answer, namespace)
    a, b = torch.randn(2, 50, generator=torch.Generator().manual_seed(3))
    own = torch.stack([namespace["spherical"](a, b, s) for s in torch.linspace(0, 1, 6)])
    assert torch.allclose(own, spherical(a, b, 6), atol=1e-4)


def test_a_path_of_one_step_is_refused():
    for path in (straight, spherical):
        with pytest.raises(UsageError, match="at least 2"):
            path(A, B, 1)


# ------------------------------------------------------------------------------------ probabilities


def test_probabilities_are_those_of_the_reader():
    torch.manual_seed(0)
    reader = AttributeReader(attributes={"breast": 3, "side": 2}, width=4, features=8).train()
    x = torch.randn(3, 3, 64, 64)
    found = probabilities(reader, x)
    assert reader.training and {k: v.shape for k, v in found.items()} == {
        "breast": (3, 3),
        "side": (3, 2),
    }
    expected = reader.eval()(x)["side"].softmax(1)
    assert torch.allclose(found["side"], expected, atol=1e-6)


def test_the_crossing_is_where_the_two_lines_meet():
    p = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.0, 1.0]])
    assert crossing(p) == pytest.approx(0.5)
    p = torch.tensor([[0.9, 0.1, 0.0], [0.4, 0.0, 0.6], [0.3, 0.2, 0.5], [0.0, 0.9, 0.1]])
    # third values in the middle do not count: 0.1 ahead at 2/3 of the way, 0.9 behind at the end
    assert crossing(p) == pytest.approx((2 + 0.1 / 1.0) / 3)
    assert crossing(torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])) is None


def test_a_passage_tells_what_crosses_and_what_stays():
    p = {
        "breast": torch.tensor([[1.0, 0.0], [0.6, 0.4], [0.0, 1.0]]),
        "beak": torch.tensor([[1.0, 0.0], [0.95, 0.05], [0.9, 0.1]]),
        "side": torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]]),
    }
    found = passage(p, kept=("side",))
    assert set(found.crossings) == {"breast"}
    assert found.crossings["breast"] == pytest.approx((1 + 0.2 / 1.2) / 2)
    assert found.width["breast"] == pytest.approx(1 / 3)
    assert found.kept == {"side": pytest.approx(2 / 3)}
    with pytest.raises(UsageError, match="attribute"):
        passage(p, kept=("size",))
