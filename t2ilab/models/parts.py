"""PartFinder: which part of a PaperWorld subject is seen at each pixel."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

SIDE = 64  # pixels of the pictures that the convolutions see


def _pair(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
        nn.Conv2d(after, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


class PartFinder(nn.Module):
    """A small U-Net (Ronneberger et al. 2015): down to 16 x 16 and up again, each scale handed on.

    Args:
        parts: their names.
        width: channels at the full side; twice and four times as many below.
    """

    def __init__(self, *, parts: tuple[str, ...], width: int = 12):
        super().__init__()
        self.parts, w = tuple(parts), width
        self.arguments = dict(parts=list(parts), width=width)
        self.outer, self.middle, self.inner = (
            _pair(3, w),
            _pair(w, 2 * w, 2),
            _pair(2 * w, 4 * w, 2),
        )
        self.up_middle, self.up_outer = _pair(6 * w, 2 * w), _pair(3 * w, w)
        self.label = nn.Conv2d(w, 1 + len(parts), 1)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b labels 64 64"]:
        """Logits at each pixel: label 0 is no part, k is `parts[k - 1]`.

        Args:
            images: in [-1, 1], square; brought to 64 x 64 first.
        """
        if images.shape[-1] != SIDE:
            images = F.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)
        full = self.outer(images)
        half = self.middle(full)
        below = self.inner(half)
        h = self.up_middle(torch.cat([F.interpolate(below, scale_factor=2), half], 1))
        return self.label(self.up_outer(torch.cat([F.interpolate(h, scale_factor=2), full], 1)))

    @torch.inference_mode()
    def find(self, images: Float[Tensor, "b 3 h w"]) -> Int[Tensor, "b 64 64"]:
        """The most probable label of each pixel, in `eval` mode."""
        was_training = self.training
        found = [self.eval()(part).argmax(1) for part in images.split(128)]
        self.train(was_training)
        return torch.cat(found)
