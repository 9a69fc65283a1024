"""The losses by which captions and pictures find each other."""

import math

import pytest
import torch

from t2ilab.losses.matching import structured_joint_embedding, symmetric_matching

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


def test_a_picture_without_a_caption_is_only_there_not_to_be_found():
    s = torch.zeros(3, 2, requires_grad=True)
    fits = torch.tensor([[1, 0], [0, 1], [0, 0]]).bool()
    loss = symmetric_matching(s, fits)
    loss.backward()
    assert loss.item() == pytest.approx((math.log(2) + math.log(3)) / 2)
    assert (s.grad[2] > 0).all()


def test_gradient_pulls_pairs_together_and_pushes_others_apart():
    s = torch.zeros(4, 4, requires_grad=True)
    symmetric_matching(s, OWN).backward()
    assert (s.grad.diagonal() < 0).all() and (s.grad[~OWN] > 0).all()


# Structured joint embedding


def test_sje_by_hand():
    s = torch.tensor([[2.0, 0.0], [1.5, 3.0]])
    own = torch.eye(2, dtype=torch.bool)
    # Picture 0: max(0, 1 + 0 - 2) = 0. Picture 1: max(0, 1 + 1.5 - 3) = 0.
    # Caption 0: max(0, 1 + 1.5 - 2) = 0.5. Caption 1: max(0, 1 + 0 - 3) = 0.
    assert structured_joint_embedding(s, own).item() == pytest.approx(0.5 / 4)
    # With margin 2: pictures 0 and 0.5, captions 1.5 and 0.
    assert structured_joint_embedding(s, own, margin=2.0).item() == pytest.approx(2 / 4)


@pytest.mark.parametrize("b", [2, 7])
def test_sje_of_equal_scores(b):
    own = torch.eye(b, dtype=torch.bool)
    for margin in (1.0, 0.3):
        loss = structured_joint_embedding(torch.zeros(b, b), own, margin=margin)
        assert loss.item() == pytest.approx(2 * margin * (b - 1) / b)


def test_sje_costs_nothing_once_all_win_by_the_margin():
    s = 1.01 * torch.eye(4)
    s.requires_grad_()
    loss = structured_joint_embedding(s, OWN)
    loss.backward()
    assert loss == 0 and (s.grad == 0).all()


def test_in_sje_pictures_and_captions_can_change_places():
    s = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(structured_joint_embedding(s, OWN), structured_joint_embedding(s.T, OWN))


def test_in_sje_captions_that_fit_another_picture_are_no_negatives():
    fits = OWN.clone()
    fits[0, 1] = True
    s = torch.zeros(4, 4, requires_grad=True)
    loss = structured_joint_embedding(s, fits)
    loss.backward()
    assert loss.item() == pytest.approx(2 * 11 / 16)  # of 12 pairs off the diagonal
    assert s.grad[0, 1] == 0 and s.grad[1, 0] > 0


def test_sje_does_not_mind_a_diagonal_that_is_not_marked():
    s = torch.randn(4, 4, generator=torch.Generator().manual_seed(1))
    unmarked = torch.zeros(4, 4, dtype=torch.bool)
    assert structured_joint_embedding(s, unmarked) == structured_joint_embedding(s, OWN)
