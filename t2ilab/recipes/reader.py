"""The AttributeReader of a world, which reads from pictures what was drawn."""

from dataclasses import dataclass

import numpy as np
import torch

from t2ilab.data import failures, paperworld
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.models.reader import BODIES, AttributeReader
from t2ilab.recipes.options import Options as Common
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.single import TrainedReader
from t2ilab.trainers.reader import ReaderBatches, ReaderTrainer, calibrate

SIZES = (32, 64)  # pixels of the pictures that it learns from
STEPS = {"smoke": 20, "laptop": 2000, "gpu": 10_000}
WIDTHS = {"strided": 32, "residual": 24}
# Half a bus or a flower and its mirror image is a bus or a flower still; half a bird is none.
WITHOUT = {"scenes": ("two_headed",), "flowers": ("two_headed",)}
OTHERS = 600  # pictures of each other world, which are refused
PICTURES = {"smoke": 256, "laptop": None, "gpu": None}  # None: all


@dataclass(frozen=True, kw_only=True)
class Options(Common):
    """Of the reader."""

    world: str = option(
        "birds", f"Of PaperWorld: {', '.join(paperworld.WORLDS)}.", choices=paperworld.WORLDS
    )
    body: str = option("strided", f"{', '.join(BODIES)}: for a second opinion.", choices=BODIES)


System = TrainedReader
HEADLINE = ()


def build(o: Options, prepare) -> Built:
    """One classifier with a head an attribute, shown the "reader" split at 32 and 64 pixels."""
    torch.manual_seed(o.seed)
    world, without = paperworld.world(o.world), WITHOUT.get(o.world, ())
    n = PICTURES[o.profile]
    sets = [world.load("reader", size, n) for size in SIZES]
    few = min(OTHERS, n or OTHERS)
    others = [_of_other_worlds(o.world, "train", size, few) for size in SIZES]
    reader = AttributeReader(
        attributes={name: len(v) for name, v in world.attributes.items()},
        body=o.body,
        width=WIDTHS[o.body],
    )

    def finish() -> TrainedReader:
        calibrate(reader, world.load("val", SIZES[-1], n), without=without)
        return TrainedReader(reader)

    return Built(
        ReaderTrainer(reader, without=without, seed=o.seed),
        ReaderBatches(sets, others, seed=o.seed),
        finish=finish,
        name=f"reader-{o.world}" if o.body == "strided" else f"judge-{o.world}",
        data=f"PaperWorld {o.world}, split reader, 32 and 64 pixels",
        fingerprint=fingerprint(sets[0]),
        steps=STEPS[o.profile],
    )


def _of_other_worlds(world: str, split: str, size: int, n: int) -> np.ndarray:
    """n pictures of each world but this one."""
    names = [name for name in paperworld.WORLDS if name != world]
    return np.concatenate([paperworld.world(name).load(split, size, n).images for name in names])


def measure(system: TrainedReader, o: Options, n: int | None = None) -> dict[str, float]:
    """What of the test split is read back right, "breast_32" and so on; and what is refused.

    "refused_real" is the share of the test split that is refused, and "refused_<kind>" that of a
    kind of failure; those of `failures.HELD_OUT` were not trained on.
    """
    world, n = paperworld.world(o.world), n or PICTURES[o.profile]
    tests = {size: world.load("test", size, n) for size in SIZES}
    found = {
        f"{name}_{size}": share
        for size, test in tests.items()
        for name, share in accuracy(system.network, test).items()
    }
    return found | refusals(system.network, o.world, tests[SIZES[-1]])


def refusals(reader: AttributeReader, world: str, test: CaptionedImages) -> dict[str, float]:
    """ "refused_real", and "refused_<kind>" for each kind of failure made of these pictures."""
    x, rng = to_float(test.images), torch.Generator().manual_seed(1)
    shown = {"real": x}
    shown |= {kind: failures.spoil(x, rng, kind) for kind in failures.LEARNED | failures.HELD_OUT}
    shown["other_worlds"] = to_float(_of_other_worlds(world, "test", test.size, min(len(x), 300)))
    return {
        f"refused_{k}": float((reader.readable(v) < 0.5).float().mean()) for k, v in shown.items()
    }


def accuracy(reader: AttributeReader, data: CaptionedImages) -> dict[str, float]:
    """attribute -> share of the pictures on which it is read back right."""
    read = reader.read(to_float(data.images))
    return {name: float((v.numpy() == data.attributes[name]).mean()) for name, v in read.items()}
