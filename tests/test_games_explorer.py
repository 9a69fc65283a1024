"""Films of games on a line and in the plane, and the phase plane of Dirac-GAN."""

import time

import numpy as np
import pytest
import torch

from t2ilab.data.mixtures import PointBatches, line, ring
from t2ilab.errors import UsageError
from t2ilab.explore.dirac import DiracExplorer, dirac_image
from t2ilab.explore.games import (
    REACH,
    Film,
    LineLook,
    Moment,
    OnLine,
    PlaneLook,
    filmed,
    line_image,
    plane_image,
)
from t2ilab.explore.scrub import Scrubber
from t2ilab.models.mlp_gan import MLPDiscriminator, MLPGenerator
from t2ilab.trainers.gan import GAN

STATE = {"game": "saturating", "order": "simultaneous", "lr": 0.1, "r1": 0.0, "clip": 0.0}
STATE |= {"steps": 50, "theta": 1.0, "psi": 0.0}


def gan(of, copies=1):
    torch.manual_seed(0)
    sizes = {"shape": (of.dimensions,), "width": 8, "depth": 1, "copies": copies}
    return GAN(MLPGenerator(z=1, **sizes), MLPDiscriminator(**sizes), objective="logistic")


def test_a_film_runs_from_before_the_first_step_to_after_the_last():
    of, trainer = line(), gan(line())
    before = LineLook(of)(trainer)
    film = filmed(trainer, PointBatches(of, batch_size=8), LineLook(of), steps=9, moments=4)
    steps = [m.step for m in film.moments]
    assert steps[0] == 0 and steps[-1] == 9 and steps == sorted(set(steps))
    assert len(film) == len(steps) - 1
    assert torch.equal(film.moments[0].seen.D, before.D)
    last, now = film.moments[-1].seen, LineLook(of)(trainer)
    assert torch.equal(last.D, now.D) and not torch.equal(last.D, before.D)
    assert all(np.isfinite(m.losses).all() for m in film.moments[1:])
    with pytest.raises(UsageError, match="1 and 2, or more"):
        filmed(trainer, None, None, steps=0)


def test_what_is_seen_on_the_line():
    look = LineLook(line())
    cell = float(look.x[1] - look.x[0])
    seen = look(gan(line()))
    assert float(look.p.sum() * cell) == pytest.approx(1, abs=0.01)
    assert 0.5 < float(seen.q.sum() * cell) < 1.01  # what lies outside is not seen
    x = seen.points[:1].clone()
    network = gan(line()).critic
    rise = network(x[:, None] + 1e-3) - network(x[:, None] - 1e-3)
    assert float(rise.detach()) / 2e-3 == pytest.approx(float(seen.slope[0]), abs=1e-2)


def curve_at(D, times=1.0):
    """A picture of the line where D is constant and G makes what the data is (`times` as high)."""
    look = LineLook(line())
    q = times * look.p
    at = OnLine(q, torch.full_like(look.p, D), torch.zeros(30), torch.zeros(30))
    return np.asarray(line_image("a", Film(look, (Moment(0, at, (0, 0)),)), 0)).astype(int)


def test_blue_pushes_up_where_d_is_low_and_red_down_where_it_is_high():
    def coloured(picture):
        r, _, b = picture[24:324].transpose(2, 0, 1)
        return (b - r > 110).sum(), (r - b > 110).sum()

    blue_low, red_low = coloured(curve_at(0.1))
    blue_high, red_high = coloured(curve_at(0.9))
    assert blue_low > blue_high and red_high > red_low


def test_a_density_that_is_higher_than_the_picture_is_said_to_be_cut():
    heads = [curve_at(0.5, times)[:24] for times in (1.0, 1.2, 1.4)]
    assert (heads[0] == heads[1]).all() and (heads[1] != heads[2]).any()


def test_the_map_of_the_plane_has_up_above_and_right_on_the_right():
    of, trainer = ring(), gan(ring(), copies=2)
    with torch.no_grad():  # D is sure of data where x + y is large
        first, last = trainer.critic.layers
        for p in trainer.critic.parameters():
            p.zero_()
        first.weight[0, :, 0], last.weight[0, 0, 0] = 1.0, 4.0
    look = PlaneLook(of, points=50)
    seen = look(trainer)
    assert seen.points.shape == (50, 2)
    assert seen.D[0, -1] > 0.99 and seen.D[-1, 0] < 0.5
    film = Film(look, (Moment(7, seen, (0.0, 0.0)),))
    picture = np.asarray(plane_image("b", film, 0)).astype(int)
    assert picture.shape == (444, 420, 3)
    blue = picture[30:60, -30:, 2] - picture[30:60, -30:, 0]
    assert blue.mean() > 40 and REACH > 1.2


def test_a_scrubber_shows_both_films(recwarn):
    of, trainer = line(), gan(line())
    film = filmed(trainer, PointBatches(of, batch_size=8), LineLook(of), steps=3, moments=3)
    explorer = Scrubber({"k = 1": film}, line_image, film="game", moment="moment")
    explorer.controls["moment"].value = 0
    assert explorer.picture(moment=0).size == explorer.picture(moment=99).size


@pytest.mark.parametrize("order", ["simultaneous", "alternating"])
def test_the_phase_plane_draws_fast_and_shows_where_it_ends(order):
    dirac_image(**STATE)
    began = time.process_time()
    picture = dirac_image(**STATE | {"order": order, "steps": 600, "r1": 1.0})
    assert time.process_time() - began < 2  # a slow machine; some 0.1 s on a laptop
    found = np.asarray(picture).astype(int)
    red = np.argwhere((found[..., 0] > 180) & (found[..., 1] < 90))
    assert len(red) and np.abs(red.mean(0) - [24 + 220, 220]).max() < 12  # R1 came home


def test_the_explorer_has_a_slider_for_each_argument():
    explorer = DiracExplorer()
    assert explorer.state.keys() == STATE.keys()
    explorer.controls["r1"].value = 1.0
    sheet = explorer.contact_sheet([{"r1": 0.0}, {"r1": 1.0}])
    assert sheet.size[0] > 800
    with pytest.raises(UsageError, match="game"):
        dirac_image(**STATE | {"game": "chess"})
