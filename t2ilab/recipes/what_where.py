"""What and where: a text GAN that draws a bird in a given box, on PaperWorld's placed birds."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.grounded import agreement
from t2ilab.data.pairs import TextImageBatches
from t2ilab.data.paperworld import placed
from t2ilab.metrics.placing import changes, moved, placing, read_right, scaled
from t2ilab.metrics.placing import found as boxes_found
from t2ilab.models.gated import GatedGenerator
from t2ilab.models.parts import PartFinder
from t2ilab.models.reader import AttributeReader
from t2ilab.models.what_where import WhatWhereDiscriminator, WhatWhereGenerator
from t2ilab.recipes.data import encode_all
from t2ilab.recipes.options import Options as Common
from t2ilab.recipes.options import option
from t2ilab.recipes.text_gan import COMPLETE, SIDED
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.encoders import load_encoder
from t2ilab.systems.single import TrainedPrior, TrainedReader, load_parts, load_reader
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.systems.what_where import WhatWhere
from t2ilab.trainers.what_where import PlacedBatches, Recipe, WhatWhereTrainer

SIZE, BEGUN = 64, "gan_int_cls-birds-64"
MEASURED = 320  # pictures of the test split


@dataclass(frozen=True)
class Plan:
    """Sizes of a run: pictures (None: all), channels of G and of D's paths, batch, minutes."""

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
HEADLINE = ("iou_median", "iou_mean_box", "attributes", "moving_attributes")


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

    The bird that it would draw, 64 x 64, then lies in the square about the box. Numbers that it was
    not told (the box's shape) weigh nothing at first. Its first layer becomes one of few
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
    _split(generator.local.hand_on, generator.blend, last.enlarge)
    generator.to_rgb.load_state_dict(learned.to_rgb.state_dict())
    _cut_out(generator, learned, phi, z)


@torch.enable_grad()
def _cut_out(
    generator: WhatWhereGenerator,
    learned: GatedGenerator,
    phi: Float[Tensor, "n text"],
    z: Float[Tensor, "n z"],
    steps: int = 60,
) -> None:
    """Let what is local begin with the bird alone: its opacity is that of the part finder.

    A regression of one convolution, from features to the bird's share of each pixel, on pictures
    that the text GAN draws.
    """
    local, few = generator.local, slice(0, 96)
    generator.eval()
    with torch.no_grad():
        labels = load_parts("birds").find(learned(z[few], phi[few]))
        share = F.avg_pool2d((labels[:, None] > 0).float(), 2)
        c = torch.cat([z[few], learned.project(phi[few]), torch.zeros(len(share), 1)], 1)
        h = local.features(z[few], c)
    nn.init.zeros_(local.opaque.weight)
    fit = torch.optim.LBFGS(
        local.opaque.parameters(), max_iter=steps, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        fit.zero_grad()
        value = F.binary_cross_entropy_with_logits(local.opaque(h), share)
        value.backward()
        return value

    fit.step(loss)
    generator.train()


def _narrowed(own: nn.Sequential, old: nn.Linear, c: Float[Tensor, "n condition"]) -> None:
    """Two layers in place of one, by the principal directions of what it gives."""
    given = c @ old.weight.T
    mean = given.mean(0)
    _, _, directions = torch.linalg.svd(given - mean, full_matrices=False)
    few = directions[: own[0].out_features]  # [narrow, 16 channels]
    own[0].weight.zero_()[:, : c.shape[1]].copy_(few @ old.weight)
    own[1].weight.copy_(few.T)
    own[1].bias.copy_(old.bias + mean - few.T @ (few @ mean))


def _split(first: nn.Conv2d, then: nn.Conv2d, old: nn.Conv2d) -> None:
    """A convolution as one of 1 x 1 to fewer channels and one after it, as nearly as can be."""
    few = first.out_channels
    u, s, v = torch.linalg.svd(old.weight.transpose(0, 1).flatten(1), full_matrices=False)
    first.weight.copy_((u[:, :few] * s[:few].sqrt()).T[..., None, None])
    rest = (s[:few].sqrt()[:, None] * v[:few]).unflatten(1, (-1, *old.kernel_size))
    then.weight.zero_()[:, :few].copy_(rest.transpose(0, 1))


def _widened(own: nn.Module, old: nn.Module) -> None:
    """Weights of layers that take more numbers now; those that are new weigh nothing."""
    before = old.state_dict()
    for name, tensor in own.state_dict().items():
        if tensor.shape == before[name].shape:
            tensor.copy_(before[name])
        else:
            tensor.zero_()[:, : before[name].shape[1]].copy_(before[name])


def measure(system: WhatWhere, o: Options, n: int | None = None) -> dict:
    """On n placed birds of the test split, drawn from their complete captions in their boxes.

    "iou_...": where the bird is found, beside the mean box and real pictures; "attributes...": the
    mean share of what is read right in the box, by the reader and by the judge, beside real
    pictures; "moving_..." the same while a box moves over 5 x 5 places and through five sizes;
    "inside" and "outside": what changes where the caption is that of another picture.
    """
    n = n or (16 if o.profile == "smoke" else MEASURED)
    data, boxes = placed.load("test", SIZE, n)
    finder, readers = load_parts("birds"), _readers()
    captions = [said[0] for said in data.captions]
    drawn = system.draw_in(captions, boxes, range(n))
    where = placing(finder, drawn, boxes)
    numbers = {f"iou_{name}": value for name, value in where._asdict().items()}
    numbers |= {"iou_real": placing(finder, data.images, boxes).median}
    for name, reader in readers.items():
        for of, images in (("", drawn), ("_real", data.images)):
            numbers |= _attributes(read_right(reader, images, boxes, data), f"{name}{of}")
    others = system.draw_in(captions[1:] + captions[:1], boxes, range(n))
    inside, outside = changes(drawn, others, boxes)
    return (
        numbers
        | {"inside": inside, "outside": outside, "pictures": n}
        | moving(system, data, boxes, finder, readers["attributes"], n // 16)
    )


def _readers() -> dict[str, AttributeReader]:
    return {"attributes": load_reader("birds"), "judge": TrainedReader.load("judge-birds").network}


def _attributes(right: dict[str, np.ndarray], name: str) -> dict[str, float]:
    """The mean of the attributes' shares, and the share of pictures with all of them right."""
    every = np.stack(list(right.values()))
    return {name: float(every.mean()), f"{name}_all": float(every.all(0).mean())}


def moving(
    system: WhatWhere,
    data: CaptionedImages,
    boxes: Float[np.ndarray, "n 4"],
    finder: PartFinder,
    reader: AttributeReader,
    birds: int,
) -> dict[str, float]:
    """The first few birds, each with one noise, in a box that moves, and in one that grows."""
    found, right = [], []
    for i in range(birds):
        ways = np.concatenate([moved(boxes[i]), scaled(boxes[i])])
        images = system.draw_in(data.captions[i][0], ways, i)
        found.append(agreement(boxes_found(finder, images), ways))
        same = data.subset([i] * len(ways))
        right.append(np.stack(list(read_right(reader, images, ways, same).values())))
    agree, read = np.concatenate(found), np.concatenate(right, 1)
    return {
        "moving_iou": float(np.median(agree)),
        "moving_half": float((agree >= 0.5).mean()),
        "moving_attributes": float(read.mean()),
        "moving_attributes_worst": float(np.stack([one.mean(0) for one in right]).mean(0).min()),
    }
