"""The explorers of chapter 13: what they draw, what moving them does, what they refuse."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops
from watcher import Watcher

from t2ilab.errors import UsageError
from t2ilab.explore.inside import (
    PANEL,
    Film,
    FilmExplorer,
    Smoothed,
    TVExplorer,
    film,
    film_renderer,
    tv_renderer,
)
from t2ilab.inputs.ascent import ascend

TITLES = ("looked at", "made", "score")


@pytest.fixture
def sweep():
    rng = np.random.default_rng(0)
    pictures = {beta: rng.integers(0, 255, (3, 16, 16, 3), dtype=np.uint8) for beta in (1.0, 2.0)}
    return Smoothed(pictures[1.0][0], pictures[2.0][0], (0.01, 0.1, 1.0), pictures)


def climbed(side=8, steps=4):
    return ascend(
        torch.zeros(2, 3, side, side), lambda x: x.flatten(1).sum(1), steps=steps, frames=3
    )


@pytest.fixture
def films():
    picture = torch.zeros(3, 8, 8)
    return {
        "one": film([climbed()], picture, TITLES),
        "dream": film([climbed(4), climbed(8)], picture, TITLES),
    }


def changed(a: Image.Image, b: Image.Image):
    return ImageChops.difference(a, b).getbbox()


def test_the_renderer_is_pure_and_weight_and_exponent_matter(sweep):
    render = tv_renderer(sweep)
    first = render(weight=0.1, beta=1.0)
    assert first == render(weight=0.1, beta=1.0) == tv_renderer(sweep)(0.1, 1.0)
    assert changed(first, render(weight=1.0, beta=1.0))
    assert changed(first, render(weight=0.1, beta=2.0))


def test_the_nearest_weight_on_the_logarithmic_scale_is_taken(sweep):
    render = tv_renderer(sweep)
    assert render(weight=0.04, beta=1.0) == render(weight=0.1, beta=1.0)  # nearer to 0.01 linearly
    assert render(weight=50.0, beta=1.0) == render(weight=1.0, beta=1.0)


def test_small_pictures_are_shown_in_whole_pixels(sweep):
    shown = np.asarray(tv_renderer(sweep)(weight=0.1, beta=1.0))
    times = PANEL // 16
    panel = shown[24 : 24 + PANEL, :PANEL]
    assert (panel[times // 2 :: times, times // 2 :: times] == sweep.noisy).all()


def test_a_film_has_the_frames_labels_and_scores_of_its_ascents(films):
    one, dream = films["one"], films["dream"]
    assert one.labels == ("step 0", "step 2", "step 4")
    assert dream.labels[:2] == ("octave 1, step 0", "octave 1, step 2") and len(dream.labels) == 6
    assert dream.frames.shape == (6, 8, 8, 3)  # small octaves are enlarged
    assert one.values[0] == 0 and one.values[2] > one.values[1] > 0
    assert one.frames[2].mean() > one.frames[0].mean()


def test_each_frame_has_its_picture_and_those_beyond_the_last_show_the_last(films):
    render = film_renderer(films)
    first = render(layer="dream", frame=0)
    assert first == render(layer="dream", frame=0)
    assert changed(first, render(layer="dream", frame=3))
    assert render(layer="one", frame=2) == render(layer="one", frame=9)
    assert render(layer="one", frame=0).size == first.size


def test_moving_the_controls_draws_without_errors(sweep, films):
    lab = Watcher()
    for explorer, change in (
        (TVExplorer(sweep, lab=lab), {"weight": 1.0, "beta": 2.0}),
        (FilmExplorer(films, lab=lab), {"layer": "dream", "frame": 1}),
    ):
        before = explorer.image.value
        explorer.set(**change)
        assert explorer.image.value != before and explorer.message.value == ""
    assert lab.errors == []


def test_what_cannot_be_drawn_is_said(sweep, films):
    with pytest.raises(UsageError, match="beta 3 was not computed: choose one of 1, 2"):
        tv_renderer(sweep)(weight=0.1, beta=3.0)
    with pytest.raises(UsageError, match="must be above 0"):
        tv_renderer(sweep)(weight=0.0, beta=1.0)
    with pytest.raises(UsageError, match="unknown film 'two'"):
        film_renderer(films)(layer="two", frame=0)
    with pytest.raises(UsageError, match="the first is 0"):
        film_renderer(films)(layer="one", frame=-1)
    with pytest.raises(UsageError, match="at least one"):
        FilmExplorer({})
    with pytest.raises(UsageError, match="each of 2 weights"):
        Smoothed(sweep.clean, sweep.noisy, (0.1, 1.0), sweep.pictures)
    with pytest.raises(UsageError, match="one of each"):
        Film(films["one"].frames, ("a",), (1.0,), sweep.clean, TITLES)
    without = ascend(torch.zeros(1, 3, 4, 4), lambda x: x.flatten(1).sum(1), steps=1)
    with pytest.raises(UsageError, match="without frames"):
        film([without], torch.zeros(3, 4, 4), TITLES)
