"""The embedding network: pictures and captions in one space, by constraints on distances."""

from dataclasses import dataclass

import torch

from t2ilab.losses.embedding import TERMS
from t2ilab.models.two_branch import EmbeddingNetwork
from t2ilab.recipes import two_branch
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built
from t2ilab.recipes.two_branch import HEADLINE, measure
from t2ilab.systems.two_branch import EmbeddingSystem
from t2ilab.trainers.two_branch import OBJECTIVES, EmbeddingTrainer

__all__ = ["HEADLINE", "Options", "System", "build", "measure"]


@dataclass(frozen=True, kw_only=True)
class Options(two_branch.Options):
    """Of the embedding network."""

    objective: str = option(
        "softmax", "Across the views: hinge, as in the paper, or softmax.", choices=OBJECTIVES
    )
    margin: float = option(0.1, "m of the hinges.", kind=float, least=0, most=2)
    scale: float = option(20.0, "Of cosines before the softmax.", kind=float, least=1e-3, most=1e3)
    top: int = option(
        10, "So many of the worst violations count, an anchor.", kind=int, least=1, most=65_536
    )
    picture_text: float = option(
        1.0, "Weight: a picture's captions nearer than wrong ones.", kind=float, least=0, most=1e4
    )
    text_picture: float = option(
        1.0, "Weight: a caption's picture nearer than wrong ones.", kind=float, least=0, most=1e4
    )
    pictures: float = option(
        0.2, "Weight: pictures that match nearer than others.", kind=float, least=0, most=1e4
    )
    captions: float = option(
        0.2, "Weight: captions of one picture nearer than others.", kind=float, least=0, most=1e4
    )


System = EmbeddingSystem


def build(o: Options, prepare) -> Built:
    """A GRU that learns to read along with both branches."""
    seen = two_branch.training(o)
    torch.manual_seed(o.seed)
    encoder = two_branch.encoder_for(o, seen.figures)
    network = EmbeddingNetwork(**two_branch.sizes(o, encoder))
    weights = {name: getattr(o, name) for name in TERMS}
    trainer = EmbeddingTrainer(
        encoder,
        network,
        objective=o.objective,
        weights=weights,
        margin=o.margin,
        top=o.top,
        scale=o.scale,
        lr=o.lr,
    )
    return two_branch.built(o, seen, trainer, System(encoder, network), objective=o.objective)
