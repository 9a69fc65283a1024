"""How much of a classifier's accuracy is left when pictures may be changed a little.

*Robust accuracy* at ε: the share of pictures that are classified right wherever in the ball of ε
around them they are moved (Madry et al. 2018, eq. 2.1). It cannot be computed, only bounded from
above by an attack that looks for a place where they are not; so a number stands beside its attack.
A weak attack flatters: try more steps and restarts, and see whether the number falls.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.inputs.attacks import pgd
from t2ilab.inputs.constraints import Box, checked_epsilon
from t2ilab.inputs.scores import Network, as_classes, log_probability, predict


def robust_accuracy(
    network: Network,
    pictures: Float[Tensor, "n ..."],
    labels: Tensor,  # int64 [n]; anything else is refused in words
    *,
    epsilons: Sequence[float],
    steps: int = 40,
    restarts: int = 1,
    batch: int = 256,
    box: Box | None = None,
    generator: torch.Generator | None = None,
) -> dict[float, float]:
    """Accuracy under untargeted PGD in L∞ balls; at ε = 0 the clean accuracy.

    The balls lie in each other, so a picture that was fooled in a smaller one counts as fooled in
    the larger ones as well, and is not attacked again; nor is one that is wrong to begin with.

    Args:
        network: pictures -> logits, in `eval` mode.
        pictures: in the box, [n, ...].
        labels: what is right.
        epsilons: shares of the box's width, 0 to 1: 8/255 is 8 grey levels.
        steps: of PGD, each 2.5 ε / steps long.
        restarts: from how many places each picture is attacked; more than one needs a `generator`.
        generator: PGD starts at random places in the ball, drawn from it; None: at the picture.

    Returns:
        ε -> accuracy in [0, 1], in the order of `epsilons`.

    Raises:
        UsageError: no pictures or epsilons, an ε not in 0..1, restarts without a generator, or as
            `attacks.pgd`.
    """
    if restarts < 1 or (restarts > 1 and generator is None):
        raise UsageError(
            f"{restarts} restarts: at least 1 is needed, and more than 1 only with a "
            "generator, or all would begin at the same place."
        )
    labels = _checked(pictures, labels, epsilons)
    right = _right(network, pictures, labels, batch)
    found = {0.0: _share(right)}
    attack = partial(pgd, network, steps=steps, generator=generator, box=box, batch=batch)
    for epsilon in sorted({checked_epsilon(e) for e in epsilons} - {0.0}):
        for _ in range(restarts):
            left = right.nonzero().flatten()
            if not len(left):
                break
            moved = attack(pictures[left], epsilon=epsilon, labels=labels[left]).pictures
            right[left] = predict(network, moved, batch=batch)[0] == labels[left]
        found[epsilon] = _share(right)
    return {float(epsilon): found[float(epsilon)] for epsilon in epsilons}


def transfer(
    networks: Mapping[str, Network],
    pictures: Float[Tensor, "n ..."],
    labels: Tensor,  # int64 [n]; anything else is refused in words
    *,
    epsilons: Sequence[float],
    steps: int = 40,
    batch: int = 256,
    box: Box | None = None,
) -> dict[str, dict[str, dict[float, float]]]:
    """source -> target -> ε -> share of pictures, made to fool the source, that fool the target.

    Untargeted PGD in L∞ balls. Only pictures count which all networks classify right, so that what
    is counted is the attack's doing.

    Args: as of `robust_accuracy`; networks by name.

    Raises:
        UsageError: no picture that all networks classify right, or as `robust_accuracy`.
    """
    labels = _checked(pictures, labels, epsilons)
    right = torch.ones_like(labels, dtype=torch.bool)
    for network in networks.values():
        right &= _right(network, pictures, labels, batch)
    x, y = pictures[right], labels[right]
    if not len(x):
        raise UsageError(
            "there is no picture that all of these networks classify right: what an "
            "attack does to them cannot be counted."
        )
    attack = partial(pgd, steps=steps, box=box, batch=batch)
    shares: dict = {source: {target: {} for target in networks} for source in networks}
    for source, attacked in networks.items():
        for epsilon in map(float, epsilons):
            moved = attack(attacked, x, epsilon=epsilon, labels=y).pictures
            for target, shown in networks.items():
                shares[source][target][epsilon] = _share(predict(shown, moved, batch=batch)[0] != y)
    return shares


def standard_error(share: float, n: int) -> float:
    """Of a share of n pictures that were drawn alike: sqrt(p (1 - p) / n)."""
    return math.sqrt(share * (1 - share) / n)


def _share(of: Bool[Tensor, " n"]) -> float:
    return float(of.double().mean())


@torch.no_grad()
def _right(network: Network, pictures: Tensor, labels: Tensor, batch: int) -> Bool[Tensor, " n"]:
    """Which pictures are classified right; refuses labels that the network does not know."""
    for label in labels.aminmax():
        log_probability(network)(pictures[:1], label[None])
    return predict(network, pictures, batch=batch)[0] == labels


def _checked(pictures: Tensor, labels: Tensor, epsilons: Sequence[float]) -> Int[Tensor, " n"]:
    """The labels, on the pictures' device."""
    if not len(pictures) or not len(epsilons):
        raise UsageError(
            f"{len(pictures)} pictures and {len(epsilons)} epsilons: at least one of "
            "each is needed."
        )
    for epsilon in epsilons:
        checked_epsilon(epsilon)
    return as_classes(labels, pictures)
