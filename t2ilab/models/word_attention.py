"""Attention of places over words: each pixel asks the caption's words what to be (AttnGAN, eq. 3).

Xu et al. 2018, section 3.1. h_j are the features of place j, e_i those of word i:

    e'_i = U e_i,    b_ji = exp(h_j . e'_i) / sum_k exp(h_j . e'_k),    c_j = sum_i b_ji e'_i

U brings words into the space of the picture's features. c_j stands beside h_j in what follows.
Departure: one more word, e'_0, the same in all captions, stands for "none of them": most of a
picture is sky and grass, of which a caption says nothing, and would have to attend to something.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Attended(NamedTuple):
    """c, what each place was told, and b, from which words; what is missing to 1 is "none"."""

    context: Float[Tensor, "b c h w"]
    attention: Float[Tensor, "b words h w"]


class WordAttention(nn.Module):
    """c_j and b_ji of every place.

    Args:
        word: size of a word's vector.
        channels: of the picture's features, and of c.
    """

    def __init__(self, word: int, channels: int):
        super().__init__()
        self.of_word = nn.Linear(word, channels, bias=False)  # U
        self.none = nn.Parameter(torch.zeros(channels))  # e'_0

    def forward(
        self,
        h: Float[Tensor, "b c h w"],
        words: Float[Tensor, "b words word"],
        real: Bool[Tensor, "b words"],
        weights: Float[Tensor, "b words h w"] | None = None,
    ) -> Attended:
        """`real`: which words are no pads. `weights`: take these in place of b (to see what b is
        good for)."""
        none = self.none.expand(len(words), 1, -1)
        e = self.of_word(words)
        e = torch.cat([e, none.to(e.dtype)], 1)
        if weights is None:
            real = F.pad(real, (0, 1), value=True)
            scores = rearrange(h, "b c h w -> b (h w) c") @ e.transpose(1, 2)
            b = scores.float().masked_fill(~real[:, None], float("-inf")).softmax(2)
        else:
            b = rearrange(weights, "b n h w -> b (h w) n")
            b = torch.cat([b, 1 - b.sum(2, keepdim=True)], 2)
        c = b.to(e.dtype) @ e
        c, b = (rearrange(x, "b (h w) c -> b c h w", h=h.shape[2]) for x in (c, b))
        return Attended(c, b[:, :-1])
