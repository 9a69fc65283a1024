"""G and D of AttnGAN (Xu et al. 2018, section 3.1), at the course's sizes.

One hidden state grows: F_0 makes h_0 of noise and sentence, F_1 makes h_1 of h_0 and of what its
places learn from the words, and so on; each G_i paints h_i, and each picture has a critic D_i.

    h_0 = F_0(z, c),  c ~ N(mu(s), sigma(s)),    h_i = F_i(h_(i-1), attn_i(words, h_(i-1)))

Departures. Places attend to words at 32 x 32 and at 64 x 64 pixels, and the first picture, of 32
pixels, comes after the first attention (paper: 64, 128 and 256 pixels, attention at 64 and 128, and
a first picture without). F_0 is that of `models.gated`, and the critics have spectral norm.
Symbols: z noise, s sentence, c condition, e words, w width.
"""

from math import log2
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from t2ilab.errors import UsageError
from t2ilab.models.augmentation import ConditioningAugmentation
from t2ilab.models.gated import Gate, Scale
from t2ilab.models.layers import init_dcgan
from t2ilab.models.reed import Discriminator
from t2ilab.models.word_attention import WordAttention

SIZES = (32, 64, 128)
FIRST = 32  # pixels where places attend to words for the first time


class Painted(NamedTuple):
    """What G makes.

    Attributes:
        pictures: in [-1, 1], of 32 pixels, then of each size up to the full one.
        attention: b of the same places; see `models.word_attention`.
        mu, logvar: of the condition.
    """

    pictures: list[Float[Tensor, "b 3 h w"]]
    attention: list[Float[Tensor, "b words h w"]]
    mu: Float[Tensor, "b condition"]
    logvar: Float[Tensor, "b condition"]


class Refined(nn.Module):
    """h -> h + a f([h; attn(words, h)]), f one or two convolutions gated by the condition.

    a is small at first, so that a trained F_0 is not disturbed.

    Args:
        channels: of h.
        word, condition: sizes of a word's vector and of the condition.
        deep: two convolutions; else one.
    """

    def __init__(self, channels: int, word: int, condition: int, *, deep: bool):
        super().__init__()
        self.attend = WordAttention(word, channels)
        self.amount = nn.Parameter(torch.full((channels, 1, 1), 0.1))
        self.join = nn.Conv2d(2 * channels, channels, 3, padding=1, bias=False)
        self.gate = Gate(channels, condition)
        self.deepen = nn.Conv2d(channels, channels, 3, padding=1, bias=False) if deep else None
        self.gate_deep = Gate(channels, condition) if deep else None

    def forward(self, h, words, real, condition, weights=None):
        context, attention = self.attend(h, words, real, weights)
        new = self.gate(self.join(torch.cat([h, context.to(h.dtype)], 1)), condition)
        if self.deepen is not None:
            new = self.gate_deep(self.deepen(new), condition)
        return h + self.amount * new, attention


class AttnGenerator(nn.Module):
    """G(z, sentence, words) -> pictures.

    Args:
        size: side of the last pictures: 32, 64 or 128.
        text, word: sizes of a sentence's and of a word's vector.
        z: size of the noise.
        condition: size of c.
        width: channels at 32 pixels; doubled at each stage below, and halved, but not below 16, at
            each above.

    Raises:
        UsageError: another size.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        text: int = 128,
        word: int = 128,
        z: int = 100,
        condition: int = 128,
        width: int = 32,
    ):
        super().__init__()
        if size not in SIZES:
            raise UsageError(f"AttnGAN comes for {', '.join(map(str, SIZES))} pixels, not {size}.")
        self.size, self.text, self.word, self.z, self.c = size, text, word, z, condition
        self.arguments = dict(size=size, text=text, word=word, z=z, condition=condition)
        self.arguments |= dict(width=width)
        self.frozen = False
        self.project = nn.Sequential(nn.Linear(text, condition), nn.LeakyReLU(0.2))
        self.condition = ConditioningAugmentation(text=condition, size=condition)
        told, w = z + condition, width
        self.start = nn.Linear(told, 8 * w * 16)
        below = zip((8, 16, 32), (8 * w, 4 * w, 2 * w), (4 * w, 2 * w, w), strict=True)
        self.scales = nn.ModuleList(Scale(s, b, a, z, told, deep=s <= 16) for s, b, a in below)
        sides = [FIRST * 2**i for i in range(int(log2(size // FIRST)) + 1)]
        c = [w] + [max(w // 2**i, min(w, 16)) for i in range(1, len(sides))]
        self.enlarge = nn.ModuleList(
            Scale(side, b, a, z, told, deep=False)
            for side, b, a in zip(sides[1:], c, c[1:], strict=False)
        )
        self.refine = nn.ModuleList(
            Refined(a, word, told, deep=side == FIRST) for side, a in zip(sides, c, strict=True)
        )
        self.to_rgb = nn.ModuleList(nn.Conv2d(a, 3, 3, padding=1) for a in c)
        self.apply(init_dcgan)

    def freeze_first(self) -> None:
        """F_0 and its condition learn no more, and its batch norm is as it was."""
        for part in (self.project, self.condition, self.start, self.scales):
            part.requires_grad_(False)
        self.frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> "AttnGenerator":
        super().train(mode)
        if self.frozen:
            self.scales.eval()
        return self

    def forward(
        self,
        z: Float[Tensor, "b z"],
        sentence: Float[Tensor, "b text"],
        words: Float[Tensor, "b words word"],
        real: Bool[Tensor, "b words"],
        *,
        eps: Float[Tensor, "b condition"] | None = None,
        weights: list[Tensor | None] | None = None,
    ) -> Painted:
        """Pictures of each size.

        Args:
            real: which words are no pads.
            eps: of the condition; None: c = mu.
            weights: of each attention, [b, words, h, w], in place of its own; None: its own.
        """
        c, mu, logvar = self.condition(self.project(sentence), eps)
        told = torch.cat([z, c], 1)
        h = self.start(told).unflatten(1, (-1, 4, 4)).contiguous(memory_format=torch.channels_last)
        for scale in self.scales:
            h = scale(h, z, told)
        pictures, attention = [], []
        for i, refine in enumerate(self.refine):
            h = self.enlarge[i - 1](h, z, told) if i else h
            h, b = refine(h, words, real, told, None if weights is None else weights[i])
            pictures.append(torch.tanh(self.to_rgb[i](h)))
            attention.append(b)
        return Painted(pictures, attention, mu, logvar)


class Judged(NamedTuple):
    """Logits: of the picture alone, and with each of its k captions."""

    alone: Float[Tensor, " b"]
    match: Float[Tensor, "b k"]


class TwoAnswers(Discriminator):
    """D_i: is the picture real, and does the caption fit it? Reed's critic with a second answer.

    Args:
        arguments: see `models.reed.Discriminator`.
    """

    def __init__(self, **arguments):
        super().__init__(norm="spectral", projection=True, **arguments)
        self.alone = spectral_norm(nn.Linear(self.score.in_features, 1))

    def forward(
        self, images: Float[Tensor, "b 3 size size"], phi: Float[Tensor, "b k text"]
    ) -> Judged:
        h = self.fold(images)
        return Judged(self.alone(h.flatten(1))[:, 0], self.match(h, phi))
