"""One scrubber for all films: pick one, move through its moments or let them play.

A film is anything computed beforehand that has moments: an ascent, a synthesis, the rounds of a
model, a training. `len(film)` is the number of its last moment; the first is 0.
"""

from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Any

import ipywidgets as widgets
from PIL import Image

from t2ilab.errors import UsageError, choose
from t2ilab.explore.explorer import Explorer


def scrubbed(
    films: Mapping[str, Sized], draw: Callable[[str, Any, int], Image.Image], film: str, moment: str
) -> Callable[..., Image.Image]:
    """`render(**{film: name, moment: t}) -> PIL.Image`; moments beyond the last show the last.

    Args:
        films: by name. Without a name in the state it is the first.
        draw: (name, film, t) -> what the film shows at t, from 0 to len(film).
        film, moment: what the two arguments are called.

    `render` raises UsageError for an unknown film or a negative moment.
    """

    def render(**state: Any) -> Image.Image:
        name, t = state.get(film, next(iter(films))), state[moment]
        found = films[choose(film, name, films)]
        if t < 0:
            raise UsageError(f"{moment} {t}: the first is 0.")
        return draw(name, found, min(t, len(found)))

    return render


class Scrubber(Explorer):
    """A slider, with a play button, over the moments of a film; a list of films to pick from.

    Args:
        films, draw, film, moment: as of `scrubbed`; the first film is shown first.
        labels: what the slider shows for each moment, where there is but one film (no list then).
        first: begin at the first moment, not at the last.
        options: of `Explorer`.

    Raises:
        UsageError: no films.
    """

    def __init__(
        self,
        films: Mapping[str, Sized],
        draw: Callable[[str, Any, int], Image.Image],
        film: str = "film",
        moment: str = "moment",
        *,
        labels: Sequence[str] = (),
        first: bool = False,
        **options: Any,
    ):
        if not films:
            raise UsageError(f"there is nothing to scrub: give at least one {film}.")
        last = len(next(iter(films.values())))
        at, controls = 0 if first else last, {}
        if labels:
            slider = widgets.SelectionSlider(options=[(one, k) for k, one in enumerate(labels)])
            slider.value = at
        else:
            slider, picked = widgets.IntSlider(at, 0, last), widgets.Dropdown(options=list(films))
            picked.observe(lambda change: _refit(slider, len(films[change["new"]])), "value")
            controls[film] = picked
        render, controls[moment] = scrubbed(films, draw, film, moment), slider
        super().__init__(render, controls, play=moment, scale=1, **options)


def _refit(slider: widgets.IntSlider, last: int) -> None:
    """The slider for another film; where it stood at the end, it stays at the end."""
    ended = slider.value == slider.max
    slider.max = last
    if ended:
        slider.value = last
