"""The game with multilayer perceptrons: points of a mixture whose modes are known, or digits.

For points the settings come from trials (see `PLANS`): R1 at the data, a critic that learns faster
than the generator (Heusel et al. 2017), learning rates that end at 0, and the running average of
the generator's weights, which no paper of 2014 had.
"""

from dataclasses import dataclass

import torch

from t2ilab.data.batches import PictureBatches
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.data.mixtures import PointBatches, mixture
from t2ilab.errors import UsageError
from t2ilab.metrics.manifold import manifold
from t2ilab.metrics.modes import exact_w1, modes
from t2ilab.models.mlp_gan import MLPDiscriminator, MLPGenerator
from t2ilab.recipes.data import load_data
from t2ilab.recipes.options import Options as Common
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.gan import GANSystem
from t2ilab.trainers.gan import GAN

LOSSES = ("non-saturating", "saturating")
POINTS = ("ring", "grid", "line")
PICTURES = {"digits": (1, 8), "mnist": (1, 28), "cifar10": (3, 32)}  # channels, side
MATCHED = 500  # points of the exact W1


@dataclass(frozen=True)
class Plan:
    """Of a kind of data: numbers of the noise, widths of G and D, depth, batch, steps; `sharp` is
    D's, and the rest what `GAN` takes.
    """

    z: int = 2
    width: int = 64
    width_critic: int = 128
    depth: int = 3
    batch_size: int = 128
    steps: int = 4000
    lr: float = 1e-3
    lr_critic: float = 2e-3
    betas: tuple[float, float] = (0.0, 0.9)
    r1: float = 0.02
    r1_end: float | None = 0.002
    sharp: float = 10.0
    average: float = 0.99
    decay: float = 0.5


_STEADY = dict(r1=0.05, r1_end=None, sharp=0.0)
_PICTURES = dict(batch_size=64, lr=2e-4, lr_critic=4e-4, betas=(0.5, 0.99), **_STEADY)
PLANS = {
    "line": Plan(z=1, width=32, width_critic=32, depth=2, steps=1500, **_STEADY | {"sharp": 1.0}),
    "ring": Plan(),
    "grid": Plan(),
    "digits": Plan(z=20, width=256, width_critic=256, depth=2, steps=3000, **_PICTURES),
    "mnist": Plan(z=50, width=512, width_critic=512, steps=20_000, **_PICTURES),
    "cifar10": Plan(z=100, width=1024, width_critic=512, steps=50_000, **_PICTURES),
}
SMOKE = 40  # steps


@dataclass(frozen=True, kw_only=True)
class Two(Common):
    """What every two networks take that play, whatever they play for."""

    k: int = option(1, "Updates of D for one of G.", kind=int, least=1, most=1000)
    lr: float | None = option(None, "Of Adam for G.", kind=float, least=1e-8, most=1)
    lr_critic: float | None = option(None, "Of Adam for D.", kind=float, least=1e-8, most=1)
    batch_size: int | None = option(
        None, "Samples of an update of D.", kind=int, least=2, most=65_536
    )
    width: int | None = option(
        None, "Of the hidden layers; of convolutions, channels.", kind=int, least=1, most=4096
    )


@dataclass(frozen=True, kw_only=True)
class Game(Two):
    """What every game with cross-entropy takes."""

    loss: str = option("non-saturating", f"G's: {' or '.join(LOSSES)}.", choices=LOSSES)


@dataclass(frozen=True, kw_only=True)
class Options(Game):
    """Of the game with multilayer perceptrons."""

    data: str = option(
        "ring",
        f"Points: {', '.join(POINTS)}. Pictures: digits; mnist and cifar10 need --root.",
        choices=(*POINTS, *PICTURES),
        called="data set",
    )
    root: str | None = option(None, "Where their files are.", path=True, free=True)
    r1: float | None = option(
        None, "Weight of the penalty R1 at the data.", kind=float, least=0, most=1000
    )
    z: int | None = option(None, "Numbers of the noise.", kind=int, least=1, most=4096)


System = GANSystem
HEADLINE = ("modes", "quality", "reverse_kl", "w1", "precision", "recall")


