"""Explorer: a map of captions; click between words and see what lies there.

Captions have their places on a plane: the two directions in which their vectors phi differ most.
A point of the plane stands for a weighted mean of the three nearest captions' vectors, and G draws
it. Core ipywidgets tell of no clicks on a picture, so the map is a grid of buttons: each is painted
in the colour that is drawn there, and a click on it is a move of the two sliders beside it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.explore.explorer import OTHER_NOISE, Explorer
from t2ilab.explore.sheet import ink_on, place
from t2ilab.plots import GREY, INK, PAPER, RED, arranged, grid
from t2ilab.systems.text_to_image import TextToImage

CAPTIONS = (
    "a red bird, an orange bird, a yellow bird, a green bird, a blue bird, a purple bird, "
    "a pink bird, a brown bird, a black bird, a white bird"
).split(", ")
COLUMNS, ROWS = 15, 11
AROUND = [(0, 6, "mt"), (0, -6, "mb"), (7, 0, "lm"), (-7, 0, "rm"), (0, 20, "mt"), (0, -20, "mb")]


class CaptionMap:
    """Captions on a plane, and the vector of every point of it.

    Args:
        system: its encoder gives the vectors.
        captions: at least three different ones.

    Attributes:
        phi: [n, text], the captions' vectors.
        places: [n, 2], their x and y in [0, 1].

    Raises:
        CaptionError: one of them cannot be read.
        UsageError: fewer than three, or two that the encoder reads alike.
    """

    def __init__(self, system: TextToImage, captions: Sequence[str] = CAPTIONS):
        self.captions = list(dict.fromkeys(captions))
        if len(self.captions) < 3:
            raise UsageError(
                f"a map needs at least three different captions; these are {len(self.captions)}."
            )
        self.phi, self.complete = system.encoder.encode(self.captions).cpu(), system.complete
        apart = torch.cdist(self.phi, self.phi) + 1e9 * torch.eye(len(self.phi))
        if float(apart.min()) < 1e-4:
            i, j = divmod(int(apart.argmin()), len(self.phi))
            raise UsageError(
                f"two captions of the map are the same to the encoder: "
                f"'{self.captions[i]}' and '{self.captions[j]}'. Leave one out."
            )
        self.places = _plane(self.phi)

    def weights(self, x: float, y: float) -> Float[Tensor, " n"]:
        """How much of each caption there is at a point: they sum to 1, and three at most count.

        They fall to 0 at the distance of the fourth-nearest caption (Franke and Little's weights),
        so nothing jumps as the point moves; at a caption's own place it alone counts.
        """
        d = (self.places - torch.tensor([x, y])).norm(dim=1)
        reach = d.sort()[0][min(3, len(d) - 1)] + (0.0 if len(d) > 3 else 1.0)
        if float(d.min()) < 1e-6:
            return (d == d.min()).float() / (d == d.min()).sum()
        w = ((reach - d).clamp(min=0) / (reach * d)).square()
        return w / w.sum()

    def at(self, x: float, y: float, z: Float[Tensor, "n z"]) -> Float[Tensor, "n text"]:
        """The vector of a point for each noise, between the captions as completed with it."""
        w = self.weights(x, y)
        near = w.nonzero()[:, 0]
        each = [self.complete(p.expand(len(z), -1), z) for p in self.phi[near]]
        return torch.einsum("k,knt->nt", w[near], torch.stack(each))

    def words(self, x: float, y: float) -> str:
        """What lies at a point: "62% a red bird, 38% an orange bird"."""
        w = self.weights(x, y)
        parts = [(float(w[k]), self.captions[k]) for k in w.argsort(descending=True)[:3]]
        return ", ".join(f"{share:.0%} {caption}" for share, caption in parts if share >= 0.005)

    def nearest_cells(self, columns: int, rows: int) -> dict[tuple[int, int], str]:
        """(column, row) -> the caption whose place lies in that cell of a grid over the map."""
        cells: dict[tuple[int, int], str] = {}
        for (x, y), caption in zip(self.places.tolist(), self.captions, strict=True):
            cells.setdefault((round(x * (columns - 1)), round(y * (rows - 1))), caption)
        return cells


def _plane(phi: Float[Tensor, "n text"]) -> Float[Tensor, "n 2"]:
    """The two principal directions, scaled into [0.06, 0.94]; signs fixed by the first caption."""
    centred = phi - phi.mean(0)
    u, s, _ = torch.linalg.svd(centred, full_matrices=False)
    xy = u[:, :2] * s[:2]
    xy = xy * torch.where(xy[:1] < 0, -1.0, 1.0)
    low, high = xy.min(0)[0], xy.max(0)[0]
    return 0.06 + 0.88 * (xy - low) / (high - low).clamp(min=1e-9)


def map_renderer(
    system: TextToImage, plane: CaptionMap, *, n: int = 4
) -> Callable[[float, float, int], Image.Image]:
    """`render(x, y, seed) -> PIL.Image`: the map with the point on it, and n pictures of it."""

    def render(x: float, y: float, seed: int) -> Image.Image:
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise UsageError(f"({x}, {y}) lies off the map: x and y go from 0 to 1.")
        z = system.noise(n, seed)
        images = to_uint8(system(z, plane.at(x, y, z)))
        drawn = grid(images, columns=2, scale=max(1, 128 // system.size), gap=4)
        return _sheet(plane, x, y, drawn)

    return render


def _sheet(plane: CaptionMap, x: float, y: float, drawn: Image.Image) -> Image.Image:
    wide, side = int(1.5 * drawn.height), drawn.height
    image = Image.new("RGB", (wide, side), PAPER)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, wide - 1, side - 1), outline=GREY)
    here, weights = (x * wide, y * side), plane.weights(x, y).tolist()
    dots = [(px * wide, py * side) for px, py in plane.places.tolist()]
    for there, w in zip(dots, weights, strict=True):
        if w > 0.005:
            draw.line([here, there], GREY, max(1, round(5 * w)))
    taken = [(px - 4, py - 4, px + 4, py + 4) for px, py in dots]
    for caption, (px, py) in zip(plane.captions, dots, strict=True):
        draw.ellipse((px - 3, py - 3, px + 3, py + 3), fill=INK)
        place(draw, (px, py), caption, AROUND, taken)
    draw.ellipse((here[0] - 6, here[1] - 6, here[0] + 6, here[1] + 6), fill=RED)
    return arranged([image, drawn], columns=2, across=16)


class CaptionMapExplorer(Explorer):
    """A map of captions as a grid of buttons, two sliders for the same, and what is drawn there.

    Args:
        system: what draws.
        captions: those on the map.
        n: pictures of a point.
        columns, rows: of the grid of buttons.
        lab: told of errors.

    Raises:
        CaptionError, UsageError: see `CaptionMap`.
    """

    def __init__(
        self,
        system: TextToImage,
        captions: Sequence[str] = CAPTIONS,
        *,
        n: int = 4,
        columns: int = COLUMNS,
        rows: int = ROWS,
        lab: Any = None,
    ):
        self.plane = CaptionMap(system, captions)
        self.cells = self._grid(system, columns, rows)
        board = widgets.GridBox(list(self.cells.values()))
        board.layout.grid_template_columns = f"repeat({columns}, minmax(0, 1fr))"
        board.layout.grid_gap = "1px"
        x, y = self.plane.places[0].tolist()
        slide = dict(min=0.0, max=1.0, step=0.01, readout_format=".2f")
        super().__init__(
            map_renderer(system, self.plane, n=n),
            {
                "x": widgets.FloatSlider(round(x, 2), **slide),
                "y": widgets.FloatSlider(round(y, 2), **slide),
                "seed": widgets.IntSlider(0, 0, 99, description="noise"),
            },
            buttons=OTHER_NOISE,
            note=lambda x, y, seed: f"Here lies: {self.plane.words(x, y)}",
            more=[board],
            title="a map of captions",
            lab=lab,
            scale=1,
        )

    def _grid(self, system: TextToImage, columns: int, rows: int) -> dict:
        """A button a cell, painted in the middle colour of what is drawn there."""
        points = [(c / (columns - 1), r / (rows - 1)) for r in range(rows) for c in range(columns)]
        z = system.noise(1, 0)
        phi = torch.cat([self.plane.at(x, y, z) for x, y in points])
        z = z.expand(len(points), -1)
        side = slice(system.size * 3 // 8, system.size * 5 // 8)
        colours = to_uint8(system(z, phi))[:, side, side].mean((1, 2)).astype(int)
        named, cells = self.plane.nearest_cells(columns, rows), {}
        for k, (to, colour) in enumerate(zip(points, colours.tolist(), strict=True)):
            at = k % columns, k // columns
            words = named.get(at) or self.plane.words(*to)
            if at in named:  # to the caption itself
                to = self.plane.places[self.plane.captions.index(words)].tolist()
            cells[at] = button = widgets.Button(
                description="●" if at in named else "", tooltip=words
            )
            button.layout = widgets.Layout(width="auto", height="22px", padding="0", margin="0")
            button.tabbable = False  # the sliders reach every place of the map from the keyboard
            button.style.button_color, button.style.text_color = (
                "#{:02x}{:02x}{:02x}".format(*one) for one in (colour, ink_on(colour))
            )
            goal = dict(zip("xy", (round(part, 2) for part in to), strict=True))
            button.on_click(lambda _, goal=goal: self.set(**goal))
        return cells
