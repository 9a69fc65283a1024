"""BigGAN at a small size (Brock et al. 2019, appendix B): residual networks that are told a class.

The noise is split, a part for the first layer and one for each block (hierarchical z). Each block
is told its part of z beside the class, whose embedding all blocks share, by class-conditional batch
norm. The discriminator compares a picture with its class by a projection (Miyato and Koyama 2018).
Spectral norm holds the largest singular value of every layer at 1. Symbols: z noise, y the class,
e its embedding, h feature maps. No self-attention, which the paper has at 64 x 64.
"""

import copy
from math import erf, log2, sqrt

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from t2ilab.errors import UsageError
from t2ilab.models.gated import Gate

SIZES = (16, 32, 64)


def truncated_normal(
    *shape: int, threshold: float | None, rng: torch.Generator
) -> Float[Tensor, "..."]:
    """z ~ N(0, 1), drawn again where |z| is above the threshold (truncation trick, section 3.1).

    Computed at once by the inverse of the normal distribution; None: no truncation.

    Raises:
        UsageError: a threshold that is not above 0.
    """
    if threshold is None:
        return torch.randn(*shape, generator=rng)
    if not threshold > 0:
        raise UsageError(f"threshold {threshold}: give a number above 0, or none.")
    inside = erf(threshold / sqrt(2))  # the share of N(0, 1) within the threshold
    u = torch.rand(*shape, generator=rng, dtype=torch.float64) * 2 - 1
    return (sqrt(2) * torch.erfinv(u * inside)).float().clamp(-threshold, threshold)


def _orthogonal(layer: nn.Module, spectral: bool) -> nn.Module:
    """Orthogonal initial weights; biases 0; under spectral norm where asked."""
    nn.init.orthogonal_(layer.weight)
    if getattr(layer, "bias", None) is not None:
        nn.init.zeros_(layer.bias)
    return spectral_norm(layer) if spectral else layer


class BlockUp(nn.Module):
    """h + f(h) at twice the side: norm, enlarge, 3x3, norm, 3x3; beside it enlarge and 1x1.

    Args:
        before, after: channels.
        condition: size of [e, z_k], which both norms are told.
        spectral: spectral norm on the convolutions.
    """

    def __init__(self, before: int, after: int, condition: int, *, spectral: bool):
        super().__init__()
        self.gate_1, self.gate_2 = Gate(before, condition), Gate(after, condition)
        self.conv_1 = _orthogonal(nn.Conv2d(before, after, 3, padding=1), spectral)
        self.conv_2 = _orthogonal(nn.Conv2d(after, after, 3, padding=1), spectral)
        self.skip = _orthogonal(nn.Conv2d(before, after, 1), spectral)

    def forward(
        self, h: Float[Tensor, "b c s s"], condition: Float[Tensor, "b condition"]
    ) -> Float[Tensor, "b d t t"]:
        f = self.conv_1(F.interpolate(self.gate_1(h, condition), scale_factor=2))
        f = self.conv_2(self.gate_2(f, condition))
        return f + F.interpolate(self.skip(h), scale_factor=2)  # 1x1 before: the same, and cheaper


