"""The sampler of the spatial transformer: against PyTorch's, by hand, and its sub-gradients."""

import pytest
import torch
import torch.nn.functional as F

from t2ilab.models.draw import filters
from t2ilab.models.sampler import Hat, affine_grid, inverse, kernel, places, sample, square, window

BOTH = pytest.mark.parametrize("align", [True, False], ids=["align_corners", "edges"])


def some(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def thetas(b, seed=1):
    """Any affine transformations, some of which look beyond the picture."""
    return 1.6 * some(b, 2, 3, seed=seed) - 0.8


@BOTH
def test_grid_and_sampler_are_those_of_pytorch_in_both_conventions(align):
    u, theta = some(4, 3, 7, 9), thetas(4)
    grid = affine_grid(theta, 5, align_corners=align)
    theirs = F.affine_grid(theta, (4, 3, 5, 5), align_corners=align)
    assert torch.allclose(grid, theirs)
    seen = F.grid_sample(u, theirs, align_corners=align)  # bilinear, zeros outside
    assert torch.allclose(sample(u, grid, align_corners=align), seen)


@BOTH
def test_the_restricted_window_is_the_sampler_with_the_theta_of_eq_7(align):
    u, s, t = some(4, 2, 8, 8), 0.2 + some(4), 2 * some(4, 2) - 1
    zero = torch.zeros_like(s)
    theta = torch.stack([s, zero, t[:, 0], zero, s, t[:, 1]], 1).view(4, 2, 3)
    full = sample(u, affine_grid(theta, 6, align_corners=align), align_corners=align)
    assert torch.allclose(window(u, s, t, 6, align_corners=align), full)


@BOTH
def test_the_identity_is_the_identity_and_the_conventions_do_not_mix(align):
    u = some(2, 1, 8, 8)
    one, none = torch.ones(2, dtype=torch.float64), torch.zeros(2, 2, dtype=torch.float64)
    assert (window(u, one, none, 8, align_corners=align) - u).abs().max() < 1e-12
    grid = affine_grid(torch.eye(2, 3, dtype=torch.float64)[None].repeat(2, 1, 1), 8)
    if align:
        assert (sample(u, grid, align_corners=True) - u).abs().max() > 0.1


def test_a_move_of_two_over_the_width_is_one_pixel():
    u = some(1, 1, 8, 8)
    t = torch.tensor([[2 / 8, 0.0]], dtype=torch.float64)
    seen = window(u, torch.ones(1, dtype=torch.float64), t, 8)
    assert torch.allclose(seen[..., :-1], u[..., 1:]) and (seen[..., -1].abs() < 1e-12).all()


def test_between_two_pixels_is_between_their_values_and_outside_is_nothing():
    u = torch.tensor([[[[1.0, 3.0]]]])
    at = torch.tensor([[[[-0.5, 0.0], [0.0, 0.0], [0.5, 0.0], [1.0, 0.0], [2.0, 0.0]]]])
    assert sample(u, at).flatten().tolist() == [1.0, 2.0, 3.0, 1.5, 0.0]


def test_weights_of_pixels_sum_to_one_inside():
    inside = kernel(2 * some(3, 50) * 0.8 - 0.8, 10)
    assert torch.allclose(inside.sum(-1), torch.ones(3, 50, dtype=torch.float64))
    assert kernel(torch.tensor([[-1.5, 1.5]]), 10).sum() == 0


def test_the_slope_at_a_whole_pixel_is_the_step_to_the_right_as_in_pytorch():
    """The ramp 0, 1, 5: at the middle pixel 4 to the right, 1 to the left."""
    u = torch.tensor([[[[0.0, 1.0, 5.0]]]])
    for at, slope in ((1.0, 4.0), (1.0 - 1e-3, 1.0), (1.0 + 1e-3, 4.0)):
        x = torch.tensor((2 * at + 1) / 3 - 1, requires_grad=True)
        grid = torch.stack([x, torch.zeros(())]).view(1, 1, 1, 2)
        own, theirs = sample(u, grid), F.grid_sample(u, grid, align_corners=False)
        for value in (own, theirs):
            (d,) = torch.autograd.grad(value.sum(), x, retain_graph=True)
            assert d / 1.5 == pytest.approx(slope, abs=1e-4)  # 1.5 pixels a unit of x


def test_sub_gradients_off_the_kinks_are_those_of_finite_differences():
    u, s, t = some(2, 2, 6, 6), 0.3 + 0.41 * some(2), 0.7 * some(2, 2) - 0.35
    inputs = [one.requires_grad_() for one in (u, s, t)]
    assert torch.autograd.gradcheck(lambda u, s, t: window(u, s, t, 4), inputs, eps=1e-7, atol=1e-5)
    d = torch.tensor([-1.5, -1.0, -0.5, 0.0, 0.5, 1.0], requires_grad=True)
    Hat.apply(d).sum().backward()
    assert d.grad.tolist() == [0.0, 1.0, 1.0, -1.0, -1.0, 0.0]


def test_the_way_back_pastes_where_the_window_crops():
    """Crop then paste: the identity inside of the square, and nothing outside of it."""
    boxes = torch.tensor([[0.25, 0.25, 0.75, 0.75]], dtype=torch.float64)
    u = some(1, 1, 16, 16)
    cut = window(u, *square(boxes), 8)
    assert torch.allclose(cut, u[..., 4:12, 4:12])
    back = window(cut, *inverse(*square(boxes)), 16)
    assert torch.allclose(back[..., 4:12, 4:12], u[..., 4:12, 4:12])
    back[..., 4:12, 4:12] = 0
    assert back.abs().max() < 1e-12


def test_the_square_is_about_the_middle_and_as_wide_as_the_longer_side():
    scale, move = square(torch.tensor([[0.1, 0.4, 0.5, 0.6]]), 1.5)
    assert scale.tolist() == pytest.approx([0.6]) and move[0].tolist() == pytest.approx([-0.4, 0.0])


def test_draws_filters_become_the_same_window_where_they_are_narrow():
    """At whole pixels DRAW's Gaussians with sigma -> 0 choose the pixels that the window reads."""
    of = torch.tensor([4.5]), torch.tensor([1.0]), torch.tensor([1e-3])  # pixels 3 to 6, from 1
    over = filters(*of, side=4, size=8)
    s, t = torch.tensor([0.5]), torch.tensor([[0.0, 0.0]])
    u = some(1, 1, 8, 8).float()
    assert torch.allclose(over[:, None] @ u @ over[:, None].mT, window(u, s, t, 4), atol=1e-5)
    assert places(2).tolist() == [-0.5, 0.5]
    assert places(2, align_corners=True).tolist() == [-1.0, 1.0]
