"""The explorer of four units: every state is summed, and each arrow is what it claims to be."""

import time
from itertools import pairwise

import numpy as np
import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.exact.partition import log_z
from t2ilab.explore.landscape import (
    _GRAY,
    DATA,
    STATES,
    LandscapeExplorer,
    arrows,
    energies,
    landscape_renderer,
    log_likelihood,
    machine,
    negatives,
    transition,
)

W = torch.tensor([[2.0, -1.0], [0.5, 3.0]], dtype=torch.float64)
STATE = {"w11": 6.0, "w12": 0.5, "w21": -2.0, "w22": 0.5}
STATE |= {"k": 1, "updates": 20, "samples": 100, "seed": 0}


def test_the_energies_of_the_16_states_give_the_machines_z_and_its_probabilities():
    E = energies(machine(W))
    assert E[3, 1].item() == pytest.approx(-(2.0 + 0.5 - 1 - 1 - 1))  # both pixels, first cause
    minus_e = -E.flatten()
    assert minus_e.logsumexp(0).item() == pytest.approx(log_z(machine(W)).item(), abs=1e-12)
    p = minus_e.softmax(0).view(4, 4).sum(1)
    assert torch.allclose(p, negatives(W, 1, 1)["exact"], atol=1e-12)
    assert log_likelihood(W).item() == pytest.approx((DATA @ p.log()).item(), abs=1e-12)


def test_neighbours_in_the_landscape_differ_in_one_unit_and_no_state_is_left_out():
    assert len(set(_GRAY)) == 16
    units = [torch.cat([STATES[v], STATES[h]]) for v, h in _GRAY]
    assert all((one - other).abs().sum() == 1 for one, other in pairwise(units))


def test_the_black_arrow_is_autograds_gradient_and_a_step_along_it_climbs():
    weights = W.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(log_likelihood(weights), weights)
    found = arrows(W, 1, 1)["exact"]
    assert torch.allclose(found, wanted, atol=1e-12)
    assert log_likelihood(W + 0.01 * found) > log_likelihood(W)


def test_a_gibbs_step_keeps_the_machines_distribution():
    T = transition(W)
    assert torch.allclose(T.sum(1), torch.ones(4).double())
    exact = negatives(W, 1, 1)["exact"]
    assert torch.allclose(exact @ T, exact, atol=1e-12)
    assert torch.allclose(transition(torch.stack([W, 2 * W]))[1], transition(2 * W))


def test_chains_of_samples_have_the_distribution_that_is_drawn_as_an_arrow():
    start = STATES[DATA.multinomial(40_000, True, generator=torch.Generator().manual_seed(0))]
    v = machine(W).gibbs(start, 2, torch.Generator().manual_seed(1))
    share = torch.bincount((v @ torch.tensor([1.0, 2]).double()).long(), minlength=4) / len(v)
    assert torch.allclose(share.double(), negatives(W, 2, 1)["CD"], atol=0.01)
    assert not torch.allclose(share.double(), negatives(W, 1, 1)["CD"], atol=0.01)


def test_cds_bias_goes_away_with_k_and_pcds_with_slower_weights():
    ways = [arrows(W, k, m) for k, m in ((1, 1), (5, 10), (50, 200))]
    for name in ("CD", "PCD"):
        off = [(way[name] - way["exact"]).norm().item() for way in ways]
        assert off[0] > off[1] > off[2] and off[2] < 0.02, (name, off)


@pytest.mark.parametrize("changed", [{"k": 0}, {"updates": 0}, {"samples": 0}])
def test_nothing_to_do_is_refused(changed):
    with pytest.raises(UsageError, match="at least 1"):
        landscape_renderer()(**STATE | changed)


@pytest.mark.parametrize("w", [-8.0, 0.0, 8.0])
def test_the_ends_of_the_sliders_are_drawn_at_once_and_the_same_each_time(w):
    render = landscape_renderer()
    ends = {name: w for name in ("w11", "w12", "w21", "w22")}
    state = STATE | ends | {"k": 50, "updates": 200, "samples": 1000}
    first = render(**state)
    spans = []
    for shift in (0.25, 0.5, 0.75):  # grounds that were not drawn before
        began = time.perf_counter()
        render(**state | {"w11": w - shift, "w12": w - shift})
        spans.append(time.perf_counter() - began)
    assert min(spans) < 0.15
    assert np.array_equal(first, render(**state))


def test_the_controls_draw_and_a_step_climbs():
    explorer = LandscapeExplorer()
    before = explorer.image.value

    def height():
        names = ("w11", "w12", "w21", "w22")
        return log_likelihood(torch.tensor([explorer.state[n] for n in names]).view(2, 2))

    low = height()
    explorer.buttons["A step along the exact gradient"].click()
    assert explorer.image.value != before and explorer.message.value == ""
    assert height() > low
    for _ in range(5):
        explorer.buttons["A step along the exact gradient"].click()
    assert explorer.message.value == ""
    sheet = explorer.contact_sheet([{"k": 1}, {"k": 20}], columns=2)
    assert sheet.width > 1200
