"""Adversarial losses on logits: the game of Goodfellow et al. 2014 and its relatives.

`real`, `fake` and `wrong` are the discriminator's logits for real pictures with their captions,
generated pictures, and real pictures with captions that do not fit them (Reed et al. 2016); each
may have a shape of its own. All losses are means over the batch and are minimised.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Logits = Float[Tensor, "..."]  # any shape: several captions may be asked about one picture
Loss = Float[Tensor, ""]


def discriminator_bce(real: Logits, fake: Logits) -> Loss:
    """-log D(real) - log(1 - D(fake)): Goodfellow et al. 2014, eq. 1. 2 ln 2 at logits 0."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def matching_aware_bce(real: Logits, wrong: Logits, fake: Logits) -> Loss:
    """-log D(real) - (log(1 - D(wrong)) + log(1 - D(fake))) / 2: Reed et al. 2016, Algorithm 1."""
    return F.softplus(-real).mean() + 0.5 * (F.softplus(wrong).mean() + F.softplus(fake).mean())


def generator_nonsaturating(fake: Logits) -> Loss:
    """-log D(fake): what is used in practice. ln 2 at logits 0."""
    return F.softplus(-fake).mean()


def generator_saturating(fake: Logits) -> Loss:
    """log(1 - D(fake)): the minimax game as written; its gradient dies while D is sure."""
    return -F.softplus(fake).mean()


def r1(real: Float[Tensor, "b *copies"], x: Float[Tensor, "b ..."]) -> Loss:
    """E |grad f(x)|² at real x: Mescheder et al. 2018, eq. 9, without its factor gamma / 2.

    Args:
        real: f(x), the logits, no sample's depending on another's (no batch norm).
        x: the data that they were computed from, with `requires_grad`.

    Where several games are played side by side, [b, copies], it is the mean over all of them.
    """
    # create_graph: the penalty is a function of a gradient, and is itself differentiated.
    (gradient,) = torch.autograd.grad(real.sum(), x, create_graph=True)
    return gradient.square().sum() / real.numel()


def discriminator_hinge(real: Logits, fake: Logits) -> Loss:
    """max(0, 1 - real) + max(0, 1 + fake): Lim and Ye 2017. 2 at logits 0."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def matching_aware_hinge(real: Logits, wrong: Logits, fake: Logits) -> Loss:
    """The hinge loss with mismatched pairs, each kind of negative weighted one half."""
    return F.relu(1 - real).mean() + 0.5 * (F.relu(1 + wrong).mean() + F.relu(1 + fake).mean())


def generator_hinge(fake: Logits) -> Loss:
    """-fake: the generator's side of the hinge loss."""
    return -fake.mean()


def sameness(
    x: Float[Tensor, "n 3 h w"],
    other: Float[Tensor, "n 3 h w"],
    z: Float[Tensor, "n z"],
    z_other: Float[Tensor, "n z"],
    *,
    enough: float = 0.15,
) -> Loss:
    """max(0, enough - |x - x'| / |z - z'|), means of absolute values: Yang et al. 2019, eq. 3.

    For a generator that forgets its noise. x and x' are pictures of one caption from z and z'; the
    term is `enough` where they are equal, and 0 once they differ by `enough` per unit of noise.
    (Yang et al. subtract min(ratio, enough), the same gradient; Mao et al. 2019 divide by it.)
    """
    ratio = (x - other).abs().mean((1, 2, 3)) / (z - z_other).abs().mean(1)
    return F.relu(enough - ratio).mean()
