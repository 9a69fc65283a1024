"""Boxes and balls: projections known in closed form, and bounds that hold to the last bit."""

import math

import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.inputs.constraints import Box, L2Ball, LInfBall, checked_epsilon, grey_levels

EPSILONS = (0.0, 1e-9, 1 / 255, 8 / 255, 0.1, 1 / 3, 1.0)


def rows(x):
    return torch.arange(len(x))


def scattered(dtype, n=64):
    """Values of all sizes, the box's own bounds among them."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(n, 3, 7, 5, generator=generator, dtype=dtype) * 2 - 1
    x[::4] *= 10.0 ** -torch.arange(0, 16, dtype=dtype).view(-1, 1, 1, 1)
    x[1, 0], x[1, 1], x[1, 2] = -1, 1, 0
    return x


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("epsilon", EPSILONS)
def test_the_linf_ball_holds_to_the_last_bit(epsilon, dtype):
    centre = scattered(dtype)
    ball = LInfBall(centre, epsilon=epsilon)
    for far in (1e-6, 0.05, 10.0):
        x = ball.project(centre + far * torch.randn_like(centre), rows(centre))
        assert (x.double() - centre.double()).abs().max().item() <= epsilon * 2
        assert (x - centre).abs().max().item() <= epsilon * 2  # a float's difference, as a double
        assert x.min() >= -1 and x.max() <= 1
        assert torch.equal(ball.project(x, rows(x)), x)
    up = ball.project(centre + 10, rows(centre))
    assert torch.allclose(up, (centre + epsilon * 2).clamp(max=1), rtol=0, atol=2e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_edge_that_falls_on_zero_is_found_at_once(dtype):
    centre = torch.tensor([[-0.2, 0.2, 0.1, -0.1, 1 / 255]], dtype=dtype)
    for epsilon in (0.1, 0.05, 0.5 / 255):  # of a box that is 2 wide
        up = LInfBall(centre, epsilon=epsilon).project(centre + 1, rows(centre))
        assert (up.double() - centre.double()).max().item() <= 2 * epsilon
        assert (up - centre).max().item() <= 2 * epsilon
        assert torch.allclose(up, centre + 2 * epsilon, rtol=0, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("epsilon", EPSILONS)
def test_the_l2_ball_holds_to_the_last_bit(epsilon, dtype):
    centre = scattered(dtype)
    ball = L2Ball(centre, epsilon=epsilon)
    assert ball.radius == epsilon * 2 * math.sqrt(105)
    for far in (1e-6, 0.05, 10.0):
        x = ball.project(centre + far * torch.randn_like(centre), rows(centre))
        length = (x.double() - centre.double()).flatten(1).norm(dim=1)
        assert length.max().item() <= ball.radius
        assert x.min() >= -1 and x.max() <= 1
        assert torch.equal(ball.project(x, rows(x)), x)


def test_projection_onto_the_l2_ball_in_closed_form():
    centre = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.5, 0.0]])
    ball = L2Ball(centre, epsilon=0.25, box=Box(-1, 1))  # radius 0.25 · 2 · sqrt(2)
    x = torch.tensor([[3.0, 4.0], [0.3, 0.4], [9.5, 0.0]])
    r = math.sqrt(2) / 2
    expected = torch.tensor([[0.6 * r, 0.8 * r], [0.3, 0.4], [1.0, 0.0]])  # the last: box as well
    assert torch.allclose(ball.project(x, rows(x)), expected)
    assert torch.equal(ball.project(x, rows(x))[1], x[1])  # what is inside stays as it is


def test_only_the_rows_that_are_asked_for_are_projected():
    centre = torch.tensor([[-0.5], [0.0], [0.5]])
    for kind in (LInfBall, L2Ball):
        ball = kind(centre, epsilon=0.05)
        x = ball.project(torch.ones(2, 1), torch.tensor([0, 2]))
        assert torch.allclose(x, torch.tensor([[-0.4], [0.6]]), atol=1e-6)


def test_the_box_clamps_and_names_the_picture_that_leaves_it():
    box = Box(0, 1)
    assert torch.equal(box.project(torch.tensor([[-1.0, 0.5, 2.0]])), torch.tensor([[0, 0.5, 1]]))
    box.check(torch.tensor([[0.0, 1.0]]))
    with pytest.raises(UsageError, match=r"picture 1 reaches from -0.5 to 1, outside the box"):
        box.check(torch.tensor([[0.0, 1.0], [-0.5, 1.0]]))
    for low, high in ((1, 0), (0, 0), (0, math.inf), (math.nan, 1)):
        with pytest.raises(UsageError, match="two finite numbers"):
            Box(low, high)


@pytest.mark.parametrize("epsilon", [-0.001, 1.001, 8, math.nan, math.inf, "8/255", None, True])
def test_an_epsilon_outside_0_to_1_is_refused(epsilon):
    with pytest.raises(UsageError, match="from 0 to 1"):
        checked_epsilon(epsilon)
    for kind in (LInfBall, L2Ball):
        with pytest.raises(UsageError, match="from 0 to 1"):
            kind(torch.zeros(1, 2), epsilon=epsilon)


def test_a_centre_outside_the_box_is_refused():
    with pytest.raises(UsageError, match="outside the box"):
        LInfBall(torch.full((1, 2), 1.5), epsilon=0.1)


def test_an_epsilon_is_the_same_number_of_grey_levels_in_any_box():
    for box in (Box(0, 1), Box(-1, 1), Box(0, 255)):
        centre = torch.full((2, 3, 4, 4), box.low + 0.5 * box.width)
        x = LInfBall(centre, epsilon=8 / 255, box=box).project(centre + box.width, rows(centre))
        largest, rms = grey_levels(x, centre, box=box)
        assert torch.allclose(largest, torch.full((2,), 8.0).double(), atol=1e-4)
        assert torch.allclose(rms, largest)
