"""Does a caption fit a picture? A logit for each pair, and the logistic loss."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def logistic(logits: Float[Tensor, "*pairs"], fits: Bool[Tensor, "*pairs"]) -> Float[Tensor, ""]:
    """Mean of ln(1 + exp(-z f)), z = 1 where the caption fits the picture and -1 where it does not.

    Wang et al. 2018, eq. 4. Both kinds of pairs weigh one half, however many there are of each.
    ln 2 at logits 0.
    """
    losses = F.softplus(torch.where(fits, -logits, logits))
    kinds = [losses[kind].mean() for kind in (fits, ~fits) if kind.any()]
    return torch.stack(kinds).mean()
