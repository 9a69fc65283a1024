"""The affinity network: from a picture to the vector of its caption, by regression."""

from dataclasses import dataclass, replace

import torch

from t2ilab.models.two_branch import AffinityNetwork
from t2ilab.recipes import two_branch
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built
from t2ilab.recipes.two_branch import HEADLINE, measure
from t2ilab.systems.two_branch import AffinitySystem
from t2ilab.trainers.two_branch import AffinityTrainer

__all__ = ["HEADLINE", "Options", "System", "build", "measure"]


@dataclass(frozen=True, kw_only=True)
class Options(two_branch.Options):
    """Of the affinity network."""

    encoder: str | None = option(
        None, "A trained encoder that stays as it is; default the world's.", path=False
    )


System = AffinitySystem


def build(o: Options, prepare) -> Built:
    """The picture's branch, and a trained encoder that stays as it is.

    Raises:
        UsageError: no encoder ships for these captions, and none is named.
    """
    seen = two_branch.training(o)
    named = o.encoder or f"encoder-{two_branch.world_of(o) or o.of}"
    encoder = two_branch.encoder_for(replace(o, encoder=named), seen.figures)
    torch.manual_seed(o.seed)
    network = AffinityNetwork(**two_branch.sizes(o, encoder))
    return two_branch.built(
        o, seen, AffinityTrainer(encoder, network, lr=o.lr), System(encoder, network)
    )
