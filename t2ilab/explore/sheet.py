"""What explorers draw with: tiles, titles, ticks and crosses, lines; the contact sheet of a sweep.

All is put together by `plots.arranged`, in the colours of `plots`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageOps

from t2ilab.errors import UsageError
from t2ilab.plots import GREEN, INK, PAPER, RED, arranged, label, letters

LINE = 17  # pixels: the height of a line of ticks and crosses
_TILE, _SHEET = 160, 960  # a tile is enlarged up to, and a row holds up to, so many pixels
_FINE = 2  # lines are drawn so many times larger, then made smaller


def tile(picture: UInt8[np.ndarray, "h w 3"], side: int) -> Image.Image:
    """A picture brought to side x side: in whole pixels as far as that goes, then smoothly."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    times = side // max(image.size)
    if times > 1:
        image = image.resize([times * s for s in image.size], Image.Resampling.NEAREST)
    return image.resize((side, side), Image.Resampling.BICUBIC)


def ink_on(colour: Sequence[int]) -> tuple[int, int, int]:
    """The colour of letters that can be read on a ground: white on dark ones (luma of BT.601)."""
    luma = sum(share * part for share, part in zip((0.299, 0.587, 0.114), colour, strict=True))
    return PAPER if luma < 130 else INK


def titled(panels: Mapping[str, Image.Image], gap: int = 14) -> Image.Image:
    """Pictures side by side, each with its title above it, 24 pixels high."""
    titles = [label(title, panel.width) for title, panel in panels.items()]
    return arranged([*titles, *panels.values()], columns=len(panels), across=gap)


def ticked(wanted: Mapping[str, str], found: Mapping[str, str], width: int) -> Image.Image:
    """A line for each attribute: a green tick where it was found as wanted, else a red cross."""
    image = Image.new("RGB", (width, max(1, LINE * len(wanted))), PAPER)
    draw, font = ImageDraw.Draw(image), letters(13)
    for y, (name, value) in zip(range(0, image.height, LINE), wanted.items(), strict=False):
        words = f"{name.replace('_', ' ')} {found[name]}"
        if found[name] == value:
            draw.line([(2, y + 8), (5, y + 12), (11, y + 3)], GREEN, 2)
            draw.text((16, y - 1), words, INK, font)
        else:
            draw.line([(2, y + 3), (11, y + 12)], RED, 2)
            draw.line([(2, y + 12), (11, y + 3)], RED, 2)
            longer = f"{words}, not {value}"
            shown = longer if 16 + font.getlength(longer) <= width else words
            draw.text((16, y - 1), shown, RED, font)
    return image


def place(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    around: Sequence[tuple[float, float, str]],
    taken: list[tuple[float, float, float, float]],
    *,
    size: int = 12,
    fill: tuple[int, int, int] = INK,
) -> None:
    """Write a label near its dot where nothing stands yet; where there is no room, not at all.

    Args:
        at: the dot.
        around: places to try, in this order: x and y from the dot, and the anchor of the text.
        taken: boxes that are to be kept free; the label's own is added.
    """
    font, (width, height) = letters(size, text), draw.im.size
    for dx, dy, anchor in around:
        spot = at[0] + dx, at[1] + dy
        left, top, right, bottom = draw.textbbox(spot, text, font=font, anchor=anchor)
        shift = min(0.0, width - 2 - right) or max(0.0, 2 - left)  # into the picture
        left, right = left + shift, right + shift
        free = (right <= x0 or x1 <= left or bottom <= y0 or y1 <= top for x0, y0, x1, y1 in taken)
        if 0 <= top and bottom <= height and all(free):
            taken.append((left, top, right, bottom))
            draw.text((spot[0] + shift, spot[1]), text, fill, font, anchor)
            return


def lettered(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    fill: tuple[int, int, int] = INK,
    anchor: str = "la",
) -> None:
    """Write upon lines and dots: the letters have a rim of paper, so that they can be read."""
    rim = max(2, size // 8)
    draw.text(at, text, fill, letters(size, text), anchor, stroke_width=rim, stroke_fill=PAPER)


def smooth(
    size: tuple[int, int],
    paint: Callable[[ImageDraw.ImageDraw, int, int, int], None],
    ground: tuple[int, int, int] = PAPER,
) -> Image.Image:
    """What `paint(draw, width, height, fine)` draws, `fine` times larger, then made smaller."""
    width, height = (_FINE * side for side in size)
    image = Image.new("RGB", (width, height), ground)
    paint(ImageDraw.Draw(image), width, height, _FINE)
    return image.resize(size, Image.Resampling.LANCZOS)


def path(
    values: Any, low: float, high: float, width: int, height: int, room: float = 0.0
) -> list[tuple[float, float]]:
    """Points of a curve over a strip: `low` below, `high` above, `room` of the height kept free."""
    values = np.asarray(values, dtype=float)
    x = (np.arange(len(values)) + 0.5) / len(values) * width
    y = (1 - room - (1 - 2 * room) * (values - low) / ((high - low) or 1)) * height
    return list(zip(x.tolist(), y.tolist(), strict=True))


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
    width, height = max(t.width for t in tiles), max(t.height for t in tiles)
    columns = columns or max(1, _SHEET // tiles[0].width)
    font = letters(13, "".join(map(str, labels)))
    lines = [_wrap(str(label), font, width) for label in labels]
    below = 17 * max(len(some) for some in lines) + 6
    cells = []
    for one, some in zip(tiles, lines, strict=True):
        cell = Image.new("RGB", (width, height + below), PAPER)
        cell.paste(one, (0, 0))
        words = "\n".join(some)
        ImageDraw.Draw(cell).multiline_text((0, height + 2), words, "black", font=font, spacing=3)
        cells.append(cell)
    return ImageOps.expand(arranged(cells, columns=columns, across=8, down=8), 8, PAPER)


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
