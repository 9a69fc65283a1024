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
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.explore.explorer import Explorer
from t2ilab.plots import GREY, INK, PAPER, RED, grid
from t2ilab.systems.text_to_image import TextToImage

CAPTIONS = (
    "a red bird",
    "an orange bird",
    "a yellow bird",
    "a green bird",
    "a blue bird",
    "a purple bird",
    "a pink bird",
    "a brown bird",
    "a black bird",
    "a white bird",
)
COLUMNS, ROWS = 15, 11


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
        self.phi = system.encoder.encode(self.captions).cpu()
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

    def at(self, x: float, y: float) -> Float[Tensor, " text"]:
        """The vector of a point."""
        return self.weights(x, y) @ self.phi

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
        phi = plane.at(x, y)[None].expand(n, -1)
        images = to_uint8(system(system.noise(n, seed), phi))
        drawn = grid(images, columns=2, scale=max(1, 128 // system.size), gap=4)
        return _sheet(plane, x, y, drawn)

    return render


def _sheet(plane: CaptionMap, x: float, y: float, drawn: Image.Image) -> Image.Image:
    side, font = drawn.height, ImageFont.load_default(size=12)
    sheet = Image.new("RGB", (int(1.5 * side) + 16 + drawn.width, side), PAPER)
    draw, wide = ImageDraw.Draw(sheet), int(1.5 * side)
    draw.rectangle((0, 0, wide - 1, side - 1), outline=GREY)
    here, weights = (x * wide, y * side), plane.weights(x, y).tolist()
    dots = [(px * wide, py * side) for px, py in plane.places.tolist()]
    taken = [(*dot, 0.0) for dot in dots]
    for caption, there, w in zip(plane.captions, dots, weights, strict=True):
        if w > 0.005:
            draw.line([here, there], GREY, max(1, round(5 * w)))
        draw.ellipse((there[0] - 3, there[1] - 3, there[0] + 3, there[1] + 3), fill=INK)
        place = _free(there, font.getlength(caption) / 2, wide, side, taken)
        draw.text(place, caption, fill=INK, font=font, anchor="mm")
    draw.ellipse((here[0] - 6, here[1] - 6, here[0] + 6, here[1] + 6), fill=RED)
    sheet.paste(drawn, (wide + 16, 0))
    return sheet


def _free(
    there: tuple[float, float], half: float, wide: int, side: int, taken: list
) -> tuple[float, float]:
    """Where the middle of a label goes: near its dot, off other dots and labels, on the map."""
    x = min(max(there[0], half + 3), wide - half - 3)
    tries = [there[1] + by for by in (13, -13, 26, -26, 39) if 7 < there[1] + by < side - 7]

    def is_free(y: float) -> bool:
        return all(abs(y - oy) > 12 or abs(x - ox) > half + length + 4 for ox, oy, length in taken)

    y = next(filter(is_free, tries), tries[0])
    taken.append((x, y, half))
    return x, y


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
            buttons={"Other noise": lambda state: {"seed": (state["seed"] + 1) % 100}},
            note=lambda x, y, seed: f"Here lies: {self.plane.words(x, y)}",
            more=[board],
            title="a map of captions",
            lab=lab,
            scale=1,
        )

    def _grid(self, system: TextToImage, columns: int, rows: int) -> dict:
        """A button a cell, painted in the middle colour of what is drawn there."""
        points = [(c / (columns - 1), r / (rows - 1)) for r in range(rows) for c in range(columns)]
        phi = torch.stack([self.plane.at(x, y) for x, y in points])
        z = system.noise(1, 0).expand(len(points), -1)
        side = slice(system.size * 3 // 8, system.size * 5 // 8)
        colours = to_uint8(system(z, phi))[:, side, side].mean((1, 2)).astype(int)
        named, cells = self.plane.nearest_cells(columns, rows), {}
        for k, ((x, y), colour) in enumerate(zip(points, colours.tolist(), strict=True)):
            at = k % columns, k // columns
            caption = named.get(at, "")
            cells[at] = _cell(caption, self.plane.words(x, y), colour)
            cells[at].on_click(lambda _, at=at, x=x, y=y: self._go(at, x, y))
        self._named = {
            caption: place
            for caption, place in zip(self.plane.captions, self.plane.places.tolist(), strict=True)
        }
        self._captions_of = named
        return cells

    def _go(self, at: tuple[int, int], x: float, y: float) -> None:
        """To the cell; to the caption itself where one lies in it."""
        x, y = self._named.get(self._captions_of.get(at, ""), (x, y))
        self._press(lambda _: {"x": round(x, 2), "y": round(y, 2)})


def _cell(caption: str, words: str, colour: Sequence[int]) -> widgets.Button:
    button = widgets.Button(description="●" if caption else "", tooltip=caption or words)
    button.layout = widgets.Layout(width="auto", height="22px", padding="0", margin="0")
    button.tabbable = False  # the sliders reach every place of the map from the keyboard
    button.style.button_color = "#{:02x}{:02x}{:02x}".format(*colour)
    button.style.text_color = "#ffffff" if sum(colour) < 380 else "#000000"
    return button
