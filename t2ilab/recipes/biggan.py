"""BigGAN on the values of one attribute of a world, or on the classes of a data set."""

from dataclasses import dataclass

import numpy as np
import torch

from t2ilab.data import paperworld
from t2ilab.data.batches import PictureBatches
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.errors import UsageError, choose
from t2ilab.metrics.evaluate import picture_scores, readable
from t2ilab.models.biggan import (
    SIZES,
    BigGANDiscriminator,
    BigGANGenerator,
    baked,
    standing_statistics,
)
from t2ilab.recipes.data import Squares, load_data
from t2ilab.recipes.dcgan import Plan
from t2ilab.recipes.gan import Two
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.biggan import BigGANSystem
from t2ilab.systems.single import has_reader, load_reader
from t2ilab.trainers.biggan import BigGAN

THRESHOLDS = (None, 1.5, 1.0, 0.7, 0.4, 0.1)  # of the truncation curve; None: all of N(0, 1)
MEASURED = 1000  # pictures at each of them
LARGEST = 1000  # classes


PLANS = {
    "smoke": Plan(width=4, batch_size=16, minutes=0.03, pictures=512),
    "laptop": Plan(width=16, batch_size=32, minutes=15),
    "gpu": Plan(width=64, batch_size=256, minutes=120, size=64),
}


@dataclass(frozen=True, kw_only=True)
class Options(Two, Squares):
    """Of BigGAN."""

    label: str | None = option(None, "Attribute of a world whose values are the classes.")
    classes: int = option(8, "The first so many of its values.", kind=int, least=2, most=LARGEST)
    beta: float = option(
        1e-4, "Weight of the orthogonal regularisation of G.", kind=float, least=0, most=1
    )
    varied: float = option(
        0.0,
        "Weight of the term that asks for another picture where the noise is another.",
        kind=float,
        least=0,
    )
    hierarchical: str = option("on", "off: only the first layer sees z.", choices=("on", "off"))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label is not None and self.world is None:
            raise UsageError("--label is an attribute of a world; a data set has its own classes.")
        if self.world is not None:
            values = paperworld.world(self.world).content
            if self.label is None:
                first = paperworld.world(self.world).definition["class"][0]
                object.__setattr__(self, "label", first)
            choose("attribute", self.label, values)


System = BigGANSystem
HEADLINE = ("read", "precision", "recall", "fid")


def of_classes(data: CaptionedImages, o: Options) -> tuple[CaptionedImages, np.ndarray, list[str]]:
    """The pictures whose class is among the first `o.classes`, these classes, and their names.

    Raises:
        UsageError: more classes than `LARGEST`, or fewer than 2.
    """
    if o.world is not None:
        names = list(paperworld.world(o.world).content[o.label])[: o.classes]
        values = data.attributes[o.label]
        data = data.subset(values < len(names))
        return data, data.attributes[o.label], names
    if not 2 <= len(data.class_names) <= LARGEST:
        raise UsageError(
            f"{data.name} has {len(data.class_names)} classes; BigGAN here takes 2 to {LARGEST}."
        )
    return data, data.classes, list(data.class_names)


def build(o: Options, prepare) -> Built:
    """G and D, and batches of pictures with their classes.

    Raises:
        UsageError: no such size, or a data set without usable classes.
    """
    plan = PLANS[o.profile]
    size = o.size or o.side(plan.size)
    if size not in SIZES:
        raise UsageError(f"--size {size}: expected one of {', '.join(map(str, SIZES))}.")
    every = load_data(world=o.world, data=o.data, root=o.root, size=size, n=plan.pictures)
    data, labels, names = of_classes(every, o)
    trainer = trainer_of(o, size=size, classes=len(names))
    number = o.k * (o.batch_size or plan.batch_size)
    return Built(
        trainer,
        PictureBatches(data, batch_size=number, channels=o.channels, label=o.label, seed=o.seed),
        finish=lambda: finished(trainer, o.label or "", names),
        name=f"{o.system}-{o.of}-{size}",
        data=f"{data.name}, {len(data)} pictures of {len(names)} classes",
        fingerprint=fingerprint(data),
        minutes=plan.minutes,
        more={"beta": o.beta, "varied": o.varied, "k": o.k},
    )


def trainer_of(o: Options, *, size: int, classes: int) -> BigGAN:
    """Both networks, untrained, and what trains them."""
    plan = PLANS[o.profile]
    width = o.width or plan.width
    shape = dict(size=size, channels=o.channels, classes=classes, width=width)
    parts = int(np.log2(size // 4)) + 1  # of z
    torch.manual_seed(o.seed)
    G = BigGANGenerator(**shape, z=16 * parts, hierarchical=o.hierarchical == "on")
    lr = o.lr or 5e-4
    return BigGAN(
        G, BigGANDiscriminator(**shape), k=o.k, lr=lr, lr_d=o.lr_critic or 2 * lr, beta=o.beta,
        varied=o.varied, seed=o.seed,
    )  # fmt: skip


def finished(trainer: BigGAN, label: str, names: list[str]) -> BigGANSystem:
    """The averaged generator, its weights divided by their norms, its batch norms measured anew."""
    generator = baked(trainer.average.cpu())
    standing_statistics(generator)
    return BigGANSystem(generator, label=label, names=names)


def measure(system: BigGANSystem, o: Options, n: int | None = None) -> dict:
    """ "read": the share of pictures of which the world's reader reads the class that was asked
    for (a picture that it refuses counts as wrong), beside "read_real" of real ones; scores of
    `picture_scores` against test pictures of these classes; and along the truncation
    "read_T", "precision_T", "recall_T". Nothing without a world's reader.
    """
    if not has_reader(o.world):
        return {}
    n = n or (64 if o.profile == "smoke" else MEASURED)
    world, reader = paperworld.world(o.world), load_reader(o.world)
    data, labels, _ = of_classes(world.load("test", system.size), o)
    real = to_float(data.images[:n])
    read_real = (reader.read(real)[system.label].numpy() == labels[:n]).mean()
    found: dict = {"read_real": float(read_real)}
    y = torch.arange(len(real)) % system.classes
    for threshold in THRESHOLDS:
        made = system.sample(y, seed=1, threshold=threshold)
        right = (reader.read(made)[system.label] == y).float().mean()
        scores = picture_scores(world, reader, real, made)
        if threshold is None:
            found |= {"read": float(right), "readable": readable(reader, made), **scores}
        else:
            found[f"read_{threshold:g}"] = float(right)
            found |= {f"{key}_{threshold:g}": scores[key] for key in ("precision", "recall")}
    return found
