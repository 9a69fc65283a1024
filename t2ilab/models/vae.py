"""Variational autoencoders: p(z) p(x|z) draws, q(z|x) guesses which z a picture came from.

Kingma and Welling 2014; with several layers of z and the sizes for MNIST, Burda et al. 2016:

    x -> q(z_1|x) -> q(z_2|z_1)        z_2 ~ N(0, I) -> p(z_1|z_2) -> p(x|z_1)

Every q(z|.) and p(z|.) is a Gaussian with mean mu and variance exp(logvar), both from a network;
z = mu + sigma * epsilon, so that a gradient passes through the sample (sigma, not sigma²).
"""

from collections.abc import Sequence
from math import log2
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError, choose

# What a pixel is for the model, and so its likelihood:
PIXELS = {
    "threshold": "bernoulli",  # 1 where a grey value is at least a half, else 0
    "drawn": "bernoulli",  # 1 with the grey value as its chance, anew at each look
    "colour": "discretised_logistic",  # one of 256 values in each of three channels
}
SIZES = (16, 32, 64)  # sides of the pictures for the convolutions
Parameters = tuple[Tensor, Tensor]  # mu, logvar


class Passed(NamedTuple):
    """What one pass made: each layer's z with the parameters of its q and p; the pixels' p."""

    z: list[Tensor]  # [k, b, n] of each layer
    posteriors: list[Parameters]  # of q: [b, n] for the first layer, [k, b, n] for those above
    priors: list[Parameters]  # of p(z_1|z_2), ..., and N(0, I)
    pixels: tuple[Tensor, ...]  # logits [k, b, 1, h, w]; or location [k, b, 3, h, w], log scale


class Gaussian(nn.Module):
    """mu and logvar from what `body` makes of its input; its output has `width` numbers."""

    def __init__(self, body: nn.Module, width: int, n: int):
        super().__init__()
        self.body, self.mu, self.logvar = body, nn.Linear(width, n), nn.Linear(width, n)

    def forward(self, h: Tensor) -> Parameters:
        h = self.body(h)
        return self.mu(h), self.logvar(h)


