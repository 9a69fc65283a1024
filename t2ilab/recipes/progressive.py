"""Progressive growing on pictures without captions, from 4 x 4 pixels."""

from dataclasses import dataclass

import torch

from t2ilab.data.batches import PictureBatches
from t2ilab.errors import UsageError
from t2ilab.models.progressive import SIZES, ProgressiveDiscriminator, ProgressiveGenerator
from t2ilab.recipes.data import Squares, load_data
from t2ilab.recipes.dcgan import HEADLINE, measure
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.gan import ProgressiveSystem
from t2ilab.trainers.progressive import OBJECTIVES, Progressive

__all__ = ["HEADLINE", "Options", "System", "build", "measure"]


@dataclass(frozen=True)
class Plan:
    """Sizes of a training run."""

    width: int
    batch_size: int
    minutes: float
    most: int = 64
    pictures: int | None = None
    size: int = 64


PLANS = {
    "smoke": Plan(width=4, most=8, batch_size=16, minutes=0.03, pictures=256),
    "laptop": Plan(width=8, batch_size=16, minutes=15),
    "gpu": Plan(width=32, most=256, batch_size=64, minutes=120),
}


@dataclass(frozen=True, kw_only=True)
class Options(Squares):
    """Of networks that grow."""

    width: int | None = option(None, "Channels at the full side.", kind=int, least=1, most=4096)
    batch_size: int | None = option(None, "Pictures a step.", kind=int, least=2, most=65_536)
    lr: float = option(1e-3, "Of Adam, of both networks.", kind=float, least=1e-8, most=1)
    growing: float = option(
        0.6, "Share of the budget after which the last level is there.", kind=float, least=0, most=1
    )
    loss: str = option(
        "wasserstein", "wasserstein: the paper's; logistic: with R1.", choices=OBJECTIVES
    )
    deviation: str = option("on", "off: no minibatch deviation in D.", choices=("on", "off"))


System = ProgressiveSystem


def build(o: Options, prepare) -> Built:
    """G and D, and batches of pictures of the full size, which the trainer makes smaller.

    Raises:
        UsageError: no such size.
    """
    plan = PLANS[o.profile]
    size = o.size or o.side(plan.size)
    if size not in SIZES:
        raise UsageError(f"--size {size}: expected one of {', '.join(map(str, SIZES))}.")
    data = load_data(world=o.world, data=o.data, root=o.root, size=size, n=plan.pictures)
    trainer = trainer_of(o, size=size)
    return Built(
        trainer,
        PictureBatches(
            data, batch_size=o.batch_size or plan.batch_size, channels=o.channels, seed=o.seed
        ),
        finish=lambda: ProgressiveSystem(trainer.average.cpu()),
        name=f"{o.system}-{o.of}-{size}",
        data=data.name,
        fingerprint=fingerprint(data),
        minutes=plan.minutes,
        precision="32-true",  # the penalty is a gradient
        more={"loss": o.loss, "growing": o.growing},
    )


def trainer_of(o: Options, *, size: int) -> Progressive:
    """Both networks, untrained, and what trains them."""
    plan = PLANS[o.profile]
    shape = dict(size=size, channels=o.channels, width=o.width or plan.width, most=plan.most)
    torch.manual_seed(o.seed)
    return Progressive(
        ProgressiveGenerator(**shape),
        ProgressiveDiscriminator(**shape, deviation=o.deviation == "on"),
        objective=o.loss,
        lr=o.lr,
        growing=o.growing,
        seed=o.seed,
    )
