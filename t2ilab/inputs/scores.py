"""Scores of a classifier: what adversarial inputs and fooling images climb.

A network is any function from pictures [b, ...] to logits [b, classes], say
`lambda x: classifier((x - mean) / std)`. The scores take the classes as `given`:
`ascend(start, log_probability(network), given=[targets], ...)`.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from t2ilab.errors import UsageError

Network = Callable[[Tensor], Tensor]  # [b, ...] -> logits [b, classes]
Score = Callable[[Tensor, Tensor], Tensor]


def log_probability(network: Network) -> Score:
    """ln p(target | x): towards a class. At most 0; minus the cross entropy of the slides."""

    def score(x: Float[Tensor, "b ..."], targets: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        return -F.cross_entropy(_logits(network, x, targets), targets, reduction="none")

    return score


def surprise(network: Network) -> Score:
    """-ln p(label | x), the cross entropy: away from a class. At least 0."""
    towards = log_probability(network)
    return lambda x, labels: -towards(x, labels)


def logit(network: Network) -> Score:
    """The target's logit: what activation maximisation climbs (Simonyan et al. 2014, eq. 1)."""

    def score(x: Float[Tensor, "b ..."], targets: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        return _logits(network, x, targets).gather(1, targets[:, None]).squeeze(1)

    return score


@torch.no_grad()
def predict(
    network: Network, pictures: Float[Tensor, "n ..."], *, batch: int = 256
) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"]]:
    """The most probable class of each picture, and its probability."""
    parts = [_checked(network(part)) for part in pictures.split(batch)]
    best = torch.cat(parts).softmax(1).max(1)
    return best.indices, best.values


def as_classes(classes: int | Tensor, pictures: Float[Tensor, "n ..."]) -> Int[Tensor, " n"]:
    """One class number a picture, on the pictures' device; a single one is for all of them.

    Raises:
        UsageError: not whole numbers, or another number of them than of pictures.
    """
    wanted = torch.as_tensor(classes, device=pictures.device)
    whole = not wanted.is_floating_point() and wanted.dtype != torch.bool
    if not whole or wanted.shape not in ((), (len(pictures),)):
        raise UsageError(
            f"classes must be a whole number, or one for each of the {len(pictures)} "
            f"pictures; got {wanted.dtype} {list(wanted.shape)}."
        )
    return wanted.long().expand(len(pictures))


def _logits(network: Network, x: Tensor, targets: Tensor) -> Tensor:
    logits = _checked(network(x))
    classes = logits.shape[1]
    wrong = targets[(targets < 0) | (targets >= classes)].tolist()
    if wrong:
        raise UsageError(
            f"target class {wrong[0]} does not exist: the network knows {classes} "
            f"classes, 0 to {classes - 1}."
        )
    return logits


def _checked(logits: Tensor) -> Tensor:
    if not isinstance(logits, Tensor) or logits.dim() != 2:
        got = f"shape {list(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        raise UsageError(
            f"the network must give logits of shape [pictures, classes], got {got}. "
            'Of several heads choose one: lambda x: reader(x)["breast"].'
        )
    return logits
