"""A trained digit network as one thing: which digit is it, and where did it look?

system = DigitSystem.load("stn-cluttered-40")
found = system.look(pictures)      # uint8 [n, 40, 40, 3]: found.digits, found.boxes, found.seen
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.models.spatial_transformer import DigitNetwork, Looked, boxes
from t2ilab.systems.single import Single


class Found(NamedTuple):
    """What is read from pictures: digits [n]; windows [n, 4], left, top, right, bottom in shares of
    the side, cut off at the edges; what they show, uint8 [n, side, side, 3].
    """

    digits: Int[np.ndarray, " n"]
    boxes: Float[np.ndarray, "n 4"]
    seen: UInt8[np.ndarray, "n side side 3"]


class DigitSystem(Single):
    """A DigitNetwork."""

    kind = "spatial_transformer"

    @property
    def size(self) -> int:
        return self.network.size

    @property
    def parameters_in_all(self) -> int:
        return sum(p.numel() for p in self.network.parameters())

    def look(self, images: UInt8[np.ndarray, "n h w 3"]) -> Found:
        """Read digits, and say where.

        Raises:
            UsageError: pictures of another size.
        """
        done = self.looked(images)
        grey = (done.seen.clamp(0, 1) * 255).round().to(torch.uint8)[:, 0, ..., None]
        return Found(
            done.logits.argmax(1).numpy(),
            boxes(done.scale, done.move).numpy(),
            np.repeat(grey.numpy(), 3, axis=-1),
        )

    @torch.inference_mode()
    def looked(self, images: UInt8[np.ndarray, "n h w 3"]) -> Looked:
        """The same as tensors; raises as `look`."""
        side = self.network.size
        if images.ndim != 4 or images.shape[1:3] != (side, side):
            raise UsageError(
                f"pictures {list(images.shape)}: this network reads [n, {side}, {side}, 3]."
            )
        parts = [self.network.look(part) for part in ink(images).split(500)]
        return Looked(*(torch.cat(one) for one in zip(*parts, strict=True)))

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "DigitSystem":
        return cls(DigitNetwork(**arguments))


def ink(images: UInt8[np.ndarray, "n h w 3"]) -> Float[Tensor, "n 1 h w"]:
    """Pictures as the network takes them: 1 is ink, 0 the ground, and all that lies outside."""
    return torch.from_numpy(images[..., 0].copy()).float()[:, None] / 255
