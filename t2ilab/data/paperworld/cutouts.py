"""Figures of many parts: cut once in their own coordinates, laid anywhere, in any colours."""

from collections.abc import Callable

import numpy as np

from t2ilab.data.paperworld.paper import Colour, Pose, Sheet, shade


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """The outline of a rectangle."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def limb(*joints: tuple[float, float], width: float) -> np.ndarray:
    """The outline of a bent limb through `joints`."""
    p = np.array(joints, dtype=float)
    way = np.gradient(p, axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    side = way[:, ::-1] * (-width / 2, width / 2)
    tip = p[-1:] + way[-1:] * width * 0.35
    return np.concatenate([p + side, tip, (p - side)[::-1]])


class Cutout:
    """Parts one above the other, each an outline, the name of its paint and how much lighter it is.

    Args:
        move: applied to every outline that is added (a lean, a nod, a jump).
    """

    def __init__(self, move: Callable[[np.ndarray], np.ndarray] = lambda outline: outline):
        self.move = move
        self._outlines: list[np.ndarray] = []
        self._paints: list[tuple[str, float]] = []
        self._points: np.ndarray | None = None

    def add(self, paint: str, *outlines, by: float = 0.0) -> "Cutout":
        """Put parts, [n, 2] each, on top, in the colour called `paint`; `by`: as in `shade`."""
        for outline in outlines:
            self._outlines.append(self.move(np.asarray(outline, dtype=float)))
            self._paints.append((paint, by))
        self._points = None
        return self

    def cut(self, sheet: Sheet, pose: Pose, paints: dict[str, Colour]) -> None:
        """Cut all parts into a sheet."""
        if self._points is None:
            self._points = np.concatenate(self._outlines)
            self._ends = np.cumsum([len(o) for o in self._outlines])[:-1].tolist()
        placed = pose(self._points)
        start = 0
        for end, (paint, by) in zip([*self._ends, len(placed)], self._paints, strict=True):
            colour = paints[paint]
            sheet.cut(placed[start:end], shade(colour, by) if by else colour)
            start = end
