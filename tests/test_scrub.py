"""The scrubber of films: which moment of which film is shown, and what a change of film does."""

from io import BytesIO

import pytest
from PIL import Image
from watcher import Watcher

from t2ilab.errors import UsageError
from t2ilab.explore.scrub import Scrubber, scrubbed

FILMS = {"short": "abc", "long": "abcdefgh"}  # a film of n letters has the moments 0 to n


def draw(name: str, film: str, t: int) -> Image.Image:
    """One pixel that says what was asked for."""
    return Image.new("RGB", (1, 1), (len(name), len(film), t))


def shown(explorer) -> tuple[int, int, int]:
    return Image.open(BytesIO(explorer.image.value)).getpixel((0, 0))


def test_the_moment_asked_for_is_drawn_and_beyond_the_last_the_last():
    render = scrubbed(FILMS, draw, "film", "moment")
    for name, asked, drawn in (("short", 0, 0), ("short", 3, 3), ("short", 9, 3), ("long", 8, 8)):
        picture = render(film=name, moment=asked)
        assert picture.getpixel((0, 0)) == (len(name), len(FILMS[name]), drawn)


def test_what_cannot_be_drawn_is_said():
    render = scrubbed(FILMS, draw, "film", "moment")
    with pytest.raises(UsageError, match="unknown film 'shirt'"):
        render(film="shirt", moment=0)
    with pytest.raises(UsageError, match="moment -1: the first is 0"):
        render(film="long", moment=-1)
    with pytest.raises(UsageError, match="at least one reel"):
        Scrubber({}, draw, "reel")


def test_the_slider_ends_where_the_film_ends():
    lab = Watcher()
    explorer = Scrubber(FILMS, draw, lab=lab)
    slider = explorer.controls["moment"]
    assert shown(explorer) == (5, 3, 3)  # the end of the first film
    explorer.controls["film"].value = "long"
    assert (slider.value, slider.max, shown(explorer)) == (8, 8, (4, 8, 8))  # at the end still
    slider.value = 5
    assert shown(explorer) == (4, 8, 5)
    explorer.controls["film"].value = "short"
    assert (slider.value, slider.max, shown(explorer)) == (3, 3, (5, 3, 3))
    explorer.set(moment=6, film="long")
    assert shown(explorer) == (4, 8, 6) and lab.errors == []


def test_a_film_may_begin_at_its_first_moment_and_its_moments_have_names():
    assert shown(Scrubber(FILMS, draw, first=True)) == (5, 3, 0)
    explorer = Scrubber({"one": "ab"}, draw, labels=["begin", "middle", "end"])
    assert list(explorer.controls) == ["moment"]  # one film: nothing to pick
    assert explorer.controls["moment"].label == "end"
    explorer.controls["moment"].label = "middle"
    assert shown(explorer) == (3, 2, 1)
