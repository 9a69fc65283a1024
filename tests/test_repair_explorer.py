"""The explorer of notebook 06: what is known stays, what is erased is drawn from the machine."""

import time

import numpy as np
import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.explore.repair import SIDES, RepairExplorer, erased, repair_renderer, repaired
from t2ilab.models.rbm import RBM


@pytest.fixture
def rbm():
    generator = torch.Generator().manual_seed(0)
    return RBM.of(
        torch.randn(4, 3, generator=generator),
        torch.randn(4, generator=generator),
        torch.randn(3, generator=generator),
    ).requires_grad_(False)


def test_rows_are_erased_at_the_side_asked_for():
    found = {where: erased(3, 1, where).view(3, 3).nonzero().tolist() for where in SIDES}
    assert found == {
        "top": [[0, 0], [0, 1], [0, 2]],
        "bottom": [[2, 0], [2, 1], [2, 2]],
        "left": [[0, 0], [1, 0], [2, 0]],
        "right": [[0, 2], [1, 2], [2, 2]],
    }
    assert not erased(3, 0, "top").any() and erased(3, 3, "left").all()


@pytest.mark.parametrize(("rows", "where"), [(4, "top"), (-1, "top"), (1, "middle")])
def test_other_places_are_refused(rows, where):
    with pytest.raises(UsageError, match="give 0 to 3 rows"):
        erased(3, rows, where)


def test_known_pixels_stay_and_the_others_have_the_exact_conditional_distribution(rbm):
    gone = torch.tensor([True, False, True, False])
    v = torch.tensor([[0.0, 1.0, 0.0, 0.0]]).expand(20_000, -1)
    samples, p = repaired(rbm, v, gone, 50, torch.Generator().manual_seed(1))
    assert bool((samples[:, ~gone] == v[:, ~gone]).all()) and bool(
        (p[:, ~gone] == v[:, ~gone]).all()
    )
    states = torch.tensor([[i, 1.0, j, 0.0] for i in (0.0, 1.0) for j in (0.0, 1.0)])
    exact = (-rbm.free_energy(states)).softmax(0)
    found = torch.stack([(samples == s).all(1).float().mean() for s in states])
    assert torch.allclose(found, exact, atol=0.02)


def test_no_step_is_refused(rbm):
    with pytest.raises(UsageError, match="at least 1"):
        repaired(rbm, torch.zeros(1, 4), torch.ones(4, dtype=torch.bool), 0, torch.Generator())


@pytest.mark.parametrize("pixels", [5, 9])
def test_digits_that_the_machine_does_not_fit_are_refused(rbm, pixels):
    with pytest.raises(UsageError, match=f"digits of {pixels} pixels for a machine of 4"):
        repair_renderer(rbm, torch.zeros(2, pixels))


def test_a_digit_that_is_not_there_is_refused(rbm):
    with pytest.raises(UsageError, match="give 0 to 1"):
        repair_renderer(rbm, torch.zeros(2, 4))(2, 1, "top", 3, 0)


def test_a_picture_depends_on_its_state_alone_and_comes_at_once(rbm):
    digits = torch.tensor([[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0]])
    render = repair_renderer(rbm, digits)
    state = {"digit": 1, "rows": 1, "where": "top", "steps": 30, "seed": 3}
    began = time.perf_counter()
    one = render(**state)
    assert time.perf_counter() - began < 1
    assert np.array_equal(one, render(**state))
    assert not np.array_equal(one, render(**state | {"digit": 0}))


def test_moving_the_controls_draws_and_reports_nothing(rbm):
    explorer = RepairExplorer(rbm, torch.eye(4))
    before = explorer.image.value
    explorer.set(digit=2, rows=1, where="left")
    assert explorer.image.value != before and explorer.message.value == ""
