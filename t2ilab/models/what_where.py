"""What is drawn, and where: a text-to-image GAN that is given a box (Reed et al. 2016, GAWWN).

"Learning what and where to draw" has two paths in the generator: a local one, whose features are
warped into the box and are 0 elsewhere, and a global one for all around; the discriminator crops
what is in the box. Here, as there, warping is the inverse of cropping, both by a spatial
transformer with fixed theta = (s, t). What departs:

- the local path is the gated generator of chapter 18 up to 32 x 32 pixels, told the caption at
  every scale (GAWWN: one convolution of a constant map of the text), and is warped last, not first;
- what is local also says how opaque it is, and is laid upon the global features (as the layers of
  LR-GAN, Yang et al. 2017), where GAWWN puts both side by side;
- what is cropped is a square about the box, eq. 7 with one s, so that nothing is squeezed; how
  wide the box is for its height is told as a number.

Symbols: z noise, phi = phi(t) caption vector, h features; boxes are left, top, right, bottom in
shares of the side.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.models.gated import Gate, Grain, Scale
from t2ilab.models.layers import init_dcgan
from t2ilab.models.reed import Discriminator
from t2ilab.models.sampler import Boxes, inverse, places, square, window

ROOM = 1.35  # the square that is warped or cropped is so many times as wide as the box
FRAME = 32  # pixels a side of what is warped into the box, and of what is cropped from it
ABOUT = 3  # maps that say where a pixel lies, seen from the box


def shape(boxes: Boxes) -> Float[Tensor, "b 1"]:
    """log(width / height): what a box says of what is in it, wherever it stands."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return (sides[:, :1] / sides[:, 1:]).log()


def place(boxes: Boxes) -> Float[Tensor, "b 4"]:
    """The middle in [-1, 1], and both sides: as numbers for a linear layer."""
    return torch.cat([boxes[:, :2] + boxes[:, 2:] - 1, boxes[:, 2:] - boxes[:, :2]], 1)


def about(boxes: Boxes, side: int) -> Float[Tensor, "b 3 side side"]:
    """Of each pixel x and y from the middle of the box, in halves of its sides, and whether inside.

    Cut off at 4 halves, and divided by 4.
    """
    one = places(side, like=boxes)
    middle, half = boxes[:, :2] + boxes[:, 2:] - 1, boxes[:, 2:] - boxes[:, :2]
    x = ((one - middle[:, :1]) / half[:, :1])[:, None, :].expand(-1, side, -1)
    y = ((one - middle[:, 1:]) / half[:, 1:])[:, :, None].expand(-1, -1, side)
    inside = ((x.abs() <= 1) & (y.abs() <= 1)).to(boxes.dtype)
    return torch.stack([x.clamp(-4, 4) / 4, y.clamp(-4, 4) / 4, inside], 1)


def near(boxes: Boxes, side: int) -> Float[Tensor, "b 1 side side"]:
    """1 in the box and close to it, with room for feet and shadow below, and softly 0 beyond."""
    x, y, _ = (4 * about(boxes, side)).unbind(1)
    beyond = torch.maximum(x.abs() - 1.1, torch.maximum(-y - 1.15, y - 1.4))
    return (1 - beyond / 0.3).clamp(0, 1)[:, None]


def paste(
    h: Float[Tensor, "b c k k"], boxes: Boxes, side: int, room: float = ROOM
) -> Float[Tensor, "b c side side"]:
    """Warp what is seen in the square about each box into the picture; 0 outside of the square."""
    return window(h, *inverse(*square(boxes, room)), side)


def crop(
    images: Float[Tensor, "b c h w"], boxes: Boxes, side: int = FRAME, room: float = ROOM
) -> Float[Tensor, "b c side side"]:
    """What is in the square about each box; 0 where it reaches beyond the picture."""
    return window(images, *square(boxes, room), side)


