"""The constraints of the embedding network, and the logistic loss of the similarity network."""

import math

import pytest
import torch
import torch.nn.functional as F

from t2ilab.losses.embedding import TERMS, constraint, distances, four_constraints
from t2ilab.losses.similarity import logistic

OWN = torch.eye(3, dtype=torch.bool)


def test_a_hinge_by_hand_for_three_pictures():
    d = torch.tensor([[0.5, 0.9, 0.45], [0.7, 0.3, 0.9], [0.2, 0.8, 0.6]])
    # Picture 0: caption 1 is .4 farther than its own, caption 2 .05 nearer, which costs 0.05 + m.
    # Picture 1: all are .4 farther or more. Picture 2: caption 0 is .4 nearer, 1 is .2 farther.
    assert constraint(d, OWN, ~OWN, margin=0.1).item() == pytest.approx((0.15 + 0.5) / 2 / 3)
    assert constraint(d, OWN, ~OWN, margin=0.1, top=1).item() == pytest.approx((0.15 + 0.5) / 3)


def test_the_farthest_match_counts_and_who_has_no_match_or_nothing_wrong_does_not():
    d = torch.tensor([[0.2, 0.6, 0.5], [0.1, 0.1, 0.1], [0.1, 0.1, 0.1]])
    match = torch.tensor([[1, 1, 0], [0, 0, 0], [1, 1, 1]]).bool()
    wrong = torch.tensor([[0, 0, 1], [1, 1, 1], [0, 0, 0]]).bool()
    assert constraint(d, match, wrong, margin=0.1).item() == pytest.approx(0.6 + 0.1 - 0.5)
    assert constraint(d, match & False, wrong).item() == 0


def test_there_is_no_gradient_once_the_margin_holds():
    d = (1 - OWN.float()).requires_grad_()
    loss = constraint(d, OWN, ~OWN, margin=0.5)
    loss.backward()
    assert loss.item() == 0 and not d.grad.any()
    near = (0.3 * (1 - OWN.float())).requires_grad_()
    constraint(near, OWN, ~OWN, margin=0.5).backward()
    assert (near.grad.diagonal() > 0).all() and (near.grad[~OWN] < 0).all()


def unit(n, seed):
    return F.normalize(torch.randn(n, 4, generator=torch.Generator().manual_seed(seed)), dim=1)


def test_distances_are_those_of_unit_vectors():
    x, y = unit(3, 0), unit(5, 1)
    assert torch.allclose(distances(x, y), torch.cdist(x, y), atol=0.01)
    z = x.clone().requires_grad_()
    distances(z, z).sum().backward()  # a vector meets itself: the slope is finite
    assert z.grad.isfinite().all()


def told(owner, facts, stated):
    """Picture i has facts[i]; caption j is of picture owner[j] and states stated[j], or nothing."""
    fits = torch.tensor([[s is None or s == f for s in stated] for f in facts])
    same = torch.tensor([[a == b for a in facts] for b in facts])
    return dict(fits=fits, owner=torch.tensor(owner), same=same)


def test_all_terms_are_the_margin_where_all_is_in_one_place():
    x = unit(1, 0).expand(4, -1)
    given = told([0, 1, 2, 3, 0, 1, 2, 3], "rrbb", "rrbb" * 2)
    found = four_constraints(x, x.repeat(2, 1), **given, margin=0.3)
    assert tuple(found) == TERMS
    assert all(term.item() == pytest.approx(0.3, abs=1e-6) for term in found.values())


def test_a_true_caption_of_another_picture_is_never_wrong():
    x, y = unit(3, 0).requires_grad_(), unit(3, 1).requires_grad_()
    given = told([0, 1, 2], "rrb", ["r", "r", None])
    found = four_constraints(x, y, **given, margin=2.0)
    # Caption 2, "a bird", is true of all; 0 and 1 are true of pictures 0 and 1. So only picture 2
    # has wrong captions, and only captions 0 and 1 have a wrong picture.
    (slope,) = torch.autograd.grad(found["picture_text"], x, retain_graph=True)
    assert slope[2].abs().sum() > 0 and not slope[:2].any()
    (slope,) = torch.autograd.grad(found["text_picture"], y)
    assert slope[:2].abs().sum() > 0 and not slope[2].any()
    assert found["captions"].item() == 0  # no picture has two captions


