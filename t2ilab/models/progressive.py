"""Networks that grow from 4 x 4 pixels (Karras et al. 2018): half the side less, a layer pair less.

At level k (0: 4 x 4 pixels) the blocks 0 to k are in use. While level k is new, what it makes is
mixed with what level k - 1 makes, enlarged: (1 - alpha) old + alpha new, alpha from 0 to 1, in both
networks. Beside it three rules of the paper: the equalised learning rate, which divides weights as
they are used (section 4.1); pixel norm in G (4.2); the minibatch deviation in D (section 3).
Symbols: z noise, h feature maps, c_k channels at level k.
"""

from math import log2, sqrt

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError

SIZES = (8, 16, 32, 64, 128)
SLOPE = 0.2


class EqualLinear(nn.Module):
    """W x + b with weights from N(0, 1) that are used as c W, c = gain / sqrt(inputs) (He's).

    Adam moves each weight by about the learning rate, whatever its size; so all weights are kept
    at one size, and with it their *relative* speed.

    Args:
        inputs, outputs: sizes.
        gain: sqrt(2) before a (leaky) ReLU, 1 at the end.
    """

    def __init__(self, inputs: int, outputs: int, *, gain: float = sqrt(2)):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.c = gain / sqrt(inputs)

    def forward(self, x: Float[Tensor, "b inputs"]) -> Float[Tensor, "b outputs"]:
        return F.linear(x, self.c * self.weight, self.bias)


class EqualConv2d(nn.Module):
    """The same, of a convolution of `kernel` x `kernel` that keeps the side."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, *, gain: float = sqrt(2)):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.c, self.padding = gain / sqrt(inputs * kernel**2), kernel // 2

    def forward(self, h: Float[Tensor, "b inputs s t"]) -> Float[Tensor, "b outputs s t"]:
        return F.conv2d(h, self.c * self.weight, self.bias, padding=self.padding)


def pixel_norm(h: Float[Tensor, "b c *places"]) -> Float[Tensor, "b c *places"]:
    """h / sqrt(mean of h² over the channels), at each place alone (section 4.2)."""
    return h * (h.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def minibatch_deviation(
    h: Float[Tensor, "b c s t"], group: int = 4
) -> Float[Tensor, "b c_and_1 s t"]:
    """One more map: the deviation over the pictures of a group, averaged over channels and places.

    Where G's pictures are too much alike it is too small, and D can see it (section 3). It makes
    a score depend on the other pictures of its group.

    Args:
        group: pictures of a group; fewer where the batch cannot be divided so.
    """
    b = len(h)
    n = max(k for k in range(1, min(group, b) + 1) if b % k == 0)
    grouped = h.reshape(n, b // n, -1)
    deviation = (grouped.var(0, unbiased=False) + 1e-8).sqrt().mean(1)  # [b / n]
    maps = deviation.repeat(n).view(b, 1, 1, 1).expand(-1, 1, *h.shape[2:])
    return torch.cat([h, maps], dim=1)


def enlarged(images: Float[Tensor, "b c s t"]) -> Float[Tensor, "b c s2 t2"]:
    """Twice the side, each pixel four times."""
    return F.interpolate(images, scale_factor=2, mode="nearest")


def faded(images: Float[Tensor, "b c s t"], alpha: float) -> Float[Tensor, "b c s t"]:
    """Real pictures as they are shown while a level is new: alpha x + (1 - alpha) (x made coarse).

    D would otherwise tell made pictures by their lack of detail alone (code of the paper).
    """
    return images if alpha == 1 else torch.lerp(enlarged(F.avg_pool2d(images, 2)), images, alpha)


def channels_of(size: int, width: int, most: int) -> list[int]:
    """c_0 (4 x 4 pixels) to c_n (size): `width` at the end, doubled at each level below.

    Raises:
        UsageError: no such size.
    """
    if size not in SIZES:
        raise UsageError(f"growing networks end at {', '.join(map(str, SIZES))}, not {size}.")
    n = int(log2(size // 4))
    return [min(most, width * 2 ** (n - k)) for k in range(n + 1)]


class _Growing(nn.Module):
    """What both networks share: their levels."""

    def __init__(self, size: int, width: int, most: int):
        super().__init__()
        self.channels_at = channels_of(size, width, most)
        self.size, self.last = size, len(self.channels_at) - 1

    def at(self, level: int | None, alpha: float) -> int:
        """The level, by default the last.

        Raises:
            UsageError: no such level, or alpha outside [0, 1].
        """
        level = self.last if level is None else level
        if not 0 <= level <= self.last or not 0 <= alpha <= 1:
            raise UsageError(
                f"level {level}, alpha {alpha}: levels go from 0 to {self.last}, alpha from 0 to 1."
            )
        return level

    def all_take_part(self, result: Tensor) -> Tensor:
        """The same numbers, with a gradient of 0 for the weights that are not in use yet: several
        processes wait for the gradient of every weight.
        """
        if not (torch.is_grad_enabled() and torch.distributed.is_initialized()):
            return result
        return result + 0 * sum(w.sum() for w in self.parameters())


class GrowBlock(nn.Module):
    """Of G: enlarge, then two convolutions 3x3, each with leaky ReLU and pixel norm."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.conv_1, self.conv_2 = EqualConv2d(before, after), EqualConv2d(after, after)

    def forward(self, h: Float[Tensor, "b c s s"]) -> Float[Tensor, "b d t t"]:
        h = pixel_norm(F.leaky_relu(self.conv_1(enlarged(h)), SLOPE))
        return pixel_norm(F.leaky_relu(self.conv_2(h), SLOPE))


