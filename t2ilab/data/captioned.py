"""The one shape that every data set of captioned pictures takes."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from t2ilab.errors import UsageError

if TYPE_CHECKING:  # torch is imported where it is needed: drawing pictures does without it
    from jaxtyping import Float, UInt8
    from torch import Tensor


@dataclass(frozen=True)
class CaptionedImages:
    """N square pictures, each with at least one caption and one class.

    Attributes:
        name: what this is, e.g. "birds/train/64".
        images: uint8 [N, H, W, 3], RGB; may be memory-mapped, so copy before writing.
        captions: N lists of captions. PaperWorld gives five, from complete to bare, or these and
            each of them with an aside.
        classes: int64 [N]. Pictures of one class may share captions; a mismatched pair takes two
            classes. A data set without classes gives each picture its own.
        class_names: one name per class.
        attributes: name -> int64 [N], the value of each attribute of each picture, where known.
        stated: bool [N, K, A]: caption k of picture n states the a-th attribute; or None.

    Raises:
        UsageError: pictures of another shape or type, or of another number than their captions.
    """

    name: str
    images: np.ndarray
    captions: list[list[str]]
    classes: np.ndarray
    class_names: list[str]
    attributes: dict[str, np.ndarray] = field(default_factory=dict)
    stated: np.ndarray | None = None

    def __post_init__(self):
        lengths = {len(self.images), len(self.captions), len(self.classes)}
        if len(lengths) != 1:
            raise UsageError(
                f"{self.name}: pictures, captions and classes differ in number: {lengths}"
            )
        if self.images.ndim != 4 or self.images.shape[-1] != 3 or self.images.dtype != np.uint8:
            raise UsageError(
                f"{self.name}: images must be uint8 [N, H, W, 3], got "
                f"{self.images.dtype} {list(self.images.shape)}"
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> int:
        """Side of the square pictures, in pixels."""
        return self.images.shape[1]

    def subset(self, indices) -> "CaptionedImages":
        """The pictures at `indices` (integers or a boolean mask), with all that belongs to them."""
        chosen = np.arange(len(self))[indices]
        return CaptionedImages(
            name=self.name,
            images=self.images[chosen],
            captions=[self.captions[i] for i in chosen],
            classes=self.classes[chosen],
            class_names=self.class_names,
            attributes={k: v[chosen] for k, v in self.attributes.items()},
            stated=None if self.stated is None else self.stated[chosen],
        )


def to_float(images: "UInt8[np.ndarray, 'b h w 3']") -> "Float[Tensor, 'b 3 h w']":
    """uint8 pictures to floats in [-1, 1], channels before rows."""
    import torch

    x = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)
    return x.float().div_(127.5).sub_(1)


def to_uint8(x: "Float[Tensor, 'b 3 h w']") -> "UInt8[np.ndarray, 'b h w 3']":
    """Floats in [-1, 1] (values outside are clipped) to uint8 pictures."""
    import torch

    x = x.detach().float().cpu().clamp(-1, 1).add(1).mul(127.5).round()
    return x.to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
