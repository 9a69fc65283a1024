"""The outlines of a person or a dog of the world `phrases`, and how much of them others cover."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from t2ilab.data.paperworld import phrases
from t2ilab.data.paperworld.paper import Pose

NO_PART = ("shadow", "wood")  # paints of what is drawn with a figure and is not it: a chair
PAINTS = (*phrases.PAINT, "skin", "hair", "top", "bottom", "fur", "look")
GRID = 96  # side of the raster on which it is counted how much is covered
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


class _Outlines:
    """In place of a sheet: keeps what is cut, but for what is black."""

    def __init__(self):
        self.kept: list[np.ndarray] = []

    def cut(self, outline: np.ndarray, colour: tuple[int, int, int]) -> None:
        if any(colour):
            self.kept.append(outline)


@lru_cache
def silhouette(subject: str, stance: str, mirror: bool) -> tuple[np.ndarray, ...]:
    """The outlines [n, 2] of a figure over the origin, one unit high, without shadow and chair."""
    layers = phrases.dog(stance) if subject == "dog" else phrases.person(subject, stance)
    paints = {name: BLACK if name in NO_PART else WHITE for name in PAINTS}
    of = _Outlines()
    for layer in layers:
        layer.cut(of, Pose(0, 0, 1, mirror=mirror), paints)
    return tuple(of.kept)


def visible(figures: Sequence[Sequence[np.ndarray]]) -> list[float]:
    """Of each figure, given by its outlines, the share that those after it leave uncovered."""
    masks = []
    for outlines in figures:
        page = Image.new("1", (GRID, GRID))
        draw = ImageDraw.Draw(page)
        for outline in outlines:
            draw.polygon((outline * GRID).ravel().tolist(), fill=1)
        masks.append(np.asarray(page))
    above, shares = np.zeros_like(masks[0]), []
    for mask in masks[::-1]:
        shares.append(1 - float((mask & above).sum() / mask.sum()))
        above = above | mask
    return shares[::-1]
