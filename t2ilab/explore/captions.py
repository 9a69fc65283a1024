"""Explorer: a caption in free text, pictures that should obey it, and whether they do.

With a world of PaperWorld and its reader each picture carries a tick or a cross for everything that
the caption states: the lexicon says what that is, the AttributeReader what the picture shows.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from t2ilab.data.captioned import to_float
from t2ilab.data.paperworld.world import World
from t2ilab.errors import UsageError
from t2ilab.explore.explorer import OTHER_NOISE, Explorer
from t2ilab.explore.sheet import ticked, tile
from t2ilab.models.reader import UNREADABLE, AttributeReader
from t2ilab.plots import arranged
from t2ilab.systems.text_to_image import TextToImage

SUGGESTIONS = (
    "a small red bird with blue wings",
    "a large yellow bird with black wings and a long beak",
    "this bird is white with orange and has a very short beak",
    "this small bird has a pink breast and crown, and black primaries and secondaries",
    "a blue bird sits on a branch",
    "a bird",
)
TILE = 128  # screen pixels of a picture, at least
_PICK = "pick a caption ..."


def read_back(
    reader: AttributeReader, world: World, images: UInt8[np.ndarray, "n h w 3"]
) -> dict[str, list[str]]:
    """attribute -> the value that the reader finds in each picture, by name; or "unreadable"."""
    numbers = reader.read(to_float(images))
    return {
        name: [
            "unreadable" if k == UNREADABLE else world.attributes[name][k] for k in values.tolist()
        ]
        for name, values in numbers.items()
    }


def tick_grid(
    images: UInt8[np.ndarray, "n h w 3"],
    stated: Mapping[str, str],
    read: Mapping[str, Sequence[str]],
    *,
    columns: int = 4,
) -> Image.Image:
    """Pictures; below each, for each stated attribute, a tick or a cross and what is read.

    Args:
        stated: attribute -> value that the caption states; may be empty.
        read: attribute -> the value found in each picture.

    Raises:
        UsageError: no pictures, or no value read for each of them.
    """
    short = [name for name in stated if len(read.get(name, ())) != len(images)]
    if short or not len(images):
        raise UsageError(
            f"{len(images)} pictures, and no value read for each of them: "
            f"{', '.join(short) or 'give at least one picture'}."
        )
    side = images.shape[2] * max(1, TILE // images.shape[2])
    cells = [tile(picture, side) for picture in images]
    if stated:
        found = [{name: read[name][i] for name in stated} for i in range(len(images))]
        lines = [ticked(stated, one, side) for one in found]
        cells = [arranged(pair, down=3) for pair in zip(cells, lines, strict=True)]
    return arranged(cells, columns=columns, across=4, down=7 if stated else 4)


def caption_renderer(
    system: TextToImage,
    *,
    n: int = 8,
    columns: int = 4,
    world: World | None = None,
    reader: AttributeReader | None = None,
) -> Callable[[str, int], Image.Image]:
    """`render(caption, seed) -> PIL.Image`: n pictures of one caption, the noise fixed by the seed.

    With a world and its reader there are ticks and crosses below the pictures.
    """

    def render(caption: str, seed: int) -> Image.Image:
        images = system.draw(caption, n=n, seed=seed)
        stated, read = {}, {}
        if world is not None and reader is not None:
            stated, read = world.read(caption), read_back(reader, world, images)
        return tick_grid(images, stated, read, columns=columns)

    return render


def note(system: TextToImage, world: World | None, caption: str) -> str:
    """In words: what the caption states, as far as the world's lexicon says, and unknown words."""
    parts = []
    if world is not None:
        stated = world.read(caption)
        left = [name for name in world.content if name not in stated]
        said = ", ".join(f"{name} {value}" for name, value in stated.items()) or "nothing"
        parts.append(f"The caption states: {said}.")
        if left:
            parts.append(f"Left open: {', '.join(left)}.")
        if not_drawn := world.left(caption):
            parts.append(f"Not drawn: {'; '.join(not_drawn)}.")
    if unknown := system.questions(caption):
        listed = ", ".join(unknown)
        parts.append(f"Not known to the encoder, and read as 'something': {listed}.")
    return " ".join(parts)


class CaptionExplorer(Explorer):
    """Type or pick a caption, roll the noise; below the pictures, what the caption states.

    Args:
        system: what draws.
        world: whose lexicon reads the caption; None for a real data set.
        reader: of that world; marks each picture with ticks and crosses.
        n: pictures of a caption.
        suggestions: captions to pick from; the first one is drawn at once.
        lab: told of errors.
    """

    def __init__(
        self,
        system: TextToImage,
        world: World | None = None,
        *,
        reader: AttributeReader | None = None,
        n: int = 8,
        suggestions: Sequence[str] = SUGGESTIONS,
        lab: Any = None,
    ):
        self.suggestions = widgets.Dropdown(
            options=[_PICK, *suggestions], value=_PICK, description="examples"
        )
        self.suggestions.observe(self._pick, names="value")
        caption = widgets.Text(suggestions[0], placeholder="type a caption and press Enter")
        super().__init__(
            caption_renderer(system, n=n, world=world, reader=reader),
            {"caption": caption, "seed": widgets.IntSlider(0, 0, 99, description="noise")},
            buttons=OTHER_NOISE,
            note=lambda caption, seed: note(system, world, caption),
            more=[self.suggestions],
            title="pictures from a caption",
            lab=lab,
            scale=1,
        )

    def _pick(self, change: Mapping[str, Any]) -> None:
        if change["new"] != _PICK:
            self.set(caption=change["new"])
            self.suggestions.value = _PICK
