"""GAN-CLS with conditioning augmentation (StackGAN's first stage) or with heads (TAC-GAN)."""

from dataclasses import dataclass

import torch
from torch import nn

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pairs import LabelledBatches
from t2ilab.errors import UsageError
from t2ilab.models.augmentation import AugmentedGenerator, ConditioningAugmentation
from t2ilab.models.auxiliary import AuxiliaryDiscriminator
from t2ilab.models.gated import GENERATORS
from t2ilab.recipes import text_gan
from t2ilab.recipes.data import encode_all, load_data
from t2ilab.recipes.options import Pictures, option
from t2ilab.recipes.stackgan import heads_of
from t2ilab.recipes.text_gan import PLANS, RECIPES, encoder_of, encoder_option, named_encoder
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.text.encoders import CaptionEncoder
from t2ilab.trainers.conditioned_gan import ConditionedGAN, Parts

# What the discriminator is asked besides: labels of the batches, and the loss.
HEADS = {
    "none": ("", "softmax"),
    "attributes": ("attributes", "softmax"),  # one softmax an attribute
    "class": ("class", "softmax"),  # one softmax over all classes
    "one_hot": ("class", "one_hot"),  # as the authors' code: cross-entropy of each entry
}


@dataclass(frozen=True, kw_only=True)
class Options(Pictures):
    """Of GAN-CLS with one of the two additions, or both."""

    heads: str | None = option(
        None, f"{', '.join(HEADS)}; default attributes for tac_gan.", choices=HEADS
    )
    head_weight: float = option(1.0, "Weight of the heads.", kind=float, least=0, most=1000)
    fakes: int = option(
        0, "1: the discriminator classifies fakes, too, as in TAC-GAN.", kind=int, least=0, most=1
    )
    ca: int | None = option(
        None, "Numbers of the condition c; 0: no augmentation; default 128 for stackgan_one.",
        kind=int, least=0, most=4096,
    )  # fmt: skip
    ca_kl: float = option(2.0, "Weight of the KL term, eq. 8.", kind=float, least=0, most=1000)
    generator: str = option("reed", f"{', '.join(GENERATORS)}.", choices=GENERATORS)
    width: int | None = option(None, "Channels of the networks.", kind=int, least=1, most=1024)
    batch_size: int | None = option(None, "Pictures a step.", kind=int, least=2, most=65_536)
    encoder: str | CaptionEncoder | None = encoder_option()


System = TextToImage
HEADLINE = text_gan.HEADLINE
measure = text_gan.measure


def build(o: Options, prepare) -> Built:
    """Captions to vectors, once for all; the networks and their trainer.

    Raises:
        UsageError: attributes are asked for, and the data has none.
    """
    plan, size = PLANS[o.profile], o.size or PLANS[o.profile].size
    recipe = RECIPES["stable"]
    data = load_data(
        world=o.world, data=o.data, root=o.root, size=size, n=plan.pictures, asides=True
    )
    encoder = named_encoder(o) or encoder_of(o, size, prepare)
    phi, width = encode_all(encoder, data), o.width or plan.width
    labels, head_loss = HEADS[_heads(o, data)]
    batches = LabelledBatches(
        data, phi, labels, batch_size=min(o.batch_size or plan.batch_size, len(data)), seed=o.seed,
        wrong=recipe.wrong, near=recipe.near if data.stated is not None else 1,
    )  # fmt: skip
    heads = {"class": len(data.class_names)} if labels == "class" else {}
    heads |= heads_of(data, batches.names) if labels == "attributes" else {}
    torch.manual_seed(o.seed)
    ca = (128 if o.system == "stackgan_one" else 0) if o.ca is None else o.ca
    augmentation = ConditioningAugmentation(text=encoder.text, size=ca) if ca else None
    trainer = ConditionedGAN(
        GENERATORS[o.generator](size=size, text=ca or encoder.text, width=width),
        AuxiliaryDiscriminator(heads=heads, size=size, text=encoder.text, width=width,
                               norm=recipe.norm, projection=recipe.projection),
        augmentation,
        recipe=recipe,
        parts=Parts(
            kl=o.ca_kl, heads=o.head_weight, head_loss=head_loss, fakes=bool(o.fakes)
        ),
        seed=o.seed,
        shown=phi[: 16 * 7 : 7, 0].float(),
    )  # fmt: skip
    return Built(
        trainer,
        batches,
        finish=lambda: TextToImage(encoder, drawing(trainer)),
        name=f"{o.system}-{o.of}-{size}",
        data=data.name,
        fingerprint=fingerprint(data),
        minutes=plan.minutes,
        more={"recipe": vars(recipe), "parts": vars(trainer.parts), "heads": heads},
    )


def drawing(trainer: ConditionedGAN) -> nn.Module:
    """What draws: the averaged generator, behind its augmentation if it has one."""
    artist = trainer.average
    if artist.augmentation is None:
        return artist.generator
    return AugmentedGenerator(artist.augmentation, artist.generator)


def _heads(o: Options, data: CaptionedImages) -> str:
    """Which heads: those asked for; by default attributes for TAC-GAN, or classes where a data set
    has no attributes."""
    if o.heads is None:
        default = "attributes" if data.stated is not None else "class"
        return default if o.system == "tac_gan" else "none"
    if o.heads == "attributes" and data.stated is None:
        raise UsageError(f"--heads attributes: {data.name} has no list of attributes; give class.")
    return o.heads
