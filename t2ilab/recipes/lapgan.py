"""LAPGAN on pictures without captions: 16 x 16 pixels, then 32 x 32, then 64 x 64."""

from dataclasses import dataclass

import torch

from t2ilab.data import paperworld
from t2ilab.data.batches import PictureBatches
from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError
from t2ilab.metrics.evaluate import picture_scores
from t2ilab.models.dcgan import Discriminator
from t2ilab.models.lapgan import LaplacianGenerator, ResidualDiscriminator
from t2ilab.models.pyramid import down
from t2ilab.recipes.data import Squares
from t2ilab.recipes.dcgan import MEASURED, Plan, pictures_of
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.gan import LAPGANSystem
from t2ilab.systems.single import has_reader, load_reader
from t2ilab.trainers.lapgan import LAPGAN

PLANS = {
    "smoke": Plan(width=4, batch_size=16, minutes=0.03, size=64, pictures=256),
    "laptop": Plan(width=16, batch_size=32, minutes=15, size=64),
    "gpu": Plan(width=64, batch_size=128, minutes=120, size=64),
}


@dataclass(frozen=True, kw_only=True)
class Options(Squares):
    """Of LAPGAN."""

    start: int = option(16, "Side of the smallest pictures.", kind=int, least=8, most=64)
    width: int | None = option(None, "Channels of the layers.", kind=int, least=1, most=4096)
    batch_size: int | None = option(None, "Pictures a step.", kind=int, least=2, most=65_536)
    lr: float = option(2e-4, "Of Adam, of all networks.", kind=float, least=1e-8, most=1)


System = LAPGANSystem
HEADLINE = ("fid", "inception_score_share")


def build(o: Options, prepare) -> Built:
    """G and D of each level, and batches of pictures of the full size.

    Raises:
        UsageError: sizes that make no pyramid, or fewer pictures than a batch.
    """
    pictures, shape = pictures_of(o, PLANS[o.profile])
    trainer = trainer_of(o, **shape)
    number = o.batch_size or PLANS[o.profile].batch_size
    return Built(
        trainer,
        PictureBatches(pictures, batch_size=number, channels=o.channels, seed=o.seed),
        finish=lambda: LAPGANSystem(trainer.average.cpu()),
        name=f"{o.system}-{o.of}-{pictures.size}",
        data=pictures.name,
        fingerprint=fingerprint(pictures),
        minutes=PLANS[o.profile].minutes,
    )


def trainer_of(o: Options, *, size: int, channels: int, width: int) -> LAPGAN:
    """All networks, untrained, and what trains them."""
    torch.manual_seed(o.seed)
    shape = dict(channels=channels, width=width)
    start = min(o.start, size // 2)
    if start < 8:
        raise UsageError(f"--size {size}: a pyramid needs 16 pixels or more.")
    generator = LaplacianGenerator(size=size, start=start, **shape)
    discriminators = [ResidualDiscriminator(size=level.size, **shape) for level in generator.levels]
    base = Discriminator(size=start, **shape)
    return LAPGAN(generator, [base, *discriminators], lr=o.lr, seed=o.seed)


def measure(system: LAPGANSystem, o: Options, n: int | None = None) -> dict:
    """Scores of pictures from noise against the test split ("free-running"), and "fid_from_S": of
    pictures that the levels above S pixels made from *real* ones of S pixels ("teacher-forced").
    Nothing without a world's reader.
    """
    if not has_reader(o.world):
        return {}
    n = n or (64 if o.profile == "smoke" else MEASURED)
    world, reader = paperworld.world(o.world), load_reader(o.world)
    real = to_float(world.load("test", system.size).images[:n])
    made = system.sample(len(real), seed=1).clamp(-1, 1)
    found, small = picture_scores(world, reader, real, made), real
    while small.shape[-1] > system.network.start:
        small = down(small)
        forced = system.refined(small, seed=1).clamp(-1, 1)
        found[f"fid_from_{small.shape[-1]}"] = picture_scores(world, reader, real, forced)["fid"]
    return found
