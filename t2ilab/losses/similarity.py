"""Does a caption fit a picture? A logit for each pair, and the logistic loss."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def logistic(
    logits: Float[Tensor, "n m"], fits: Bool[Tensor, "n m"], *, top: int | None = None
) -> Float[Tensor, ""]:
    """Mean of ln(1 + exp(-z f)), z = 1 where the caption fits the picture and -1 where it does not.

    Wang et al. 2018. Both kinds of pairs weigh one half, however many there are of each. ln 2 at
    logits 0.

    Args:
        top: of the captions that do not fit a picture only so many count, those with the largest
            logits: of all pairs in a batch hardly any differ in a detail. None: all.
    """
    right, wrong = logits[fits], logits.masked_fill(fits, float("-inf"))
    if top is not None:
        wrong = wrong.topk(min(top, logits.shape[1]), 1).values
    wrong = wrong[wrong > float("-inf")]
    kinds = [F.softplus(f).mean() for f in (-right, wrong) if len(f)]
    return torch.stack(kinds).mean()
