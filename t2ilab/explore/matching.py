"""Explorer: type a phrase, and see what it matches: which figure of a crowd, which pictures.

Pictures and captions lie in one space. On the left the boxes of a crowd, each with the score of
what is in it; on the right a gallery that is lit where the score is high; below, the nearest
pictures of all. The vector of a phrase can be dragged to that of another, through places where no
caption lies.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import ipywidgets as widgets
import numpy as np
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.grounded import ROOM, GroundedPictures, cuts
from t2ilab.data.paperworld.world import World
from t2ilab.errors import UsageError
from t2ilab.explore.explorer import Explorer
from t2ilab.explore.sheet import tile
from t2ilab.metrics.localisation import propose
from t2ilab.plots import GREEN, GREY, INK, PAPER, RED, arranged, label, letters

SUGGESTIONS = ("a man running", "a dog", "a child in a red shirt", "a woman in a white skirt")
SIDE, TILE, COLUMNS, ROWS = 384, 48, 8, 7  # pixels: of the crowd, of a tile; tiles of the gallery
NEAREST = 8  # pictures of the strip
NAMED = 3  # of many boxes, so many of the best are written on


class Matches(Protocol):
    """What brings pictures and captions into one space: the two-branch systems, for example."""

    size: int

    def pictures(self, images: UInt8[np.ndarray, "n size size 3"]) -> Float[Tensor, "n space"]: ...

    def captions(self, captions: Sequence[str]) -> Float[Tensor, "m space"]: ...

    def scores(
        self, pictures: Float[Tensor, "n space"], captions: Float[Tensor, "m space"]
    ) -> Float[Tensor, "n m"]: ...


class Scene:
    """Crowds and a gallery, and their vectors by one system, each computed once.

    Args:
        system: what matches.
        crowd: pictures with boxes.
        gallery: pictures of the system's size; the first are shown, the nearest of all are found.
        world: whose lexicon says of which pictures a phrase is true; None: not said.
        room: how the boxes are cut out; see `grounded.cut`.

    Raises:
        UsageError: the gallery is of another size, or has no pictures; there are no crowds.
    """

    def __init__(
        self,
        system: Matches,
        crowd: GroundedPictures,
        gallery: CaptionedImages,
        *,
        world: World | None = None,
        room: float = ROOM,
    ):
        if not len(crowd) or not len(gallery) or gallery.size != system.size:
            raise UsageError(
                f"{len(crowd)} crowds, and a gallery of {len(gallery)} pictures of {gallery.size} "
                f"pixels: give some of each, the gallery in the {system.size} of the system."
            )
        self.system, self.crowd, self.gallery = system, crowd, gallery
        self.world, self.room = world, room
        self.vectors = system.pictures(np.array(gallery.images))
        self.proposals = lru_cache(maxsize=1)(lambda: propose(crowd))
        self.regions = lru_cache(maxsize=64)(self._regions)
        self.text = lru_cache(maxsize=256)(lambda phrase: system.captions([phrase]))

    def boxes(self, picture: int, others: bool) -> Float[np.ndarray, "k 4"]:
        """Those of one crowd, and `others` beside them, as `localisation.propose` gives them."""
        if not 0 <= picture < len(self.crowd):
            raise UsageError(f"crowd {picture}: there are 0 to {len(self.crowd) - 1}.")
        return (
            self.proposals()[picture] if others else self.crowd.boxes[self.crowd.boxes_of(picture)]
        )

    def _regions(self, picture: int, others: bool) -> Float[Tensor, "k space"]:
        boxes, image = self.boxes(picture, others), self.crowd.images[picture]
        return self.system.pictures(cuts(image, boxes, self.system.size, room=self.room))

    def between(self, phrase: str, towards: str, share: float) -> Float[Tensor, "1 space"]:
        """From the vector of a phrase (share 0) to that of another (1), of length 1.

        Raises:
            CaptionError: one of them cannot be read.
        """
        if share == 0 or not towards.strip():
            return self.text(phrase)
        return F.normalize((1 - share) * self.text(phrase) + share * self.text(towards), dim=1)

    def true(self, phrase: str, pictures: Sequence[int]) -> list[bool | None]:
        """Whether what a phrase states is so of pictures of the gallery; None: it is not known."""
        stated = {} if self.world is None else self.world.read(phrase)
        if not stated or not {*stated} <= {*self.gallery.attributes}:
            return [None] * len(pictures)
        wanted = [
            self.gallery.attributes[name] == self.world.attributes[name].index(value)
            for name, value in stated.items()
        ]
        return [bool(np.all(wanted, 0)[i]) for i in pictures]


def matching_renderer(scene: Scene) -> Callable[[str, str, int, int, bool], Image.Image]:
    """`render(phrase, towards, share, crowd, others) -> PIL.Image`; share in percent.

    A phrase that cannot be read, or a crowd that is not there, is a UsageError.
    """

    def render(phrase: str, towards: str, share: int, crowd: int, others: bool) -> Image.Image:
        vector = scene.between(phrase, towards, share / 100)
        regions = scene.system.scores(scene.regions(crowd, others), vector)[:, 0]
        scores = scene.system.scores(scene.vectors, vector)[:, 0].cpu().numpy()
        left = boxed(scene.crowd.images[crowd], scene.boxes(crowd, others), regions.cpu().numpy())
        right = lit(scene.gallery.images[: COLUMNS * ROWS], scores)
        best = np.argsort(-scores, kind="stable")[:NEAREST]
        told = {0: phrase, 100: towards}.get(share if towards.strip() else 0, "")
        strip = nearest(scene.gallery.images, scores, best, scene.true(told, best))
        wide = left.width + 16 + right.width
        titles = (
            label("boxes of a crowd and their scores", left.width),
            label("a gallery, lit where the score is high", right.width),
        )
        above = arranged([*titles, left, right], columns=2, across=16)
        line = label(f"the nearest of {len(scores):,} pictures and their scores", wide)
        return arranged([above, line, strip], down=2)

    return render


def boxed(
    image: UInt8[np.ndarray, "h w 3"],
    boxes: Float[np.ndarray, "k 4"],
    scores: Float[np.ndarray, " k"],
) -> Image.Image:
    """A picture, enlarged, with its boxes: the best in red, and scores written on the best."""
    times = max(1, SIDE // max(image.shape[:2]))
    sheet = Image.fromarray(image).resize(
        (times * image.shape[1], times * image.shape[0]), Image.Resampling.NEAREST
    )
    draw, font, order = ImageDraw.Draw(sheet), letters(16), np.argsort(scores)
    for k in order:  # the best last, above all others
        rank = len(order) - 1 - int(np.flatnonzero(order == k)[0])
        colour, edges = RED if rank == 0 else GREY, (times * boxes[k]).round().tolist()
        draw.rectangle(edges, outline=colour, width=4 if rank == 0 else 2 if rank < NAMED else 1)
        if rank < NAMED:
            text = f"{scores[k]:.2f}"
            left, top = max(edges[0], 0), max(edges[1] - 20, 0)
            draw.rectangle((left, top, left + font.getlength(text) + 6, top + 19), fill=colour)
            draw.text((left + 3, top), text, PAPER, font)
    return sheet


def lit(images: UInt8[np.ndarray, "n h w 3"], scores: Float[np.ndarray, " m"]) -> Image.Image:
    """Tiles that fade towards white: the best of all scores is shown full, one below the median at
    a fifth."""
    middle, best = float(np.median(scores)), float(scores.max())
    cells = []
    for picture, score in zip(images, scores, strict=False):
        light = np.clip((score - middle) / max(best - middle, 1e-9), 0, 1)
        white = Image.new("RGB", (TILE, TILE), PAPER)
        cells.append(Image.blend(white, tile(picture, TILE), 0.2 + 0.8 * float(light)))
    return arranged(cells, columns=COLUMNS, across=7, down=7)


def nearest(
    images: UInt8[np.ndarray, "n h w 3"],
    scores: Float[np.ndarray, " n"],
    chosen: Sequence[int],
    true: Sequence[bool | None],
) -> Image.Image:
    """Some pictures in a row; below each its score, green where the phrase is true, else red."""
    side = 2 * TILE
    cells = []
    for i, is_so in zip(chosen, true, strict=True):
        colour = INK if is_so is None else GREEN if is_so else RED
        mark = "" if is_so is None else " true" if is_so else " not so"
        cell = Image.new("RGB", (side, side + 20), PAPER)
        cell.paste(tile(images[i], side), (0, 0))
        ImageDraw.Draw(cell).text((1, side + 2), f"{scores[i]:.2f}{mark}", colour, letters(14))
        cells.append(cell)
    return arranged(cells, columns=len(cells), across=6)


class MatchingExplorer(Explorer):
    """Type a phrase; drag it to another; step through crowds.

    Args:
        system: what matches; see `Matches`.
        crowd: pictures with boxes, such as `crowds.load("test", 96, 40)`.
        gallery: pictures of the system's size.
        world: whose lexicon says what a phrase states, for true and not so below the nearest.
        suggestions: phrases to pick from; the first is shown, and the second is what it is dragged
            to.
        room: how boxes are cut out.
        lab: told of errors.

    Raises:
        UsageError: see `Scene`.
    """

    def __init__(
        self,
        system: Matches,
        crowd: GroundedPictures,
        gallery: CaptionedImages,
        *,
        world: World | None = None,
        suggestions: Sequence[str] = SUGGESTIONS,
        room: float = ROOM,
        lab: Any = None,
    ):
        self.scene = Scene(system, crowd, gallery, world=world, room=room)
        first, second = (
            widgets.Combobox(value=text, options=tuple(suggestions), ensure_option=False)
            for text in suggestions[:2]
        )
        first.placeholder = second.placeholder = "type a phrase and press Enter"
        controls = {
            "phrase": first,
            "towards": second,
            "share": widgets.IntSlider(0, 0, 100, 5, description="dragged, %"),
            "crowd": widgets.IntSlider(0, 0, len(crowd) - 1),
            "others": widgets.Checkbox(False, description="wrong boxes, too", indent=False),
        }
        super().__init__(
            matching_renderer(self.scene), controls, play="share", note=self._said,
            title="what a phrase matches", lab=lab, scale=1,
        )  # fmt: skip

    def _said(self, phrase: str, towards: str, share: int, crowd: int, others: bool) -> str:
        """What the phrase states."""
        if self.scene.world is None:
            return ""
        stated = self.scene.world.read(phrase)
        said = ", ".join(f"{name} {value}" for name, value in stated.items()) or "nothing"
        return f"“{phrase}” states: {said}."
