"""Pictures side by side with a label below each: what a page without a kernel shows."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from t2ilab.errors import UsageError

_TILE, _SHEET = 160, 960  # a tile is enlarged up to, and a row holds up to, so many pixels


def contact_sheet(
    pictures: Sequence[Image.Image], labels: Sequence[str], *, columns: int | None = None
) -> Image.Image:
    """Pictures in a grid, each with its label below; small ones are enlarged in whole pixels.

    Raises:
        UsageError: no pictures, or not one label for each.
    """
    if not pictures or len(pictures) != len(labels):
        raise UsageError(f"{len(pictures)} pictures and {len(labels)} labels: give one for each")
    tiles = [p.convert("RGB") for p in pictures]
    tiles = [
        t.resize([s * max(1, _TILE // t.width) for s in t.size], Image.Resampling.NEAREST)
        for t in tiles
    ]
    columns = max(1, min(len(tiles), columns or max(1, _SHEET // tiles[0].width)))
    font = ImageFont.load_default(size=13)
    width, height = max(t.width for t in tiles), max(t.height for t in tiles)
    lines = [_wrap(str(label), font, width) for label in labels]
    below = 17 * max(len(some) for some in lines) + 6
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * (width + 8) + 8, rows * (height + below + 8) + 8), "white")
    draw = ImageDraw.Draw(sheet)
    places = itertools.product(range(rows), range(columns))
    for tile, some, (row, column) in zip(tiles, lines, places, strict=False):
        x, y = 8 + column * (width + 8), 8 + row * (height + below + 8)
        sheet.paste(tile, (x, y))
        draw.multiline_text((x, y + height + 2), "\n".join(some), "black", font=font, spacing=3)
    return sheet


def differences(states: Sequence[Mapping[str, Any]]) -> list[str]:
    """A label for each state of a sweep, "seed = 3": what all of them share is left out."""
    first = states[0].items() if states[1:] else ()
    shared = [item for item in first if all(item in state.items() for state in states)]
    told = ([f"{k} = {v}" for k, v in state.items() if (k, v) not in shared] for state in states)
    return [", ".join(words) for words in told]


def _wrap(text: str, font: Any, width: int, most: int = 4) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1] + " ..."]