def test_captions_that_do_not_contradict_each_other_are_not_pushed_apart():
    x, y = unit(2, 0), unit(4, 1).requires_grad_()
    given = told([0, 1, 0, 1], "rb", ["r", "b", None, "b"])
    d = distances(y, y).detach()
    found = four_constraints(x, y, **given, margin=1.0)["captions"].item()
    # Pairs: 0 with 2 and 1 with 3. Wrong for 0: 1 and 3; for 1 and 3: 0; for 2, "a bird": none.
    hinge = [1 + d[0, 2] - d[0, k] for k in (1, 3)] + [1 + d[1, 3] - d[1, 0], 1 + d[3, 1] - d[3, 0]]
    a, b, c, e = (max(0.0, float(h)) for h in hinge)
    assert found == pytest.approx(((a + b) / 2 + c + e) / 3, rel=1e-5)


@pytest.mark.parametrize("term", ["pictures", "captions"])
def test_a_neighbourhood_term_brings_its_own_view_in_order(term):
    """Gradient descent on one term alone: matching ones are neighbours then, of its view only."""
    facts, owner = [0, 0, 1, 1, 2, 2], list(range(6)) * 2
    given = told(owner, facts, [facts[i] for i in owner])
    views = {"pictures": unit(6, 2).requires_grad_(), "captions": unit(12, 3).requires_grad_()}
    label = {"pictures": torch.tensor(facts), "captions": torch.tensor(facts)[owner]}

    def alike(view):
        near = distances(views[view], views[view]).detach().fill_diagonal_(9).argmin(1)
        return (label[view][near] == label[view]).float().mean().item()

    optimizer = torch.optim.Adam(views.values(), lr=0.05)
    before = {view: views[view].detach().clone() for view in views}
    for _ in range(150):
        x, y = (F.normalize(v, dim=1) for v in views.values())
        optimizer.zero_grad()
        four_constraints(x, y, **given, margin=0.5, top=4)[term].backward()
        optimizer.step()
    with torch.no_grad():
        for v in views.values():
            v.copy_(F.normalize(v, dim=1))
    other = ({*views} - {term}).pop()
    assert alike(term) == 1
    assert torch.allclose(views[other], before[other], atol=1e-6)


def test_the_logistic_loss_is_ln_2_at_0_and_by_hand():
    fits = torch.tensor([[True, False, False]])
    assert logistic(torch.zeros(1, 3), fits).item() == pytest.approx(math.log(2))
    f = torch.tensor([[1.0, -2.0, 0.0]])
    right, wrong = math.log1p(math.exp(-1)), (math.log1p(math.exp(-2)) + math.log(2)) / 2
    assert logistic(f, fits).item() == pytest.approx((right + wrong) / 2, rel=1e-6)
    assert logistic(f[:, 1:], fits[:, 1:]).item() == pytest.approx(wrong, rel=1e-6)
    assert logistic(torch.tensor([[30.0]]), torch.tensor([[True]])).item() < 1e-9


def test_of_wrong_captions_the_worst_may_weigh_more():
    f = torch.tensor([[1.0, -2.0, 0.0], [5.0, -1.0, 3.0]], requires_grad=True)
    fits = torch.tensor([[True, False, False], [True, True, False]])
    # Of picture 0 the worst wrong caption has the logit 0, of picture 1 there is but one.
    right = sum(math.log1p(math.exp(-x)) for x in (1, 5, -1)) / 3
    wrong = sum(math.log1p(math.exp(x)) for x in (-2, 0, 3)) / 3
    worst = (math.log(2) + math.log1p(math.exp(3))) / 2
    assert logistic(f, fits).item() == pytest.approx((right + wrong) / 2, rel=1e-6)
    loss = logistic(f, fits, top=1)
    assert loss.item() == pytest.approx((right + (wrong + worst) / 2) / 2, rel=1e-6)
    loss.backward()
    assert (f.grad[fits] < 0).all() and (f.grad[~fits] > 0).all()
    assert logistic(f, fits, top=9).item() == pytest.approx(logistic(f, fits).item())
    assert logistic(torch.zeros(2, 3), fits, top=2).item() == pytest.approx(math.log(2))
