"""Does the picture obey the caption? Attributes read back by the AttributeReader.

*Caption consistency* is the share of generated pictures of which a stated attribute is read back
right; "all" asks that of every attribute counted. A picture that the reader refuses obeys nothing.
*Diversity* asks what the caption leaves open: with one caption, how varied are the style attributes
of the pictures that can be read, as a share of the real pictures' variety?
"""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from t2ilab.data.captioned import CaptionedImages
from t2ilab.errors import UsageError, choose
from t2ilab.models.reader import UNREADABLE, AttributeReader


def caption_consistency(
    reader: AttributeReader,
    images: Float[Tensor, "n 3 h w"],
    data: CaptionedImages,
    attributes: Iterable[str],
    *,
    level: int | None = None,
) -> dict[str, float]:
    """The share of pictures on which each attribute is read back as the caption states it.

    Args:
        reader: of the same world.
        images: picture n was drawn for a caption of picture n of `data`; values in [-1, 1].
        data: has the attributes asked for; its first len(images) pictures are compared.
        attributes: those to count, e.g. ("breast", "wing", "beak").
        level: which of the captions was drawn for; an attribute it does not state counts as obeyed
            where the picture can be read. None: each attribute counts, as for complete captions.

    Returns:
        attribute -> share in [0, 1], and "all" -> the share with every attribute right.

    Raises:
        UsageError: no pictures, more of them than `data` has, or one that is not finite; no
            attribute, or one that the reader does not read or `data` does not have; a level that
            `data` does not have.
    """
    right = obeyed(reader, images, data, attributes, level=level)
    shares = {name: float(values.mean()) for name, values in right.items()}
    return shares | {"all": float(np.logical_and.reduce(list(right.values())).mean())}


def obeyed(
    reader: AttributeReader,
    images: Float[Tensor, "n 3 h w"],
    data: CaptionedImages,
    attributes: Iterable[str],
    *,
    level: int | None = None,
) -> dict[str, Bool[np.ndarray, " n"]]:
    """Picture by picture: attribute -> is it read back right? As `caption_consistency` in all."""
    if not 1 <= len(images) <= len(data):
        raise UsageError(f"{len(images)} pictures: expected 1 to {len(data)}, as {data.name} has.")
    levels = 0 if data.stated is None else data.stated.shape[1]
    if level is not None and not 0 <= level < levels:
        raise UsageError(f"level {level}: {data.name} knows what {levels} levels state, from 0 on.")
    read, right = _read(reader, images, attributes, data), {}
    for name in read:
        right[name] = read[name] == data.attributes[name][: len(images)]
        fact = list(data.attributes).index(name)
        if level is not None:
            can = fact < data.stated.shape[2]  # no aside states tone
            stated = data.stated[: len(images), level, fact] if can else False
            right[name] |= (read[name] != UNREADABLE) & ~np.broadcast_to(stated, len(images))
    return right


def entropy(labels: np.ndarray) -> float:
    """-sum p ln p of the shares of the values in `labels`, in nats; 0 of none."""
    p = np.unique(labels, return_counts=True)[1] / max(1, len(labels))
    return abs(float((p * np.log(p)).sum()))


def joint(values: dict, names: Iterable[str]) -> np.ndarray:
    """Several attributes as one label, equal where all are; without what cannot be read."""
    rows = np.stack([values[name] for name in names], axis=1)
    rows = rows[(rows != UNREADABLE).all(1)]
    return np.unique(rows, axis=0, return_inverse=True)[1].ravel()


def diversity(
    reader: AttributeReader,
    images: Float[Tensor, "captions n 3 h w"],
    data: CaptionedImages,
    attributes: Iterable[str] = ("setting", "side", "tone"),
) -> float:
    """Entropy of style at fixed caption, as a share of the real pictures' entropy.

    Args:
        images: n pictures for each of several captions.
        data: the real pictures to compare with.
        attributes: of style, taken jointly.

    Returns:
        the mean over the captions of H(attributes of those of its pictures that can be read),
        divided by H(of as many real ones: few pictures look less varied than they are); about 1
        where each caption's pictures are as varied as real pictures are.

    Raises:
        UsageError: no pictures, or one that is not finite; no attribute, or one that the reader
            does not read or `data` does not have; real pictures that are all alike.
    """
    if not len(images) or not images.shape[1]:
        raise UsageError("diversity: no pictures; give at least one of one caption.")
    attributes = list(attributes)
    each = [joint(_read(reader, one, attributes, data), attributes) for one in images]
    of_real = joint(data.attributes, attributes)
    shares = [entropy(one) / (_expected(of_real, len(one)) or 1.0) for one in each if len(one)]
    if not entropy(of_real):
        raise UsageError(
            f"diversity: the pictures of {data.name} are all alike in {', '.join(attributes)}; "
            "compare with more of them."
        )
    return float(np.sum(shares) / len(images))


def _expected(labels: np.ndarray, n: int, times: int = 50) -> float:
    """The mean entropy of n of the labels, drawn at random without repeating."""
    rng = np.random.default_rng(0)
    few = min(n, len(labels))
    return float(np.mean([entropy(rng.permutation(labels)[:few]) for _ in range(times)]))


def _read(reader, images: Tensor, attributes: Iterable[str], data) -> dict[str, np.ndarray]:
    """The attributes asked for as they are read from pictures that can be read."""
    if not (finite := torch.isfinite(images).flatten(1).all(1)).all():
        first = int((~finite).nonzero()[0])
        raise UsageError(f"picture {first} has a value that is not finite: it cannot be read.")
    found, read = reader.read(images), {}
    for name in attributes:
        choose("attribute", name, [name for name in found if name in data.attributes])
        read[name] = found[name].cpu().numpy()
    if not read:
        raise UsageError(f"no attribute to count: give some of {', '.join(found)}.")
    return read
