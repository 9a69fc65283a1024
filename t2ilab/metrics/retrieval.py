"""Are classes found by what is said of them? The two scores of Reed et al. 2016 (CVPR).

A class is the mean of the vectors of its captions. *Top-1* asks for the class of a picture, among
all classes in the data; *AP@k* asks for the pictures of a class: the share of the k that match it
best which are of it, averaged over the classes (their mAP@50 is its mean; no precision is averaged
over ranks). Meant for classes that were in no training: `unseen`.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.paperworld import World
from t2ilab.errors import UsageError
from t2ilab.text.matcher import Matcher


def unseen(data: CaptionedImages, world: World) -> np.ndarray:
    """Bool [n]: the pictures whose class is kept out of training."""
    return world.unseen[data.classes]


def class_retrieval(
    matcher: Matcher,
    features: Float[Tensor, "n features"],
    data: CaptionedImages,
    *,
    level: int | None = None,
    k: int = 50,
) -> dict[str, float]:
    """Top-1 and AP@k of the classes in `data`.

    Args:
        matcher: trained on features of the same kind.
        features: of the pictures of `data`.
        data: pictures of at least two classes, e.g. `data.subset(unseen(data, world))`.
        level: of PaperWorld's five captions of a picture the one to use, 0 complete and 4 bare;
            None: all captions, as in the paper.
        k: how many pictures of a class are asked for; of a class with fewer, as many as it has.

    Returns:
        "top1" and "map" in [0, 1], "classes" and "pictures", the number of both, and "chance" of
        top-1.

    Raises:
        UsageError: fewer than two classes, or features of another number of pictures or size.
    """
    classes, labels = np.unique(data.classes, return_inverse=True)
    if len(classes) < 2:
        raise UsageError(f"{data.name} has {len(classes)} class: retrieval takes at least two.")
    if len(features) != len(data):
        raise UsageError(
            f"features of {len(features)} pictures for the {len(data)} of {data.name}."
        )
    said = [list(c) if level is None else [c[level]] for c in data.captions]
    owner = torch.from_numpy(np.repeat(labels, [len(c) for c in said]))
    phi = _means(matcher.captions([c for captions in said for c in captions]), owner, len(classes))
    scores = (matcher.pictures(features) @ phi.T).cpu()  # [pictures, classes]
    truth = torch.from_numpy(labels)
    return {
        "top1": (scores.argmax(1) == truth).double().mean().item(),
        "map": _precision(scores, truth, k),
        "chance": 1 / len(classes),
        "classes": len(classes),
        "pictures": len(data),
    }


def _means(x: Float[Tensor, "m text"], owner: Int[Tensor, " m"], n: int) -> Float[Tensor, "n text"]:
    """The mean of the rows of each owner."""
    total = torch.zeros(n, x.shape[1], device=x.device).index_add_(0, owner.to(x.device), x)
    return total / torch.bincount(owner, minlength=n).to(x.device)[:, None]


def _precision(scores: Float[Tensor, "n classes"], truth: Int[Tensor, " n"], k: int) -> float:
    """The share of the k best pictures of a class that are of it, averaged over classes."""
    shares = []
    for c, column in enumerate(scores.T):
        asked = min(k, int((truth == c).sum()))
        shares.append((truth[column.topk(asked).indices] == c).double().mean())
    return torch.stack(shares).mean().item()
