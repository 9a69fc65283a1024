"""Pictures by their labels: a conditional GAN, whose label may be kept from G, from D, or both."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.data.batches import PictureBatches
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.metrics.manifold import manifold
from t2ilab.models.cgan import ConditionalDiscriminator, ConditionalGenerator
from t2ilab.recipes.data import load_data
from t2ilab.recipes.options import Options as Common
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.cgan import CGANSystem
from t2ilab.trainers.cgan import CGAN

TOLD = ("both", "G", "D", "neither")
DATA = {"digits": (1, 8), "mnist": (1, 28), "cifar10": (3, 32)}  # channels and side
STEPS = {"smoke": 30, "laptop": 1500, "gpu": 20_000}
WIDTH = {"digits": 128, "mnist": 512, "cifar10": 512}
REFERENCE = 10_000  # training pictures by which pictures are read, at most


@dataclass(frozen=True, kw_only=True)
class Options(Common):
    """Of a conditional GAN."""

    data: str = option(
        "digits", "digits; or mnist or cifar10, which need --root.", choices=DATA, called="data set"
    )
    root: str | None = option(None, "Where their files are.", path=True, free=True)
    told: str = option("both", f"Who is told the label: {', '.join(TOLD)}.", choices=TOLD)
    width: int | None = option(None, "Of the layers.", kind=int, least=1, most=4096)
    batch_size: int = option(64, "Pictures a step.", kind=int, least=2, most=1024)
    lr: float = option(1e-3, "Of Adam, for G; D's is twice that.", kind=float, least=1e-8, most=1)


System = CGANSystem
HEADLINE = ("read", "read_real", "precision", "recall")


def trainer_of(o: Options) -> CGAN:
    """Both networks, untrained, and what trains them."""
    torch.manual_seed(o.seed)
    (channels, side), width = DATA[o.data], o.width or WIDTH[o.data]
    shape = (channels, side, side)
    return CGAN(
        ConditionalGenerator(shape=shape, width=width, told=o.told in ("both", "G")),
        ConditionalDiscriminator(shape=shape, width=width, told=o.told in ("both", "D")),
        lr=o.lr,
        lr_d=2 * o.lr,
        seed=o.seed,
    )


def build(o: Options, prepare) -> Built:
    """G and D, and batches of digits with their labels."""
    data, trainer = load(o, "train"), trainer_of(o)
    channels, _ = DATA[o.data]
    return Built(
        trainer,
        PictureBatches(data, batch_size=o.batch_size, channels=channels, seed=o.seed),
        finish=lambda: CGANSystem(trainer.average.cpu()),
        name=f"{o.system}-{o.data}",
        data=data.name,
        fingerprint=fingerprint(data),
        steps=STEPS[o.profile],
        precision="32-true",  # R1 is a gradient
        more={"told": o.told},
    )


def load(o: Options, split: str) -> CaptionedImages:
    """The pictures in the size that they have of themselves; smoke takes the first 512."""
    n = 512 if o.profile == "smoke" else None
    return load_data(data=o.data, root=o.root, split=split, size=DATA[o.data][1], n=n)


def measure(system: CGANSystem, o: Options, n: int | None = None) -> dict[str, float]:
    """ "read": the share of made pictures that are read as the label they were made of, by their
    three nearest training pictures; "read_real" of the test split; "precision" and "recall" of the
    pixels against the test split, whatever the labels.
    """
    train, test = load(o, "train"), load(o, "test")
    channels, _ = DATA[o.data]
    real = to_float(test.images)[:, :channels].flatten(1)
    y = torch.arange(n or len(test)) % system.network.labels
    made = system.sample(y, seed=1).flatten(1)
    known = to_float(train.images[:REFERENCE])[:, :channels].flatten(1)
    labels = torch.from_numpy(train.classes[:REFERENCE])
    found = manifold(real, made)
    right = (read(made, known, labels) == y).float().mean()
    right_real = (read(real, known, labels) == torch.from_numpy(test.classes)).float().mean()
    return {
        "read": float(right),
        "read_real": float(right_real),
        "precision": found.precision,
        "recall": found.recall,
        "tested": len(y),
    }


def read(
    x: Float[Tensor, "n pixels"], known: Float[Tensor, "m pixels"], labels: Tensor, k: int = 3
) -> Tensor:
    """The label of each picture: the commonest of its k nearest known ones, int64 [n]."""
    near = torch.cdist(x, known).topk(k, largest=False).indices
    return labels[near].mode(1).values
