"""The AttributeReader of a world, which reads from pictures what was drawn."""

from dataclasses import dataclass

import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.models.reader import AttributeReader
from t2ilab.recipes.options import Options as Common
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.single import TrainedReader
from t2ilab.trainers.reader import ReaderBatches, ReaderTrainer

SIZES = (32, 64)  # pixels of the pictures that it learns from
STEPS = {"smoke": 20, "laptop": 1500, "gpu": 10_000}
PICTURES = {"smoke": 256, "laptop": None, "gpu": None}  # None: all


@dataclass(frozen=True, kw_only=True)
class Options(Common):
    """Of the reader."""

    world: str = option(
        "birds", f"Of PaperWorld: {', '.join(paperworld.WORLDS)}.", choices=paperworld.WORLDS
    )


System = TrainedReader
HEADLINE = ()


def build(o: Options, prepare) -> Built:
    """One classifier with a head an attribute, shown the "reader" split at 32 and 64 pixels."""
    torch.manual_seed(o.seed)
    world = paperworld.world(o.world)
    sets = [world.load("reader", size, PICTURES[o.profile]) for size in SIZES]
    reader = AttributeReader(attributes={name: len(v) for name, v in world.attributes.items()})
    return Built(
        ReaderTrainer(reader, seed=o.seed),
        ReaderBatches(sets, seed=o.seed),
        finish=lambda: TrainedReader(reader),
        name=f"reader-{o.world}",
        data=f"PaperWorld {o.world}, split reader, 32 and 64 pixels",
        fingerprint=fingerprint(sets[0]),
        steps=STEPS[o.profile],
    )


def measure(system: TrainedReader, o: Options, n: int | None = None) -> dict[str, float]:
    """Shares of the test split that are read back right, "breast_32" and so on."""
    world, n = paperworld.world(o.world), n or PICTURES[o.profile]
    return {
        f"{name}_{size}": share
        for size in SIZES
        for name, share in accuracy(system.network, world.load("test", size, n)).items()
    }


def accuracy(reader: AttributeReader, data: CaptionedImages) -> dict[str, float]:
    """attribute -> share of the pictures on which it is read back right."""
    read = reader.read(to_float(data.images))
    return {name: float((v.numpy() == data.attributes[name]).mean()) for name, v in read.items()}
