"""DCGAN (Radford et al. 2016): generator and discriminator, each of its guidelines an option.

The guidelines (section 3 of the paper): strides in place of pooling; batch norm in both networks;
no hidden dense layers; ReLU in G with tanh at its end; leaky ReLU in D. By default all five hold.
"""

from math import log2

from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError
from t2ilab.models.layers import init_dcgan

SIZES = (8, 16, 32, 64)
DENSE = 512  # units of a hidden dense layer, where there is one


class Generator(nn.Module):
    """G(z) -> pictures in [-1, 1]. Batch norm and ReLU on every layer but the last, then tanh.

    Args:
        size: side of the pictures: 8, 16, 32 or 64.
        channels: 1 or 3.
        z: size of the noise (paper: 100).
        width: channels before the last layer; doubled at each stage below.
        strides: enlarge by transposed convolutions of stride 2; False: repeat each pixel twice,
            the counterpart of pooling, then a convolution 3x3.
        batch_norm: after every layer but the last.
        dense: a hidden dense layer before the convolutions.
        relu: ReLU in hidden layers and tanh at the end; False: tanh in hidden layers and none at
            the end, where pictures are then cut to [-1, 1] as they are shown.

    Raises:
        UsageError: another size.
    """

    def __init__(
        self,
        *,
        size: int = 32,
        channels: int = 3,
        z: int = 100,
        width: int = 48,
        strides: bool = True,
        batch_norm: bool = True,
        dense: bool = False,
        relu: bool = True,
    ):
        super().__init__()
        _check(size, "generator")
        self.arguments = dict(size=size, channels=channels, z=z, width=width, strides=strides,
                              batch_norm=batch_norm, dense=dense, relu=relu)  # fmt: skip
        self.size, self.channels, self.z, self.noise_shape = size, channels, z, (z,)
        n = int(log2(size // 4))
        c = [width * 2 ** (n - 1 - i) for i in range(n)]  # 32 px: 4w, 2w, w
        active = nn.ReLU if relu else nn.Tanh

        def after(layer: nn.Module, norm: nn.Module) -> list[nn.Module]:
            return [layer, *([norm] if batch_norm else []), active()]

        def larger(a: int, b: int, bias: bool) -> nn.Module:
            if strides:
                return nn.ConvTranspose2d(a, b, 4, stride=2, padding=1, bias=bias)
            return nn.Sequential(
                nn.UpsamplingNearest2d(scale_factor=2), nn.Conv2d(a, b, 3, padding=1, bias=bias)
            )

        layers = after(nn.Linear(z, DENSE), nn.BatchNorm1d(DENSE)) if dense else []
        # A transposed 4x4 convolution of one pixel is a linear layer; as such it is faster.
        layers += [
            nn.Linear(DENSE if dense else z, c[0] * 16, bias=not batch_norm),
            *after(nn.Unflatten(1, (c[0], 4, 4)), nn.BatchNorm2d(c[0])),
        ]
        for a, b in zip(c, c[1:], strict=False):
            layers += after(larger(a, b, not batch_norm), nn.BatchNorm2d(b))
        layers += [larger(c[-1], channels, True), *([nn.Tanh()] if relu else [])]
        self.unfold = nn.Sequential(*layers)
        self.apply(init_dcgan)

    def forward(self, z: Float[Tensor, "b z"]) -> Float[Tensor, "b c size size"]:
        return self.unfold(z)


class Discriminator(nn.Module):
    """f(x): the logit of "real" of each picture. Its batch norm makes it depend on the batch.

    So real and made pictures go through it in batches of their own, and no gradient penalty fits.

    Args:
        size, channels: of the pictures, in [-1, 1].
        width: channels of the first convolution; doubled at each that follows.
        strides: halve by convolutions 4x4 of stride 2; False: convolutions 3x3, then max-pooling.
        batch_norm: after every layer but the first and the last.
        dense: a hidden dense layer after the convolutions.
        leaky: leaky ReLU of slope 0.2; False: ReLU.

    Raises:
        UsageError: another size.
    """

    def __init__(
        self,
        *,
        size: int = 32,
        channels: int = 3,
        width: int = 48,
        strides: bool = True,
        batch_norm: bool = True,
        dense: bool = False,
        leaky: bool = True,
    ):
        super().__init__()
        _check(size, "discriminator")
        self.size, self.channels = size, channels
        n = int(log2(size // 4))
        c = [channels, *(width * 2**i for i in range(n))]  # 32 px: w, 2w, 4w
        slope = 0.2 if leaky else 0.0
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(zip(c, c[1:], strict=False)):
            norm = batch_norm and i > 0
            if strides:
                layers += [nn.Conv2d(a, b, 4, stride=2, padding=1, bias=not norm)]
            else:
                layers += [nn.Conv2d(a, b, 3, padding=1, bias=not norm)]
            layers += [*([nn.BatchNorm2d(b)] if norm else []), nn.LeakyReLU(slope)]
            layers += [] if strides else [nn.MaxPool2d(2)]
        layers += [nn.Flatten()]
        features = c[-1] * 16
        if dense:
            layers += [nn.Linear(features, DENSE), nn.LeakyReLU(slope)]
            features = DENSE
        self.body, self.score = nn.Sequential(*layers), nn.Linear(features, 1)
        self.apply(init_dcgan)

    def forward(self, images: Float[Tensor, "b c size size"]) -> Float[Tensor, " b"]:
        return self.score(self.body(images))[:, 0]


def _check(size: int, what: str) -> None:
    if size not in SIZES:
        raise UsageError(f"the {what} comes for {', '.join(map(str, SIZES))} pixels, not {size}.")
