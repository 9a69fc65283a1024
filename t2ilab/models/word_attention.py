"""Attention of places over words: each pixel asks the caption's words what to be (AttnGAN, eq. 3).

Xu et al. 2018, section 3.1. h_j are the features of place j, e_i those of word i:

    e'_i = U e_i,    b_ji = exp(h_j . e'_i) / sum_k exp(h_j . e'_k),    c_j = sum_i b_ji e'_i

U brings words into the space of the picture's features. c_j stands beside h_j in what follows.
"""

from typing import NamedTuple

from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Attended(NamedTuple):
    """c, what each place was told, and b, from which words: it sums to 1 over the real ones."""

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

    def forward(
        self,
        h: Float[Tensor, "b c h w"],
        words: Float[Tensor, "b words word"],
        real: Bool[Tensor, "b words"],
        weights: Float[Tensor, "b words h w"] | None = None,
    ) -> Attended:
        """`real`: which words are no pads. `weights`: take these in place of b (to see what b is
        good for)."""
        e = self.of_word(words)
        if weights is None:
            scores = rearrange(h, "b c h w -> b (h w) c") @ e.transpose(1, 2)
            b = scores.float().masked_fill(~real[:, None], float("-inf")).softmax(2)
        else:
            b = rearrange(weights, "b n h w -> b (h w) n")
        c = b.to(e.dtype) @ e
        return Attended(*(rearrange(x, "b (h w) c -> b c h w", h=h.shape[2]) for x in (c, b)))