class VAE(nn.Module):
    """Fully connected for pixels that are 0 or 1, convolutional for colours.

    Args:
        size: side of the pictures.
        pixels: a key of `PIXELS`.
        latents: how many numbers z has, layer by layer, from the picture up. Burda et al. 2016:
            [50], or [100, 50].
        hidden: width of the two tanh layers of each of the networks (200, or 200 and 100); with
            colours, one number: channels of the first convolution, then doubled.

    Raises:
        UsageError: another size or kind of pixels, layers that do not go together, or a number
            below 1.
    """

    def __init__(
        self,
        *,
        size: int,
        pixels: str,
        latents: Sequence[int] = (50,),
        hidden: Sequence[int] = (200,),
    ):
        super().__init__()
        self.likelihood = PIXELS[choose("kind of pixels", pixels, PIXELS)]
        if not latents or len(latents) != len(hidden):
            raise UsageError(
                f"latents {list(latents)} and hidden {list(hidden)}: one of each a layer."
            )
        if min(size, *latents, *hidden) < 1:
            raise UsageError(
                f"size {size}, latents {list(latents)}, hidden {list(hidden)}: each is 1 or more."
            )
        self.arguments = dict(size=size, pixels=pixels, latents=list(latents), hidden=list(hidden))
        self.size, self.pixels, self.latents = size, pixels, list(latents)
        self.channels = 3 if pixels == "colour" else 1
        if pixels == "colour":
            self._convolutional(latents, hidden)
        else:
            self._fully_connected(latents, hidden)

    def _fully_connected(self, latents: Sequence[int], hidden: Sequence[int]) -> None:
        n = [self.size**2, *latents]
        up = [Gaussian(_tanh(n[i], h), h, n[i + 1]) for i, h in enumerate(hidden)]
        up[0].body.insert(0, nn.Flatten())
        down = [Gaussian(_tanh(n[i + 1], h), h, n[i]) for i, h in enumerate(hidden) if i]
        self.encoders, self.priors = nn.ModuleList(up), nn.ModuleList(down)
        self.last = nn.Linear(hidden[0], n[0])
        shape = nn.Unflatten(-1, (1, self.size, self.size))
        self.decoder = nn.Sequential(_tanh(n[1], hidden[0]), self.last, shape)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def _convolutional(self, latents: Sequence[int], hidden: Sequence[int]) -> None:
        if self.size not in SIZES or len(latents) != 1:
            raise UsageError(
                f"in colour a VAE comes for {', '.join(map(str, SIZES))} pixels and with one layer "
                f"of z, not for {self.size} and with {len(latents)}."
            )
        c = [hidden[0] * 2**i for i in range(int(log2(self.size // 4)))]  # 32 px: w, 2w, 4w
        up = [nn.Conv2d(3, c[0], 4, 2, 1), nn.SiLU()]
        down = [nn.Linear(latents[0], 16 * c[-1]), nn.Unflatten(-1, (c[-1], 4, 4)), nn.SiLU()]
        for fine, coarse in zip(c, c[1:], strict=False):
            up += [nn.Conv2d(fine, coarse, 4, 2, 1), nn.GroupNorm(1, coarse), nn.SiLU()]
        for coarse, fine in zip(c[:0:-1], c[-2::-1], strict=True):
            down += [nn.ConvTranspose2d(coarse, fine, 4, 2, 1), nn.GroupNorm(1, fine), nn.SiLU()]
        self.encoders = nn.ModuleList(
            [Gaussian(nn.Sequential(*up, nn.Flatten()), 16 * c[-1], latents[0])]
        )
        self.priors = nn.ModuleList()
        self.last = nn.ConvTranspose2d(c[0], 3, 4, 2, 1)
        self.decoder = nn.Sequential(*down, self.last)
        self.log_scale = nn.Parameter(torch.full((3, 1, 1), -2.0))  # learned, one a channel

    def seen(
        self, pictures: Float[Tensor, "b _ h w"], generator: torch.Generator
    ) -> Float[Tensor, "b c h w"]:
        """x as the likelihood wants it, of pictures in [-1, 1]; grey ones may have 3 channels."""
        pictures = pictures[:, : self.channels]
        if self.pixels == "threshold":
            return (pictures >= 0).float()
        if self.pixels == "drawn":
            chance = pictures.add(1).div(2)
            return (torch.rand(chance.shape, generator=generator).to(chance) < chance).float()
        return pictures

    @torch.no_grad()
    def begin_at(self, mean: Float[Tensor, "c h w"]) -> None:
        """Let the untrained decoder give about these means of x: its biases, as in Burda's code."""
        if self.pixels == "colour":
            self.last.bias.copy_(mean.mean((1, 2)))
        else:
            self.last.bias.copy_(mean.clamp(1e-3, 1 - 1e-3).logit().flatten())

    def noise(self, k: int, b: int, generator: torch.Generator) -> list[Float[Tensor, "k b _"]]:
        """epsilon for k samples of b pictures, of each layer."""
        return [torch.randn(k, b, n, generator=generator) for n in self.latents]

    def forward(self, x: Float[Tensor, "b c h w"], noise: list[Float[Tensor, "k b _"]]) -> Passed:
        """Through q up and through p down; `x` from `seen`, `noise` from `noise`."""
        h, z, posteriors = x, [], []
        for encoder, epsilon in zip(self.encoders, noise, strict=True):
            mu, logvar = encoder(h)
            posteriors.append((mu, logvar))
            h = mu + (0.5 * logvar).exp() * epsilon
            z.append(h)
        priors = [prior(above) for prior, above in zip(self.priors, z[1:], strict=True)]
        nought = torch.zeros_like(z[-1][:1, :1])
        return Passed(z, posteriors, [*priors, (nought, nought)], self.decode(z[0]))

    def decode(self, z: Float[Tensor, "k b n"]) -> tuple[Tensor, ...]:
        """The parameters of p(x|z_1); see `Passed.pixels`."""
        out = self.decoder(z.flatten(0, 1)).unflatten(0, z.shape[:2])
        return (out, self.log_scale) if self.pixels == "colour" else (out,)

    def down(self, noise: list[Float[Tensor, "k b _"]]) -> Float[Tensor, "k b n"]:
        """z_1 ~ p(z_1), from the top layer down."""
        z = noise[-1]
        for prior, epsilon in zip(reversed(self.priors), reversed(noise[:-1]), strict=True):
            mu, logvar = prior(z)
            z = mu + (0.5 * logvar).exp() * epsilon
        return z

    def mean_picture(self, z: Float[Tensor, "b n"]) -> Float[Tensor, "b c h w"]:
        """E[x|z_1] as a picture in [-1, 1]: grey is the chance of a 1; a location for colours."""
        out = self.decode(z[None])[0][0]
        return out.clamp(-1, 1) if self.pixels == "colour" else out.sigmoid().mul(2).sub(1)


def _tanh(before: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(before, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
