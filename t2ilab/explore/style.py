"""Explorer: the style of a picture onto a caption. Pick a picture or upload one, type a caption.

The style encoder S finds noise in the picture; G draws the caption with it, G(S(query), phi). The
strength multiplies S(query): 1 is the paper's, 0 forgets the picture.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from t2ilab.data.captioned import to_float, to_uint8
from t2ilab.data.paperworld.world import World
from t2ilab.data.pictures import read as read_picture
from t2ilab.errors import DataError, UsageError, choose
from t2ilab.explore.captions import read_back
from t2ilab.explore.explorer import Explorer
from t2ilab.explore.sheet import ticked, tile
from t2ilab.models.reader import AttributeReader
from t2ilab.models.style import StyleEncoder
from t2ilab.plots import INK, PAPER, arranged, label
from t2ilab.systems.text_to_image import TextToImage

TILE, GAP = 224, 28  # pixels: of a picture, between two
STYLES = ("setting", "side")
CAPTION = "a small yellow bird with black wings"


def opened(content: bytes | memoryview, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """An uploaded file as a square picture: its middle, brought to size x size pixels.

    Raises:
        UsageError: it is no picture, or a damaged or an enormous one.
    """
    try:
        return read_picture(bytes(content), size)
    except DataError as error:
        raise UsageError(f"The file is no picture that can be read: {error}") from error


def style_renderer(
    system: TextToImage,
    style: StyleEncoder,
    pictures: Mapping[str, UInt8[np.ndarray, "h w 3"]],
    *,
    world: World | None = None,
    reader: AttributeReader | None = None,
) -> Callable[..., Image.Image]:
    """`render(picture, caption, strength) -> PIL.Image`: the query and the transfer.

    Left the picture called `picture`; right the caption, drawn with strength * S(picture) as noise.
    With a world and its reader there are ticks and crosses: setting and side as in the query, the
    rest as the caption says. `pictures` may grow; a name must always mean the same picture.
    """

    def render(picture: str, caption: str, strength: float = 1.0) -> Image.Image:
        query = pictures[choose("picture", picture, pictures)]
        phi = system.encoder.encode([caption])
        z = strength * style.style(to_float(query[None]))
        drawn = to_uint8(system.draw_vectors(phi, z))
        wanted, found = {}, {}
        if world is not None and reader is not None:
            wanted, found = _asked(world, reader, query, drawn[0], caption)
        below = label(f"its style: noise of norm {z.norm():.1f}", TILE, size=13)
        cells = [tile(query, TILE), _arrow(), tile(drawn[0], TILE)]
        cells += [below, Image.new("RGB", (GAP, 1), PAPER), ticked(wanted, found, TILE)]
        return arranged(cells, columns=3, down=4)

    return render


def _asked(
    world: World, reader: AttributeReader, query: np.ndarray, drawn: np.ndarray, caption: str
) -> tuple[dict[str, str], dict[str, str]]:
    """All that is asked of the transferred picture, and what is found on it, by attribute."""
    names = [name for name in STYLES if name in world.style]
    seen, found = (
        {name: values[0] for name, values in read_back(reader, world, one[None]).items()}
        for one in (query, drawn)
    )
    return world.read(caption) | {name: seen[name] for name in names}, found


def _arrow() -> Image.Image:
    image, x, y = Image.new("RGB", (GAP, TILE), PAPER), GAP // 2, TILE // 2
    way = [(x - 8, y), (x + 8, y), (x + 3, y - 5), (x + 8, y), (x + 3, y + 5)]
    ImageDraw.Draw(image).line(way, INK, 2)
    return image


class StyleExplorer(Explorer):
    """Pick a picture or upload one, type a caption: the caption is drawn in the picture's style.

    Args:
        system: what draws.
        style: S of this system.
        pictures: name -> uint8 [h, w, 3], to pick from; the first one is used at once.
        world, reader: mark what came out right; may be left out.
        caption: to begin with.
        lab: told of errors.

    Raises:
        UsageError: no pictures.
    """

    def __init__(
        self,
        system: TextToImage,
        style: StyleEncoder,
        pictures: Mapping[str, UInt8[np.ndarray, "h w 3"]],
        *,
        world: World | None = None,
        reader: AttributeReader | None = None,
        caption: str = CAPTION,
        lab: Any = None,
    ):
        if not pictures:
            raise UsageError("the style explorer needs at least one picture to begin with.")
        self.pictures, self.size = dict(pictures), system.size
        self.upload = widgets.FileUpload(
            accept="image/*", multiple=False, description="Upload a picture"
        )
        self.upload.tooltip = "Upload a picture"
        super().__init__(
            style_renderer(system, style, self.pictures, world=world, reader=reader),
            {
                "picture": widgets.Dropdown(options=list(self.pictures)),
                "caption": widgets.Text(caption, placeholder="type a caption and press Enter"),
                "strength": widgets.FloatSlider(1.0, min=0.0, max=3.0, step=0.1),
            },
            buttons={"Next picture": self._next},
            more=[self.upload],
            title="the style of a picture, onto a caption",
            lab=lab,
            scale=1,
        )
        self.upload.observe(self._uploaded, names="value")

    def add(self, name: str, content: bytes | memoryview) -> str:
        """Take in a file's bytes as a picture, show it, and return the name it got.

        Raises:
            UsageError: it is no picture.
        """
        picture = opened(content, self.size)
        short = hashlib.sha256(picture.tobytes()).hexdigest()[:4]
        name = f"{str(name)[:40]} ({short})"
        self.pictures[name] = picture
        self.controls["picture"].options = list(self.pictures)
        self.set(picture=name)
        return name

    def _next(self, state: Mapping[str, Any]) -> dict[str, str]:
        names = list(self.pictures)
        return {"picture": names[(names.index(state["picture"]) + 1) % len(names)]}

    def _uploaded(self, change: Mapping[str, Any]) -> None:
        for file in change["new"] or ():
            self._drawings += 1  # a move of the user's: what is wrong with it is an answer to it
            try:
                self.add(file["name"], file["content"])
            except Exception as error:
                self._fail(error)
