"""Losses that make pictures and their captions meet in one space.

Both take the scores s_ij of picture i and caption j of a batch, of which the pairs on the diagonal
belong together, and both ask two things: the caption for a picture, the picture for a caption.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def symmetric_matching(
    scores: Float[Tensor, "n b"], fits: Bool[Tensor, "n b"]
) -> Float[Tensor, ""]:
    """Cross-entropy of finding the caption for a picture and the picture for a caption.

    Args:
        scores: s_ij, how well picture i and caption j match (a temperature applied). Pictures
            beyond the first b have no caption of their own: captions must not find them.
        fits: caption j is true of picture i. Such pairs off the diagonal are no negatives: they
            are left out. ln(b) at equal scores of b pictures, if no caption fits two.
    """
    other = fits & ~torch.eye(*fits.shape, dtype=torch.bool, device=fits.device)
    scores = scores.masked_fill(other, float("-inf"))
    target = torch.arange(scores.shape[1], device=scores.device)
    finding = F.cross_entropy(scores[: len(target)], target), F.cross_entropy(scores.T, target)
    return 0.5 * sum(finding)


def structured_joint_embedding(
    scores: Float[Tensor, "b b"], fits: Bool[Tensor, "b b"], *, margin: float = 1.0
) -> Float[Tensor, ""]:
    """The deep symmetric structured joint embedding of Reed et al. 2016 (CVPR).

    1/b^2 sum_{i, j != i} max(0, margin + s_ij - s_ii) + max(0, margin + s_ji - s_ii)

    The first term is the loss of the picture's side (another caption must score lower than its
    own), the second that of the caption's (another picture must). As in the authors' code all
    violations in the batch are summed, where the paper's equation takes the worst one.

    Args:
        scores: s_ij = theta(v_i) . phi(t_j), how well picture i and caption j match.
        fits: caption j is true of picture i. Such pairs off the diagonal are no negatives: they
            are left out. (The paper's batches have one picture of a class, so it has none.)
        margin: by how much the right one is to win. 2 margin (b - 1) / b at equal scores, if no
            caption fits two pictures.
    """
    own = scores.diagonal()
    captions = (margin + scores - own[:, None]).relu()  # for picture i, of caption j
    pictures = (margin + scores - own[None]).relu()  # for caption j, of picture i
    wrong = ~fits & ~torch.eye(len(fits), dtype=torch.bool, device=fits.device)
    return ((captions + pictures) * wrong).sum() / len(scores) ** 2


OBJECTIVES = {"cross_entropy": symmetric_matching, "sje": structured_joint_embedding}
