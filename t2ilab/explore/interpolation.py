"""Explorer: two captions and a slider between them, the noise fixed; a strip of the whole way.

Below the strip, in the world of birds or flowers, stands what the AttributeReader finds on each
picture of the way, for what the two captions state differently: where does red become blue?
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import ipywidgets as widgets
import torch
from PIL import Image, ImageDraw

from t2ilab.data.captioned import to_uint8
from t2ilab.data.paperworld.world import World
from t2ilab.errors import UsageError
from t2ilab.explore.explorer import OTHER_NOISE, Explorer
from t2ilab.explore.sheet import ink_on, tile
from t2ilab.metrics.interpolation import probabilities, straight
from t2ilab.models.reader import AttributeReader
from t2ilab.plots import FAINT, INK, PAPER, letters
from t2ilab.systems.text_to_image import TextToImage

FIRST, SECOND = "a small red bird with blue wings", "a small blue bird with yellow wings"
STEPS = 11  # pictures of the way, both ends counted
LARGE, SMALL, ROW = 256, 56, 18  # pixels: picture, one of the strip, a row of values
LEFT = 62  # pixels left of the strip, where the names of attributes stand


def two_captions(system: TextToImage, first: str, second: str) -> torch.Tensor:
    """phi of two captions [2, text] between which there is a way.

    Raises:
        CaptionError: one of them cannot be read.
        UsageError: they are the same, or the encoder reads them alike.
    """
    phi = system.encoder.encode([first, second])
    same = "Change a word in one of them: between a caption and itself there is nothing to see."
    if first.split() == second.split():
        raise UsageError(f"The two captions are the same. {same}")
    if torch.allclose(phi[0], phi[1], atol=1e-5):
        raise UsageError(f"The encoder reads both captions alike. {same}")
    return phi


def told_apart(world: World, first: str, second: str) -> list[str]:
    """Attributes of which the two captions state different values, or only one states one."""
    one, other = world.read(first), world.read(second)
    return [name for name in world.content if one.get(name) != other.get(name)]


def interpolation_renderer(
    system: TextToImage,
    *,
    steps: int = STEPS,
    world: World | None = None,
    reader: AttributeReader | None = None,
) -> Callable[[str, str, int, int], Image.Image]:
    """`render(first, second, place, seed) -> PIL.Image`: one picture of the way, and the strip.

    `place` counts the pictures of the way from 0, which is the first caption, to steps - 1.
    """

    @lru_cache(maxsize=16)
    def way(first: str, second: str, seed: int):
        phi = two_captions(system, first, second)
        z = system.noise(1, seed).to(phi.device)
        phi = straight(*system.complete(phi, z.expand(2, -1)), steps)
        drawn = system(z.expand(steps, -1), phi).cpu()
        names = told_apart(world, first, second) if world is not None and reader is not None else []
        read = probabilities(reader, drawn) if names else {}
        return to_uint8(drawn), {name: read[name] for name in names}

    def render(first: str, second: str, place: int, seed: int) -> Image.Image:
        if not 0 <= place < steps:
            raise UsageError(f"place {place}: the way has the places 0 to {steps - 1}.")
        pictures, read = way(first, second, seed)
        return _sheet(pictures, read, place, world)

    return render


def _sheet(pictures, read: dict, place: int, world: World | None) -> Image.Image:
    """The present picture large, the strip below it, and the rows of what was read."""
    width = LEFT + len(pictures) * SMALL
    sheet = Image.new("RGB", (width, LARGE + 12 + SMALL + 6 + ROW * len(read)), PAPER)
    sheet.paste(tile(pictures[place], LARGE), (LEFT + (len(pictures) * SMALL - LARGE) // 2, 0))
    draw, top = ImageDraw.Draw(sheet), LARGE + 8
    for k, picture in enumerate(pictures):
        sheet.paste(tile(picture, SMALL - 4), (LEFT + k * SMALL + 2, top + 2))
    x = LEFT + place * SMALL
    draw.rectangle((x, top, x + SMALL - 1, top + SMALL - 1), outline=INK, width=2)
    for row, (name, p) in enumerate(read.items()):
        _write_row(draw, name, p, top + SMALL + 4 + row * ROW, world)
    return sheet


def _write_row(draw: ImageDraw.ImageDraw, name: str, p: torch.Tensor, y: int, world: World):
    """A cell a picture: the value read, and how probable it is where that is not above 95 %."""
    font, paint = letters(11), world.colours.get("paint", {})
    draw.text((2, y + 1), name, fill=INK, font=font)
    for k, (share, value) in enumerate(zip(*p.max(1), strict=True)):
        word, x = world.attributes[name][int(value)], LEFT + k * SMALL
        colour = paint.get(word, FAINT)
        draw.rectangle((x + 2, y, x + SMALL - 3, y + ROW - 4), fill=colour)
        text = word if share > 0.95 else f"{word[:4]} {share:.0%}"
        draw.text((x + SMALL // 2, y + ROW // 2 - 2), text, ink_on(colour), font, "mm")


class InterpolationExplorer(Explorer):
    """Two captions, a slider with a play button between them, one noise vector.

    Args:
        system: what draws.
        world, reader: say below the strip what is read on each picture; may be left out.
        captions: the two to begin with.
        steps: pictures of the way.
        lab: told of errors.
    """

    def __init__(
        self,
        system: TextToImage,
        world: World | None = None,
        *,
        reader: AttributeReader | None = None,
        captions: Sequence[str] = (FIRST, SECOND),
        steps: int = STEPS,
        lab: Any = None,
    ):

        def swapped(state: dict[str, Any]) -> dict[str, Any]:
            back = steps - 1 - state["place"]
            return {"first": state["second"], "second": state["first"], "place": back}

        first, second = (
            widgets.Text(c, placeholder="type a caption and press Enter") for c in captions
        )
        super().__init__(
            interpolation_renderer(system, steps=steps, world=world, reader=reader),
            {
                "first": first,
                "second": second,
                "place": widgets.IntSlider(0, 0, steps - 1, description="between"),
                "seed": widgets.IntSlider(0, 0, 99, description="noise"),
            },
            buttons=OTHER_NOISE | {"Swap": swapped},
            play="place",
            title="pictures between two captions",
            lab=lab,
            scale=1,
        )
