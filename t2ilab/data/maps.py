"""Pictures of PaperWorld with the map of their parts: what pix2pix learns to turn into pictures.

A map says at each pixel which part of the bird is seen there: 0 is no part, k is `names[k - 1]`. It
says nothing of colours, of the ground, or of the light: those are left to whoever draws.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pairs import Order
from t2ilab.errors import UsageError, choose

GIVEN = ("parts", "edges")  # what a network is given of a map
PALETTE = np.array(
    [(238, 238, 240), (142, 86, 170), (240, 160, 40), (214, 72, 66), (60, 120, 200),
     (20, 20, 24), (60, 160, 90), (120, 84, 52), (0, 170, 180), (200, 120, 160)], np.uint8
)  # fmt: skip  # colours in which maps are shown, label by label


@dataclass(frozen=True)
class Mapped:
    """N pictures and the maps of their parts.

    Attributes:
        pictures: as everywhere.
        maps: uint8 [N, H, W], labels from 0 to len(names).
        names: of the parts.
    """

    pictures: CaptionedImages
    maps: UInt8[np.ndarray, "n h w"]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.maps)


def load(world: str, split: str, size: int, n: int) -> Mapped:
    """The first n pictures of a split of a world, with their maps.

    Raises:
        UsageError: a world whose parts are not told apart, or what `World.load` refuses.
    """
    one = paperworld.world(world)
    pictures = one.load(split, size, n)
    return Mapped(pictures, _maps(world, split, size, n), one.part_names)


@lru_cache(maxsize=8)
def _maps(world: str, split: str, size: int, n: int) -> UInt8[np.ndarray, "n h w"]:
    one = paperworld.world(world)
    return np.stack([one.parts(split, i, size) for i in range(n)])


def outlines(maps: UInt8[Tensor, "b h w"]) -> UInt8[Tensor, "b h w"]:
    """1 where a pixel's label is another than that of its right or lower neighbour, else 0."""
    lines = torch.zeros_like(maps)
    lines[:, :, :-1] |= (maps[:, :, :-1] != maps[:, :, 1:]).to(maps.dtype)
    lines[:, :-1] |= (maps[:, :-1] != maps[:, 1:]).to(maps.dtype)
    return lines


def encoded(
    maps: UInt8[Tensor, "b h w"], labels: int, given: str = "parts"
) -> Float[Tensor, "b channels h w"]:
    """What a network sees of maps: "parts", a channel of 0 and 1 a label; "edges", one of lines.

    Raises:
        UsageError: another kind, or a label that is not below `labels`.
    """
    if choose("what is given", given, GIVEN) == "edges":
        return outlines(maps)[:, None].float()
    if maps.numel() and int(maps.max()) >= labels:
        raise UsageError(f"a map with label {int(maps.max())}: labels go from 0 to {labels - 1}.")
    return (maps[:, None] == torch.arange(labels, device=maps.device)[:, None, None]).float()


def channels(labels: int, given: str = "parts") -> int:
    """How many channels `encoded` makes."""
    return 1 if given == "edges" else labels


def painted(maps: UInt8[np.ndarray, "n h w"]) -> UInt8[np.ndarray, "n h w 3"]:
    """Maps in the colours of `PALETTE`, to be looked at."""
    return PALETTE[maps]


class MapBatches:
    """step -> {"maps": uint8 [b, h, w], "images": uint8 [b, 3, h, w]}; a permutation an epoch.

    Args:
        data: pictures and maps.
        batch_size, seed: as of `Order`.
        flip: mirror every second pair, drawn at random.
        shuffled: give each picture the map of another: the null test.
    """

    def __init__(
        self,
        data: Mapped,
        *,
        batch_size: int = 16,
        seed: int = 0,
        flip: bool = True,
        shuffled: bool = False,
    ):
        self.order, self.flip = Order(data.pictures, batch_size, seed), flip
        self.images, self.maps = data.pictures.images, data.maps
        if shuffled:
            self.maps = np.random.default_rng(seed).permutation(data.maps)

    def __call__(self, step: int) -> dict[str, Tensor]:
        chosen, _, rng = self.order(step)
        images, maps = self.images[chosen], self.maps[chosen]
        mirrored = (rng.random(len(chosen)) < 0.5) & self.flip
        images[mirrored], maps[mirrored] = images[mirrored, :, ::-1], maps[mirrored, :, ::-1]
        return {
            "maps": torch.from_numpy(maps),
            "images": torch.from_numpy(images).permute(0, 3, 1, 2),
        }
