"""Explorer: a concept of several phrases drawn from noise, or into a picture, step by step.

An ascent of some pictures takes a minute, so each is made once, by `film`, and then scrubbed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import ipywidgets as widgets
import numpy as np
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.explore.scrub import Scrubber, scrubbed
from t2ilab.explore.sheet import tile
from t2ilab.inputs.concepts import And, Concept, Not, Or, Phrase
from t2ilab.plots import arranged, label
from t2ilab.systems.introspective_text import IntrospectiveText

SIDE, GAP, HEAD = 128, 8, 26  # pixels: of a picture, between two, of the title


@dataclass(frozen=True)
class Film:
    """Some pictures on their way to a concept.

    Attributes:
        frames: uint8 [moments, n, h, w, 3], the start first.
        steps: the step of each moment.
    """

    frames: UInt8[np.ndarray, "t n h w 3"]
    steps: tuple[int, ...]

    def __post_init__(self):
        if len(self.frames) != len(self.steps) or not len(self.steps):
            raise UsageError(
                f"{len(self.frames)} frames and {len(self.steps)} steps: one for each is needed."
            )

    def __len__(self) -> int:
        """The number of the last moment."""
        return len(self.frames) - 1


def film(
    system: IntrospectiveText,
    concept: Concept | str,
    n: int = 8,
    seed: int = 0,
    *,
    start: Tensor | None = None,
    steps: int = 200,
    frames: int = 12,
) -> Film:
    """Draw n pictures of a concept and keep some moments; raises as `IntrospectiveText.compose`."""
    made = system.compose(concept, n, seed, start=start, steps=steps, frames=frames)
    shown = [to_uint8(x.expand(-1, 3, -1, -1)) for _, x in made.frames]
    return Film(np.stack(shown), tuple(step for step, _ in made.frames))


def concept_renderer(films: Mapping[str, Film], *, columns: int = 4) -> Callable[..., Image.Image]:
    """`render(concept, moment) -> PIL.Image`; see `scrubbed`.

    Args:
        films: a concept in words -> its film.
        columns: pictures in a row.
    """
    return scrubbed(films, partial(_moment, columns), "concept", "moment")


def _moment(columns: int, name: str, one: Film, t: int) -> Image.Image:
    where = "where they begin" if not t else f"step {one.steps[t]} of {one.steps[-1]}"
    tiles = [tile(picture, SIDE) for picture in one.frames[t]]
    below = arranged(tiles, columns=columns, across=GAP, down=GAP)
    return arranged([label(f"{name}: {where}", below.width, size=15, height=HEAD), below])


class ConceptsExplorer(Scrubber):
    """Pick a concept, move through the steps or let them play; compose another and have it drawn.

    Args:
        films: a concept in words -> its film; the first is shown first, at its end.
        system: draws what is composed below the controls; without one there is no composer.
        n: pictures of what is composed.
        columns: pictures in a row.
        lab: told of errors.

    Raises:
        UsageError: no films.
    """

    def __init__(
        self,
        films: Mapping[str, Film],
        *,
        system: IntrospectiveText | None = None,
        n: int = 4,
        columns: int = 4,
        lab: Any = None,
    ):
        self.films, self.system, self.n = dict(films), system, n
        self.composer = Composer() if system is not None else None
        more = [] if self.composer is None else [self.composer.box]
        draw = partial(_moment, columns)
        title = "pictures on their way to a caption"
        super().__init__(self.films, draw, "concept", "moment", lab=lab, title=title, more=more)
        if self.composer is not None:
            self.composer.button.on_click(lambda _: self.compose())

    def compose(self) -> None:
        """Draw what the composer says, some seconds, and show it; an error is shown instead."""
        composer = self.composer
        composer.button.disabled = True
        self.status.value = '<small role="status">drawing, some seconds …</small>'
        try:
            concept, name = composer.concept, composer.name
            if name not in self.films:
                system = self.system.guided(composer["gamma"])
                steps = composer["steps"]
                made = film(system, concept, self.n, composer["seed"], steps=steps)
                self.films[name] = made
            picked = self.controls["concept"]
            picked.options = list(self.films)
            if picked.value == name:
                self.update()
            picked.value = name
        except Exception as error:
            self._fail(error)
        finally:
            composer.button.disabled = False


class Composer:
    """What is typed to be drawn: two phrases, how they are joined, gamma, steps and seed.

    Attributes:
        fields: the controls by name; `composer["gamma"]` is the value of one.
        button: asks for the drawing.
        box: all of them.
    """

    JOINS = ("alone", "AND", "OR", "AND NOT")

    def __init__(self):
        self.fields = {
            "phrase": widgets.Text("a red bird", description="phrase"),
            "join": widgets.Dropdown(options=self.JOINS, value="AND NOT", description="joined"),
            "other": widgets.Text("a bird on a branch", description="other phrase"),
            "weight": widgets.FloatSlider(0.5, min=0.1, max=2.0, step=0.1, description="weight"),
            "gamma": widgets.FloatSlider(10.0, min=0.0, max=30.0, step=1.0, description="γ"),
            "steps": widgets.IntSlider(200, 20, 400, 20, description="steps"),
            "seed": widgets.IntSlider(0, 0, 99, description="seed"),
        }
        self.button = widgets.Button(description="Draw", tooltip="Draw what is written above")
        for field in self.fields.values():
            field.style.description_width = "initial"
        self.fields["join"].observe(self._rest, "value")
        self.box = widgets.Box([*self.fields.values(), self.button])
        self.box.layout.flex_flow = "row wrap"
        self.box.add_class("t2ilab-controls")

    def __getitem__(self, name: str) -> Any:
        return self.fields[name].value

    def _rest(self, change: dict[str, Any]) -> None:
        """The second phrase is greyed where there is none."""
        for name in ("other", "weight"):
            self.fields[name].disabled = change["new"] == "alone"

    @property
    def concept(self) -> Concept:
        """What is asked for; raises as `inputs.concepts` does."""
        first, weight = Phrase(self["phrase"]), round(self["weight"], 3)
        if self["join"] == "alone":
            return first
        if self["join"] == "AND NOT":
            return And(first, Not(self["other"], weight))
        return (And if self["join"] == "AND" else Or)(first, Phrase(self["other"], weight))

    @property
    def name(self) -> str:
        """How the film is called: the concept, and what else it depends on."""
        weight = "" if self["join"] == "alone" else f"weight {self['weight']:.1f}, "
        how = f"{weight}γ {self['gamma']:g}, {self['steps']} steps, seed {self['seed']}"
        return f"{self.concept.words()} ({how})"
