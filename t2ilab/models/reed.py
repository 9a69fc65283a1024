"""G and D of Reed et al. 2016, "Generative adversarial text to image synthesis".

Both compress the caption's vector phi(t) [b, text] by a linear layer to `projected` numbers. The
generator puts them beside the noise z and unfolds both from 4 x 4 pixels; the discriminator brings
the picture down to 4 x 4, repeats them at each of the 16 places, and fuses by a 1 x 1 convolution.
Symbols: z noise, phi caption vector, h feature maps, w the width (ngf, ndf in the public code).
"""

from math import log2

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from t2ilab.errors import UsageError, choose
from t2ilab.models.layers import init_dcgan

SIZES = (32, 64, 128)


def _stages(size: int) -> int:
    """How many times the side is doubled between 4 and `size`."""
    if size not in SIZES:
        raise UsageError(
            f"Reed's networks come for {', '.join(map(str, SIZES))} pixels, not {size}."
        )
    return int(log2(size // 4))


class Bottleneck(nn.Module):
    """h + f(h), f = 1x1, 3x3, 3x3 convolutions through c/4 channels: the repository's residual.

    Args:
        channels: of h.
        slope: of the leaky ReLUs; 0 for the generator's plain ones.
    """

    def __init__(self, channels: int, *, slope: float):
        super().__init__()
        c, q = channels, channels // 4
        self.f = nn.Sequential(
            nn.Conv2d(c, q, 1, bias=False),
            nn.BatchNorm2d(q),
            nn.LeakyReLU(slope),
            nn.Conv2d(q, q, 3, padding=1, bias=False),
            nn.BatchNorm2d(q),
            nn.LeakyReLU(slope),
            nn.Conv2d(q, c, 3, padding=1, bias=False),
            nn.BatchNorm2d(c),
        )
        self.after = nn.LeakyReLU(slope)

    def forward(self, h: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return self.after(h + self.f(h))


def _up(before: int, after: int, *, resize: bool) -> list[nn.Module]:
    """Double the side: a transposed convolution 4x4, or nearest neighbours and one of 3x3."""
    if resize:
        return [nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1, bias=False)]
    return [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)]


class Generator(nn.Module):
    """G(z, phi(t)) -> pictures in [-1, 1]. Batch norm on every layer but the last, as in the paper.

    Args:
        size: side of the pictures: 32, 64 or 128.
        text: size of phi(t).
        z: size of the noise (paper: 100).
        projected: size of the compressed caption (paper: 128).
        width: channels before the last layer (ngf); doubled at each stage below.
        residual: add the bottleneck blocks that the authors' repository has and the paper has not.
        resize: enlarge by nearest neighbours and convolution instead of transposed convolution.

    Raises:
        UsageError: another size.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        text: int = 1024,
        z: int = 100,
        projected: int = 128,
        width: int = 64,
        residual: bool = False,
        resize: bool = False,
    ):
        super().__init__()
        n = _stages(size)
        self.size, self.text, self.z = size, text, z
        self.arguments = dict(size=size, text=text, z=z, projected=projected, width=width)
        self.arguments |= dict(residual=residual, resize=resize)
        self.project = nn.Sequential(nn.Linear(text, projected), nn.LeakyReLU(0.2))
        c = [width * 2 ** (n - 1 - i) for i in range(n)]  # 64 px: 8w, 4w, 2w, w
        # A transposed 4x4 convolution of one pixel is a linear layer; as such it is faster.
        layers = [
            nn.Linear(z + projected, c[0] * 16, bias=False),
            nn.Unflatten(1, (c[0], 4, 4)),
            nn.BatchNorm2d(c[0]),
        ]
        layers += [Bottleneck(c[0], slope=0.0)] if residual else [nn.ReLU()]
        for i in range(n - 1):
            layers += [*_up(c[i], c[i + 1], resize=resize), nn.BatchNorm2d(c[i + 1])]
            layers += [Bottleneck(c[i + 1], slope=0.0)] if residual and i == 0 else [nn.ReLU()]
        self.unfold = nn.Sequential(*layers, *_up(c[-1], 3, resize=resize), nn.Tanh())
        self.apply(init_dcgan)

    def forward(
        self, z: Float[Tensor, "b z"], phi: Float[Tensor, "b text"]
    ) -> Float[Tensor, "b 3 size size"]:
        h = torch.cat([z, self.project(phi)], dim=1)
        return self.unfold(h)


class Discriminator(nn.Module):
    """D(x, phi(t)) -> logits: is this a real picture, and does the caption fit it?

    Several captions can be asked about one picture; its feature maps are then computed once.

    Args:
        size: side of the pictures: 32, 64 or 128.
        text: size of phi(t).
        projected: size of the compressed caption (paper: 128).
        width: channels of the first layer (ndf); doubled at each stage.
        residual: add the bottleneck block that the authors' repository has and the paper has not;
            its batch norm stays whatever `norm` is.
        norm: "batch" as in the paper (on every convolution but the first, and none on the score);
            "spectral" (Miyato et al. 2018) bounds every layer's largest singular value instead.
        projection: add <A t, B h> / 16 to the logit, with A t and B h of 256 numbers each: products
            of caption and picture features (after Miyato and Koyama 2018); the paper has none.

    Raises:
        UsageError: another size or norm.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        text: int = 1024,
        projected: int = 128,
        width: int = 64,
        residual: bool = False,
        norm: str = "batch",
        projection: bool = False,
    ):
        super().__init__()
        n = _stages(size)
        self.size, self.text = size, text
        choose("norm", norm, ("batch", "spectral"))
        bound = spectral_norm if norm == "spectral" else (lambda layer: layer)
        batch = [] if norm == "spectral" else [nn.BatchNorm2d]
        c = [width * 2**i for i in range(n)]  # 64 px: w, 2w, 4w, 8w
        layers = [bound(nn.Conv2d(3, c[0], 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
        for before, after in zip(c, c[1:], strict=False):
            layers += [
                bound(nn.Conv2d(before, after, 4, stride=2, padding=1, bias=not batch)),
                *(b(after) for b in batch),
                nn.LeakyReLU(0.2),
            ]
        if residual:
            layers += [Bottleneck(c[-1], slope=0.2)]
        self.fold = nn.Sequential(*layers)
        self.project = nn.Sequential(bound(nn.Linear(text, projected)), nn.LeakyReLU(0.2))
        # A 1x1 convolution of [h; t] is W_h h + W_t t. Split so, W_h h serves every caption.
        self.fuse_picture = bound(nn.Conv2d(c[-1], c[-1], 1, bias=not batch))
        self.fuse_caption = bound(nn.Linear(projected, c[-1], bias=False))
        self.fused = nn.Sequential(*(b(c[-1]) for b in batch), nn.LeakyReLU(0.2))
        self.score = bound(nn.Linear(c[-1] * 16, 1))  # a 4x4 convolution of 4x4 places
        self.of_picture = bound(nn.Linear(c[-1] * 16, 256)) if projection else None
        self.of_caption = bound(nn.Linear(projected, 256)) if projection else None
        self.apply(init_dcgan)

    def forward(
        self, images: Float[Tensor, "b 3 size size"], phi: Float[Tensor, "b *k text"]
    ) -> Float[Tensor, "b *k"]:
        """Logits of each picture with its caption, or with each of its k captions."""
        if phi.ndim == 2:
            return self(images, phi[:, None])[:, 0]
        return self.match(self.fold(images), phi)

    def match(
        self, h: Float[Tensor, "b c 4 4"], phi: Float[Tensor, "b k text"]
    ) -> Float[Tensor, "b k"]:
        """Logits of k captions each, of pictures given by their feature maps (`fold`)."""
        t = self.project(phi)  # [b, k, projected]
        h_fused, t_fused = self.fuse_picture(h), self.fuse_caption(t)  # [b, 8w, 4, 4], [b, k, 8w]
        fused = [self.fused(h_fused + t_k[:, :, None, None]) for t_k in t_fused.unbind(1)]
        logits = self.score(torch.stack(fused, dim=1).flatten(2))[..., 0]
        if self.of_picture is not None:
            products = self.of_picture(h.flatten(1))[:, None] * self.of_caption(t)
            logits = logits + products.sum(-1) / 16
        return logits