class Local(nn.Module):
    """What: features of 32 x 32 pixels in the frame of the box, and how opaque they are.

    Args:
        z, condition: sizes of the noise and of c, of which one number is the box's shape.
        channels: after 4, 8, 16 and 32 pixels a side.
        narrow: numbers between c and the first 4 x 4 pixels, so that the layer stays small.
    """

    def __init__(self, *, z: int, condition: int, channels: Sequence[int], narrow: int):
        super().__init__()
        first, *after = channels
        self.start = nn.Sequential(
            nn.Linear(condition, narrow, bias=False), nn.Linear(narrow, first * 16)
        )
        self.scales = nn.ModuleList(
            Scale(8 * 2**i, a, b, z, condition, deep=i < 2)
            for i, (a, b) in enumerate(zip(channels, after, strict=False))
        )
        self.hand_on = nn.Conv2d(channels[-1], channels[-1] // 2, 1, bias=False)
        self.opaque = nn.Conv2d(channels[-1], 1, 3, padding=1)

    def forward(self, z, condition):
        h = self.features(z, condition)
        return self.hand_on(h), self.opaque(h).sigmoid()

    def features(
        self, z: Float[Tensor, "b z"], condition: Float[Tensor, "b condition"]
    ) -> Float[Tensor, "b width 32 32"]:
        """What both are read from."""
        h = self.start(condition).unflatten(1, (-1, 4, 4))
        h = h.contiguous(memory_format=torch.channels_last)
        for scale in self.scales:
            h = scale(h, z, condition)
        return h


class Global(nn.Module):
    """All around: features of 32 x 32 pixels of the whole picture, told where the box is.

    Args:
        z, condition: sizes of the noise and of c, of which four numbers are the box's place.
        channels: after 4, 8, 16 and 32 pixels a side.
    """

    def __init__(self, *, z: int, condition: int, channels: Sequence[int]):
        super().__init__()
        first, *after = channels
        self.start = nn.Linear(condition, first * 16)
        self.scales = nn.ModuleList(
            Scale(8 * 2**i, a + ABOUT, b, z, condition, deep=False)
            for i, (a, b) in enumerate(zip(channels, after, strict=False))
        )

    def forward(self, z, condition, boxes):
        h = self.start(condition).unflatten(1, (-1, 4, 4))
        for scale in self.scales:
            h = torch.cat([h, about(boxes, h.shape[-1]).to(h.dtype)], 1)
            h = scale(h.contiguous(memory_format=torch.channels_last), z, condition)
        return h


class WhatWhereGenerator(nn.Module):
    """G(z, phi(t), box) -> pictures in [-1, 1], 64 x 64 pixels.

    Args:
        text: size of phi(t). `z`: of the noise. `projected`: of the compressed caption.
        width: channels of the local path at 32 x 32 pixels; half of them are warped.
        narrow: see `Local`.
        around: channels of the global path at 4 x 4 pixels.
    """

    size = 64

    def __init__(
        self,
        *,
        text: int = 256,
        z: int = 100,
        projected: int = 128,
        width: int = 32,
        narrow: int = 96,
        around: int = 32,
    ):
        super().__init__()
        self.text, self.z = text, z
        self.arguments = dict(text=text, z=z, projected=projected, width=width)
        self.arguments |= dict(narrow=narrow, around=around)
        self.project = nn.Sequential(nn.Linear(text, projected), nn.LeakyReLU(0.2))
        c, w = z + projected, width
        self.local = Local(z=z, condition=c + 1, channels=(8 * w, 4 * w, 2 * w, w), narrow=narrow)
        last = w // 2
        self.whole = Global(z=z, condition=c + 4, channels=(around, around, around, last))
        self.grain = Grain(self.size, z)
        self.strength = nn.Parameter(torch.zeros(last, 1, 1))
        self.blend = nn.Conv2d(last + ABOUT, last, 3, padding=1, bias=False)
        self.gate = Gate(last, c)
        self.deepen = nn.Conv2d(last, last, 3, padding=1, bias=False)
        self.gate_deep = Gate(last, c)
        self.to_rgb = nn.Conv2d(last, 3, 3, padding=1)
        self.apply(init_dcgan)

    def forward(
        self, z: Float[Tensor, "b z"], phi: Float[Tensor, "b text"], boxes: Boxes
    ) -> Float[Tensor, "b 3 64 64"]:
        return self.layers(z, phi, boxes)[0]

    def layers(
        self, z: Float[Tensor, "b z"], phi: Float[Tensor, "b text"], boxes: Boxes
    ) -> tuple[Float[Tensor, "b 3 64 64"], Float[Tensor, "b 1 64 64"]]:
        """The picture, and how opaque what is local is at each pixel of it."""
        c = torch.cat([z, self.project(phi)], 1)
        what, opaque = self.local(z, torch.cat([c, shape(boxes)], 1))
        around = self.whole(z, torch.cat([c, place(boxes)], 1), boxes)
        laid = paste(torch.cat([what * opaque, opaque], 1), boxes, self.size)
        laid = laid * near(boxes, self.size).to(laid.dtype)
        what, opaque = laid[:, :-1], laid[:, -1:]
        h = torch.addcmul(what, 1 - opaque, F.interpolate(around, scale_factor=2).to(what.dtype))
        h = torch.cat([h, about(boxes, self.size).to(h.dtype)], 1)
        h = h.contiguous(memory_format=torch.channels_last)
        h = self.gate(self.blend(h) + self.strength * self.grain(z), c)
        h = h + self.gate_deep(self.deepen(h), c)
        return torch.tanh(self.to_rgb(h)), opaque


class WhatWhereDiscriminator(nn.Module):
    """D(x, phi(t), box) -> two logits: of the whole picture, and of what is in the box.

    Two of Reed's discriminators. One sees the picture, as in chapter 18; the other what is cropped
    by the box, and is told its shape besides the caption. (GAWWN joins the two paths before one
    score. With a logit each, neither can leave the work to the other.)

    Args:
        text: size of phi(t).
        width: channels of the first layer of the global path.
        inside: the same of the local path.
    """

    def __init__(self, *, text: int = 256, width: int = 24, inside: int = 32):
        super().__init__()
        how = dict(norm="spectral", projection=True)
        self.whole = Discriminator(size=64, text=text, width=width, **how)
        self.local = Discriminator(size=FRAME, text=text + 1, width=inside, **how)

    def forward(
        self, images: Float[Tensor, "b 3 64 64"], phi: Float[Tensor, "b *k text"], boxes: Boxes
    ) -> Float[Tensor, "b *k 2"]:
        """Logits of each picture and box with its caption, or with each of its k captions."""
        told = shape(boxes).view(-1, *[1] * (phi.ndim - 1)).expand(*phi.shape[:-1], 1)
        inside = self.local(crop(images, boxes), torch.cat([phi, told], -1))
        return torch.stack([self.whole(images, phi), inside], -1)
