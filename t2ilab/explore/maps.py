"""Explorer: edit the map of a bird's parts, watch the picture, switch what drew it.

A map of the test split is the beginning. Its bird can be moved and made larger or smaller, two
parts can change places, and a brush paints a part wherever it is set down: "Paint" adds a dab,
"Undo" takes the last one away, and the list of them can be typed. All generators draw from the same
map, with dropout of the same seed.
"""

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from t2ilab.data import maps, paperworld
from t2ilab.errors import UsageError, choose
from t2ilab.explore.explorer import Explorer, State
from t2ilab.explore.sheet import tile, titled
from t2ilab.plots import INK, arranged, label, letters
from t2ilab.systems.pix2pix import Pix2PixSystem

PANEL = 288  # pixels a side on the screen
MAPS = 100  # of the test split, to begin with
NOTHING = "nothing"  # label 0, as the brush calls it
Dab = tuple[int, int, int, int]  # label, x, y, radius


def edited(
    start: UInt8[np.ndarray, "h w"],
    *,
    right: int = 0,
    down: int = 0,
    scale: float = 1.0,
    swap: tuple[int, int] = (0, 0),
    dabs: tuple[Dab, ...] = (),
) -> UInt8[np.ndarray, "h w"]:
    """A map moved by (right, down) pixels, scaled about its middle, two labels swapped, then
    painted: each dab is a disc of a label around (x, y), whose radius 0 is one pixel. What comes
    in from outside is no part.

    Raises:
        UsageError: a scale that is not above 0.
    """
    if scale <= 0:
        raise UsageError(f"scale {scale}: give a number above 0.")
    side = len(start)
    y, x = np.mgrid[:side, :side]
    middle = (side - 1) / 2
    rows, columns = (
        np.rint((at - middle - by) / scale + middle).astype(int)
        for at, by in ((y, down), (x, right))
    )
    inside = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
    found = np.where(inside, start[rows.clip(0, side - 1), columns.clip(0, side - 1)], 0)
    a, b = swap
    found = np.where(found == a, b, np.where(found == b, a, found)) if a and b else found
    for part, at_x, at_y, radius in dabs:
        found = np.where((x - at_x) ** 2 + (y - at_y) ** 2 <= (radius + 0.3) ** 2, part, found)
    return found.astype(np.uint8)


class MapExplorer(Explorer):
    """A map, its edits, a brush, and a switch between generators.

    Args:
        systems: by the name that the switch has, of one world and one size.
        lab: see `Explorer`.

    Raises:
        UsageError: no systems, or systems of several worlds or sizes.
    """

    def __init__(self, systems: Mapping[str, Pix2PixSystem], lab: Any = None):
        kinds = {(one.world, one.names, one.size) for one in systems.values()}
        if len(kinds) != 1:
            raise UsageError(f"{len(systems)} generators of {len(kinds)} kinds: give those of one.")
        self.systems = dict(systems)
        ((self.world, self.names, self.side),) = kinds
        parts, most = [NOTHING, *self.names], self.side - 1
        controls = {
            "loss": widgets.ToggleButtons(options=list(self.systems)),
            "map": widgets.IntSlider(0, min=0, max=MAPS - 1),
            "right": widgets.IntSlider(0, min=-self.side // 3, max=self.side // 3),
            "down": widgets.IntSlider(0, min=-self.side // 3, max=self.side // 3),
            "scale": widgets.FloatSlider(1.0, min=0.5, max=1.6, step=0.05),
            "swap": widgets.Dropdown(options=parts),
            "with_": widgets.Dropdown(options=parts, description="with"),
            "brush": widgets.Dropdown(options=parts, value=self.names[0]),
            "x": widgets.IntSlider(self.side // 2, min=0, max=most),
            "y": widgets.IntSlider(self.side // 2, min=0, max=most),
            "radius": widgets.IntSlider(1, min=0, max=self.side // 6),
            "dabs": widgets.Text("", placeholder="wing 16 16 2; eye 20 9 0"),
            "noise": widgets.IntSlider(0, min=0, max=19, description="noise (dropout)"),
        }
        start = {"right": 0, "down": 0, "scale": 1.0, "swap": NOTHING, "with_": NOTHING, "dabs": ""}
        super().__init__(
            self.drawn,
            controls,
            buttons={
                "Paint": lambda s: {"dabs": "; ".join([*_listed(s["dabs"]), _dab(s)])},
                "Undo": lambda s: {"dabs": "; ".join(_listed(s["dabs"])[:-1])},
                "As it was": lambda s: start,
            },
            title="a picture from a map",
            lab=lab,
        )

    def map_of(self, state: State) -> UInt8[np.ndarray, "h w"]:
        """The edited map of a state."""
        one = paperworld.world(self.world)
        number = [NOTHING, *self.names].index
        return edited(
            one.parts("test", int(state["map"]), self.side),
            right=int(state["right"]),
            down=int(state["down"]),
            scale=float(state["scale"]),
            swap=(number(state["swap"]), number(state["with_"])),
            dabs=tuple(self._read(dab) for dab in _listed(state["dabs"])),
        )

    def drawn(self, loss: str, noise: int, **state: Any) -> Image.Image:
        """The map with the brush's ring, and beside it the picture."""
        system = self.systems[choose("loss", loss, self.systems)]
        labels = self.map_of(state)
        made = system.pictures(labels[None], seed=int(noise))[0]
        painted = tile(maps.painted(labels[None])[0], PANEL)
        times, r = PANEL / self.side, int(state["radius"]) + 0.5
        x, y = (int(state[name]) + 0.5 for name in "xy")
        ring = [times * (x - r), times * (y - r), times * (x + r), times * (y + r)]
        ImageDraw.Draw(painted).ellipse(ring, outline=INK, width=2)
        both = titled({"the map, and the brush": painted, f"drawn by: {loss}": tile(made, PANEL)})
        return arranged([both, _legend(self.names, both.width)])

    def _read(self, dab: str) -> Dab:
        """ "wing 16 16 2" -> label, x, y and radius.

        Raises:
            UsageError: not a part and three whole numbers.
        """
        part, *numbers = dab.split()
        if len(numbers) != 3 or not all(number.isdigit() for number in numbers):
            raise UsageError(f"'{dab}': a dab is a part, x, y and a radius, as in wing 16 16 2.")
        names = [NOTHING, *self.names]
        return names.index(choose("part", part, names)), *map(int, numbers)


def _listed(dabs: str) -> list[str]:
    return [dab.strip() for dab in dabs.split(";") if dab.strip()]


def _dab(state: State) -> str:
    """The dab that the brush would set down."""
    return f"{state['brush']} {state['x']} {state['y']} {state['radius']}"


def _legend(names: tuple[str, ...], width: int) -> Image.Image:
    """A line of squares in the colours of the parts, each with its name."""
    line = label("", width)
    draw, font, x = ImageDraw.Draw(line), letters(13), 2
    for name, colour in zip(names, maps.PALETTE[1:].tolist(), strict=False):
        draw.rectangle([x, 7, x + 10, 17], tuple(colour))
        draw.text((x + 15, 4), name, INK, font)
        x += 15 + int(font.getlength(name)) + 14
    return line
