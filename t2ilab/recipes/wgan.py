"""WGAN with clipped weights, and WGAN-GP: DCGAN's networks play for the Wasserstein distance.

The critic of WGAN-GP has no batch norm, for the penalty asks for the slope at each picture alone;
Gulrajani et al. 2017 put layer norm in its place. The critic of WGAN has it, as in its authors'
code, where its numbers depend on the batch, so that (2.4) holds for them in a loose sense only.
"""

from dataclasses import dataclass

import torch

from t2ilab.errors import UsageError
from t2ilab.models.dcgan import Discriminator, Generator
from t2ilab.recipes.data import Squares
from t2ilab.recipes.dcgan import HEADLINE, PLANS, measure, pictures_of, ready
from t2ilab.recipes.gan import Two
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built
from t2ilab.systems.gan import DCGANSystem
from t2ilab.trainers.gan import GAN

__all__ = ["CONSTANTS", "HEADLINE", "Options", "System", "build", "measure"]


@dataclass(frozen=True)
class Constants:
    """Of Algorithm 1 of a paper; `clip` or `penalty` is what holds the critic's slope."""

    optimizer: str
    lr: float
    betas: tuple[float, float] = (0.0, 0.9)
    clip: float = 0.0
    penalty: float = 0.0
    batch_norm: bool = False  # in the critic


CONSTANTS = {
    "wgan": Constants("rmsprop", lr=5e-5, clip=0.01, batch_norm=True),
    "wgan_gp": Constants("adam", lr=1e-4, penalty=10.0),
}
System = DCGANSystem


@dataclass(frozen=True, kw_only=True)
class Options(Two, Squares):
    """Of both; what is not given is as in the paper."""

    k: int = option(5, "Updates of the critic for one of G.", kind=int, least=1, most=1000)
    clip: float | None = option(
        None, "Of wgan: weights stay in [-clip, clip].", kind=float, least=1e-8, most=100
    )
    penalty: float | None = option(
        None, "Of wgan_gp: lambda of the gradient penalty.", kind=float, least=1e-8, most=1e6
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("clip", "penalty"):
            if getattr(self, name) is not None and not getattr(CONSTANTS[self.system], name):
                raise UsageError(f"--{name} is no option of {self.system}.")


def build(o: Options, prepare) -> Built:
    """G as DCGAN's, the critic as its discriminator; new noise for every update, as in both papers.

    Raises:
        UsageError: fewer pictures than k batches need.
    """
    pictures, shape = pictures_of(o, PLANS[o.profile])
    c = CONSTANTS[o.system]
    torch.manual_seed(o.seed)
    clip, penalty, lr = o.clip or c.clip, o.penalty or c.penalty, o.lr or c.lr
    trainer = GAN(
        Generator(**shape),
        Discriminator(**shape, batch_norm=c.batch_norm),
        objective="wasserstein",
        k=o.k,
        fresh=True,
        optimizer=c.optimizer,
        lr=lr,
        lr_critic=o.lr_critic or lr,
        betas=c.betas,
        clip=clip,
        penalty=penalty,
        seed=o.seed,
    )
    return ready(o, trainer, pictures, k=o.k, **({"clip": clip} if clip else {"penalty": penalty}))
