"""pix2pix (Isola et al. 2017): a picture from a map of the same size, and a judge of patches.

The generator halves its input to one pixel and doubles it again: an encoder and a decoder. The
U-Net also hands each scale over to its counterpart on the other side. The discriminator sees map
and picture together, and says of each patch by itself whether it is real ("PatchGAN").

Paper, section 6.1: 256 pixels, widths 64 to 512, batch norm with batches of one. Here: 32 or 64
pixels, `width` to 4 x `width`, group norm in G, so that a picture does not depend on its batch, and
no norm in D, so that what a patch sees is exactly its receptive field.
"""

from math import log2

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError

SIZES = (16, 32, 64)
PATCHES = {1: 0, 7: 0, 16: 1, 34: 2, 70: 3}  # receptive field -> convolutions of stride 2


class UNet(nn.Module):
    """G(y) -> pictures in [-1, 1]. Its noise is dropout, which is on in `eval` mode too.

    Args:
        inputs: channels of y.
        size: side of y and of the pictures: 16, 32 or 64.
        width: channels after the first halving; 2 and 4 times as many below.
        skips: hand each scale over; False: the encoder-decoder.
        dropout: share of the numbers dropped in the two innermost layers of the decoder that have
            more than one pixel (paper: 0.5 in three).

    Raises:
        UsageError: another size.
    """

    def __init__(
        self,
        *,
        inputs: int = 8,
        size: int = 32,
        width: int = 24,
        skips: bool = True,
        dropout: float = 0.5,
    ):
        super().__init__()
        if size not in SIZES:
            raise UsageError(f"the U-Net comes for {', '.join(map(str, SIZES))} pixels, not {size}")
        self.arguments = dict(inputs=inputs, size=size, width=width, skips=skips, dropout=dropout)
        self.size, self.inputs, self.skips, self.width = size, inputs, skips, width
        n = int(log2(size))  # halvings, down to one pixel
        c = [min(2**i, 4) * width for i in range(n)]
        self.down = nn.ModuleList(
            _down(a, b, norm=0 < i < n - 1)
            for i, (a, b) in enumerate(zip([inputs, *c], c, strict=False))
        )
        ups, twice = [*c[-2::-1], width], 2 if skips else 1
        self.up = nn.ModuleList(
            _up(a if i == 0 else twice * a, b, drop=dropout if i in (0, 1) else 0.0)
            for i, (a, b) in enumerate(zip([c[-1], *ups], ups, strict=False))
        )
        self.last = nn.Conv2d(width + (inputs if skips else 0), 3, 3, padding=1)

    def forward(self, y: Float[Tensor, "b inputs h w"]) -> Float[Tensor, "b 3 h w"]:
        h, kept = y, []
        for down in self.down:
            h = down(h)
            kept.append(h)
        for i, up in enumerate(self.up):
            if i > 0 and self.skips:
                h = torch.cat([h, kept[-1 - i]], 1)  # of the same side as h
            h = up(h)
        return self.last(torch.cat([h, y], 1) if self.skips else h).tanh()


class PatchDiscriminator(nn.Module):
    """f(y, x): a map of logits, one for each patch of the pair of map and picture.

    Args:
        inputs: channels of y; 0: it is not shown y, and is called with the picture alone.
        patch: side of a patch in pixels, the receptive field of a logit: a key of `PATCHES`.
        width: channels of the first convolution, doubled at each that follows.

    Raises:
        UsageError: another patch.
    """

    def __init__(self, *, inputs: int = 8, patch: int = 16, width: int = 24):
        super().__init__()
        if patch not in PATCHES:
            raise UsageError(f"patches have {', '.join(map(str, PATCHES))} pixels, not {patch}.")
        self.inputs, self.patch = inputs, patch
        n = PATCHES[patch]
        c = [inputs + 3, *(width * 2**i for i in range(n + 1))]
        if patch == 1:
            kernels = [(1, 1, 0), (1, 1, 0)]  # kernel, stride, padding
            c.append(2 * width)
        else:
            kernels = [(4, 2, 1)] * n + [(4, 1, 1)]
        layers: list[nn.Module] = []
        for a, b, (kernel, stride, padding) in zip(c, c[1:], kernels, strict=False):
            layers += [nn.Conv2d(a, b, kernel, stride, padding), nn.LeakyReLU(0.2)]
        kernel, stride, padding = kernels[-1]
        self.layers = nn.Sequential(*layers, nn.Conv2d(c[-1], 1, kernel, stride, padding))

    def forward(
        self, x: Float[Tensor, "b 3 h w"], y: Float[Tensor, "b inputs h w"] | None = None
    ) -> Float[Tensor, "b rows columns"]:
        return self.layers(x if y is None else torch.cat([y, x], 1))[:, 0]


def _down(before: int, after: int, *, norm: bool) -> nn.Sequential:
    layers = [nn.Conv2d(before, after, 4, 2, 1, bias=not norm)]
    return nn.Sequential(*layers, *([_norm(after)] if norm else []), nn.LeakyReLU(0.2))


def _up(before: int, after: int, *, drop: float) -> nn.Sequential:
    larger = nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)
    return nn.Sequential(larger, _norm(after), *([Always(drop)] if drop else []), nn.ReLU())


def _norm(channels: int) -> nn.Module:
    return nn.GroupNorm(max(1, channels // 8), channels)


class Always(nn.Module):
    """Dropout that `eval` does not switch off: it is the noise z of pix2pix."""

    def __init__(self, share: float):
        super().__init__()
        self.share = share

    def forward(self, h: Tensor) -> Tensor:
        return nn.functional.dropout(h, self.share, training=True)
