"""Generator and discriminator as multilayer perceptrons (Goodfellow et al. 2014, section 5).

Goodfellow et al. have ReLU in G, and maxout with dropout in D; here both have leaky ReLU. Several
games can be played side by side: with `copies` = 5 a network is five, each with weights of its own,
computed by one matrix product a layer. Small networks then take little more time than one of them.
"""

from math import prod, sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from t2ilab.errors import UsageError

SLOPE = 0.2  # of leaky ReLU below 0


class ManyLinear(nn.Module):
    """`copies` linear layers, each on its own rows: [copies, b, inputs] -> [copies, b, outputs]."""

    def __init__(self, copies: int, inputs: int, outputs: int):
        super().__init__()
        gain = sqrt(2 / (1 + SLOPE**2) / inputs)  # He et al. 2015
        self.weight = nn.Parameter(gain * torch.randn(copies, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(copies, 1, outputs))

    def forward(self, x: Float[Tensor, "copies b inputs"]) -> Float[Tensor, "copies b outputs"]:
        return torch.baddbmm(self.bias, x, self.weight)


class _MLP(nn.Module):
    def __init__(self, inputs: int, outputs: int, *, width: int, depth: int, copies: int):
        super().__init__()
        if min(width, depth, copies) < 1:
            raise UsageError(f"width {width}, depth {depth}, copies {copies}: at least 1 each.")
        sizes = [inputs, *[width] * depth, outputs]
        self.copies = copies
        self.layers = nn.ModuleList(
            ManyLinear(copies, a, b) for a, b in zip(sizes, sizes[1:], strict=False)
        )

    def run(self, x: Float[Tensor, "b copies inputs"]) -> Float[Tensor, "b copies outputs"]:
        h = x.transpose(0, 1)
        for layer in self.layers[:-1]:
            h = F.leaky_relu(layer(h), SLOPE)
        return self.layers[-1](h).transpose(0, 1)


class MLPGenerator(_MLP):
    """G(z) -> points or pictures; tanh at the end where they are pictures, in [-1, 1].

    Args:
        shape: of one sample: (2,) for points of the plane, (1, 8, 8) for grey pictures.
        z: numbers of the noise.
        width, depth: of the hidden layers.
        copies: generators side by side; noise is then [b, copies, z], samples [b, copies, *shape].

    Raises:
        UsageError: a width, depth or number of copies below 1.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, ...] = (2,),
        z: int = 8,
        width: int = 128,
        depth: int = 3,
        copies: int = 1,
    ):
        super().__init__(z, prod(shape), width=width, depth=depth, copies=copies)
        self.arguments = dict(shape=list(shape), z=z, width=width, depth=depth, copies=copies)
        self.shape, self.z = tuple(shape), z
        self.noise_shape = (z,) if copies == 1 else (copies, z)

    def forward(self, z: Float[Tensor, "b *copies z"]) -> Float[Tensor, "b *shape"]:
        flat = self.run(z.view(len(z), self.copies, -1))
        x = flat.reshape(len(z), *self.noise_shape[:-1], *self.shape)
        return x.tanh() if len(self.shape) > 1 else x


class MLPDiscriminator(_MLP):
    """f(x): the logit of "data", one a sample; D(x) = sigmoid(f(x)).

    Args:
        shape, width, depth, copies: as of `MLPGenerator`.
        sharp: of points: the first layer begins with weights larger by this factor, and with its
            bends all over [-1.2, 1.2]^d rather than through the origin, so that D sees fine detail
            early; 0: as every layer.

    Raises:
        UsageError: as `MLPGenerator`.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, ...] = (2,),
        width: int = 128,
        depth: int = 3,
        copies: int = 1,
        sharp: float = 0.0,
    ):
        super().__init__(prod(shape), 1, width=width, depth=depth, copies=copies)
        self.shape = tuple(shape)
        if sharp:
            first = self.layers[0]
            with torch.no_grad():
                first.weight.mul_(sharp)
                norm = first.weight.norm(dim=1, keepdim=True)
                first.bias.copy_(1.2 * norm * (2 * torch.rand_like(first.bias) - 1))

    def forward(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b *copies"]:
        logits = self.run(x.reshape(len(x), self.copies, -1))[..., 0]
        return logits[:, 0] if self.copies == 1 else logits
