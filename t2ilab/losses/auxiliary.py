"""Losses of an auxiliary classifier, and of the Gaussian around a caption.

Dash et al. 2017 (TAC-GAN) ask the discriminator for the class as well; Zhang et al. 2017 (StackGAN)
draw the condition from a Gaussian. All are means over the batch, in nats.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from t2ilab.losses.variational import gaussian_kl

Loss = Float[Tensor, ""]
UNSTATED = -1


def softmax_heads(
    heads: dict[str, Float[Tensor, "b _"]], labels: dict[str, Int[Tensor, " b"]]
) -> Loss:
    """-log p(value), the mean over all labels that are known: ln K at logits 0.

    Args:
        heads: name -> logits of its values.
        labels: name -> numbers of values; `UNSTATED` where a caption says nothing: it is left out.
    """
    each = [F.cross_entropy(heads[k], labels[k], ignore_index=UNSTATED, reduction="sum")
            for k in heads]  # fmt: skip
    known = sum((labels[k] != UNSTATED).sum() for k in heads)
    return torch.stack(each).sum() / known.clamp(min=1)


def one_hot_bce(
    heads: dict[str, Float[Tensor, "b _"]], labels: dict[str, Int[Tensor, " b"]]
) -> Loss:
    """Cross-entropy of each entry of the one-hot label on its own, the mean over entries.

    So the authors' code has it: with K classes K - 1 entries are 0, and the one that is to be 1
    weighs 1/K. ln 2 at logits 0, whatever K.
    """
    each = [
        F.binary_cross_entropy_with_logits(x, F.one_hot(labels[k], x.shape[1]).to(x.dtype))
        for k, x in heads.items()
    ]
    return torch.stack(each).mean()


def conditioning_kl(mu: Float[Tensor, "b c"], logvar: Float[Tensor, "b c"]) -> Loss:
    """KL(N(mu, sigma²) || N(0, 1)), a mean over batch *and* numbers of c, as in the authors' code.

    Eq. 8 is the sum over the numbers: with c = 128 their weight 2 is 2/128 of it.
    """
    return gaussian_kl(mu, logvar).mean()