class BigGANGenerator(nn.Module):
    """G(z, y) -> pictures in [-1, 1].

    Args:
        size: side of the pictures: 16, 32 or 64.
        channels: 1 or 3.
        classes: how many there are.
        z: numbers of the noise, in equal parts for the first layer and each block.
        embedding: size of e, which all blocks share.
        width: channels at the full side; doubled at each scale below, up to 4 times.
        hierarchical: the blocks see their parts of z; else the first layer sees all of it.
        spectral: spectral norm on every layer but the embedding and the gates.

    Raises:
        UsageError: another size, or noise that cannot be split evenly.
    """

    def __init__(
        self,
        *,
        size: int = 32,
        channels: int = 3,
        classes: int = 8,
        z: int = 64,
        embedding: int = 32,
        width: int = 16,
        hierarchical: bool = True,
        spectral: bool = True,
    ):
        super().__init__()
        if size not in SIZES:
            raise UsageError(f"BigGAN comes for {', '.join(map(str, SIZES))} pixels, not {size}.")
        n = int(log2(size // 4))
        if hierarchical and z % (n + 1):
            raise UsageError(
                f"z = {z}: expected a multiple of {n + 1}, for {n + 1} layers have a part each."
            )
        self.arguments = dict(size=size, channels=channels, classes=classes, z=z)
        self.arguments |= dict(embedding=embedding, width=width, hierarchical=hierarchical)
        self.arguments["spectral"] = spectral
        self.size, self.channels, self.classes, self.z = size, channels, classes, z
        self.part = z // (n + 1) if hierarchical else z
        c = [width * min(4, 2 ** (n - i)) for i in range(n + 1)]  # 32 px: 4w, 4w, 2w, w
        condition = embedding + (self.part if hierarchical else 0)
        self.hierarchical = hierarchical
        self.embed = nn.Embedding(classes, embedding)  # no spectral norm: it would cripple it
        self.first = _orthogonal(nn.Linear(self.part, c[0] * 16), spectral)
        self.blocks = nn.ModuleList(
            BlockUp(a, b, condition, spectral=spectral) for a, b in zip(c, c[1:], strict=False)
        )
        self.norm = nn.BatchNorm2d(c[-1])
        self.to_rgb = _orthogonal(nn.Conv2d(c[-1], channels, 3, padding=1), spectral)

    def forward(
        self, z: Float[Tensor, "b z"], y: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c size size"]:
        first, *parts = z.split(self.part, dim=1)
        e = self.embed(y)
        h = self.first(first).unflatten(1, (-1, 4, 4))
        h = h.contiguous(memory_format=torch.channels_last)
        for k, block in enumerate(self.blocks):
            h = block(h, torch.cat([e, parts[k]], 1) if self.hierarchical else e)
        return torch.tanh(self.to_rgb(F.relu(self.norm(h))))


class BlockDown(nn.Module):
    """h + f(h): 3x3, 3x3, and half the side by means of 2 x 2 (`down`); beside it a 1x1.

    Args:
        before, after: channels.
        first: the block that sees the picture itself, without a ReLU before.
        down: halve the side.
    """

    def __init__(self, before: int, after: int, *, first: bool = False, down: bool = True):
        super().__init__()
        self.first, self.down = first, down
        self.conv_1 = _orthogonal(nn.Conv2d(before, after, 3, padding=1), True)
        self.conv_2 = _orthogonal(nn.Conv2d(after, after, 3, padding=1), True)
        self.skip = _orthogonal(nn.Conv2d(before, after, 1), True)

    def forward(self, h: Float[Tensor, "b c s s"]) -> Float[Tensor, "b d t t"]:
        f = self.conv_2(F.relu(self.conv_1(h if self.first else F.relu(h))))
        if self.down:
            f, h = F.avg_pool2d(f, 2), F.avg_pool2d(h, 2)
        return f + self.skip(h)


class BigGANDiscriminator(nn.Module):
    """f(x, y) = w·φ(x) + e_y·φ(x): is it a picture, and is it one of class y? No batch norm.

    Args:
        size, channels, classes: of the pictures.
        width: channels after the first block; doubled at each that follows, up to 4 times.

    Raises:
        UsageError: another size.
    """

    def __init__(self, *, size: int = 32, channels: int = 3, classes: int = 8, width: int = 16):
        super().__init__()
        if size not in SIZES:
            raise UsageError(f"BigGAN comes for {', '.join(map(str, SIZES))} pixels, not {size}.")
        n = int(log2(size // 4))
        c = [channels, *(width * min(4, 2**i) for i in range(n))]  # 32 px: w, 2w, 4w
        blocks = [BlockDown(a, b, first=a == channels) for a, b in zip(c, c[1:], strict=False)]
        self.body = nn.Sequential(*blocks, BlockDown(c[-1], c[-1], down=False))
        self.score = _orthogonal(nn.Linear(c[-1], 1), True)
        self.embed = spectral_norm(nn.Embedding(classes, c[-1]))

    def forward(
        self, x: Float[Tensor, "b c size size"], y: Int[Tensor, " b"]
    ) -> Float[Tensor, " b"]:
        h = self.body(x.contiguous(memory_format=torch.channels_last))
        phi = F.relu(h).sum((2, 3))
        return self.score(phi)[:, 0] + (self.embed(y) * phi).sum(1)


def filters(network: nn.Module) -> list[Tensor]:
    """The weights that orthogonal regularisation is asked of: of layers under spectral norm, as
    they are before it, but not those with one filter or of an embedding.
    """
    layers = [m for m in network.modules() if parametrize.is_parametrized(m, "weight")]
    layers = [m for m in layers if not isinstance(m, nn.Embedding)]
    every = [m.parametrizations.weight.original for m in layers]
    return [w for w in every if len(w) > 1]


@torch.no_grad()
def baked(generator: BigGANGenerator) -> BigGANGenerator:
    """A copy whose weights have been divided by their spectral norms once and for all.

    The power iteration is first brought to its end (20 steps a layer).
    """
    plain = BigGANGenerator(**generator.arguments | {"spectral": False})
    held, state = copy.deepcopy(generator), {}
    for name, layer in held.named_modules():
        if parametrize.is_parametrized(layer, "weight"):
            layer.train()
            for _ in range(20):
                state[f"{name}.weight"] = layer.weight  # each look is a step of the iteration
    own = {
        key: value for key, value in held.state_dict().items() if ".parametrizations." not in key
    }
    plain.load_state_dict(own | state)
    return plain.requires_grad_(False).eval()


@torch.no_grad()
def standing_statistics(
    generator: BigGANGenerator, *, batches: int = 32, size: int = 64, threshold: float | None = None
) -> None:
    """Means and variances of all batch norms, measured anew, in place (the paper's appendix C).

    Those that averaged weights inherit belong to other weights, and those of full noise to other
    activations than truncated noise gives.

    Args:
        batches, size: how many batches are averaged, of how many pictures.
        threshold: of the noise.
    """
    norms = [m for m in generator.modules() if isinstance(m, nn.BatchNorm2d)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
        norm.train()
    rng = torch.Generator().manual_seed(0)
    device = next(generator.parameters()).device
    for _ in range(batches):
        z = truncated_normal(size, generator.z, threshold=threshold, rng=rng)
        y = torch.randint(generator.classes, (size,), generator=rng)
        generator(z.to(device), y.to(device))
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
        norm.eval()
