"""Which part of a picture does a phrase name? Phrase localisation, as on Flickr30k Entities.

Boxes are proposed without looking at the phrase; what is in each is cut out and scored against it.
The phrase is found where the best box overlaps what it names, with an intersection over union of at
least 0.5 (R@1; R@5 and R@10 where one of so many does). A phrase may name several boxes, and then
two protocols differ: "any", one of them has to be found (ANY-BOX); "merged", the smallest box
around all of them (MERGED-BOXES; Plummer et al. 2017). A number says little without its protocol,
and without what the proposals allow: no scores can do better than `upper`.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8

from t2ilab.data.grounded import ROOM, GroundedPictures, Phrase, agreement, area, cuts
from t2ilab.errors import UsageError, choose

PROTOCOLS = ("any", "merged")
OVERLAP = 0.5
KS = (1, 5, 10)
Match = Callable[[UInt8[np.ndarray, "p size size 3"], list[str]], Float]  # -> [p, phrases]


class Localised(NamedTuple):
    """Shares of phrases, in [0, 1].

    Attributes:
        protocol: one of `PROTOCOLS`.
        phrases: how many there were.
        r1, r5, r10: one of the best so many boxes overlaps what the phrase names.
        upper: one of all proposals does.
        largest: the largest proposal does, whatever the phrase.
        chance: one drawn at random does.
        kinds: kind of phrase -> its r1.
    """

    protocol: str
    phrases: int
    r1: float
    r5: float
    r10: float
    upper: float
    largest: float
    chance: float
    kinds: dict[str, float]


def iou(a: Float[np.ndarray, "n 4"], b: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """Intersection over union of every box of `a` with every box of `b`."""
    return agreement(a[:, None], b[None])


def merged(boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "1 4"]:
    """The smallest box around all."""
    return np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)])[None]


def propose(
    data: GroundedPictures, *, near: int = 6, anywhere: int = 8, seed: int = 0
) -> list[Float[np.ndarray, "_ 4"]]:
    """Of each picture its exact boxes, and others that are not, in an order that tells nothing.

    Around each exact box there are `near` more: its middle is moved by up to 0.6 of its sides, and
    its sides are multiplied by 0.5 to 2 (uniform in the logarithm), each of the four on its own.
    Then there are `anywhere` boxes with sides of 0.15 to 0.6 of the picture's. All are cut off at
    the edges. They depend on (seed, place of the picture) alone.
    """
    found = []
    for i in range(len(data)):
        rng = np.random.default_rng((seed, i))
        height, width = data.images[i].shape[:2]
        exact, whole = data.boxes[data.boxes_of(i)], np.array([width, height], float)
        source = np.repeat(exact, near, 0)
        sides = source[:, 2:] - source[:, :2]
        middle = (source[:, 2:] + source[:, :2]) / 2 + sides * rng.uniform(-0.6, 0.6, sides.shape)
        sides = sides * 2 ** rng.uniform(-1, 1, sides.shape)
        far = whole * rng.uniform(0.15, 0.6, (anywhere, 2))
        sides = np.concatenate([sides, far])
        middle = np.concatenate([middle, far / 2 + rng.random(far.shape) * (whole - far)])
        low, high = (middle - sides / 2).clip(0, whole), (middle + sides / 2).clip(0, whole)
        boxes = np.concatenate([exact, np.concatenate([low, high], 1)])
        boxes = boxes[(boxes[:, 2:] - boxes[:, :2] >= 1).all(1)]
        found.append(rng.permutation(boxes))
    return found


def hits(
    data: GroundedPictures,
    phrase: Phrase,
    boxes: Float[np.ndarray, "p 4"],
    *,
    protocol: str = "any",
) -> Bool[np.ndarray, " p"]:
    """Which boxes overlap what the phrase names.

    Raises:
        UsageError: no such protocol.
    """
    named = data.boxes[list(phrase.boxes)]
    if choose("protocol", protocol, PROTOCOLS) == "merged":
        named = merged(named)
    return (iou(boxes, named) >= OVERLAP).any(1)


def localise(
    match: Match,
    data: GroundedPictures,
    proposals: Sequence[Float[np.ndarray, "_ 4"]],
    *,
    size: int,
    protocol: str = "any",
    shape: str = "square",
    room: float = ROOM,
) -> Localised:
    """How often the box that fits a phrase best is one that it names.

    Args:
        match: what is cut out, uint8 [p, size, size, 3], and texts -> a score of each with each,
            [p, texts], larger where they fit; e.g. the `match` of a two-branch system. Called once
            a picture.
        data: pictures, boxes, phrases. Where `match` cannot read some (unknown words alone), leave
            them out before, with `data.only`.
        proposals: boxes of each picture, at least one; see `propose`.
        size: side in pixels of what is cut out.
        protocol: "any" or "merged".
        shape, room: how it is cut out; see `grounded.cut`.

    Raises:
        UsageError: not one list of proposals a picture, a picture with phrases and without a
            proposal, scores of another shape, no phrases.
    """
    if len(proposals) != len(data) or not data.phrases:
        raise UsageError(
            f"proposals for {len(proposals)} pictures, and {len(data.phrases)} phrases; expected "
            f"one list for each of the {len(data)} pictures of {data.name}, and some phrases."
        )
    said: dict[int, list[Phrase]] = defaultdict(list)
    for phrase in data.phrases:
        said[phrase.picture].append(phrase)
    rows, kinds = [], defaultdict(list)
    for i, phrases in said.items():
        boxes = proposals[i]
        if not len(boxes):
            raise UsageError(f"picture {i} of {data.name} has phrases and no proposals.")
        shown = cuts(data.images[i], boxes, size, shape=shape, room=room)
        scores = _scores(match, shown, [phrase.text for phrase in phrases])
        for phrase, column in zip(phrases, scores.T, strict=True):
            hit = hits(data, phrase, boxes, protocol=protocol)
            ranked = hit[np.argsort(-column, kind="stable")]
            best = [ranked[:k].any() for k in KS]
            rows.append([*best, hit.any(), hit[area(boxes).argmax()], hit.mean()])
            for kind in phrase.kinds:
                kinds[kind].append(best[0])
    shares = np.array(rows, float).mean(0).tolist()
    by_kind = {kind: float(np.mean(kinds[kind])) for kind in data.kinds}
    return Localised(protocol, len(rows), *shares, by_kind)


def _scores(
    match: Match, shown: UInt8[np.ndarray, "p size size 3"], texts: list[str]
) -> Float[np.ndarray, "p texts"]:
    """What `match` gives, a row a box and a column a text."""
    scores = np.asarray(match(shown, texts), float)
    if scores.shape != (len(shown), len(texts)):
        raise UsageError(
            f"match gave scores {list(scores.shape)} of {len(shown)} boxes and {len(texts)} "
            "phrases; expected a row a box and a column a phrase."
        )
    return scores