class ProgressiveGenerator(_Growing):
    """G(z) at a level -> pictures of 4 · 2^level pixels, not cut to [-1, 1].

    Args:
        size: side of the pictures when it has grown up.
        channels: 1 or 3.
        z: numbers of the noise, which is normalised first.
        width: channels at the full side; doubled at each level below, up to `most`.

    Raises:
        UsageError: no such size.
    """

    def __init__(
        self, *, size: int = 64, channels: int = 3, z: int = 64, width: int = 8, most: int = 64
    ):
        super().__init__(size, width, most)
        self.arguments = dict(size=size, channels=channels, z=z, width=width, most=most)
        self.channels, self.z, self.noise_shape = channels, z, (z,)
        c = self.channels_at
        self.first = EqualLinear(z, c[0] * 16, gain=sqrt(2) / 4)  # as the authors' code
        self.second = EqualConv2d(c[0], c[0])
        self.blocks = nn.ModuleList(GrowBlock(a, b) for a, b in zip(c, c[1:], strict=False))
        self.to_rgb = nn.ModuleList(EqualConv2d(a, channels, 1, gain=1) for a in c)

    def forward(
        self, z: Float[Tensor, "b z"], level: int | None = None, alpha: float = 1.0
    ) -> Float[Tensor, "b c s s"]:
        level = self.at(level, alpha)
        h = self.first(pixel_norm(z)).unflatten(1, (-1, 4, 4))
        h = pixel_norm(F.leaky_relu(h, SLOPE))
        h = before = pixel_norm(F.leaky_relu(self.second(h), SLOPE))
        for block in self.blocks[:level]:
            before, h = h, block(h)
        new = self.to_rgb[level](h)
        if level and alpha < 1:
            new = torch.lerp(enlarged(self.to_rgb[level - 1](before)), new, alpha)
        return self.all_take_part(new)


class ShrinkBlock(nn.Module):
    """Of D: two convolutions 3x3 with leaky ReLU, then means of 2 x 2 pixels."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.conv_1, self.conv_2 = EqualConv2d(before, before), EqualConv2d(before, after)

    def forward(self, h: Float[Tensor, "b c s s"]) -> Float[Tensor, "b d t t"]:
        h = F.leaky_relu(self.conv_1(h), SLOPE)
        return F.avg_pool2d(F.leaky_relu(self.conv_2(h), SLOPE), 2)


class ProgressiveDiscriminator(_Growing):
    """f(x) at a level: one number a picture of 4 · 2^level pixels. `size` to `most` as of G.

    Args:
        deviation: the minibatch deviation before the last layers.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        channels: int = 3,
        width: int = 8,
        most: int = 64,
        deviation: bool = True,
    ):
        super().__init__(size, width, most)
        self.deviation, c = deviation, self.channels_at
        self.from_rgb = nn.ModuleList(EqualConv2d(channels, a, 1) for a in c)
        self.blocks = nn.ModuleList(ShrinkBlock(b, a) for a, b in zip(c, c[1:], strict=False))
        self.conv = EqualConv2d(c[0] + deviation, c[0])
        self.dense = EqualLinear(c[0] * 16, c[0])
        self.score = EqualLinear(c[0], 1, gain=1)

    def forward(
        self, x: Float[Tensor, "b c s s"], level: int | None = None, alpha: float = 1.0
    ) -> Float[Tensor, " b"]:
        level = self.at(level, alpha)
        h = F.leaky_relu(self.from_rgb[level](x), SLOPE)
        for k in reversed(range(level)):
            h = self.blocks[k](h)
            if k == level - 1 and alpha < 1:
                old = F.leaky_relu(self.from_rgb[k](F.avg_pool2d(x, 2)), SLOPE)
                h = torch.lerp(old, h, alpha)
        h = minibatch_deviation(h) if self.deviation else h
        h = F.leaky_relu(self.conv(h), SLOPE)
        h = F.leaky_relu(self.dense(h.flatten(1)), SLOPE)
        return self.all_take_part(self.score(h)[:, 0])
