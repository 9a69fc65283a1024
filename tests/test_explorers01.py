"""The explorers of notebook 01: both divergences under the hand, and a hole in a digit."""

import time
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from watcher import Watcher

from t2ilab.errors import UsageError
from t2ilab.exact import spaces, tu
from t2ilab.exact.divergences import kl
from t2ilab.exact.families import gaussian
from t2ilab.explore.divergence import DivergenceExplorer, added, divergence_renderer
from t2ilab.explore.hole import HOLE, HoleExplorer, hole_renderer, known_outside, tinted
from t2ilab.models.mixture import fit


@pytest.fixture(scope="module")
def line():
    return spaces.line()


@pytest.fixture(scope="module")
def p(line):
    return 0.6 * gaussian(line, -0.45, 0.1) + 0.4 * gaussian(line, 0.5, 0.1)


@pytest.fixture(scope="module")
def seen(p):
    return tu.sampled(p, 200, torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def digits():
    rng = torch.Generator().manual_seed(0)
    x = torch.bernoulli(torch.full((40, 64), 0.4), generator=rng).double()
    return x, fit(x, torch.arange(40) % 10)


def test_the_bars_add_up_to_the_divergence(line, p):
    q = gaussian(line, 0.1, 0.3)
    assert torch.allclose(added(p, q).sum(), kl(p, q)) and torch.allclose(
        added(q, p).sum(), kl(q, p)
    )
    assert float(added(torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.5]))[0]) == 0


def test_a_model_that_is_the_data_has_no_bars(line, seen):
    q = gaussian(line, 0.1, 0.3)
    drawn = divergence_renderer(line, q, seen)
    bars = np.asarray(drawn(mu=0.1, sigma=0.3))[260:]
    red = (bars[..., 0] > 180) & (bars[..., 1] < 90)
    assert not red.any()
    assert drawn(mu=0.1, sigma=0.3) == drawn(mu=0.1, sigma=0.3) != drawn(mu=0.2, sigma=0.3)


def test_every_place_of_the_sliders_is_finite(line, p, seen):
    explorer = DivergenceExplorer(line, p, seen, best={"There": (0.5, 0.1)}, lab=Watcher())
    mu, sigma = (explorer.controls[name] for name in ("mu", "sigma"))
    for m in (mu.min, mu.max):
        for s in (sigma.min, sigma.max):
            assert bool(kl(p, gaussian(line, m, s)).isfinite())
            assert bool(kl(gaussian(line, m, s), p).isfinite())


def test_a_button_jumps_to_the_best(line, p, seen):
    lab = Watcher()
    explorer = DivergenceExplorer(line, p, seen, best={"There": (-0.45, 0.1)}, lab=lab)
    explorer.buttons["There"].click()
    assert explorer.state == {"mu": -0.45, "sigma": 0.1}
    shown = Image.open(BytesIO(explorer.image.value))
    assert shown.tobytes() == explorer.render(mu=-0.45, sigma=0.1).tobytes()
    assert lab.errors == []


def test_another_number_of_states_is_refused(line, p, seen):
    with pytest.raises(UsageError, match="127 probabilities and 128 shares"):
        divergence_renderer(line, p[1:], seen)


def test_the_hole_is_a_rectangle_and_stays_within_the_picture():
    known = known_outside(2, 6, 3, 8).reshape(8, 8)
    assert int((~known).sum()) == 3 * 2 and not known[2:5, 6:].any()
    assert known_outside(4, 0, 0, 8).all()


def test_what_is_known_is_shown_as_it_is_and_the_hole_in_its_colour(digits):
    x, model = digits
    sheet = np.asarray(hole_renderer(model, x)(digit=1, top=4, left=0, height=4, width=8, seed=0))
    panel = sheet[24 + 12 : 24 + 192 : 24, 12:192:24]  # the middles of the pixels
    assert (panel[:4, :, 0] < 128).flatten().tolist() == (x[1, :32] > 0).tolist()
    assert (panel[4:] == HOLE).all()
    ink = tinted(torch.tensor([[1.0] * 32 + [0.0] * 32]).double(), torch.ones(64).bool())
    assert (ink[0, :4] == 0).all() and (ink[0, 4:] == HOLE).all()


def test_other_draws_with_another_seed_and_the_same_with_the_same(digits):
    lab = Watcher()
    explorer = HoleExplorer(digits[1], digits[0], lab=lab)
    before = explorer.image.value
    explorer.buttons["Draw again"].click()
    assert explorer.state["seed"] == 1 and explorer.image.value != before
    explorer.controls["seed"].value = 0
    assert explorer.image.value == before
    explorer.set(height=0)
    assert lab.errors == []


def test_a_digit_that_is_not_there_is_refused(digits):
    with pytest.raises(UsageError, match="there are 40"):
        hole_renderer(digits[1], digits[0])(digit=40, top=0, left=0, height=1, width=1, seed=0)


def test_a_move_is_fast(line, p, seen, digits):
    draw, hole = divergence_renderer(line, p, seen), hole_renderer(digits[1], digits[0])
    draw(mu=0.0, sigma=0.3)  # loads the letters
    took = []
    for k in range(5):
        began = time.process_time()
        draw(mu=0.1 * k, sigma=0.2)
        hole(digit=k, top=2, left=1, height=4, width=5, seed=0)
        took.append(time.process_time() - began)
    assert min(took) < 0.3  # both together
