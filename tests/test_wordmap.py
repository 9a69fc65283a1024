"""The map of words: the plane, what render draws, and what typing does."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from watcher import Watcher

from t2ilab.errors import UsageError
from t2ilab.explore.wordmap import SIZE, WordMap, _places, colours_of, map_renderer, principal_plane
from t2ilab.plots import RED
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


def linked(picture, vectors: WordVectors, word: str, zoom: int) -> set[str]:
    """The words to which a red line leads, read from the pixels in the middle of each line."""
    xy = principal_plane(vectors.unit)[0]
    places = _places(xy, xy[vectors.index[word]], zoom)
    here, found = places[vectors.index[word]], set()
    for other in vectors.words:
        x, y = (0.35 * places[vectors.index[other]] + 0.65 * here).round().astype(int)
        if other != word and 0 < x < SIZE[0] and 0 < y < SIZE[1]:
            around = np.asarray(picture)[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3)
            found |= {other} if (around == RED).all(1).any() else set()
    return found


@pytest.mark.parametrize(
    "change", [{}, {"space": "two"}, {"word": "dog"}, {"neighbours": 1}, {"word": " Blue "}]
)
def test_lines_lead_from_the_word_to_as_many_neighbours_as_were_asked_for(change):
    spaces = {"one": VECTORS, "two": OTHERS}
    state = dict(space="one", word="red", neighbours=3, zoom=1) | change
    picture = map_renderer(spaces)(**state)
    vectors, word = spaces[state["space"]], state["word"].strip().lower()
    near = {other for other, _ in vectors.nearest(word, state["neighbours"])}
    assert picture.size == SIZE and picture == map_renderer(spaces)(**state)
    assert near <= linked(picture, vectors, word, 1) and len(near) == state["neighbours"]
    if not change:
        assert near == linked(picture, vectors, word, 1)


def test_zoom_puts_the_word_in_the_middle_in_the_colour_of_its_group():
    picture = map_renderer({"one": VECTORS}, groups={"red": "a", "dog": "b"})(
        space="one", word="red", neighbours=2, zoom=3
    )
    assert (
        picture.getpixel((SIZE[0] // 2, SIZE[1] // 2)) == colours_of({"red": "a", "dog": "b"})["a"]
    )


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
    said = explorer.said.value
    assert "Nearest to “red”" in said and "of the variance" in said
    explorer.controls["word"].value = "dog"
    kept = explorer.image.value
    assert "“dog”" in explorer.said.value
    shown = Image.open(BytesIO(kept))
    drawn = explorer.render(space="one", word="dog", neighbours=5, zoom=1)
    assert shown.tobytes() == drawn.tobytes()
    explorer.controls["word"].value = "<b>"
    assert "has no vector" in explorer.message.value and "<b>" not in explorer.message.value
    assert explorer.image.value == kept and explorer.said.value == ""
    explorer.set(word="red", space="two")
    assert explorer.message.value == "" and lab.errors == []