def trainer_of(
    o: Options, shape: tuple[int, ...], copies: int = 1, *, catch_up: float = 0.0
) -> GAN:
    """Both networks, untrained, and what trains them; `copies` games side by side.

    `catch_up` is that of `GAN`: D then knows the odds of what the averaged G makes.
    """
    plan = PLANS[o.data]
    torch.manual_seed(o.seed)
    sizes = dict(shape=shape, depth=plan.depth, copies=copies)
    return GAN(
        MLPGenerator(z=o.z or plan.z, width=o.width or plan.width, **sizes),
        MLPDiscriminator(width=o.width or plan.width_critic, sharp=plan.sharp, **sizes),
        objective="logistic",
        saturating=o.loss == "saturating",
        k=o.k,
        fresh=True,
        lr=o.lr or plan.lr,
        lr_critic=o.lr_critic or plan.lr_critic,
        betas=plan.betas,
        r1_weight=plan.r1 if o.r1 is None else o.r1,
        r1_end=plan.r1_end if o.r1 is None else None,
        average=plan.average,
        decay=plan.decay,
        catch_up=catch_up,
        seed=o.seed,
    )


def build(o: Options, prepare) -> Built:
    """G and D, and batches of k parts."""
    plan = PLANS[o.data]
    size = o.k * (o.batch_size or plan.batch_size)
    steps = SMOKE if o.profile == "smoke" else plan.steps
    if o.data in POINTS:
        of = mixture(o.data)
        trainer = trainer_of(o, (of.dimensions,))
        batches, data = PointBatches(of, batch_size=size, seed=o.seed), f"points of the {o.data}"
        marks = {"name": o.data, "centres": len(of.centres)}
    else:
        pictures = load(o, "train")
        channels, side = PICTURES[o.data]
        trainer = trainer_of(o, (channels, side, side))
        if size > len(pictures):
            raise UsageError(f"k x batch size = {size}: there are {len(pictures)} pictures.")
        batches = PictureBatches(pictures, batch_size=size, channels=channels, seed=o.seed)
        data, marks = pictures.name, fingerprint(pictures)
    return Built(
        trainer,
        batches,
        finish=lambda: GANSystem(trainer.average.cpu()),
        name=f"{o.system}-{o.data}",
        data=data,
        fingerprint=marks,
        steps=steps,
        precision="32-true",  # R1 is a gradient
        more={"k": o.k, "loss": o.loss},
    )


def load(o: Options, split: str) -> CaptionedImages:
    """The pictures in the size that they have of themselves."""
    _, size = PICTURES[o.data]
    n = 512 if o.profile == "smoke" else None
    return load_data(data=o.data, root=o.root, split=split, size=size, n=n)


def measure(system: GANSystem, o: Options, n: int | None = None) -> dict:
    """Of points modes, quality, reverse KL and exact W1, beside those of data; of pictures
    precision and recall over pixels, against the test split.

    Raises:
        UsageError: the weights are of other data than the options.
    """
    if system.of_points != (o.data in POINTS):
        raise UsageError(f"these weights are not of {o.data}: name the data they learned from.")
    if not system.of_points:
        channels, _ = PICTURES[o.data]
        test = to_float(load(o, "test").images)[:, :channels]
        made = system.sample(n or len(test), seed=1).clamp(-1, 1)
        found = manifold(test.flatten(1), made.flatten(1))
        return {"precision": found.precision, "recall": found.recall, "tested": len(test)}
    return of_points(system.sample(n or 10_000, seed=1), o.data)


def of_points(points, data: str) -> dict[str, float | int]:
    """`modes` of points and of as many of the data, and W1 of at most 500 of both to the data."""
    of, rng = mixture(data), torch.Generator().manual_seed(2)
    real, other = of.sample(len(points), rng), of.sample(len(points), rng)
    ours, theirs = modes(points, of), modes(real, of)
    return {
        "modes": ours.captured,
        "quality": ours.quality,
        "quality_of_data": theirs.quality,
        "reverse_kl": ours.reverse_kl,
        "w1": exact_w1(points[:MATCHED], real[:MATCHED]),
        "w1_of_data": exact_w1(other[:MATCHED], real[:MATCHED]),
    }
