"""The explorers of notebook 02: the race in a ravine, footprints of a transposed convolution."""

import numpy as np
import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.explore import footprint
from t2ilab.explore.footprint import FootprintExplorer
from t2ilab.explore.race import BEGIN, RaceExplorer, descent, ravine, slope
from t2ilab.trainers.updates import RULES


def test_the_slope_is_that_of_the_ravine():
    theta = torch.randn(5, 2, dtype=torch.float64).requires_grad_()
    (found,) = torch.autograd.grad(ravine(theta).sum(), theta)
    assert torch.allclose(found, slope(theta.detach()))


@pytest.mark.parametrize("rule", RULES)
def test_descent_begins_where_it_should_and_goes_down(rule):
    path = descent(rule, 0.05, 300)
    assert tuple(path[0].tolist()) == BEGIN and len(path) == 301
    assert ravine(path[-1]) < 0.2 * ravine(path[0])


def test_too_large_a_rate_runs_away_and_is_drawn_all_the_same():
    assert ravine(descent("SGD", 1.1, 200)[-1]) > 1e3
    explorer = RaceExplorer()
    far = explorer.picture(rule="SGD", log10_lr=0.5, steps=200)
    assert far.size == explorer.picture(rule="Adam", steps=0).size
    assert np.asarray(far).std() > 1


def test_footprints_are_called_chequered_where_they_are():
    explorer = FootprintExplorer()
    pictures = [explorer.picture(kernel=k, stride=2) for k in (3, 4)]
    blue = [np.asarray(p)[40:-20, -280:-20] for p in pictures]
    middle = [b[100:160, 100:160].reshape(-1, 3) for b in blue]
    assert len(np.unique(middle[0], axis=0)) > 2 >= len(np.unique(middle[1], axis=0))
    for kernel in range(1, 8):
        for stride in range(1, 5):
            explorer.picture(kernel=kernel, stride=stride, pixel=35)


def test_the_words_say_chequered_just_where_the_stride_does_not_divide_the_kernel(monkeypatch):
    said = []
    monkeypatch.setattr(footprint, "titled", lambda panels, gap: said.extend(panels))
    for kernel in range(1, 8):
        for stride in range(1, 5):
            said.clear()
            footprint.drawn(kernel, stride, 14)
            assert said[1].endswith("even") == (kernel % stride == 0), (kernel, stride, said)


@pytest.mark.parametrize(("rule", "rate"), [("sgd", 0.1), ("SGD", -0.1), ("SGD", float("nan"))])
def test_a_rule_or_a_rate_that_is_none_is_refused(rule, rate):
    with pytest.raises(UsageError, match="rule|learning rate"):
        descent(rule, rate, 3)
