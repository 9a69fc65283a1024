"""DCGAN on pictures without captions; each guideline of Radford et al. 2016 can be taken away."""

from dataclasses import dataclass

import torch

from t2ilab.data import paperworld
from t2ilab.data.batches import PictureBatches
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.errors import UsageError
from t2ilab.metrics.evaluate import picture_scores
from t2ilab.models.dcgan import Discriminator, Generator
from t2ilab.recipes.data import Squares, load_data
from t2ilab.recipes.gan import Game, Two
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.gan import DCGANSystem
from t2ilab.systems.single import has_reader, load_reader
from t2ilab.trainers.gan import GAN

SWITCH = ("on", "off")
MEASURED = 2000  # pictures from noise that are scored
LR = 2e-4  # of Adam, in the paper


@dataclass(frozen=True)
class Plan:
    """Sizes of a training run."""

    width: int
    batch_size: int
    minutes: float
    size: int = 32
    pictures: int | None = None


PLANS = {
    "smoke": Plan(width=4, batch_size=16, minutes=0.03, pictures=256),
    "laptop": Plan(width=32, batch_size=64, minutes=4),
    "gpu": Plan(width=64, batch_size=128, minutes=60, size=64),
}


@dataclass(frozen=True, kw_only=True)
class Options(Game, Squares):
    """Of DCGAN; "off" takes a guideline away."""

    strides: str = option("on", "off: pooling in D, repeated pixels in G.", choices=SWITCH)
    batch_norm: str = option("on", "off: none, in neither network.", choices=SWITCH)
    no_dense: str = option("on", "off: a hidden dense layer in both networks.", choices=SWITCH)
    relu: str = option("on", "off: tanh within G, nothing at its end.", choices=SWITCH)
    leaky: str = option("on", "off: ReLU in D.", choices=SWITCH)


GUIDELINES = {
    "strides": "strides, no pooling",
    "batch_norm": "batch norm in both",
    "no_dense": "no hidden dense layers",
    "relu": "ReLU and tanh in G",
    "leaky": "leaky ReLU in D",
}
System = DCGANSystem
HEADLINE = ("fid", "inception_score_share")


def networks_of(
    o: Options, *, size: int, channels: int, width: int
) -> tuple[Generator, Discriminator]:
    """Both, untrained."""
    both = dict(
        size=size,
        channels=channels,
        width=width,
        strides=o.strides == "on",
        batch_norm=o.batch_norm == "on",
        dense=o.no_dense == "off",
    )
    torch.manual_seed(o.seed)
    return Generator(**both, relu=o.relu == "on"), Discriminator(**both, leaky=o.leaky == "on")


def build(o: Options, prepare) -> Built:
    """G and D with the constants of the paper: Adam, 2e-4, beta 0.5; new noise for G's update.

    Raises:
        UsageError: fewer pictures than k batches need.
    """
    pictures, shape = pictures_of(o, PLANS[o.profile])
    lr = o.lr or LR
    trainer = GAN(
        *networks_of(o, **shape),
        objective="logistic",
        saturating=o.loss == "saturating",
        k=o.k,
        fresh=True,
        lr=lr,
        lr_critic=o.lr_critic or lr,
        betas=(0.5, 0.999),
        seed=o.seed,
    )
    without = ", ".join(name for name in GUIDELINES if getattr(o, name) == "off")
    return ready(o, trainer, pictures, without=without)


def pictures_of(o: Squares, plan: Plan) -> tuple[CaptionedImages, dict[str, int]]:
    """What is learned from, and `size`, `channels` and `width` of the networks for it."""
    size = o.size or o.side(plan.size)
    pictures = load_data(world=o.world, data=o.data, root=o.root, size=size, n=plan.pictures)
    return pictures, {"size": size, "channels": o.channels, "width": o.width or plan.width}


def ready(o: Two, trainer: GAN, pictures: CaptionedImages, **more: str | float) -> Built:
    """The trainer with its batches of k parts and its budget.

    Raises:
        UsageError: fewer pictures than k batches need.
    """
    plan, made = PLANS[o.profile], trainer.G
    number = o.k * (o.batch_size or plan.batch_size)
    if number > len(pictures):
        raise UsageError(f"k x batch size = {number}: there are {len(pictures)} pictures.")
    return Built(
        trainer,
        PictureBatches(pictures, batch_size=number, channels=made.channels, seed=o.seed),
        finish=lambda: DCGANSystem(trainer.average.cpu()),
        name=f"{o.system}-{o.of}-{made.size}",
        data=pictures.name,
        fingerprint=fingerprint(pictures),
        minutes=plan.minutes,
        more=more,
    )


def measure(system: DCGANSystem, o: Options, n: int | None = None) -> dict:
    """Scores of pictures from noise against the test split; nothing without a world's reader."""
    if not has_reader(o.world):
        return {}
    n = n or (64 if o.profile == "smoke" else MEASURED)
    world = paperworld.world(o.world)
    real = to_float(world.load("test", system.size).images[:n])
    made = system.sample(n, seed=1).clamp(-1, 1)
    return picture_scores(world, load_reader(o.world), real, made)
