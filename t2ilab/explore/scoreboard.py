"""Explorer: the scoreboard, sorted by any column, and what each system drew for one caption."""

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
from PIL import Image, ImageDraw

from t2ilab.errors import UsageError, choose
from t2ilab.explore.explorer import Explorer
from t2ilab.explore.sheet import tile
from t2ilab.metrics.scoreboard import BETTER, CAPTIONS, Scoreboard
from t2ilab.plots import BLUE, FAINT, GREEN, GREY, INK, PAPER, RED, arranged, letters

NAME, CELL, LINE = 200, 150, 20  # pixels: of a name, of a column, height of a line
SIDE, WIDEST = 96, 900  # of a picture; of the whole
FEW = ("fid", "recall", "right", "ms")  # columns at the start
LOGARITHMIC = ("fid", "kid", "parameters", "seconds", "picture_steps", "ms")  # over magnitudes


def in_order(board: Scoreboard, names: Sequence[str], column: str) -> list[str]:
    """The best first; those without a number last.

    Raises:
        UsageError: a column that has no better end, or a name that is not in the table.
    """
    low = BETTER[choose("column", column, BETTER)] == "low"
    known = list(board.table.index)
    values = board.table.loc[[choose("row", name, known) for name in names], column]
    return list(values.sort_values(ascending=low, na_position="last", kind="stable").index)


def columns_drawn(board: Scoreboard, names: Sequence[str], columns: Sequence[str]) -> Image.Image:
    """A line a system, a column a number, each with a bar; the best in each column is blue."""
    sheet = Image.new("RGB", (NAME + CELL * len(columns), LINE * (len(names) + 1)), PAPER)
    draw, font = ImageDraw.Draw(sheet), letters(12)
    for y, name in enumerate(names, 1):
        control = board.table.loc[name, "kind"] == "control"
        draw.text((0, LINE * y + 2), name, GREY if control else INK, font)
    for k, column in enumerate(columns):
        x, values = NAME + CELL * k, board.table.loc[list(names), column].astype(float)
        draw.text((x, 2), column.replace("_", " "), INK, letters(13))
        lengths, best = _lengths(values, column), _best(values, column)
        for y, (name, value) in enumerate(values.items(), 1):
            if np.isnan(value):
                draw.text((x, LINE * y + 2), "-", GREY, font)
                continue
            colour = BLUE if name == best else (200, 208, 226)
            draw.rectangle(
                (x, LINE * y + 15, x + (CELL - 14) * lengths[name], LINE * y + 17), colour
            )
            draw.text((x, LINE * y + 1), short(value), BLUE if name == best else INK, font)
    return sheet


def _lengths(values, column: str) -> dict[str, float]:
    """Of the bars, in [0, 1]: of magnitudes where a column goes over many."""
    x = values.clip(lower=0)
    if column in LOGARITHMIC:
        x = np.log10(x.clip(lower=1e-9)) - np.log10(x[x > 0].min()) + 0.1 if (x > 0).any() else x
    top = x.max()
    return (x.clip(lower=0) / top if top > 0 else x * 0).fillna(0).to_dict()


def _best(values, column: str) -> str | None:
    if values.isna().all():
        return None
    return str(values.idxmin() if BETTER.get(column) == "low" else values.idxmax())


def short(value: float) -> str:
    """A number in at most six letters: 0.984, 12.3, 1,230, 1.2M."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / limit * (10 if unit == 'k' else 1):.3g}{unit}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def pictures_drawn(board: Scoreboard, names: Sequence[str], k: int) -> Image.Image:
    """What each drew for caption k; green where a system that reads it obeyed, red where not."""
    have = [name for name in names if f"{name}/-1/pictures" in board.kept
            or f"{name}/0/pictures" in board.kept]  # fmt: skip
    if not have:
        raise UsageError("of these systems no pictures are kept: choose others.")
    cells = []
    for name in have:
        cell = Image.new("RGB", (SIDE + 6, SIDE + 34), PAPER)
        draw, edge = ImageDraw.Draw(cell), FAINT
        if board.table.loc[name, "asked"] == CAPTIONS:
            edge = GREEN if board.right(name)[k] else RED
        draw.rectangle((0, 0, SIDE + 5, SIDE + 5), edge)
        cell.paste(tile(board.pictures(name)[k], SIDE), (3, 3))
        for line, words in enumerate(_in_two(name)):
            draw.text((1, SIDE + 7 + 13 * line), words, INK, letters(11))
        cells.append(cell)
    return arranged(cells, columns=max(1, WIDEST // (SIDE + 10)), across=4, down=4)


def _in_two(name: str, most: int = 17) -> list[str]:
    """A name in at most two lines, broken at a hyphen or a blank."""
    if len(name) <= most:
        return [name]
    cuts = [i + 1 for i, letter in enumerate(name) if letter in "- " and i < most]
    cut = cuts[-1] if cuts else most
    return [name[:cut], name[cut : cut + most]]


class ScoreboardExplorer(Explorer):
    """Choose systems, columns and a column to sort by; choose a caption.

    Args:
        board: what was measured.
        captions: of the pictures that are kept, in order.
        lab: see `Explorer`.
    """

    def __init__(self, board: Scoreboard, captions: Sequence[str], lab: Any = None):
        self.board = board
        columns = [name for name in BETTER if name in board.table.columns]
        every = [*board.systems, *board.controls]
        super().__init__(
            self._drawn,
            {
                "systems": widgets.SelectMultiple(options=every, value=tuple(every), rows=8),
                "columns": widgets.SelectMultiple(
                    options=columns, value=tuple(c for c in FEW if c in columns), rows=6
                ),
                "sort": widgets.Dropdown(options=columns, value="fid", description="sort by"),
                "caption": widgets.Dropdown(options=[(c, k) for k, c in enumerate(captions)]),
            },
            title="the scoreboard",
            lab=lab,
            scale=1,
        )

    def _drawn(self, systems, columns, sort, caption) -> Image.Image:
        if not systems or not columns:
            raise UsageError("choose at least one system and one column.")
        names = in_order(self.board, systems, sort)
        parts = [
            columns_drawn(self.board, names, columns),
            pictures_drawn(self.board, names, caption),
        ]
        return arranged(parts, down=10)
