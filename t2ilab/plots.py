"""Grids of pictures, curves of losses: what the notebooks show."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from t2ilab.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    from jaxtyping import UInt8
    from matplotlib.figure import Figure

PAPER, INK = (255, 255, 255), (60, 60, 66)
GREY, FAINT = (150, 150, 158), (244, 244, 247)  # what is beside the point; a ground for lines
BLUE, RED, GREEN = (44, 94, 190), (208, 48, 44), (36, 124, 62)
COLOURS = ("#2c5ebe", "#d0302c", "#3a8c4c", "#7c46a0", "#f08626", "#444")


@lru_cache
def letters(size: int, text: str = "") -> ImageFont.FreeTypeFont:
    """The font of all sheets, `size` pixels high; DejaVu Sans where it lacks a letter of `text`,
    as it does Greek ones, the signs × and −, and é.
    """
    font = ImageFont.load_default(size)
    missing = bytes(font.getmask("\uffff"))
    if all(bytes(font.getmask(letter)) != missing for letter in {*text} - {"\n"}):
        return font
    import matplotlib  # here, for it takes a while

    file = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf"
    return ImageFont.truetype(file, round(0.9 * size))  # its letters are larger


def arranged(
    pictures: Sequence[Image.Image], *, columns: int = 1, across: int = 0, down: int = 0
) -> Image.Image:
    """Pictures in rows of `columns`, by default one below the other; every sheet is made by this.

    A column is as wide as its widest picture, a row as high as its highest; each picture stands at
    the upper left of its place. `across` and `down` are the pixels between columns and rows.
    """
    columns = min(columns, len(pictures))
    widths = [max(p.width for p in pictures[k::columns]) + across for k in range(columns)]
    rows = [pictures[k : k + columns] for k in range(0, len(pictures), columns)]
    heights = [max(p.height for p in row) + down for row in rows]
    sheet = Image.new("RGB", (sum(widths) - across, sum(heights) - down), PAPER)
    for k, picture in enumerate(pictures):
        place = sum(widths[: k % columns]), sum(heights[: k // columns])
        sheet.paste(picture, place)
    return sheet


def grid(
    images: "UInt8[np.ndarray, 'n h w 3']", *, columns: int = 8, scale: int = 1, gap: int = 2
) -> Image.Image:
    """n pictures in rows of `columns`, each enlarged `scale` times without smoothing.

    Raises:
        UsageError: not uint8 [n, h, w, 3], or no pictures.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8 or not len(images):
        raise UsageError(
            f"a grid takes uint8 pictures [n, h, w, 3], n >= 1; got {images.dtype} "
            f"{list(images.shape)}."
        )
    size = images.shape[2] * scale, images.shape[1] * scale
    tiles = [Image.fromarray(one).resize(size, Image.Resampling.NEAREST) for one in images]
    return arranged(tiles, columns=columns, across=gap, down=gap)


def label(
    text: str, width: int, *, size: int = 14, height: int = 24, colour: tuple[int, int, int] = INK
) -> Image.Image:
    """A line of text as a picture; what is too long for it is cut."""
    font = letters(size, text)
    image = Image.new("RGB", (width, height), PAPER)
    ImageDraw.Draw(image).text((1, 3), _shorten(text, font, width - 1), fill=colour, font=font)
    return image


def captioned_grid(
    rows: "Sequence[UInt8[np.ndarray, 'n h w 3']]",
    captions: Sequence[str],
    *,
    scale: int = 1,
    text: int = 15,
) -> Image.Image:
    """A row of pictures for each caption, the caption above it in letters `text` pixels high."""
    strips = [grid(pictures, columns=len(pictures), scale=scale) for pictures in rows]
    width, space = max(s.width for s in strips), Image.new("RGB", (1, 4), PAPER)
    parts = []
    for strip, caption in zip(strips, captions, strict=True):
        parts += [label(caption, width, size=text, height=text + 9), strip, space]
    return arranged(parts)


def _shorten(text: str, font, width: int) -> str:
    while font.getlength(text) > width and len(text) > 2:
        text = text[:-2].rstrip() + "…"
    return text


