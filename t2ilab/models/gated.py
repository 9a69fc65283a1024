"""A generator that is told the caption at every scale, for pictures without a chequered grain.

Reed et al. give the caption to the first layer only and enlarge by transposed convolutions, whose
overlapping windows leave a pattern (Odena et al. 2016). Here each scale enlarges by nearest
neighbours and a 3 x 3 convolution, and noise and caption set the scale and shift of its features
(as in Brock et al. 2019, and in DF-GAN, Tao et al. 2022). What has no cause, such as the grain of
the paper, comes from maps of noise that are added at each scale (Karras et al. 2019). Symbols as in
`models.reed`.
"""

from math import log2

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError
from t2ilab.models.augmentation import AugmentedGenerator, ConditioningAugmentation
from t2ilab.models.layers import init_dcgan
from t2ilab.models.reed import SIZES, Generator


class Gate(nn.Module):
    """Batch norm, whose scale 1 + gamma and shift beta are linear in the condition c.

    Args:
        channels: of h.
        condition: size of c.
    """

    def __init__(self, channels: int, condition: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.affine = nn.Linear(condition, 2 * channels)

    def forward(
        self, h: Float[Tensor, "b c h w"], condition: Float[Tensor, "b condition"]
    ) -> Float[Tensor, "b c h w"]:
        gamma, beta = self.affine(condition)[:, :, None, None].chunk(2, dim=1)
        return F.leaky_relu(torch.addcmul(beta, self.norm(h), 1 + gamma), 0.2)


class Grain(nn.Module):
    """A map of noise for each picture that is a function of z: the same z, the same grain.

    n = sum_k a_k N_k with fixed normal maps N_k and a = P z / |P z|, P fixed: normal as well, and
    nearly independent for z that differ.

    Args:
        side: of the map.
        z: size of the noise vector.
    """

    MAPS = 64

    def __init__(self, side: int, z: int):
        super().__init__()
        rng, self.side = torch.Generator().manual_seed(side), side
        maps, mix = ((self.MAPS, side**2), (z, self.MAPS))
        self.register_buffer("maps", torch.randn(*maps, generator=rng), persistent=False)
        self.register_buffer("mix", torch.randn(*mix, generator=rng), persistent=False)

    def forward(self, z: Float[Tensor, "b z"]) -> Float[Tensor, "b 1 side side"]:
        n = F.normalize(z @ self.mix, dim=1) @ self.maps
        return n.view(-1, 1, self.side, self.side)


class Scale(nn.Module):
    """Twice the side: enlarge, convolve, gate; `deep` convolves and gates once more, and adds.

    Args:
        side: after it.
        before, after: channels.
        z: size of the noise.
        condition: size of c.
        deep: a residual h + f(h) at the new side.
    """

    def __init__(self, side: int, before: int, after: int, z: int, condition: int, *, deep: bool):
        super().__init__()
        self.grain = Grain(side, z)
        self.strength = nn.Parameter(torch.zeros(after, 1, 1))
        self.enlarge = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.gate = Gate(after, condition)
        self.deepen = nn.Conv2d(after, after, 3, padding=1, bias=False) if deep else None
        self.gate_deep = Gate(after, condition) if deep else None

    def forward(self, h, z, condition):
        h = self.enlarge(F.interpolate(h, scale_factor=2))
        h = self.gate(h + self.strength * self.grain(z), condition)
        if self.deepen is not None:
            h = h + self.gate_deep(self.deepen(h), condition)
        return h


class GatedGenerator(nn.Module):
    """G(z, phi(t)) -> pictures in [-1, 1].

    Args:
        size: side of the pictures: 32, 64 or 128.
        text: size of phi(t).
        z: size of the noise.
        projected: size of the compressed caption.
        width: channels at half the full side; doubled at each stage below, and halved, but not
            below 16, at the full side.
        deep: sides up to which a scale has a residual besides.

    Raises:
        UsageError: another size.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        text: int = 256,
        z: int = 100,
        projected: int = 128,
        width: int = 32,
        deep: int = 16,
    ):
        super().__init__()
        if size not in SIZES:
            raise UsageError(
                f"the gated generator comes for {', '.join(map(str, SIZES))} pixels, not {size}."
            )
        n = int(log2(size // 4))
        self.size, self.text, self.z = size, text, z
        self.arguments = dict(size=size, text=text, z=z, projected=projected, width=width)
        self.arguments |= dict(deep=deep)
        self.project = nn.Sequential(nn.Linear(text, projected), nn.LeakyReLU(0.2))
        c = [width * 2 ** (n - 1 - i) for i in range(n)] + [max(width // 2, min(width, 16))]
        condition = z + projected
        self.start = nn.Linear(condition, c[0] * 16)
        self.scales = nn.ModuleList(
            Scale(8 * 2**i, c[i], c[i + 1], z, condition, deep=8 * 2**i <= deep) for i in range(n)
        )
        self.to_rgb = nn.Conv2d(c[-1], 3, 3, padding=1)
        self.apply(init_dcgan)

    def forward(
        self, z: Float[Tensor, "b z"], phi: Float[Tensor, "b text"]
    ) -> Float[Tensor, "b 3 size size"]:
        condition = torch.cat([z, self.project(phi)], dim=1)
        h = self.start(condition).unflatten(1, (-1, 4, 4))
        h = h.contiguous(memory_format=torch.channels_last)
        for scale in self.scales:
            h = scale(h, z, condition)
        return torch.tanh(self.to_rgb(h))


GENERATORS: dict[str, type[nn.Module]] = {"reed": Generator, "gated": GatedGenerator}


Drawing = Generator | GatedGenerator | AugmentedGenerator


def describe_generator(generator: Drawing) -> dict:
    """Its arguments, and of which kind it is: `make_generator` builds it again."""
    if isinstance(generator, AugmentedGenerator):
        inner = describe_generator(generator.generator)
        of = generator.augmentation.arguments
        return {"kind": "augmented", "augmentation": of, "generator": inner}
    names = {kind: name for name, kind in GENERATORS.items()}
    return {"kind": names[type(generator)]} | generator.arguments


def make_generator(described: dict) -> Drawing:
    """An untrained generator from what `describe_generator` returned."""
    arguments = dict(described)
    kind = arguments.pop("kind", "reed")
    if kind == "augmented":
        augmentation = ConditioningAugmentation(**arguments["augmentation"])
        return AugmentedGenerator(augmentation, make_generator(arguments["generator"]))
    return GENERATORS[kind](**arguments)
