"""A classifier of cluttered digits, with a spatial transformer or without one."""

from dataclasses import dataclass

import numpy as np
import torch

from t2ilab.data import cluttered
from t2ilab.data.batches import PictureBatches
from t2ilab.data.grounded import agreement
from t2ilab.models.spatial_transformer import DigitNetwork
from t2ilab.recipes.options import Options as Common
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.spatial_transformer import DigitSystem
from t2ilab.trainers.spatial_transformer import DigitTrainer

STEPS = {"smoke": 20, "laptop": 2000, "gpu": 20_000}
PICTURES = {"smoke": 200, "laptop": None, "gpu": None}  # None: all
# Of nearly equal size: what finds the window costs parameters, which the plain network has for
# reading.
NETWORKS = {
    "on": dict(side=20, channels=(20, 32, 36), hidden=36),
    "off": dict(side=None, channels=(16, 24, 32, 32), hidden=43),
}


@dataclass(frozen=True, kw_only=True)
class Options(Common):
    """Of the digit network."""

    transformer: str = option("on", "on, or off: the plain network.", choices=tuple(NETWORKS))
    batch_size: int = option(64, "Pictures a step.", kind=int, least=2, most=65_536)
    lr: float = option(2e-3, "Of Adam.", kind=float, least=1e-6, most=1)


System = DigitSystem
HEADLINE = ("error", "iou_median")


def build(o: Options, prepare) -> Built:
    """The network, and batches of digits; the boxes are for measuring only."""
    data = cluttered.load("train", PICTURES[o.profile]).pictures
    torch.manual_seed(o.seed)
    network = DigitNetwork(**NETWORKS[o.transformer])
    return Built(
        DigitTrainer(network, lr=o.lr),
        PictureBatches(data, channels=1, seed=o.seed, batch_size=o.batch_size),
        finish=lambda: DigitSystem(network),
        name=f"stn{'' if o.transformer == 'on' else '_plain'}-cluttered-{cluttered.SIZE}",
        data=data.name,
        fingerprint=fingerprint(data),
        steps=STEPS[o.profile],
        precision="32-true",
        more={"transformer": o.transformer},
    )


def measure(system: DigitSystem, o: Options, n: int | None = None) -> dict[str, float]:
    """The error on the test split; the window's intersection over union with the digit's square."""
    test = cluttered.load("test", n or PICTURES[o.profile])
    found = system.look(test.pictures.images)
    numbers = {
        "error": float((found.digits != test.pictures.classes).mean()),
        "parameters": system.parameters_in_all,
        "pictures": len(test.pictures),
    }
    if o.transformer == "off":
        return numbers
    agree = agreement(found.boxes, test.boxes)
    return numbers | {"iou_mean": float(agree.mean()), "iou_median": float(np.median(agree))}
