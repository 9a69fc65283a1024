"""StackGAN's second stage, on a first stage that is frozen."""

from dataclasses import dataclass, replace

import torch
from torch import nn

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.data.pairs import ASIDES, LEVEL_WEIGHTS, LabelledBatches
from t2ilab.errors import UsageError
from t2ilab.metrics.detail import detail
from t2ilab.metrics.evaluate import drawn_for, evaluate
from t2ilab.models.augmentation import ConditioningAugmentation
from t2ilab.models.auxiliary import AuxiliaryDiscriminator
from t2ilab.models.pyramid import up
from t2ilab.models.stackgan import StageTwo
from t2ilab.paths import user_path
from t2ilab.recipes.data import encode_all, load_data
from t2ilab.recipes.options import Pictures, option
from t2ilab.recipes.text_gan import COMPLETE, RECIPES, SIDED, Plan, begin_with
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems import weights
from t2ilab.systems.single import has_reader, load_reader
from t2ilab.systems.stackgan import StackGAN
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.trainers.conditioned_gan import ConditionedGAN, Parts

PLANS = {
    "smoke": Plan(size=128, pictures=64, width=6, batch_size=4, minutes=0.05),
    "laptop": Plan(size=128, pictures=None, width=24, batch_size=16, minutes=45),
    "gpu": Plan(size=128, pictures=None, width=64, batch_size=64, minutes=12 * 60),
}
# Stage I brings variety, so `varied` is not needed; averages are shorter, for runs are. Batch norm
# in D, as in the paper: under spectral norm D was slow to see what is soft, and stage II stayed so.
RECIPE = replace(RECIPES["patient"], average=0.99, decay=0.3, norm="batch", lr_d=5e-4)


@dataclass(frozen=True, kw_only=True)
class Options(Pictures):
    """Of StackGAN's second stage."""

    stage_one: str | TextToImage | None = option(
        None,
        "The first stage, a trained text-to-image system of half the side: DIR, FILE or NAME; "
        "default the world's own that ships, or one that is trained first.",
        path=True,
        objects=[nn.Module],
    )
    ca: int = option(128, "Numbers of the condition c.", kind=int, least=1, most=4096)
    ca_kl: float = option(
        0.1,  # at 2, the authors', it sank to .02 in a short trial, and c told stage II nothing
        "Weight of the KL term, eq. 8.",
        kind=float,
        least=0,
        most=1000,
    )
    heads: float = option(
        2.0,
        "Weight of attribute heads on the discriminator, as in TAC-GAN; 0, and data without "
        "attributes: none, as in the paper.",
        kind=float,
        least=0,
        most=1000,
    )
    close: float = option(
        1.0, "Weight of staying with stage I at the beginning.", kind=float, least=0, most=1000
    )
    restore: float = option(
        100.0,
        "Weight of making real pictures, given small and soft, large and sharp again.",
        kind=float,
        least=0,
        most=1000,
    )
    start: str | None = option(
        None, "Folder of another run, to begin with its networks: each layer that fits.", path=True
    )
    width: int | None = option(None, "Channels of the networks.", kind=int, least=1, most=1024)
    batch_size: int | None = option(None, "Pictures a step.", kind=int, least=2, most=65_536)


System = StackGAN
HEADLINE = ("consistency_all", "consistency_all_unseen", "fid", "fid_detail_share", "sharpness")


def build(o: Options, prepare) -> Built:
    """Stage I and its captions' vectors, once for all; stage II and its discriminator.

    Raises:
        UsageError: stage I draws another size than half of what is asked for.
    """
    plan, size = PLANS[o.profile], o.size or PLANS[o.profile].size
    first = _stage_one(o, size // 2, prepare)
    if 2 * first.size != size:
        raise UsageError(
            f"--size {size}: this first stage draws {first.size} pixels, and the second twice that."
        )
    data = load_data(
        world=o.world, data=o.data, root=o.root, size=size, n=plan.pictures, asides=True
    )
    phi, width = encode_all(first.encoder, data), o.width or plan.width
    labels = "attributes" if o.heads and data.stated is not None else ""
    torch.manual_seed(o.seed)
    augmentation = ConditioningAugmentation(text=first.encoder.text, size=o.ca)
    second = StageTwo(size=size, z=first.generator.z, condition=o.ca, width=width)
    # Stage I was given complete captions, where a prior completes them: so is stage II.
    complete = first.prior is not None and data.stated is not None
    batches = LabelledBatches(
        data,
        phi,
        labels,
        batch_size=min(o.batch_size or plan.batch_size, len(data)),
        seed=o.seed,
        wrong=RECIPE.wrong,
        near=RECIPE.near if data.stated is not None else 1,
        levels=COMPLETE if complete else LEVEL_WEIGHTS,
        asides=SIDED if complete else ASIDES,
    )
    heads = heads_of(data, batches.names) if labels else {}
    trainer = ConditionedGAN(
        second,
        AuxiliaryDiscriminator(
            heads=heads, alone=True, size=size, text=first.encoder.text, width=width * 2 // 3,
            norm=RECIPE.norm, projection=RECIPE.projection,
        ),
        augmentation,
        recipe=RECIPE,
        first=first.generator,
        parts=Parts(kl=o.ca_kl, heads=o.heads, close=o.close, restore=o.restore),
        seed=o.seed,
        shown=phi[: 16 * 7 : 7, 0].float(),
    )  # fmt: skip
    start = {} if o.start is None else {"start": begin_with(trainer, user_path(o.start, "start"))}
    return Built(
        trainer,
        batches,
        finish=lambda: StackGAN(first, trainer.average.augmentation, trainer.average.generator),
        name=f"{o.system}-{o.of}-{size}",
        data=data.name,
        fingerprint=fingerprint(data),
        minutes=plan.minutes,
        more={"recipe": vars(RECIPE), "stage_one": first.about.get("name", "")} | start,
    )


def heads_of(data: CaptionedImages, names: list[str]) -> dict[str, int]:
    """name -> number of its values."""
    return {name: int(data.attributes[name].max()) + 1 for name in names}


def _stage_one(o: Options, size: int, prepare) -> TextToImage:
    """The one named, the world's own, or one that is trained first; frozen."""
    if o.stage_one is not None:
        named = o.stage_one
        first = TextToImage.load(named) if isinstance(named, str) else named
    elif o.world is not None and f"gan_int_cls-{o.world}-{size}" in weights.bundled():
        first = TextToImage.load(f"gan_int_cls-{o.world}-{size}")
    else:
        first = prepare("stackgan_one", profile=o.profile, size=size, **o.origin)
    return first.eval().requires_grad_(False)


def measure(system: StackGAN, o: Options, n: int | None = None) -> dict:
    """What `metrics.evaluate` finds, and detail beside the enlarged stage I's; nothing for real
    data and for a world without a reader."""
    if not has_reader(o.world):
        return {}
    world, reader = paperworld.world(o.world), load_reader(o.world)
    few = {"n": 64, "noises": 8} if o.profile == "smoke" else {}
    few |= {} if n is None else {"n": n}
    found = evaluate(system, world, reader, **few)
    test = world.load("test", system.size, asides=True).subset(slice(few.get("n", 1000)))
    real, fake = to_float(test.images), drawn_for(system, test, 0)
    small = up(drawn_for(system.first, test, 0))
    of_second, of_first = (detail(reader, real, x) for x in (fake, small))
    found |= of_second | {f"{k}_stage_one": v for k, v in of_first.items()}
    found["fid_detail_share"] = of_first["fid_detail"] / of_second["fid_detail"]
    return found
