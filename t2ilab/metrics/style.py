"""Did the style encoder find the style? Verification (Reed et al. 2016, section 5.1) and transfer.

*Verification*: pairs of pictures of the same and of different style; their score is the cosine of
the two predicted styles; the ROC curve shows, threshold by threshold, which share of either kind is
called "the same". Its area (AUC) is the probability that a pair of the same style scores higher
than one of different style: 0.5 by guessing. ROC and AUC are computed by torchmetrics.

*Transfer*: a picture is drawn for a caption with the style of another picture. It succeeds where
the AttributeReader reads back what the caption states, and the setting and the side of the other.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from t2ilab.data.captioned import CaptionedImages
from t2ilab.errors import UsageError, choose
from t2ilab.models.reader import AttributeReader


class Pairs(NamedTuple):
    """Pairs (first[k], second[k]) of pictures, and whether they share the style asked about."""

    first: Int[np.ndarray, " pairs"]
    second: Int[np.ndarray, " pairs"]
    same: Bool[np.ndarray, " pairs"]


class Roc(NamedTuple):
    """A ROC curve: share of the different pairs and of the same pairs above each threshold."""

    auc: float
    false_positive: Float[np.ndarray, " thresholds"]
    true_positive: Float[np.ndarray, " thresholds"]


def style_pairs(
    labels: Int[np.ndarray, " n"],
    *,
    pairs: int = 4000,
    seed: int = 0,
    held: Int[np.ndarray, " n"] | None = None,
) -> Pairs:
    """Random pairs of pictures, half of them of the same label and half of different ones.

    Args:
        labels: the style asked about, one number a picture.
        pairs: how many.
        seed: of the choice.
        held: another label that both pictures of every pair share; None: nothing is held, as in
            Reed et al.

    Raises:
        UsageError: there are no pairs of one of the two kinds.
    """
    labels, rng = np.asarray(labels), np.random.default_rng(seed)
    held = np.zeros_like(labels) if held is None else np.asarray(held)
    found: dict[bool, list[np.ndarray]] = {True: [], False: []}
    wanted = {True: pairs - pairs // 2, False: pairs // 2}
    for _ in range(200):
        i, j = rng.integers(len(labels), size=(2, max(pairs, 64)))
        fits = (i != j) & (held[i] == held[j])
        for kind in found:
            chosen = fits & ((labels[i] == labels[j]) == kind)
            found[kind].append(np.stack([i, j])[:, chosen])
        if all(sum(f.shape[1] for f in found[kind]) >= wanted[kind] for kind in found):
            break
    both = [np.concatenate(found[kind], axis=1)[:, : wanted[kind]] for kind in (True, False)]
    short = [word for b, word in zip(both, ("same", "different"), strict=True) if not b.shape[1]]
    if short:
        raise UsageError(f"no pairs of pictures of {short[0]} style among {len(labels)} pictures.")
    same = np.arange(both[0].shape[1] + both[1].shape[1]) < both[0].shape[1]
    first, second = np.concatenate(both, axis=1)
    return Pairs(first, second, same)


def cosine(a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """The cosine of the angle between the rows of a and b: 1 same direction, 0 unrelated."""
    return F.cosine_similarity(a, b, dim=1)


def nearness(a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """Minus the Euclidean distance of the rows of a and b; of pixels, the plainest comparison."""
    return -(a - b).norm(dim=1)


def roc(scores: Float[Tensor, " pairs"], same: Bool[np.ndarray, " pairs"]) -> Roc:
    """The ROC curve and its area, by torchmetrics.

    Args:
        scores: of each pair, higher for "the same"; finite, of any range.
        same: the truth; both kinds must be there.

    Raises:
        UsageError: a score that is not finite, or pairs of one kind only.
    """
    from torchmetrics.functional.classification import binary_auroc, binary_roc

    scores, truth = torch.as_tensor(scores).double(), torch.as_tensor(np.asarray(same)).long()
    if not bool(torch.isfinite(scores).all()):
        raise UsageError("a score is not finite: give a finite number for each pair.")
    if truth.min() == truth.max():
        raise UsageError("a ROC curve needs pairs of the same style and pairs of different style.")
    # torchmetrics squashes scores outside [0, 1] by a sigmoid, where large ones become equal.
    ranks = torch.unique(scores, return_inverse=True)[1].double()
    ranks = ranks / max(1.0, float(ranks.max()))
    fpr, tpr, _ = binary_roc(ranks, truth)
    return Roc(float(binary_auroc(ranks, truth)), fpr.numpy(), tpr.numpy())


def verification(
    vectors: Float[Tensor, "n d"], pairs: Pairs, score: Callable[[Tensor, Tensor], Tensor] = cosine
) -> Roc:
    """ROC of the score of pairs of vectors (predicted styles, or pixels) for "the same style"."""
    first, second = (torch.from_numpy(index) for index in (pairs.first, pairs.second))
    return roc(score(vectors[first], vectors[second]), pairs.same)


@dataclass(frozen=True)
class Discriminant:
    """Linear discriminant of labels (Fisher 1936): Gaussian groups of one common covariance.

    Attributes:
        weights: [d, values]; bias: [values], of the scores whose softmax is p(value | vector).
        basis: [d, values - 1], the directions that tell the labels apart, scaled so that a group's
            scatter is 1 in each; centre: [d], the middle of the groups.
    """

    weights: Float[Tensor, "d values"]
    bias: Float[Tensor, " values"]
    basis: Float[Tensor, "d k"]
    centre: Float[Tensor, " d"]

    def probabilities(self, vectors: Float[Tensor, "n d"]) -> Float[Tensor, "n values"]:
        """p(value | vector), all values equally probable beforehand."""
        return (vectors @ self.weights + self.bias).softmax(1)

    def directions(self, vectors: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """The vectors in the directions that matter, and in no others."""
        return (vectors - self.centre) @ self.basis


def discriminant(
    vectors: Float[Tensor, "n d"], labels: Int[Tensor, " n"], *, shrink: float = 0.05
) -> Discriminant:
    """Learn which directions of predicted styles (or of pixels) tell labels apart.

    A departure from Reed et al., who compare all of z: it is told what is asked about. It needs no
    labels of real pictures where `vectors` and `labels` come from generated ones, read by the
    AttributeReader.

    Args:
        labels: whole numbers from 0; each value occurs at least twice.
        shrink: share of the mean variance added to each (few pictures, many numbers).

    Raises:
        UsageError: fewer than two values, or one that hardly occurs.
    """
    labels = torch.as_tensor(labels).long()
    count = torch.bincount(labels)
    if len(count) < 2 or int(count.min()) < 2:
        raise UsageError(
            "a discriminant needs two labels or more, each at least twice; found: "
            f"{count.tolist()}."
        )
    means = torch.stack([vectors[labels == k].mean(0) for k in range(len(count))])
    within = vectors - means[labels]
    cov = within.T @ within / len(within)
    cov = cov + (shrink * cov.diagonal().mean() + 1e-9) * torch.eye(len(cov))
    weights = torch.linalg.solve(cov, means.T)  # [d, values]
    whiten = torch.linalg.inv(torch.linalg.cholesky(cov)).T  # [d, d]
    centre = means.mean(0)
    spread = torch.linalg.svd((means - centre) @ whiten, full_matrices=False)[2][: len(count) - 1]
    return Discriminant(weights, -0.5 * (means.T * weights).sum(0), whiten @ spread.T, centre)


def agreement(p: Float[Tensor, "n values"], q: Float[Tensor, "n values"]) -> Float[Tensor, " n"]:
    """sum_k p_k q_k: the probability that both have the same value."""
    return (p * q).sum(1)


def background_groups(
    images: np.ndarray, *, groups: int = 10, seed: int = 0
) -> Int[np.ndarray, " n"]:
    """Groups of like background: k-means of the mean colour of each of the picture's four edges.

    For pictures of which nothing is known: Reed et al. group by the mean colour of the background,
    and the edges stand in for it.

    Args:
        images: uint8 [n, h, w, 3].
        groups: of the k-means (paper: 100).
        seed: of its start.
    """
    from sklearn.cluster import KMeans

    x = np.asarray(images).astype(np.float32) / 255
    rim = max(1, x.shape[1] // 8)
    edges = (x[:, :rim], x[:, -rim:], x[:, :, :rim], x[:, :, -rim:])
    colours = np.concatenate([edge.mean((1, 2)) for edge in edges], axis=1)  # [n, 12]
    return KMeans(groups, n_init=3, random_state=seed).fit_predict(colours).astype(np.int64)


def transfer_success(
    reader: AttributeReader,
    drawn: Float[Tensor, "n 3 h w"],
    captions: CaptionedImages,
    queries: CaptionedImages,
    content: Iterable[str],
    style: Iterable[str],
) -> dict[str, float]:
    """Share of transferred pictures that obey the caption, and that have the query's style.

    Args:
        reader: of the world.
        drawn: picture n has the content of caption n and the style of query n.
        captions, queries: their attributes count, in the same order as `drawn`.
        content: attributes that the captions state, e.g. ("breast", "wing", "beak").
        style: attributes that no caption states, e.g. ("setting", "side").

    Returns:
        attribute -> share in [0, 1]; "content", "style" and "both": all of them right.

    Raises:
        UsageError: not as many captions and queries as pictures, or an unknown attribute.
    """
    if not len(drawn) == len(captions) == len(queries):
        raise UsageError(
            f"{len(drawn)} pictures of {len(captions)} captions and {len(queries)} "
            "queries: there must be as many of each."
        )
    read, right = reader.read(drawn), {}
    of: Mapping[str, CaptionedImages] = {
        **dict.fromkeys(content, captions),
        **dict.fromkeys(style, queries),
    }
    for name, data in of.items():
        choose("attribute", name, read)
        right[name] = read[name].cpu().numpy() == data.attributes[name]
    right["content"] = np.logical_and.reduce([right[name] for name in content])
    right["style"] = np.logical_and.reduce([right[name] for name in style])
    right["both"] = right["content"] & right["style"]
    return {name: float(values.mean()) for name, values in right.items()}