def curves(
    history: "pd.DataFrame",
    columns: Sequence[str] | None = None,
    *,
    smooth: int = 10,
    labels: dict[str, str] | None = None,
    title: str = "",
    ylabel: str = "loss",
) -> "Figure":
    """Losses against steps: faint as they are, strong as means over `smooth` rows."""
    import matplotlib.pyplot as plt

    columns = columns or [c for c in history.columns if c not in ("step", "seconds")]
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    for column, colour in zip(columns, cycle(COLOURS), strict=False):
        mean = history[column].rolling(smooth, min_periods=1, center=True).mean()
        axes.plot(history["step"], history[column], color=colour, alpha=0.2, lw=1)
        label = (labels or {}).get(column, column)
        axes.plot(history["step"], mean, color=colour, lw=2, label=label)
    axes.set(xlabel="step", ylabel=ylabel, title=title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def bars(
    values: dict[str, dict[str, float]], *, ylabel: str, title: str = "", top: float | None = 1.0
) -> "Figure":
    """Groups of bars: {group: {bar: value}}, each bar with its value above it."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    names = list(next(iter(values.values())))
    width = 0.8 / len(names)
    for k, (name, colour) in enumerate(zip(names, cycle(COLOURS), strict=False)):
        places = np.arange(len(values)) + (k - (len(names) - 1) / 2) * width
        heights = [group[name] for group in values.values()]
        drawn = axes.bar(places, heights, width * 0.92, color=colour, label=name)
        axes.bar_label(drawn, fmt="%.2f", fontsize=8, padding=1)
    axes.set_xticks(np.arange(len(values)), list(values))
    axes.set(ylabel=ylabel, title=title, ylim=(0, None if top is None else top * 1.12))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, ncols=len(names), loc="upper center", bbox_to_anchor=(0.5, -0.12))
    return figure


def truth_table(
    images: "UInt8[np.ndarray, 'n h w 3']",
    captions: Sequence[str],
    fits: np.ndarray,
    *,
    cell: int = 72,
    text: int = 14,
) -> Image.Image:
    """Pictures across, captions down, and whether each caption is true of each picture.

    Args:
        images: the pictures, one a column.
        captions: one a row.
        fits: bool [pictures, captions].
    """
    font = letters(text)
    left, row = int(max(font.getlength(c) for c in captions)) + 14, text + 14
    sheet = Image.new("RGB", (left + cell * len(images), cell + 6 + row * len(captions)), PAPER)
    draw = ImageDraw.Draw(sheet)
    for i, picture in enumerate(images):
        tile = Image.fromarray(picture).resize((cell - 6, cell - 6), Image.Resampling.NEAREST)
        sheet.paste(tile, (left + i * cell, 2))
    for j, caption in enumerate(captions):
        y = cell + 4 + j * row
        draw.text((4, y + 6), caption, fill=INK, font=font)
        for i in range(len(images)):
            x, true = left + i * cell, bool(fits[i, j])
            draw.rectangle((x, y, x + cell - 7, y + row - 4), fill="#d8ecd9" if true else "#f6dcd9")
            place = x + cell // 2 - 3, y + row // 2 - 2
            draw.text(place, "true" if true else "false", INK, font, "mm")
    return sheet


def similarities(matrices: "dict[str, np.ndarray]", labels: Sequence[str]) -> "Figure":
    """Square matrices of cosines side by side, each with its title; their labels on the left."""
    import matplotlib.pyplot as plt

    n = len(labels)
    size = (3.2 + 0.62 * n * len(matrices), 0.62 * n + 0.8)
    figure, axes = plt.subplots(
        1, len(matrices), figsize=size, layout="constrained", sharey=True, squeeze=False
    )
    for ax, (title, matrix) in zip(axes[0], matrices.items(), strict=True):
        ax.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r", alpha=0.75)
        for i, j in np.ndindex(n, n):
            ax.text(j, i, f"{matrix[i, j]:.2f}", ha="center", va="center", fontsize=8)
        ax.set_title(title, fontsize=10)
        ax.set_xticks(range(n), [str(i + 1) for i in range(n)], fontsize=9)
        ax.set_yticks(range(n), [f"{label}  {i + 1}" for i, label in enumerate(labels)], fontsize=9)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    return figure
