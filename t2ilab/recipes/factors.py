"""Pictures from factors: PaperWorld from its facts, or toys by kind, view and light."""

from dataclasses import dataclass

import numpy as np
import torch

from t2ilab.data import toys
from t2ilab.data.captioned import to_float
from t2ilab.data.factors import LIGHTS, Told, ToldBatches, of_toys, of_world
from t2ilab.errors import UsageError
from t2ilab.metrics.factors import nearest_right, psnr, read_right
from t2ilab.models.factors import FactorNetwork
from t2ilab.recipes.options import Pictures, option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.factors import FactorSystem
from t2ilab.systems.single import load_reader
from t2ilab.trainers.factors import FactorTrainer

SWITCH = ("on", "off")
MINUTES = {"smoke": 0.05, "laptop": 3, "gpu": 15}
NUMBER = {"smoke": 256, "laptop": None, "gpu": None}  # pictures; None: all
WIDTH = {"smoke": 8, "laptop": 32, "gpu": 64}


@dataclass(frozen=True, kw_only=True)
class Options(Pictures):
    """Of a network that is told everything."""

    data: str | None = option(
        None,
        "toys: five toys in grey by kind, view and light, with masks; needs no --root.",
        choices=("toys",),
        called="data set",
    )
    size: int | None = option(
        None, "Side of the pictures in pixels; by default 32, of toys 24.", kind=int, least=8,
        most=128,
    )  # fmt: skip
    untold: str | None = option(None, "Factors that are not told, with commas: side,x,y.")
    shuffled: str = option(
        "off", "on: each picture gets the factors of another, the null test.", choices=SWITCH
    )
    width: int | None = option(
        None, "Channels before the last layer; by default by profile.", kind=int, least=1, most=512
    )
    batch_size: int = option(64, "Pictures a step.", kind=int, least=2, most=65_536)
    lr: float = option(2e-3, "Of Adam, the largest.", kind=float, least=1e-8, most=1)


System = FactorSystem
HEADLINE = ("read_held", "read_seen", "psnr_held", "psnr_seen")


def side_of(o: Options) -> int:
    return o.size or (toys.SIZE if o.data else 32)


def load(o: Options, split: str, n: int | None = None) -> Told:
    """The first n pictures of a split with what is told of them."""
    if o.data:
        found = of_toys(split, side_of(o))
        return found.subset(slice(n))
    return of_world(o.world, split, side_of(o), n)


def build(o: Options, prepare) -> Built:
    """Streams, one a factor that is told; the picture begins as the mean colour.

    Raises:
        UsageError: a factor that there is not, or a size that no doubling reaches.
    """
    told = load(o, "train", NUMBER[o.profile])
    factors = told.factors.but(name.strip() for name in (o.untold or "").split(",") if name.strip())
    channels = 1 if o.data else 3
    torch.manual_seed(o.seed)
    network = FactorNetwork(
        widths=factors.widths,
        size=side_of(o),
        channels=channels,
        mask=told.masks is not None,
        width=o.width or WIDTH[o.profile],
    )
    some = to_float(told.pictures.images[:2048])[:, :channels]
    network.begin_at(some.mean((0, 2, 3)))
    batches = ToldBatches(
        told, factors, shuffled=o.shuffled == "on", channels=channels,
        batch_size=min(o.batch_size, len(told)), seed=o.seed,
    )  # fmt: skip
    shown = torch.from_numpy(np.random.default_rng(o.seed).permutation(len(told))[:16])
    return Built(
        FactorTrainer(network, shown=told.codes(factors)[shown], lr=o.lr, ground=told.ground),
        batches,
        finish=lambda: FactorSystem(network, factors),
        name=f"{o.system}{'_shuffled' if o.shuffled == 'on' else ''}-{o.of}-{side_of(o)}",
        data=told.pictures.name,
        fingerprint=fingerprint(told.pictures),
        minutes=MINUTES[o.profile],
        more={"untold": o.untold or "", "shuffled": o.shuffled},
    )


def measure(system: FactorSystem, o: Options, n: int | None = None) -> dict[str, float]:
    """Of combinations that training saw and of those that it did not: the share that is read back
    right, and the peak signal-to-noise ratio against the true picture, in dB.

    PaperWorld is read by its reader, every attribute that is told; a toy is right where, of all
    true pictures, its own is the nearest.

    Raises:
        UsageError: the weights are told other factors than these pictures have.
    """
    test = load(o, "test", n or NUMBER[o.profile])
    if unknown := [name for name in system.factors.all if name not in test.columns]:
        raise UsageError(
            f"these weights are told {', '.join(unknown)}, which {o.of} does not have: name the "
            "data that they learned from."
        )
    found = {}
    for kind, part in (("held", test.subset(test.held)), ("seen", test.subset(~test.held))):
        if len(part):
            found |= {f"{name}_{kind}": v for name, v in _measured(system, o, part).items()}
    return found | {"pictures": len(test)}


def _measured(system: FactorSystem, o: Options, part: Told) -> dict[str, float]:
    drawn = torch.cat([
        to_float(system.render(codes)) for codes in part.codes(system.factors).split(256)
    ])  # fmt: skip
    found = {"psnr": psnr(drawn, to_float(part.pictures.images))}
    if o.data:
        every = to_float(toys.every(system.size, lights=LIGHTS).images)
        own = (drawn, to_float(part.pictures.images), every)
        return {"read": nearest_right(*own)} | found
    right = read_right(load_reader(o.world), drawn, part.pictures, system.choices)
    return {"read": right.pop("all")} | found | right
