"""pix2pix: from a map of a bird's parts, or from its outlines, to a picture."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from t2ilab.data import maps, paperworld
from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError
from t2ilab.metrics.maps import colourfulness, map_score, sharpness
from t2ilab.models.pix2pix import PATCHES, PatchDiscriminator, UNet
from t2ilab.recipes.options import Options as Common
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.pix2pix import Pix2PixSystem
from t2ilab.systems.single import load_parts, load_reader
from t2ilab.trainers.pix2pix import LOSSES, Pix2Pix

ARCHITECTURES = ("unet", "encoder-decoder")
SIZES = (32, 64)


@dataclass(frozen=True)
class Plan:
    """Sizes of a training run, and how many pictures of the test split are scored."""

    width: int
    steps: int
    pictures: int
    tested: int
    size: int = 32


PLANS = {
    "smoke": Plan(width=4, steps=8, pictures=64, tested=32),
    "laptop": Plan(width=16, steps=800, pictures=2000, tested=300),
    "gpu": Plan(width=64, steps=20_000, pictures=20_000, tested=2000, size=64),
}


@dataclass(frozen=True, kw_only=True)
class Options(Common):
    """Of pix2pix."""

    world: str = option(
        "birds",
        f"Of PaperWorld: {', '.join(paperworld.WITH_PARTS)}.",
        choices=paperworld.WITH_PARTS,
    )
    loss: str = option(
        "l1+cgan", f"{', '.join(LOSSES)}; in gan and l1+gan D sees no map.", choices=LOSSES
    )
    architecture: str = option(
        "unet", f"Of G: {' or '.join(ARCHITECTURES)}, which has no skips.", choices=ARCHITECTURES
    )
    patch: int = option(
        16, f"Pixels a side that D judges by: {', '.join(map(str, PATCHES))}.", kind=int,
        least=1, most=70,
    )  # fmt: skip
    given: str = option(
        "parts", "What is shown: parts, or edges (outlines alone).", choices=maps.GIVEN
    )
    size: int | None = option(None, "Side in pixels: 32 or 64.", kind=int, least=32, most=64)
    width: int | None = option(
        None, "Channels after the first halving, of both.", kind=int, least=1, most=512
    )
    weight: float = option(100.0, "Lambda, of L1.", kind=float, least=0, most=1e6)
    lr: float = option(1e-3, "Of Adam, for both.", kind=float, least=1e-8, most=1)
    batch_size: int = option(8, "Pictures a step.", kind=int, least=2, most=4096)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patch not in PATCHES:
            raise UsageError(f"--patch {self.patch}: one of {', '.join(map(str, PATCHES))}.")
        if self.size is not None and self.size not in SIZES:
            raise UsageError(f"--size {self.size}: 32 or 64.")


System = Pix2PixSystem
HEADLINE = ("iou", "iou_real", "kid")


def networks_of(o: Options, labels: int, size: int) -> tuple[UNet, PatchDiscriminator | None]:
    """G, and D where the loss has one, untrained."""
    torch.manual_seed(o.seed)
    inputs, width = maps.channels(labels, o.given), o.width or PLANS[o.profile].width
    generator = UNet(inputs=inputs, size=size, width=width, skips=o.architecture == "unet")
    if o.loss == "l1":
        return generator, None
    sees = o.loss in ("cgan", "l1+cgan")
    return generator, PatchDiscriminator(inputs=inputs if sees else 0, patch=o.patch, width=width)


def variant(o: Options) -> str:
    """What differs from the defaults, as it goes into the name of the weight file."""
    parts = [o.loss.replace("+", "_")] if o.loss != "l1+cgan" else []
    parts += ["encdec"] if o.architecture != "unet" else []
    parts += [f"patch{o.patch}"] if o.patch != 16 and o.loss != "l1" else []
    return "_".join([o.system, *parts, *(["edges"] if o.given == "edges" else [])])


def build(o: Options, prepare) -> Built:
    """G and D, and batches of pictures with their maps, half of them mirrored."""
    plan = PLANS[o.profile]
    size = o.size or plan.size
    data = maps.load(o.world, "train", size, plan.pictures)
    labels = 1 + len(data.names)
    trainer = Pix2Pix(
        *networks_of(o, labels, size),
        loss=o.loss,
        labels=labels,
        given=o.given,
        weight=o.weight,
        lr=o.lr,
        shown=torch.from_numpy(data.maps[:8].copy()),
    )
    return Built(
        trainer,
        maps.MapBatches(data, batch_size=min(o.batch_size, len(data)), seed=o.seed),
        finish=lambda: Pix2PixSystem(
            trainer.drawing, world=o.world, names=data.names, given=o.given
        ),
        name=f"{variant(o)}-{o.world}-{size}",
        data=f"{data.pictures.name}, {len(data)} pictures and their maps",
        fingerprint=fingerprint(data.pictures),
        steps=plan.steps,
        precision="32-true",
        more={"loss": o.loss, "architecture": o.architecture, "given": o.given},
    )


def measure(system: Pix2PixSystem, o: Options, n: int | None = None) -> dict[str, float]:
    """The FCN-score of pictures made from maps of the test split: "pixel", "class", "iou"; their
    sharpness, colourfulness (of the bird), and KID over the features of the world's reader.
    "..._real": of the real pictures; of KID, of as many others of the test split.

    "varies": how far two pictures of one map, of other dropout, lie apart, as a share of how far
    a made picture lies from the real one (mean absolute differences, on the bird).

    Raises:
        UsageError: weights of another world than the options.
    """
    if system.world != o.world:
        raise UsageError(f"these weights are of {system.world}, not of {o.world}.")
    test = maps.load(o.world, "test", system.size, n or PLANS[o.profile].tested)
    made, real = system.sample(test.maps, seed=1), to_float(test.pictures.images)
    other = system.sample(test.maps, seed=2)
    bird = torch.from_numpy(np.asarray(test.maps)) > 0
    apart, missed = ((x - made).abs().mean(1)[bird].mean() for x in (other, real))
    found = scored(made, test) | {"varies": float(apart / missed)}
    found |= {f"{k}_real": v for k, v in _real(o.world, system.size, len(test)).items()}
    return found | {"tested": len(test)}


@lru_cache
def _real(world: str, size: int, n: int) -> dict[str, float]:
    """`scored` of the real pictures; the same whatever is trained. KID is of the next n of them."""
    test = maps.load(world, "test", size, n)
    others = paperworld.world(world).load("test", size, 2 * n).images[n:]
    found = scored(to_float(test.pictures.images), test)
    return found | {"kid": kid(to_float(others), world, size)}


@lru_cache
def _features(world: str, size: int, n: int) -> torch.Tensor:
    """The reader's features of the first n test pictures."""
    real = paperworld.world(world).load("test", size, n).images
    return load_reader(world).features(to_float(real))


@torch.inference_mode()
def kid(images: torch.Tensor, world: str, size: int) -> float:
    """KID of pictures against as many of the test split, all at once (Binkowski et al. 2018)."""
    from torchmetrics.image.kid import poly_mmd

    made = torch.cat([load_reader(world).features(part) for part in images.split(256)])
    return float(poly_mmd(_features(world, size, len(images)), made))


def scored(images: torch.Tensor, test: maps.Mapped) -> dict[str, float]:
    """FCN-score, sharpness, colourfulness and KID of pictures [n, 3, h, w] of these maps."""
    of = torch.from_numpy(np.asarray(test.maps))
    world, size = test.pictures.name.split("/")[0], images.shape[-1]
    score = map_score(load_parts(world), images, of)
    return {
        "pixel": score.pixel,
        "class": score.class_,
        "iou": score.iou,
        "sharpness": sharpness(images),
        "colour": colourfulness(images, of > 0),
        "kid": kid(images, world, size),
    }
