"""Priors, starts and octaves, on pictures whose answers are known."""

import math

import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.inputs.ascent import ascend
from t2ilab.inputs.constraints import Box
from t2ilab.inputs.octaves import octaves
from t2ilab.inputs.optimisers import GradientAscent
from t2ilab.inputs.priors import alpha_norm, blur, gaussian_blur, jitter, l2, total_variation
from t2ilab.inputs.starts import near, uniform_noise

CORNER = torch.tensor([[[[0.0, 3.0], [4.0, 0.0]]]])  # differences: (3, 4), (., -3), (-4, .), none


@pytest.mark.parametrize(
    ("beta", "expected"),
    [(1, 5 + 3 + 4), (2, 25 + 9 + 16), (3, 125 + 27 + 64), (0.5, 5**0.5 + 3**0.5 + 2)],
)
def test_total_variation_of_a_picture_worked_out_by_hand(beta, expected):
    assert total_variation(CORNER, beta=beta).tolist() == pytest.approx([expected])
    both = torch.cat([CORNER, CORNER], 1)
    assert total_variation(both, beta=beta).tolist() == pytest.approx([2 * expected])


def test_total_variation_of_an_edge_and_of_a_flat_picture():
    edge = torch.zeros(2, 3, 8, 8)
    edge[0, :, :, 4:] = 0.5
    for beta in (1.0, 2.0):
        assert total_variation(edge, beta=beta).tolist() == pytest.approx([24 * 0.5**beta, 0])


@pytest.mark.parametrize("beta", [0.5, 1.0, 1.5, 2.0])
def test_total_variation_has_a_finite_gradient_where_the_picture_is_flat(beta):
    x = torch.zeros(1, 1, 4, 4, requires_grad=True)
    total_variation(x, beta=beta).sum().backward()
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_total_variation_has_the_gradient_of_its_finite_differences():
    x = torch.rand(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: total_variation(x, beta=1.5), x)


def test_norms():
    x = torch.tensor([[[[1.0, -2.0]]], [[[0.0, 3.0]]]])
    assert l2(x).tolist() == [5, 9]
    assert alpha_norm(x, alpha=3).tolist() == pytest.approx([9, 27])


def test_jitter_shifts_round_and_round_and_is_reproducible():
    x = torch.rand(2, 3, 5, 5)
    seen = [jitter(2, generator=torch.Generator().manual_seed(i))(x) for i in range(30)]
    shifts = [
        next(
            (dy, dx)
            for dy in range(-2, 3)
            for dx in range(-2, 3)
            if torch.equal(x.roll((dy, dx), (2, 3)), one)
        )
        for one in seen
    ]
    assert len(set(shifts)) > 10
    assert torch.equal(jitter(2)(x), jitter(2)(x))
    assert torch.equal(jitter(0)(x), x)


def test_blur_is_a_gaussian_that_keeps_flat_pictures_and_comes_every_so_often():
    dot = torch.zeros(1, 1, 21, 21)
    dot[..., 10, 10] = 1
    spread = gaussian_blur(dot, 1.5)[0, 0]
    assert spread.sum().item() == pytest.approx(1, abs=1e-5)
    places = torch.arange(21.0) - 10
    assert (spread.sum(0) * places**2).sum().item() == pytest.approx(1.5**2, rel=0.03)
    assert torch.allclose(spread, spread.T)
    assert torch.allclose(gaussian_blur(torch.ones(2, 3, 4, 6), 5.0), torch.ones(2, 3, 4, 6))
    smooth = blur(1.5, every=3)
    assert torch.equal(smooth(dot, 1), dot) and not torch.equal(smooth(dot, 3), dot)


@pytest.mark.parametrize(
    "call",
    [
        lambda: total_variation(CORNER, beta=0),
        lambda: alpha_norm(CORNER, alpha=0.5),
        lambda: jitter(-1),
        lambda: blur(0),
        lambda: blur(1, every=0),
        lambda: blur(math.nan),
        lambda: octaves(CORNER / 4, None, count=0),
        lambda: octaves(CORNER / 4, None, ratio=1),
        lambda: octaves(CORNER / 4, None, count=9),
    ],
)
def test_impossible_priors_are_refused(call):
    with pytest.raises(UsageError, match="must be|needed|fewer"):
        call()


def test_starts_are_in_the_box_and_reproducible():
    box = Box(0, 1)
    drawn = [
        uniform_noise(500, (3, 4, 4), generator=torch.Generator().manual_seed(1), box=box)
        for _ in range(2)
    ]
    assert torch.equal(*drawn) and drawn[0].min() >= 0 and drawn[0].max() <= 1
    assert drawn[0].mean().item() == pytest.approx(0.5, abs=0.02)
    x = near(torch.full((3, 4, 4), 0.5), 500, sigma=0.01, box=Box(-1, 1))
    assert x.std().item() == pytest.approx(0.02, rel=0.05)
    assert near(torch.ones(3, 4, 4), 9).max() <= 1


def test_octaves_climb_from_small_to_large_and_keep_the_picture_where_nothing_is_added():
    x = torch.rand(2, 3, 28, 20) * 2 - 1
    seen = []

    def nothing(x):
        seen.append(tuple(x.shape[2:]))
        return ascend(x, lambda x: 0 * x.flatten(1).sum(1), steps=1, optimiser=GradientAscent())

    assert torch.allclose(octaves(x, nothing, count=3, ratio=1.4)[-1].pictures, x)
    assert seen == [(14, 10), (20, 14), (28, 20)]


def test_octaves_carry_what_was_added_to_the_next_size():
    x = torch.zeros(1, 1, 16, 16)

    def brighter(x):
        return ascend(x, lambda x: x.flatten(1).sum(1), steps=1, optimiser=GradientAscent(0.1))

    dreams = octaves(x, brighter, count=3, ratio=2)
    assert [round(d.pictures.mean().item(), 4) for d in dreams] == [0.1, 0.2, 0.3]
