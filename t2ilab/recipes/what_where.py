"""What and where: a text GAN that draws a bird in a given box, on the placed birds of PaperWorld."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.data.pairs import TextImageBatches
from t2ilab.data.paperworld import placed
from t2ilab.models.gated import GatedGenerator
from t2ilab.models.what_where import WhatWhereDiscriminator, WhatWhereGenerator
from t2ilab.recipes.data import encode_all
from t2ilab.recipes.options import Options as Common
from t2ilab.recipes.options import option
from t2ilab.recipes.text_gan import COMPLETE, SIDED
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.encoders import load_encoder
from t2ilab.systems.single import TrainedPrior
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.systems.what_where import WhatWhere
from t2ilab.trainers.what_where import PlacedBatches, Recipe, WhatWhereTrainer

SIZE, BEGUN = 64, "gan_int_cls-birds-64"


@dataclass(frozen=True)
class Plan:
    """Sizes of a run: pictures (None: all), channels of G and of both paths of D, batch, minutes."""

    pictures: int | None
    width: int
    narrow: int
    around: int
    whole: int
    inside: int
    batch_size: int
    minutes: float


PLANS = {
    "smoke": Plan(64, 4, 8, 8, 4, 4, batch_size=4, minutes=0.05),
    "laptop": Plan(None, 32, 96, 32, 24, 32, batch_size=16, minutes=45),
    "gpu": Plan(None, 32, 96, 32, 64, 64, batch_size=64, minutes=120),
}


@dataclass(frozen=True, kw_only=True)
class Options(Common):
    """Of what and where."""

    batch_size: int | None = option(None, "Pictures a step.", kind=int, least=2, most=65_536)
    start: str = option(
        "shipped",
        "shipped: the local path begins with what the text GAN of chapter 18 has learned; none.",
        choices=("shipped", "none"),
    )
    recipe: Recipe = option(Recipe(), "How it is trained.", objects=[Recipe], shown=False)


System = WhatWhere
HEADLINE = ("iou_median", "iou_mean_box", "attributes", "attributes_real")


def build(o: Options, prepare) -> Built:
    """Pictures, boxes and vectors of captions; both networks and their trainer."""
    plan = PLANS[o.profile]
    data = placed.load("train", SIZE, plan.pictures)
    encoder, prior = load_encoder("encoder-birds"), TrainedPrior.load("prior-birds").network
    phi = encode_all(encoder, data.pictures)
    torch.manual_seed(o.seed)
    generator = WhatWhereGenerator(
        text=encoder.text, width=plan.width, narrow=plan.narrow, around=plan.around
    )
    begun = o.start == "shipped" and plan.width == 32
    if begun:
        begin_with(generator, TextToImage.load(BEGUN).generator, phi[:500, 0].float())
    trainer = WhatWhereTrainer(
        generator,
        WhatWhereDiscriminator(text=encoder.text, width=plan.whole, inside=plan.inside),
        recipe=o.recipe,
        seed=o.seed,
        shown=(phi[: 16 * 3 : 3, 0].float(), torch.from_numpy(data.boxes[: 16 * 3 : 3])),
    )
    pairs = TextImageBatches(
        data.pictures,
        phi,
        batch_size=min(o.batch_size or plan.batch_size, len(data.pictures)),
        seed=o.seed,
        wrong=o.recipe.wrong,
        near=o.recipe.near,
        flip=False,
        levels=COMPLETE,
        asides=SIDED,
    )
    return Built(
        trainer,
        PlacedBatches(pairs, data.boxes),
        finish=lambda: WhatWhere(encoder, trainer.average, prior),
        name=f"what_where-placed-{SIZE}",
        data=data.pictures.name,
        fingerprint=fingerprint(data.pictures),
        minutes=plan.minutes,
        more={"recipe": vars(o.recipe), "begun_with": BEGUN if begun else "nothing"},
    )


@torch.no_grad()
def begin_with(
    generator: WhatWhereGenerator, learned: GatedGenerator, phi: Float[Tensor, "n text"]
) -> None:
    """Give the local path, and what turns features into colours, the layers of a text GAN.

    The picture that it would draw, 64 x 64, then lies in the square about the box. Numbers that it
    was not told (the box's shape) weigh nothing at first. Its first layer becomes one of few
    numbers: those directions in which 4 x 4 pixels differ most, for these captions and noise.
    """
    generator.project.load_state_dict(learned.project.state_dict())
    z = torch.randn(len(phi), learned.z, generator=torch.Generator().manual_seed(0))
    c = torch.cat([z, learned.project(phi)], 1)
    _narrowed(generator.local.start, learned.start, c)
    *scales, last = learned.scales
    for own, old in zip(generator.local.scales, scales, strict=True):
        _widened(own, old)
    _widened(generator.gate, last.gate)
    generator.strength.copy_(last.strength)
    generator.blend.weight.zero_()[:, : last.enlarge.in_channels].copy_(last.enlarge.weight)
    generator.to_rgb.load_state_dict(learned.to_rgb.state_dict())
    generator.local.opaque.bias.fill_(2.0)


def _narrowed(own: nn.Sequential, old: nn.Linear, c: Float[Tensor, "n condition"]) -> None:
    """Two layers in place of one, by the principal directions of what it gives."""
    given = c @ old.weight.T
    mean = given.mean(0)
    _, _, directions = torch.linalg.svd(given - mean, full_matrices=False)
    few = directions[: own[0].out_features]  # [narrow, 16 channels]
    own[0].weight.zero_()[:, : c.shape[1]].copy_(few @ old.weight)
    own[1].weight.copy_(few.T)
    own[1].bias.copy_(old.bias + mean - few.T @ (few @ mean))


def _widened(own: nn.Module, old: nn.Module) -> None:
    """Weights of layers that take more numbers now; those that are new weigh nothing."""
    before = old.state_dict()
    for name, tensor in own.state_dict().items():
        if tensor.shape == before[name].shape:
            tensor.copy_(before[name])
        else:
            tensor.zero_()[:, : before[name].shape[1]].copy_(before[name])


def measure(system: WhatWhere, o: Options, n: int | None = None) -> dict:
    """To be written."""
    return {}
