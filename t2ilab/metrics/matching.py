"""Is the right caption found for a picture, and the right picture for a caption?

*R@K* is the share of queries of which a hit is among the K best candidates. *Naive*, a hit is the
query's own partner, as is usual. But many captions are true of many pictures, and who knows all
facts can still only guess among them: the R@K of guessing evenly, computed here, is the *ceiling*.
(Where all captions state the same attributes nobody can do better. Where some tell more than
others, one can: what tells more is true of fewer pictures, and so more likely one's own.) By
*facts* any candidate is a hit that is true of the picture, or of which the caption is true.

*Purity* asks of the nearest neighbours of a picture or a caption in what they agree with it.
"""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from t2ilab.errors import UsageError

KS = (1, 5, 10)
WAYS = ("caption", "picture")  # what is looked for


def recalls(
    scores: Float[Tensor, "n n"],
    fits: Bool[Tensor, "n n"],
    queries: Bool[Tensor, " n"] | None = None,
) -> dict[str, float]:
    """R@1, 5 and 10 both ways.

    Args:
        scores: of picture i and caption j, larger where they fit; caption i is picture i's own.
        fits: caption j is true of picture i, the diagonal included.
        queries: those whose answers count; None: all. Candidates are always all.

    Returns:
        "facts_caption_1", the share of pictures of which the best caption is true; ..._5, ..._10;
        "facts_picture_1", of captions; "naive_..." and "ceiling_..." likewise.

    Raises:
        UsageError: a caption does not fit its own picture, or there are no queries.
    """
    if not fits.diagonal().all():
        raise UsageError("a caption that is not true of its own picture: see `fits`.")
    queries = torch.ones(len(fits), dtype=torch.bool) if queries is None else queries
    if not queries.any():
        raise UsageError("retrieval of no queries: give at least one.")
    found = {}
    for way, s, f in zip(WAYS, (scores, scores.T), (fits, fits.T), strict=True):
        best = s[queries].argsort(1, descending=True)[:, : max(KS)]
        hit = f[queries].gather(1, best)
        own = best == torch.arange(len(f))[queries][:, None]
        true = f[queries].sum(1)
        for k in KS:
            found[f"facts_{way}_{k}"] = _share(hit[:, :k].any(1))
            found[f"naive_{way}_{k}"] = _share(own[:, :k].any(1))
            found[f"ceiling_{way}_{k}"] = _share((k / true).clamp(max=1))
    return found


def _share(x: Tensor) -> float:
    return float(x.double().mean())


def neighbours(vectors: Float[Tensor, "n space"], k: int) -> Int[Tensor, "n k"]:
    """The k nearest of each of these vectors of length 1, itself left out.

    Raises:
        UsageError: there are not so many others.
    """
    if not 1 <= k < len(vectors):
        raise UsageError(f"{k} neighbours among {len(vectors)}: ask for 1 to {len(vectors) - 1}.")
    return (vectors @ vectors.T).fill_diagonal_(-torch.inf).topk(k, 1).indices


def purity(
    vectors: Float[Tensor, "n space"], attributes: Mapping[str, np.ndarray], k: int = 10
) -> dict[str, float]:
    """attribute -> the share of the k nearest neighbours with the same value, above chance.

    (share - c) / (1 - c), c the share of all pairs with the same value: 0 by chance, 1 where all
    neighbours have it.

    Args:
        vectors: of length 1.
        attributes: name -> int [n], as `CaptionedImages.attributes`, of at least two values each.
    """
    near = neighbours(vectors, k).numpy()
    found = {}
    for name, values in attributes.items():
        counts = np.bincount(values).astype(float)
        chance = (counts * (counts - 1)).sum() / (len(values) * (len(values) - 1))
        if chance < 1:
            share = float((values[near] == values[:, None]).mean())
            found[name] = (share - chance) / (1 - chance)
    return found
