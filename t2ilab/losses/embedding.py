"""The four constraints of the embedding network, as hinges (Le 2018, 3.2.1; Wang et al. 2016).

For pictures x_i and captions y_j in one space, d the Euclidean distance and m a margin,

    d(x_i, y_i) + m < d(x_i, y_k)      a picture is nearer to its caption than to one that is wrong
    d(y_i, x_i) + m < d(y_i, x_k)      a caption is nearer to its picture than to one that is wrong
    d(x_i, x_j) + m < d(x_i, x_k)      neighbours: x_i and x_j match, x_i and x_k do not
    d(y_i, y_j) + m < d(y_i, y_k)      and the same of captions

Wang et al.'s code has the first two and the last. There a picture's class is unknown; here it is
known which pictures match, and all four are written with one function.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

TERMS = ("picture_text", "text_picture", "pictures", "captions")


def distances(x: Float[Tensor, "n space"], y: Float[Tensor, "m space"]) -> Float[Tensor, "n m"]:
    """d(x_i, y_j) of vectors of length 1: sqrt(2 - 2 x . y), smoothed at 0 by 0.01 as in the code.

    (The slope of a plain root is infinite at 0, where a vector meets itself.)
    """
    return ((2 - 2 * x @ y.T).clamp(min=0) + 1e-4).sqrt()


def constraint(
    d: Float[Tensor, "n m"],
    match: Bool[Tensor, "n m"],
    wrong: Bool[Tensor, "n m"],
    *,
    margin: float = 0.1,
    top: int = 10,
) -> Float[Tensor, ""]:
    """Mean over anchors i and their `top` largest of max(0, margin + d(i, j) - d(i, k)).

    j is the farthest that matches i, k any that is wrong; anchors without a j or a k do not count.
    As in the authors' code those of the `top` that are 0 are counted in the mean. `margin` where
    all distances are equal; 0, without a gradient, once the margin holds everywhere.

    Args:
        d: distances of anchors (rows) and candidates.
        match, wrong: which candidates match an anchor, and which are wrong; others are neither.
    """
    farthest = d.masked_fill(~match, float("-inf")).amax(1, keepdim=True)
    counts = match.any(1) & wrong.any(1)
    violations = (margin + farthest - d).relu().masked_fill(~wrong, 0)[counts]
    if not len(violations):
        return d.sum() * 0
    asked = wrong[counts].sum(1).clamp(max=top)  # of an anchor with fewer wrong ones, all of them
    return (violations.topk(min(top, d.shape[1]), 1).values.sum(1) / asked).mean()


def four_constraints(
    pictures: Float[Tensor, "n space"],
    captions: Float[Tensor, "m space"],
    *,
    fits: Bool[Tensor, "n m"],
    owner: Int[Tensor, " m"],
    same: Bool[Tensor, "n n"],
    margin: float = 0.1,
    top: int = 10,
) -> dict[str, Float[Tensor, ""]]:
    """The four terms, by the names in `TERMS`.

    Args:
        pictures, captions: vectors of length 1.
        fits: caption j is true of picture i; such a pair is never wrong, whoever's caption it is.
        owner: of which picture a caption is. Captions of one picture match; two are wrong for each
            other where neither is true of the other's picture.
        same: two pictures match: all that is known of them is the same. A picture without captions
            that matches none is wrong for every caption and every picture, and no anchor.
    """
    own = owner[None] == torch.arange(len(pictures), device=owner.device)[:, None]
    together = owner[None] == owner[:, None]
    other = ~(fits[owner] | fits[owner].T)  # neither is true of the other's picture
    not_x, not_y = (~torch.eye(n, dtype=torch.bool, device=fits.device) for n in fits.shape)
    across, how = distances(pictures, captions), {"margin": margin, "top": top}
    return {
        "picture_text": constraint(across, own, ~fits & ~own, **how),
        "text_picture": constraint(across.T, own.T, ~(fits | own).T, **how),
        "pictures": constraint(distances(pictures, pictures), same & not_x, ~same, **how),
        "captions": constraint(distances(captions, captions), together & not_y, other, **how),
    }
