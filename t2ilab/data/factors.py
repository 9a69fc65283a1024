"""Pictures of which everything is told: what they show and from where, as numbers for a network.

A choice (a colour, a kind of toy) is a one-hot vector, an angle is its cosine and sine, so that
359 degrees lie beside 0, and any other number stands as it is (Dosovitskiy et al. 2015, sect. 3).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from t2ilab.data import paperworld, toys
from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pairs import Order
from t2ilab.errors import UsageError, choose

LIGHTS = 8  # of the toys: four, 90 degrees apart, are too few to tell what a light does
KINDS = ("choice", "angle", "number")


@dataclass(frozen=True)
class Factor:
    """One thing that is told of a picture.

    Attributes:
        name: "breast", "view", ...
        kind: "choice", one of `values`; "angle", in radians; "number", in [-1, 1].
        values: of a choice.
    """

    name: str
    kind: str
    values: tuple[str, ...] = ()

    def __post_init__(self):
        choose("kind of factor", self.kind, KINDS)
        if (self.kind == "choice") != bool(self.values):
            raise UsageError(f"factor {self.name}: a choice has values, another kind has none.")

    @property
    def width(self) -> int:
        """How many numbers tell it."""
        return {"choice": len(self.values), "angle": 2, "number": 1}[self.kind]

    def code(self, column: Sequence[float]) -> Float[np.ndarray, "n width"]:
        """The numbers of n pictures; of a choice, `column` holds the places of its values."""
        x = np.asarray(column)
        if self.kind == "choice":
            return np.eye(self.width, dtype=np.float32)[x]
        parts = [np.cos(x), np.sin(x)] if self.kind == "angle" else [x]
        return np.stack(parts, 1).astype(np.float32)


class Factors:
    """The factors of a kind of picture, and the vector that tells them all, one after the other."""

    def __init__(self, factors: Iterable[Factor]):
        self.all = {factor.name: factor for factor in factors}

    @property
    def widths(self) -> list[int]:
        return [factor.width for factor in self.all.values()]

    def places(self, name: str) -> slice:
        """Where a factor stands in the vector."""
        before = list(self.all).index(choose("factor", name, self.all))
        start = sum(self.widths[:before])
        return slice(start, start + self.all[name].width)

    def code(self, columns: Mapping[str, Sequence[float]]) -> Float[np.ndarray, "n width"]:
        """The vectors of n pictures, from a column of each factor (see `Factor.code`)."""
        return np.concatenate([f.code(columns[name]) for name, f in self.all.items()], 1)

    def vector(self, told: Mapping[str, str | float]) -> Float[Tensor, " width"]:
        """The vector of one picture.

        Args:
            told: for each factor a value of the choice, an angle in radians, or a number in
                [-1, 1].

        Raises:
            UsageError: a factor is missing or unknown, or has no such value.
        """
        for name in told:
            choose("factor", name, self.all)
        if missing := [name for name in self.all if name not in told]:
            raise UsageError(
                f"nothing is told of {', '.join(missing)}; give a value to each of "
                f"{', '.join(self.all)}."
            )
        columns = {name: [self._number(f, told[name])] for name, f in self.all.items()}
        return torch.from_numpy(self.code(columns)[0])

    def _number(self, factor: Factor, value: str | float) -> float:
        if factor.kind == "choice":
            return factor.values.index(choose(f"value of {factor.name}", value, factor.values))
        wanted = "a finite angle, in radians" if factor.kind == "angle" else "a number from -1 to 1"
        number = isinstance(value, int | float | np.number) and math.isfinite(value)
        if not number or (factor.kind == "number" and abs(value) > 1):
            raise UsageError(f"{factor.name} = {value!r}: give {wanted}.")
        return float(value)

    def but(self, names: Iterable[str]) -> "Factors":
        """The factors without these (UsageError: an unknown one, or none is left)."""
        out = {choose("factor", name, self.all) for name in names}
        if out == {*self.all}:
            raise UsageError("no factor is left: tell the network at least one.")
        return Factors(f for name, f in self.all.items() if name not in out)

    def plain(self) -> list[list[Any]]:
        """As JSON has it; `Factors.of(plain)` makes it again."""
        return [[f.name, f.kind, list(f.values)] for f in self.all.values()]

    @classmethod
    def of(cls, plain: Iterable[Sequence[Any]]) -> "Factors":
        return cls(Factor(name, kind, tuple(values)) for name, kind, values in plain)


@dataclass(frozen=True)
class Told:
    """N pictures with all that is told of them.

    Attributes:
        pictures: as everywhere; `attributes` holds the choices.
        factors: what is told.
        columns: factor -> [N], places of values, angles in radians, or numbers.
        held: bool [N], of a combination that is never trained on.
        masks: uint8 [N, H, W], 255 where the object is; or None.
        ground: the plain colour behind an object with a mask, in [-1, 1].
    """

    pictures: CaptionedImages
    factors: Factors
    columns: dict[str, np.ndarray]
    held: Bool[np.ndarray, " n"]
    masks: UInt8[np.ndarray, "n h w"] | None = None
    ground: float = 0.0

    def __len__(self) -> int:
        return len(self.pictures)

    def codes(self, factors: Factors | None = None) -> Float[Tensor, "n width"]:
        """The vectors of all pictures; `factors`: of fewer factors."""
        return torch.from_numpy((factors or self.factors).code(self.columns))

    def subset(self, indices) -> "Told":
        """The pictures at `indices` (integers or a boolean mask)."""
        return Told(
            self.pictures.subset(indices),
            self.factors,
            {name: column[indices] for name, column in self.columns.items()},
            self.held[indices],
            None if self.masks is None else self.masks[indices],
            self.ground,
        )


def of_world(name: str, split: str, size: int, n: int | None = None) -> Told:
    """Pictures of PaperWorld: content and style as choices, the place as numbers.

    What is left to chance (clouds, leaves, grain, a person's hair) is told by nothing.

    Args:
        name, split, size, n: as `World.load` takes them; half of "test" are held combinations.
    """
    world = paperworld.world(name)
    pictures = world.load(split, size, n)
    places = [world.place(split, i) for i in range(len(pictures))]
    moving = {name: np.array([place[name] for place in places]) for name in world.moving}
    return Told(
        pictures,
        Factors(
            [Factor(a, "choice", tuple(values)) for a, values in world.attributes.items()]
            + [Factor(name, "number") for name in moving]
        ),
        {**pictures.attributes, **moving},
        world.unseen[pictures.classes],
    )


def of_toys(split: str, size: int = toys.SIZE, *, views: int = 36) -> Told:
    """The toys of `data.toys`: which, from which side, and under which light; with masks.

    Every toy, view and light is seen in training, but one half circle of views of each toy under
    one light is held out.

    Args:
        split: "train", or "test": the held combinations, and as many that were trained on.
        size: side in pixels.
        views: azimuths around each toy, a multiple of 6.

    Raises:
        UsageError: an unknown split, or such a size or number of views.
    """
    choose("split", split, ("train", "test"))
    every = toys.every(size, views=views, lights=LIGHTS)
    toy, view, light = (every.attributes[name] for name in ("toy", "view", "light"))
    held = (light == toy) & (view < views // 2)
    mirrored = (light == toy) & (view >= views // 2)  # of the same toys and lights
    chosen = ~held if split == "train" else held | mirrored
    angles = {"view": 2 * np.pi * view / views, "light": 2 * np.pi * light / LIGHTS}
    masks = np.stack([toys.mask(every.class_names[k], a, size) for k, a in
                      zip(toy[chosen], angles["view"][chosen], strict=True)])  # fmt: skip
    return Told(
        every.subset(chosen),
        Factors([Factor("toy", "choice", tuple(every.class_names)), Factor("view", "angle"),
                 Factor("light", "angle")]),
        {"toy": toy[chosen]} | {name: angle[chosen] for name, angle in angles.items()},
        held[chosen],
        masks,
        2 * toys.GROUND - 1,
    )  # fmt: skip


class ToldBatches:
    """step -> {"codes": float [b, width], "images": uint8 [b, channels, h, w], "masks": the same
    of one channel, where there are some}; a permutation an epoch.

    Args:
        told: the pictures.
        factors: those that the network is told.
        shuffled: tell of each picture what is true of another: the null test.
        channels: 3, or 1 for pictures that are grey.
        batch_size, seed: as of `Order`.
    """

    def __init__(
        self,
        told: Told,
        factors: Factors,
        *,
        shuffled: bool = False,
        channels: int = 3,
        batch_size: int = 64,
        seed: int = 0,
    ):
        self.order = Order(told.pictures, batch_size, seed)
        self.images, self.masks, self.channels = told.pictures.images, told.masks, channels
        self.codes = told.codes(factors)
        if shuffled:
            rng = torch.Generator().manual_seed(seed)
            self.codes = self.codes[torch.randperm(len(told), generator=rng)]

    def __call__(self, step: int) -> dict[str, Tensor]:
        chosen, *_ = self.order(step)
        images = torch.from_numpy(self.images[chosen][..., : self.channels]).permute(0, 3, 1, 2)
        batch = {"codes": self.codes[chosen], "images": images}
        if self.masks is not None:
            batch["masks"] = torch.from_numpy(self.masks[chosen])[:, None]
        return batch
