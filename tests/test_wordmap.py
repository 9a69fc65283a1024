"""The map of words: the plane, what render draws, and what typing does."""

import numpy as np
import pytest
from PIL import ImageChops
from watcher import Watcher

from t2ilab.errors import UsageError
from t2ilab.explore.wordmap import SIZE, WordMap, colours_of, map_renderer, principal_plane
from t2ilab.text.vectors import WordVectors

RNG = np.random.default_rng(0)
WORDS = ["red", "crimson", "blue", "azure", "bird", "dog"]
VECTORS = WordVectors(WORDS, RNG.normal(size=(6, 5)))
OTHERS = WordVectors(WORDS[:5], RNG.normal(size=(5, 4)))


def test_the_plane_is_that_of_the_largest_variance_and_its_signs_are_fixed():
    x = np.zeros((40, 5))
    x[:, 3], x[:, 1] = RNG.normal(size=40) * 5, RNG.normal(size=40)
    x[:, 0] = RNG.normal(size=40) * 0.1
    xy, share = principal_plane(x)
    assert abs(np.corrcoef(xy[:, 0], x[:, 3])[0, 1]) > 0.99 and share > 0.99
    np.testing.assert_allclose(principal_plane(-x)[0][:, 0].max(), np.abs(xy[:, 0]).max())
    with pytest.raises(UsageError, match="at least 3 words"):
        principal_plane(np.ones((2, 4)))


def test_render_is_pure_and_every_control_changes_the_picture():
    render = map_renderer({"one": VECTORS, "two": OTHERS}, groups={"red": "colour"})
    start = dict(space="one", word="red", neighbours=2, zoom=1)
    first = render(**start)
    assert first.size == SIZE and first == render(**start)
    for change in ({"space": "two"}, {"word": "dog"}, {"neighbours": 3}, {"zoom": 3}):
        assert ImageChops.difference(first, render(**start | change)).getbbox(), change
    assert render(**start | {"word": " Red "}) == first


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"word": "bluw"}, "'bluw' has no vector .* Did you mean 'blue'"),
        ({"word": ""}, "'' has no vector"),
        ({"space": "three"}, "unknown space 'three'"),
    ],
)
def test_what_cannot_be_drawn_is_said(change, said):
    render = map_renderer({"one": VECTORS})
    with pytest.raises(UsageError, match=said):
        render(**dict(space="one", word="red", neighbours=2, zoom=1) | change)


def test_groups_have_colours_of_their_own():
    palette = colours_of({"red": "colour", "blue": "colour", "dog": "subject", "one": "count"})
    assert len(palette) == 3 and len(set(palette.values())) == 3


def test_typing_a_word_draws_and_an_unknown_one_is_answered_in_words():
    lab = Watcher()
    explorer = WordMap({"one": VECTORS, "two": OTHERS}, ["red", "blue"], lab=lab)
    before, said = explorer.image.value, explorer.said.value
    assert "Nearest to “red”" in said and "of the variance" in said
    explorer.controls["word"].value = "dog"
    assert explorer.image.value != before and "“dog”" in explorer.said.value
    kept = explorer.image.value
    explorer.controls["word"].value = "<b>"
    assert "has no vector" in explorer.message.value and "<b>" not in explorer.message.value
    assert explorer.image.value == kept and explorer.said.value == ""
    explorer.set(word="red", space="two")
    assert explorer.message.value == "" and lab.errors == []
