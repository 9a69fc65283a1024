"""Activations, updates and convolutions by hand, against torch."""

import pytest
import torch
import torch.nn.functional as F

from t2ilab.errors import UsageError
from t2ilab.exact.convolution import matrix, out_size, overlaps, transposed_size
from t2ilab.models.activations import ACTIVATIONS
from t2ilab.trainers.updates import RULES, with_rate

X = torch.linspace(-4, 4, 1000, dtype=torch.float64)  # without 0, where some slopes jump
TORCH = {
    "sigmoid": torch.sigmoid, "tanh": torch.tanh, "arctan": torch.atan, "softsign": F.softsign,
    "ReLU": F.relu, "leaky ReLU": F.leaky_relu, "ELU": F.elu,
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_are_those_of_autograd(name):
    x = X.clone().requires_grad_()
    y = ACTIVATIONS[name].f(x)
    (found,) = torch.autograd.grad(y.sum(), x) if y.requires_grad else (torch.zeros_like(x),)
    assert torch.allclose(ACTIVATIONS[name].slope(X), found, atol=1e-9)
    if name in TORCH:
        assert torch.allclose(y, TORCH[name](x), atol=1e-12)


def test_there_are_ten_and_they_behave_far_out():
    assert len(ACTIVATIONS) == 10
    far = torch.tensor([-800.0, 800.0], dtype=torch.float64)
    for name, (f, slope) in ACTIVATIONS.items():
        assert torch.isfinite(f(far)).all() and torch.isfinite(slope(far)).all(), name
    assert ACTIVATIONS["ISRU"].f(far)[1] == pytest.approx(1)


@pytest.mark.parametrize("name", RULES)
def test_rules_give_what_torch_gives(name):
    lr, rng = 0.03, torch.Generator().manual_seed(0)
    kinds = {
        "SGD": lambda p: torch.optim.SGD(p, lr),
        "momentum": lambda p: torch.optim.SGD(p, lr, momentum=0.9),
        "RMSProp": lambda p: torch.optim.RMSprop(p, lr, alpha=0.99),
        "Adam": lambda p: torch.optim.Adam(p, lr),
    }
    theta = torch.randn(5, generator=rng, dtype=torch.float64)
    theirs, state, rule = theta.clone().requires_grad_(), {}, with_rate(name, lr)
    optimiser = kinds[name]([theirs])
    for _ in range(50):
        g = torch.randn(5, generator=rng, dtype=torch.float64) + theta
        theirs.grad = g.clone()
        optimiser.step()
        theta = rule(theta, g, state)
    assert torch.allclose(theta, theirs.detach(), atol=1e-6)


@pytest.mark.parametrize("n, k, s, p", [(5, 3, 1, 0), (5, 3, 2, 1), (6, 4, 2, 1), (4, 4, 4, 0)])
def test_a_convolution_is_a_matrix_and_the_transposed_one_its_transpose(n, k, s, p):
    rng = torch.Generator().manual_seed(0)
    kernel = torch.randn(k, k, generator=rng, dtype=torch.float64)
    x = torch.randn(n, n, generator=rng, dtype=torch.float64)
    A = matrix(kernel, n, stride=s, padding=p)
    m = out_size(n, k, s, p)
    right = F.conv2d(x[None, None], kernel[None, None], stride=s, padding=p)
    assert torch.allclose((A @ x.flatten()).view(m, m), right[0, 0])
    small = torch.randn(m, m, generator=rng, dtype=torch.float64)
    back = F.conv_transpose2d(small[None, None], kernel[None, None], stride=s, padding=p)
    assert back.shape[-1] == transposed_size(m, k, s, p)
    if back.shape[-1] == n:
        assert torch.allclose((A.T @ small.flatten()).view(n, n), back[0, 0])


def test_overlaps_are_even_where_the_stride_divides_the_kernel():
    inner = overlaps(8, 4, 2)[4:-4, 4:-4]
    assert inner.min() == inner.max() == 4
    uneven = overlaps(8, 3, 2)[4:-4, 4:-4]
    assert (uneven.min(), uneven.max()) == (1, 4)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="do not fit 3 pixels"):
        matrix(torch.ones(5, 5), 3)
    with pytest.raises(UsageError, match="stride 0"):
        out_size(5, 3, 0, 0)


@pytest.mark.parametrize("sizes", [(0, 3, 1, 0), (3, 0, 1, 0), (3, 3, 0, 0), (3, 3, 1, -1)])
def test_sizes_that_are_none_are_refused_on_the_way_back_too(sizes):
    with pytest.raises(UsageError, match="give 1 or more"):
        transposed_size(*sizes)


def test_a_padding_that_leaves_nothing_is_refused():
    with pytest.raises(UsageError, match="leaves something"):
        transposed_size(1, 2, 2, 1)
    with pytest.raises(UsageError, match="stride 0"):
        overlaps(3, 3, 0)


def test_the_step_is_that_of_the_perceptron():
    """Le 2018, eq. 2.1: 0 where w.x + b <= 0."""
    assert ACTIVATIONS["step"].f(torch.tensor([-1.0, 0.0, 1.0])).tolist() == [0, 0, 1]
