"""Does a generated bird have an eye, a beak and two wings' worth of wing? Anatomy by its parts.

PaperWorld knows where each part of a drawing is; so a network can learn to find it (`PartFinder`).
What it finds in generated pictures is compared with what it finds in real ones: a part is missing,
or smaller or larger than in any real picture, or the shape is unlike all real shapes.
"""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError
from t2ilab.models.parts import SIDE, PartFinder

SLACK = 1.25  # a part is wrong beyond this times the largest, or below the smallest over this
ALWAYS = ("legs",)  # parts that only some pictures have, and that are not counted


class Anatomy:
    """What the parts of real pictures are like, and how others differ.

    Args:
        finder: of the world.
        world: a `World` whose parts are told apart.
        n: real pictures of the "train" split to compare with, each beside its mirror image.

    Raises:
        UsageError: the finder finds other parts than this world has.
    """

    def __init__(self, finder: PartFinder, world, *, n: int = 4000):
        if finder.parts != world.part_names:
            raise UsageError(
                f"this finder knows {', '.join(finder.parts)}; "
                f"{world.name} has {', '.join(world.part_names) or 'no parts that are told apart'}."
            )
        self.finder, self.counted = finder, [p for p in finder.parts if p not in ALWAYS]
        labels = finder.find(to_float(world.load("train", SIDE, n).images))
        self.shapes = torch.cat([_shape(labels, finder), _shape(labels.flip(2), finder)])
        areas = self.areas(labels)
        self.least = {part: float(a.quantile(0.002)) / SLACK for part, a in areas.items()}
        self.most = {part: float(a.quantile(0.998)) * SLACK for part, a in areas.items()}
        own = finder.find(to_float(world.load("val", SIDE, min(n, 1000)).images))
        self.far = float(self.distances(own).quantile(0.96))

    def areas(self, labels: Int[Tensor, "b 64 64"]) -> dict[str, Float[Tensor, " b"]]:
        """part -> pixels of it in each picture."""
        number = {part: k for k, part in enumerate(self.finder.parts, 1)}
        return {part: (labels == number[part]).sum((1, 2)).float() for part in self.counted}

    def distances(self, labels: Int[Tensor, "b 64 64"]) -> Float[Tensor, " b"]:
        """How unlike its nearest real shape each picture's shape is: squared distance, a share of
        its own size."""
        mine, nearest = _shape(labels, self.finder), []
        squares = self.shapes.square().sum(1)
        for some in mine.split(256):
            gap = squares[None] - 2 * some @ self.shapes.T + some.square().sum(1, keepdim=True)
            nearest.append(gap.amin(1).clamp(min=0) / some.square().sum(1).clamp(min=1.0))
        return torch.cat(nearest)

    def find(self, images: Float[Tensor, "b 3 h w"]) -> dict[str, np.ndarray]:
        """Of each picture, bool [b]: "no_<part>", "part_wrong" (any), "odd_shape".

        "odd_shape" is as far from all real shapes as one real picture in 25 is.
        """
        labels = self.finder.find(images)
        areas = self.areas(labels)
        found = {f"no_{part}": (a < self.least[part] / 2).numpy() for part, a in areas.items()}
        wrong = [(a < self.least[p]) | (a > self.most[p]) for p, a in areas.items()]
        found["part_wrong"] = torch.stack(wrong).any(0).numpy()
        found["odd_shape"] = (self.distances(labels) > self.far).numpy()
        return found

    def measure(self, images: Float[Tensor, "b 3 h w"]) -> dict[str, float]:
        """The share of pictures of which each of `find` is so."""
        return {name: float(values.mean()) for name, values in self.find(images).items()}


def _shape(labels: Int[Tensor, "b 64 64"], finder: PartFinder) -> Float[Tensor, "b numbers"]:
    """The parts at half the side, as one vector of shares."""
    one_hot = F.one_hot(labels.long(), 1 + len(finder.parts))[..., 1:].permute(0, 3, 1, 2).float()
    return F.avg_pool2d(one_hot, 2).flatten(1)
