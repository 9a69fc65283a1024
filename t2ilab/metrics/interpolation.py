"""Along a path between two captions or two noise vectors: what does the picture become, and where?

Paths are sequences of vectors from one point to another. The AttributeReader says of every picture
on the way how probable each value of each attribute is: where red becomes blue, and what stays.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError, choose
from t2ilab.models.reader import AttributeReader


def straight(
    a: Float[Tensor, " d"], b: Float[Tensor, " d"], steps: int
) -> Float[Tensor, "steps d"]:
    """(1 - s) a + s b for s from 0 to 1: the segment on which GAN-INT asks for pictures.

    Between two independent Gaussian vectors of d numbers the middle has the norm sqrt(d / 2), where
    hardly any noise vector lies: they have about sqrt(d).

    Raises:
        UsageError: fewer than 2 steps.
    """
    s = _shares(a, steps)
    return (1 - s) * a + s * b


def spherical(
    a: Float[Tensor, " d"], b: Float[Tensor, " d"], steps: int
) -> Float[Tensor, "steps d"]:
    """(sin((1-s) w) a + sin(s w) b) / sin w, with w the angle between a and b (Shoemake 1985).

    Vectors of equal norm keep it all the way. Where w is next to 0 or to pi, where the formula has
    no value, the path is straight.

    Raises:
        UsageError: fewer than 2 steps.
    """
    s = _shares(a, steps)
    cos = torch.dot(a, b) / (a.norm() * b.norm()).clamp(min=1e-12)
    w = torch.acos(cos.clamp(-1, 1))
    if torch.sin(w) < 1e-4:
        return (1 - s) * a + s * b
    return (torch.sin((1 - s) * w) * a + torch.sin(s * w) * b) / torch.sin(w)


def _shares(a: Tensor, steps: int) -> Float[Tensor, "steps 1"]:
    if steps < 2:
        raise UsageError(f"a path of {steps} steps: it has a beginning and an end, so at least 2.")
    return torch.linspace(0, 1, steps, device=a.device)[:, None]


@torch.inference_mode()
def probabilities(
    reader: AttributeReader, images: Float[Tensor, "steps 3 h w"]
) -> dict[str, Float[Tensor, "steps values"]]:
    """attribute -> the reader's probability of each of its values on each picture of the path."""
    return {name: logits.float().softmax(1) for name, logits in reader.logits(images).items()}


def crossing(p: Float[Tensor, "steps values"]) -> float | None:
    """Where the value at the end overtakes the one at the beginning, as a share of the way.

    Between two pictures the place is found along a straight line between their probabilities.

    Returns:
        a number in [0, 1]; None where beginning and end have the same most probable value.
    """
    first, last = int(p[0].argmax()), int(p[-1].argmax())
    if first == last:
        return None
    lead = (p[:, first] - p[:, last]).tolist()
    k = next(i for i, value in enumerate(lead) if value <= 0)
    before, after = lead[k - 1], lead[k]
    return (k - 1 + before / (before - after)) / (len(lead) - 1)


class Passage(NamedTuple):
    """What happens on a path: crossings of what changes, and whether the rest stays.

    Attributes:
        crossings: attribute -> `crossing`, for those whose value differs at the two ends.
        width: attribute -> share of the path where neither end's value has a probability of 0.9.
        kept: attribute -> share of the pictures read as the first one is, for those asked about.
    """

    crossings: dict[str, float]
    width: dict[str, float]
    kept: dict[str, float]


def passage(p: Mapping[str, Float[Tensor, "steps values"]], kept: Iterable[str] = ()) -> Passage:
    """Read a path's probabilities.

    Args:
        p: of `probabilities`.
        kept: attributes that the path should leave alone (setting and side between captions).

    Raises:
        UsageError: an attribute is not among those read.
    """
    stay = {}
    for name in kept:
        values = p[choose("attribute", name, p)].argmax(1)
        stay[name] = float((values == values[0]).float().mean())
    crossings = {
        name: place for name in p if name not in stay and (place := crossing(p[name])) is not None
    }
    width = {name: _undecided(p[name]) for name in crossings}
    return Passage(crossings, width, stay)


def _undecided(p: Float[Tensor, "steps values"]) -> float:
    ends = p[:, [int(p[0].argmax()), int(p[-1].argmax())]].amax(1)
    return float((ends < 0.9).float().mean())
