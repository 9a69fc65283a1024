"""The Wasserstein critic's objective, its slopes, and the penalty that keeps it 1-Lipschitz.

A critic f gives one number a picture, without bounds and without a meaning of its own: only
differences count. `real` and `fake` are its numbers for real and for made pictures.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Loss = Float[Tensor, ""]


def critic_loss(real: Float[Tensor, " b"], fake: Float[Tensor, " c"]) -> Loss:
    """E f(fake) - E f(real), minimised: minus the estimate of W in Le 2018, eq. 2.4."""
    return fake.mean() - real.mean()


def slopes(
    critic: Callable[[Tensor], Tensor], x: Float[Tensor, "b ..."], *, learn: bool = True
) -> Float[Tensor, " b"]:
    """|grad f(x)| of each sample: the Euclidean norm over all its numbers (pixels and channels).

    A function is 1-Lipschitz where it is at most 1 everywhere (on a convex set).

    Args:
        critic: samples -> [b], no sample's number depending on another's (no batch norm).
        x: where.
        learn: the slopes are to be differentiated by the critic's weights.
    """
    x = x.detach().requires_grad_(True)
    # create_graph: the penalty is a function of a gradient, and is itself differentiated.
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=learn)
    return gradient.flatten(1).norm(dim=1)


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Float[Tensor, "b ..."],
    fake: Float[Tensor, "b ..."],
    share: Float[Tensor, " b"],
) -> Loss:
    """E (|grad f(x)| - 1)², x = share · real + (1 - share) · fake: Gulrajani et al. 2017, sect. 4.

    The norm is over all pixels and channels of a picture. 0 for a linear critic with |w| = 1.

    Args:
        critic: pictures -> [b], no picture's number depending on another's (no batch norm).
        share: uniform in [0, 1], one a pair.
    """
    share = share.view(-1, *[1] * (real.dim() - 1))
    return (slopes(critic, share * real + (1 - share) * fake) - 1).square().mean()
