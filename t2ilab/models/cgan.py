"""Conditional GAN of multilayer perceptrons (Mirza and Osindero 2014, section 4.1).

The label y, as a one-hot vector, enters G beside the noise z, and D beside the picture x: each
input has a layer of its own, and what comes out of both is put side by side. The paper has ReLU and
dropout in G and maxout in D; here both have leaky ReLU.
"""

from math import prod

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

SLOPE = 0.2


class _Conditional(nn.Module):
    """An input and a label, a layer each; then layers on both."""

    def __init__(self, inputs: int, outputs: int, *, labels: int, width: int, told: bool):
        super().__init__()
        self.labels, self.told = labels, told
        self.of_input, self.of_label = nn.Linear(inputs, width), nn.Linear(labels, width)
        self.both, self.last = nn.Linear(2 * width, width), nn.Linear(width, outputs)

    def run(self, h: Float[Tensor, "b inputs"], y: Int[Tensor, " b"]) -> Tensor:
        label = F.one_hot(y, self.labels).to(h) * float(self.told)  # 0: nothing is told
        h = torch.cat([self.of_input(h), self.of_label(label)], 1)
        return self.last(F.leaky_relu(self.both(F.leaky_relu(h, SLOPE)), SLOPE))


class ConditionalGenerator(_Conditional):
    """G(z|y) -> pictures in [-1, 1].

    Args:
        shape: of a picture.
        labels: how many there are.
        z: numbers of the noise.
        width: of each layer.
        told: whether G is told y.
    """

    def __init__(
        self,
        *,
        shape: tuple[int, ...] = (1, 8, 8),
        labels: int = 10,
        z: int = 20,
        width: int = 128,
        told: bool = True,
    ):
        super().__init__(z, prod(shape), labels=labels, width=width, told=told)
        self.arguments = dict(shape=list(shape), labels=labels, z=z, width=width, told=told)
        self.shape, self.z = tuple(shape), z

    def forward(self, z: Float[Tensor, "b z"], y: Int[Tensor, " b"]) -> Float[Tensor, "b c h w"]:
        return self.run(z, y).tanh().view(len(z), *self.shape)


class ConditionalDiscriminator(_Conditional):
    """f(x|y): the logit of "data", one a picture; D = sigmoid(f). `told` as of G."""

    def __init__(
        self,
        *,
        shape: tuple[int, ...] = (1, 8, 8),
        labels: int = 10,
        width: int = 128,
        told: bool = True,
    ):
        super().__init__(prod(shape), 1, labels=labels, width=width, told=told)

    def forward(self, x: Float[Tensor, "b c h w"], y: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        return self.run(x.flatten(1), y)[:, 0]
