"""The explorer of syntheses: what it keeps, what it draws, and what moving it does."""

import time
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from watcher import Watcher

from t2ilab.errors import UsageError
from t2ilab.explore.synthesis import Synthesis, SynthesisExplorer, synthesis_renderer, watch
from t2ilab.inputs.synthesis import Sampler
from t2ilab.models.introspective import Critic
from t2ilab.systems.introspective import IntrospectiveSystem


def system(channels: int = 3, visits: int = 4) -> IntrospectiveSystem:
    torch.manual_seed(0)
    critic = Critic(size=16, channels=channels, width=4)
    sampler = Sampler(steps=3, lr=0.05, last_lr=0.05, visits=visits)
    return IntrospectiveSystem(critic, sampler, torch.linspace(0.5, 1.5, 40))


@pytest.fixture(scope="module")
def films():
    return {"colour": watch(system(), 7, seed=1), "grey": watch(system(1, visits=2), 3)}


def test_a_film_holds_the_noise_and_each_visit_with_the_scores_of_its_pictures(films):
    film = films["colour"]
    assert len(film) == 4 and film.frames.shape == (5, 7, 16, 16, 3)
    assert films["grey"].frames.shape == (3, 3, 16, 16, 3)
    assert (film.scores[-1] > film.scores[0]).all()
    exact = system().critic(system().noise(7, torch.Generator().manual_seed(1)))
    np.testing.assert_allclose(film.scores[0], exact.detach(), rtol=1e-5)
    again = watch(system(), 7, seed=1)
    assert (again.frames == film.frames).all()
    assert (watch(system(), 7, seed=2).frames[0] != film.frames[0]).any()


def test_it_ends_where_the_system_draws(films):
    """Where no picture begins again: `synthesise` takes the same way."""
    low = system()
    low.positives -= 100  # nobody is stuck
    np.testing.assert_array_equal(watch(low, 5, seed=3).frames[-1], low.draw(5, seed=3))


def test_arrived_counts_those_that_score_like_a_positive():
    frames = np.zeros((2, 3, 16, 16, 3), np.uint8)
    film = Synthesis(frames, np.array([[0, 0, 0.0], [1, 2, 3]]), np.array([2.0, 9.0]))
    assert [film.arrived(0), film.arrived(1)] == [0, 2]


def pictures(sheet: Image.Image, n: int) -> np.ndarray:
    """The n pictures of a sheet, 16 x 16 as they were made, five in a row."""
    places = [(26 + k // 5 * 178, k % 5 * 138) for k in range(n)]
    return np.stack(
        [np.asarray(sheet)[y + 4 : y + 128 : 8, x + 4 : x + 128 : 8] for y, x in places]
    )


@pytest.mark.parametrize(
    ("network", "visit", "shown"),
    [("colour", 0, 0), ("colour", 1, 1), ("grey", 2, 2), ("grey", 9, 2)],
)
def test_the_pictures_of_the_visit_asked_for_are_shown(films, network, visit, shown):
    film = films[network]
    sheet = synthesis_renderer(films)(network=network, visit=visit)
    assert (pictures(sheet, film.frames.shape[1]) == film.frames[shown]).all()


def test_a_move_is_answered_fast(films):
    render = synthesis_renderer(films)
    spent = []
    for visit in (1, 2, 3):
        began = time.process_time()
        render(network="colour", visit=visit)
        spent.append(time.process_time() - began)
    assert min(spent) < 0.15


def test_the_line_moves_to_the_right_as_the_score_rises():
    frames = np.zeros((2, 1, 16, 16, 3), np.uint8)
    film = Synthesis(frames, np.array([[0.0], [10.0]]), np.linspace(4, 6, 20))
    render = synthesis_renderer({"a": film})

    def red(visit):
        pixels = np.array(render(network="a", visit=visit)).astype(int)[-30:-20]
        return np.flatnonzero(((pixels[..., 0] - pixels[..., 2]) > 100).any(0)).mean()

    assert red(0) < 20 < 100 < red(1)


def test_what_cannot_be_drawn_is_said(films):
    render = synthesis_renderer(films)
    with pytest.raises(UsageError, match="unknown network 'color'"):
        render(network="color", visit=0)
    with pytest.raises(UsageError, match="visit -1: the first is 0"):
        render(network="grey", visit=-1)
    with pytest.raises(UsageError, match="at least one"):
        SynthesisExplorer({})
    with pytest.raises(UsageError, match="at least one picture"):
        watch(system(), 0)
    with pytest.raises(UsageError, match="a score for each picture"):
        Synthesis(np.zeros((2, 3, 8, 8, 3), np.uint8), np.zeros((2, 4)), np.ones(3))


def test_moving_the_controls_shows_what_was_asked_for(films):
    lab = Watcher()
    explorer = SynthesisExplorer(films, lab=lab)
    assert explorer.state == {"network": "colour", "visit": 4}  # the end
    for state in ({"visit": 1}, {"network": "grey", "visit": 1}):
        explorer.set(**state)
        film = films[explorer.state["network"]]
        shown = Image.open(BytesIO(explorer.image.value))
        assert (pictures(shown, film.frames.shape[1]) == film.frames[1]).all()
    assert explorer.message.value == "" and lab.errors == []
