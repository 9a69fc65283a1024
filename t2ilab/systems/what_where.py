"""What and where as one thing: captions and boxes in, pictures out.

system = WhatWhere.load("what_where-placed-64")
pictures = system.draw_in("a red bird with blue wings", [[0.1, 0.4, 0.5, 0.6]], seed=0)
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.models.prior import CompletingPrior
from t2ilab.models.what_where import WhatWhereGenerator
from t2ilab.systems.captioned import CaptionedSystem
from t2ilab.systems.encoders import describe_encoder, make_encoder
from t2ilab.systems.system import checked_count, noise_of
from t2ilab.text.encoders import CaptionEncoder

SIDES, SCALE = (0.56, 0.31), (0.5, 1.2)  # of a usual box at scale 1, and the scales that are drawn
LEAST = 0.05  # of the picture's side: a box is at least so wide and so high


class WhatWhere(CaptionedSystem):
    """phi, what completes it, and G(z, phi(t), box).

    Args:
        encoder: phi, captions to vectors [b, text].
        generator: draws 64 x 64 pixels.
        prior: fills what a caption leaves open; None where G was shown all levels.
    """

    kind = "what_where"

    def __init__(
        self,
        encoder: CaptionEncoder,
        generator: WhatWhereGenerator,
        prior: CompletingPrior | None = None,
    ):
        super().__init__()
        self.encoder, self.generator, self.prior = encoder, generator, prior
        self.eval()

    @property
    def size(self) -> int:
        return self.generator.size

    def noise(self, n: int, seed: int = 0) -> Float[Tensor, "n z"]:
        """n noise vectors, the same for the same seed; the first ones do not depend on n."""
        return noise_of(n, self.generator.z, seed)

    @torch.inference_mode()
    def forward(
        self, z: Float[Tensor, "b z"], phi: Float[Tensor, "b text"], boxes: Float[Tensor, "b 4"]
    ) -> Float[Tensor, "b 3 64 64"]:
        """Pictures in [-1, 1]; what a caption leaves open is filled by its own noise first."""
        phi = phi if self.prior is None else self.prior.complete(phi, z)
        parts = (slice(i, i + 256) for i in range(0, len(z), 256))
        return torch.cat([self.generator(z[k], phi[k], boxes[k]) for k in parts])

    def draw_in(
        self, caption: str | Sequence[str], boxes: Any, seed: int | Sequence[int] = 0
    ) -> UInt8[np.ndarray, "n 64 64 3"]:
        """A picture for each box, of one caption or of as many.

        Args:
            boxes: [n, 4], left, top, right, bottom in shares of the side.
            seed: of the noise, which all share, so that only the box differs; or one of each.

        Raises:
            CaptionError: a caption is empty, too long, or made of unknown words only.
            UsageError: a box that is none, or captions or seeds of another number.
        """
        boxes = see_boxes(boxes)
        n = checked_count(len(boxes))
        captions = [caption] * n if isinstance(caption, str) else list(caption)
        seeds = [seed] * n if isinstance(seed, int | np.integer) else list(seed)
        if not len(captions) == len(seeds) == n:
            raise UsageError(
                f"{len(captions)} captions, {len(seeds)} seeds and {n} boxes: give one of each "
                "for every picture, or a single caption and a single seed."
            )
        unique = list(dict.fromkeys(captions))
        phi = self.encoder.encode(unique)[[unique.index(one) for one in captions]]
        noise = {one: self.noise(1, one)[0] for one in dict.fromkeys(seeds)}
        z = torch.stack([noise[one] for one in seeds])
        return to_uint8(self(z, phi, boxes))

    def pictures_of(self, phi: Float[Tensor, "n text"], seed: int) -> Float[Tensor, "n 3 s s"]:
        """In boxes that are left to the seed, too: see `some_boxes`."""
        return self(self.noise(len(phi), seed), phi, some_boxes(len(phi), seed))

    def arguments(self) -> dict[str, Any]:
        described = {"encoder": describe_encoder(self.encoder)}
        described |= {"generator": dict(self.generator.arguments)}
        return described | ({"prior": self.prior.arguments} if self.prior is not None else {})

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "WhatWhere":
        prior = CompletingPrior(**arguments["prior"]) if "prior" in arguments else None
        encoder = make_encoder(arguments["encoder"])
        return cls(encoder, WhatWhereGenerator(**arguments["generator"]), prior)


def see_boxes(boxes: Any) -> Float[Tensor, "n 4"]:
    """Boxes as a tensor, if they are such.

    Raises:
        UsageError: not [n, 4], not finite, hardly any inside, or outside of the picture.
    """
    found = torch.as_tensor(np.asarray(boxes, np.float32))
    if found.ndim != 2 or found.shape[1] != 4 or not len(found):
        raise UsageError(
            f"boxes {list(found.shape)}: expected [n, 4], left, top, right and bottom of each."
        )
    sides = found[:, 2:] - found[:, :2]
    good = torch.isfinite(found).all(1) & (sides >= LEAST).all(1)
    good &= (found[:, 2:] > 0).all(1) & (found[:, :2] < 1).all(1)
    if not good.all():
        one = [round(float(v), 3) for v in found[int((~good).nonzero()[0])]]
        raise UsageError(
            f"box {one}: left, top, right and bottom are shares of the picture's side, from 0 to "
            f"1, with left < right and top < bottom by {LEAST} at least."
        )
    return found


def box_at(x: float, y: float, scale: float, sides: Sequence[float] = SIDES) -> list[float]:
    """Left, top, right, bottom of a box with this middle, `scale` times as large as `sides`."""
    half = [0.5 * scale * side for side in sides]
    return [x - half[0], y - half[1], x + half[0], y + half[1]]


def some_boxes(n: int, seed: int = 0) -> Float[Tensor, "n 4"]:
    """n boxes with middle and scale drawn as in the pictures learned from, each in the picture."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < n:
        one = box_at(*rng.uniform(0.25, 0.75, 2), rng.uniform(*SCALE))
        if min(one) >= 0.01 and max(one) <= 0.99:
            found.append(one)
    return torch.tensor(found, dtype=torch.float32)
