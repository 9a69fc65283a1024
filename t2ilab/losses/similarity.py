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
        top: half of the weight of wrong captions goes to those of each picture that have the
            largest logits, so many: of all pairs in a batch hardly any differ in a detail. (These
            alone would teach nothing at first.) None: all weigh the same.
    """
    right, wrong = logits[fits], logits.masked_fill(fits, float("-inf"))
    terms = [F.softplus(wrong[~fits]).mean()] if (~fits).any() else []
    if top is not None and terms:
        worst = wrong.topk(min(top, logits.shape[1]), 1).values
        terms.append(F.softplus(worst[worst > float("-inf")]).mean())
    both = [torch.stack(terms).mean()] if terms else []
    both += [F.softplus(-right).mean()] if len(right) else []
    return torch.stack(both).mean()
