"""Losses that make pictures and their captions meet in one space."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def symmetric_matching(
    scores: Float[Tensor, "b b"], fits: Bool[Tensor, "b b"]
) -> Float[Tensor, ""]:
    """Cross-entropy of finding the caption for a picture and the picture for a caption.

    Args:
        scores: s_ij, how well picture i and caption j match (a temperature applied).
        fits: caption j is true of picture i. Such pairs off the diagonal are no negatives: they
            are left out. ln(b) at equal scores, if no caption fits two pictures.
    """
    other = fits & ~torch.eye(len(fits), dtype=torch.bool, device=fits.device)
    scores = scores.masked_fill(other, float("-inf"))
    target = torch.arange(len(scores), device=scores.device)
    return 0.5 * (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target))
