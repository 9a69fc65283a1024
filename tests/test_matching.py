"""The loss by which captions and pictures find each other."""

import math

import pytest
import torch

from t2ilab.losses.matching import symmetric_matching

OWN = torch.eye(4, dtype=torch.bool)  # each caption fits its own picture only


@pytest.mark.parametrize("b", [2, 7])
def test_equal_scores_cost_ln_b(b):
    own = torch.eye(b, dtype=torch.bool)
    assert symmetric_matching(torch.zeros(b, b), own).item() == pytest.approx(math.log(b))


def test_by_hand():
    s = torch.tensor([[2.0, 0.0], [1.0, 3.0]])
    own = torch.eye(2, dtype=torch.bool)

    def ln_softmax(right, wrong):
        return right - math.log(math.exp(right) + math.exp(wrong))

    rows = ln_softmax(2, 0) + ln_softmax(3, 1)  # each picture finds its caption
    columns = ln_softmax(2, 1) + ln_softmax(3, 0)  # each caption finds its picture
    assert symmetric_matching(s, own).item() == pytest.approx(-(rows + columns) / 4, rel=1e-6)


def test_pictures_and_captions_can_change_places():
    s = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(symmetric_matching(s, OWN), symmetric_matching(s.T, OWN))


def test_well_matched_pairs_cost_nothing():
    assert symmetric_matching(100 * torch.eye(4), OWN).item() == pytest.approx(0, abs=1e-6)


def test_captions_that_fit_another_picture_are_no_negatives():
    fits = OWN.clone()
    fits[0, 1] = True  # caption 1 is true of picture 0 as well
    s = torch.zeros(4, 4, requires_grad=True)
    loss = symmetric_matching(s, fits)
    loss.backward()
    # Picture 0 and caption 1 choose among three, all others among four.
    assert loss.item() == pytest.approx((6 * math.log(4) + 2 * math.log(3)) / 8)
    assert s.grad[0, 1] == 0 and s.grad[1, 0] > 0


def test_where_all_captions_fit_all_pictures_there_is_nothing_to_learn():
    s = torch.randn(4, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    loss = symmetric_matching(s, torch.ones(4, 4, dtype=torch.bool))
    loss.backward()
    assert loss == 0 and (s.grad == 0).all()


def test_gradient_pulls_pairs_together_and_pushes_others_apart():
    s = torch.zeros(4, 4, requires_grad=True)
    symmetric_matching(s, OWN).backward()
    assert (s.grad.diagonal() < 0).all() and (s.grad[~OWN] > 0).all()
