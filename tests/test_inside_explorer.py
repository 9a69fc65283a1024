"""The explorers of chapter 13: what they draw, what moving them does, what they refuse."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from watcher import Watcher

from t2ilab.errors import UsageError
from t2ilab.explore.inside import (
    GAP,
    HEAD,
    PANEL,
    Film,
    FilmExplorer,
    Smoothed,
    TVExplorer,
    film,
    tv_renderer,
)
from t2ilab.inputs.ascent import ascend
from t2ilab.plots import RED

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


def panel(sheet: Image.Image, k: int, side: int) -> np.ndarray:
    """The k-th picture of a sheet, with as many pixels as it was made of."""
    times, x = PANEL // side, k * (PANEL + GAP)
    pixels = np.asarray(sheet)[HEAD : HEAD + PANEL, x : x + PANEL]
    return pixels[times // 2 :: times, times // 2 :: times]


def shown(explorer) -> Image.Image:
    return Image.open(BytesIO(explorer.image.value))


@pytest.mark.parametrize(("beta", "weight", "k"), [(1.0, 0.01, 0), (1.0, 1.0, 2), (2.0, 0.1, 1)])
def test_the_picture_of_the_weight_and_exponent_stands_between_the_noisy_and_the_clean(
    sweep, beta, weight, k
):
    sheet = tv_renderer(sweep)(weight=weight, beta=beta)
    assert sheet.size == (3 * PANEL + 2 * GAP, 438)
    for place, picture in enumerate((sweep.noisy, sweep.pictures[beta][k], sweep.clean)):
        assert (panel(sheet, place, 16) == picture).all()


def test_the_nearest_weight_on_the_logarithmic_scale_is_taken(sweep):
    render = tv_renderer(sweep)
    assert render(weight=0.04, beta=1.0) == render(weight=0.1, beta=1.0)  # nearer to 0.01 linearly
    assert render(weight=50.0, beta=1.0) == render(weight=1.0, beta=1.0)


def test_a_film_has_the_frames_labels_and_scores_of_its_ascents(films):
    one, dream = films["one"], films["dream"]
    assert one.labels == ("step 0", "step 2", "step 4")
    assert dream.labels[:2] == ("octave 1, step 0", "octave 1, step 2") and len(dream.labels) == 6
    assert dream.frames.shape == (6, 8, 8, 3)  # small octaves are enlarged
    assert one.values[0] == 0 and one.values[2] > one.values[1] > 0
    assert one.frames[2].mean() > one.frames[0].mean()


@pytest.mark.parametrize(
    ("layer", "frame", "drawn"), [("dream", 0, 0), ("dream", 3, 3), ("one", 2, 2), ("one", 9, 2)]
)
def test_the_frame_asked_for_is_drawn_and_its_score_marked_on_the_curve(films, layer, frame, drawn):
    sheet = FilmExplorer(films).render(layer=layer, frame=frame)
    film = films[layer]
    assert (panel(sheet, 0, 8) == film.beside).all()
    assert (panel(sheet, 1, 8) == film.frames[drawn]).all()
    curve = np.asarray(sheet)[-120:].astype(int)
    red = (np.abs(curve - RED).sum(-1) < 30).nonzero()
    share = (drawn + 0.5) / len(film.frames)
    assert red[1].mean() == pytest.approx(share * sheet.width, abs=2)
    best = max(film.values) == film.values[drawn]
    assert (red[0].mean() < 30) == best  # the highest score stands above


def test_moving_the_controls_shows_what_was_asked_for(sweep, films):
    lab = Watcher()
    slider, player = TVExplorer(sweep, lab=lab), FilmExplorer(films, lab=lab)
    slider.set(weight=1.0, beta=2.0)
    assert (panel(shown(slider), 1, 16) == sweep.pictures[2.0][2]).all()
    player.set(layer="dream", frame=1)
    assert (panel(shown(player), 1, 8) == films["dream"].frames[1]).all()
    assert lab.errors == []


def test_what_cannot_be_drawn_is_said(sweep, films):
    with pytest.raises(UsageError, match="beta 3 was not computed: choose one of 1, 2"):
        tv_renderer(sweep)(weight=0.1, beta=3.0)
    with pytest.raises(UsageError, match="must be above 0"):
        tv_renderer(sweep)(weight=0.0, beta=1.0)
    with pytest.raises(UsageError, match="unknown layer 'two'"):
        FilmExplorer(films).render(layer="two", frame=0)
    with pytest.raises(UsageError, match="the first is 0"):
        FilmExplorer(films).render(layer="one", frame=-1)
    with pytest.raises(UsageError, match="at least one"):
        FilmExplorer({})
    with pytest.raises(UsageError, match="each of 2 weights"):
        Smoothed(sweep.clean, sweep.noisy, (0.1, 1.0), sweep.pictures)
    with pytest.raises(UsageError, match="one of each"):
        Film(films["one"].frames, ("a",), (1.0,), sweep.clean, TITLES)
    without = ascend(torch.zeros(1, 3, 4, 4), lambda x: x.flatten(1).sum(1), steps=1)
    with pytest.raises(UsageError, match="without frames"):
        film([without], torch.zeros(3, 4, 4), TITLES)
