"""Explorer: a concept of several phrases drawn from noise, or into a picture, step by step.

An ascent of some pictures takes a minute, so each is made once, by `film`, and then scrubbed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.explore.scrub import Scrubber, scrubbed
from t2ilab.explore.sheet import tile
from t2ilab.inputs.concepts import Concept
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
    """Pick a concept, move through the steps or let them play.

    Args:
        films: a concept in words -> its film; the first is shown first, at its end.
        columns: pictures in a row.
        lab: told of errors.

    Raises:
        UsageError: no films.
    """

    def __init__(self, films: Mapping[str, Film], *, columns: int = 4, lab: Any = None):
        draw = partial(_moment, columns)
        title = "pictures on their way to a caption"
        super().__init__(films, draw, "concept", "moment", lab=lab, title=title)
