"""The similarity network: does this caption fit this picture, yes or no?"""

from dataclasses import dataclass

import torch

from t2ilab.models.two_branch import SimilarityNetwork
from t2ilab.recipes import two_branch
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built
from t2ilab.recipes.two_branch import HEADLINE, measure
from t2ilab.systems.two_branch import SimilaritySystem
from t2ilab.trainers.two_branch import SimilarityTrainer

__all__ = ["HEADLINE", "Options", "System", "build", "measure"]


@dataclass(frozen=True, kw_only=True)
class Options(two_branch.Options):
    """Of the similarity network."""

    batch_size: int = option(
        64, "Pictures a step; each is judged with every caption.", kind=int, least=8, most=65_536
    )
    top: int = option(
        10,
        "So many wrong captions of a picture weigh more, the worst.",
        kind=int,
        least=1,
        most=65_536,
    )


System = SimilaritySystem


def build(o: Options, prepare) -> Built:
    """A GRU that learns to read along with both branches and the classifier on them."""
    seen = two_branch.training(o)
    torch.manual_seed(o.seed)
    encoder = two_branch.encoder_for(o, seen.figures)
    network = SimilarityNetwork(**two_branch.sizes(o, encoder))
    return two_branch.built(
        o, seen, SimilarityTrainer(encoder, network, top=o.top, lr=o.lr), System(encoder, network)
    )
