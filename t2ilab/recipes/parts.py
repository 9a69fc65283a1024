"""The PartFinder of a world, which finds eyes, beaks and wings in pictures."""

from dataclasses import dataclass

import numpy as np
import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import to_float
from t2ilab.metrics.anatomy import Anatomy
from t2ilab.models.parts import SIDE, PartFinder
from t2ilab.recipes.options import Options as Common
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.single import TrainedParts
from t2ilab.trainers.parts_finder import PartsBatches, PartsTrainer, balanced

STEPS = {"smoke": 20, "laptop": 1500, "gpu": 10_000}
PICTURES = {"smoke": 64, "laptop": 4000, "gpu": 20_000}


@dataclass(frozen=True, kw_only=True)
class Options(Common):
    """Of the finder."""

    world: str = option(
        "birds",
        f"Of PaperWorld: {', '.join(paperworld.WITH_PARTS)}.",
        choices=paperworld.WITH_PARTS,
    )


System = TrainedParts
HEADLINE = ("iou_eye", "iou_beak")


def build(o: Options, prepare) -> Built:
    """A label for every pixel, from the "reader" split, whose parts the drawing tells."""
    torch.manual_seed(o.seed)
    world, n = paperworld.world(o.world), PICTURES[o.profile]
    data = world.load("reader", SIDE, n)
    finder = PartFinder(parts=world.part_names)
    known = labels(o.world, "reader", n)
    return Built(
        PartsTrainer(finder, weights=balanced(known, 1 + len(finder.parts)), seed=o.seed),
        PartsBatches(data, known, seed=o.seed),
        finish=lambda: TrainedParts(finder),
        name=f"parts-{o.world}",
        data=f"PaperWorld {o.world}, split reader, {SIDE} pixels",
        fingerprint=fingerprint(data),
        steps=STEPS[o.profile],
    )


def labels(world: str, split: str, n: int) -> np.ndarray:
    """Where the parts of the first n pictures of a split are, uint8 [n, 64, 64]."""
    one = paperworld.world(world)
    return np.stack([one.parts(split, i, SIDE) for i in range(n)])


def measure(system: TrainedParts, o: Options, n: int | None = None) -> dict[str, float]:
    """ "iou_<part>": where it is and where it is found, intersection over union on the test split;
    and what `Anatomy` finds in real pictures, "real_no_eye" and so on."""
    world, n = paperworld.world(o.world), n or (64 if o.profile == "smoke" else 2000)
    test = world.load("test", SIDE, n)
    found = system.network.find(to_float(test.images)).numpy()
    true = labels(o.world, "test", n)
    overlap = {
        f"iou_{part}": float(
            ((found == k) & (true == k)).sum() / ((found == k) | (true == k)).sum().clip(1)
        )
        for k, part in enumerate(world.part_names, 1)
    }
    anatomy = Anatomy(system.network, world, n=min(PICTURES[o.profile], 4000))
    found = anatomy.measure(to_float(test.images))
    return overlap | {f"real_{name}": share for name, share in found.items()}
