"""The deep attentional multimodal similarity of Xu et al. 2018 (AttnGAN), section 3.2.

How well does a caption fit a picture, word by word? v_j are features of the picture's regions, e_i
of the caption's T words. Each word looks at the regions (eq. 8, 9),

    s_ij = e_i . v_j,    s'_ij = exp s_ij / sum_k exp s_kj  (over words),
    a_ij = exp(g1 s'_ij) / sum_k exp(g1 s'_ik)  (over regions),    c_i = sum_j a_ij v_j,

and the score is a soft maximum over words of how like the word is what it sees (eq. 10):

    R = log(sum_i exp(g2 cos(c_i, e_i)))^(1/g2)

The authors' code leaves out the power 1/g2; here it is. A sum over words grows with their number,
so that a long caption scores higher than a short one, whatever is seen; with `mean` it does not.
"""

from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


class Attention(NamedTuple):
    """What the words of m captions look at in n pictures: s_ij, and a_ij, which sums to 1 over
    regions; of pads they mean nothing."""

    s: Float[Tensor, "n m words regions"]
    a: Float[Tensor, "n m words regions"]


def attend(
    regions: Float[Tensor, "n regions space"],
    words: Float[Tensor, "m words space"],
    real: Bool[Tensor, "m words"],
    *,
    gamma1: float,
) -> Attention:
    """Eq. 8 and 9. `real`: which words are no pads; pads compete for no region."""
    s = (words.flatten(0, 1) @ regions.mT).unflatten(1, words.shape[:2])  # [n, m, words, regions]
    over_words = s.masked_fill(~real[None, :, :, None], float("-inf")).softmax(2)
    return Attention(s, (gamma1 * over_words).softmax(3))


def word_scores(
    regions: Float[Tensor, "n regions space"],
    words: Float[Tensor, "m words space"],
    real: Bool[Tensor, "m words"],
    *,
    gamma1: float = 4.0,
    gamma2: float = 5.0,
    mean: bool = True,
) -> Float[Tensor, "n m"]:
    """R of each picture and caption, eq. 10; `mean` in place of the sum over words.

    Of one word with cos(c, e) = 1 it is 1. Of T such words it is 1 + ln(T) / gamma2, and 1 with
    `mean`.
    """
    s, a = attend(regions, words, real, gamma1=gamma1)
    # c = sum_j a_j v_j is not needed itself: c . e = sum_j a_j s_j, and |c|² = a' (v v') a.
    squares = ((a.flatten(1, 2) @ (regions @ regions.mT)).view_as(a) * a).sum(3)
    cos = (a * s).sum(3) / (squares.clamp(min=1e-8).sqrt() * words.norm(dim=2).clamp(min=1e-4))
    total = (gamma2 * cos).masked_fill(~real, float("-inf")).logsumexp(2)
    if mean:
        total = total - real.sum(1).clamp(min=1).log()
    return total / gamma2


def sentence_scores(
    pictures: Float[Tensor, "n space"], sentences: Float[Tensor, "m space"]
) -> Float[Tensor, "n m"]:
    """The cosine of each picture's and each caption's one vector."""
    return F.normalize(pictures, dim=1) @ F.normalize(sentences, dim=1).T
