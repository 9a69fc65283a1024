"""AttnGAN: text to image, with places that attend to words, taught by DAMSM."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.errors import UsageError
from t2ilab.metrics.consistency import caption_consistency, diversity
from t2ilab.metrics.evaluate import picture_scores, readable, style_of
from t2ilab.models.attngan import FIRST, AttnGenerator, TwoAnswers
from t2ilab.recipes.data import encode_all, load_data, word_numbers
from t2ilab.recipes.options import Pictures, option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems import weights
from t2ilab.systems.attngan import AttnSystem
from t2ilab.systems.damsm import DamsmSystem
from t2ilab.systems.single import has_reader, load_reader
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.text.encoders import CaptionEncoder
from t2ilab.trainers.attngan import AttnTrainer, Critics, Recipe, WordBatches
from t2ilab.trainers.damsm import Gammas

LEVELS = (0.60, 0.16, 0.10, 0.08, 0.06)  # how often captions are complete, and bare
FIRSTS = ("learns", "frozen")
FITTED = 4000  # pictures whose captions tell what another GAN was told
WRONG, NEAR = 3, 64  # mismatching captions a picture; see `TextImageBatches`


@dataclass(frozen=True)
class Plan:
    """Sizes of a run: pictures' side and number (None: all), channels of G and of the critics,
    batch, minutes."""

    size: int
    pictures: int | None
    width: int
    critics: int
    batch_size: int
    minutes: float


PLANS = {
    "smoke": Plan(32, 256, width=8, critics=8, batch_size=8, minutes=0.05),
    "laptop": Plan(64, None, width=32, critics=24, batch_size=16, minutes=45),
    "gpu": Plan(128, None, width=64, critics=64, batch_size=32, minutes=24 * 60),
}


@dataclass(frozen=True, kw_only=True)
class Options(Pictures):
    """Of AttnGAN."""

    damsm: str | None = option(
        None,
        "A trained DAMSM: DIR, FILE or NAME; default the world's own that ships, or one that is "
        "trained first.",
        path=True,
    )
    start: str | None = option(
        None,
        "A trained text GAN with a gated generator, of which F_0 begins with all layers that fit: "
        "DIR, FILE or NAME.",
        path=True,
    )
    first: str = option(
        "learns", "F_0 learns, or is frozen, as StackGAN's first stage is.", choices=FIRSTS
    )
    lr: float = option(Recipe.lr_g, "Of Adam, of G.", kind=float, least=1e-8, most=1)
    width: int | None = option(
        None, "Channels of the generator at 32 pixels.", kind=int, least=4, most=1024
    )
    batch_size: int | None = option(None, "Pictures a step.", kind=int, least=2, most=65_536)
    teach: float = option(
        Recipe.teach, "lambda, the weight of DAMSM (paper: 5 on birds).", kind=float, least=0,
        most=1e4,
    )  # fmt: skip
    kl: float = option(Recipe.kl, "Weight of the condition's KL.", kind=float, least=0, most=1e4)
    varied: float = option(
        Recipe.varied, "Weight of: another picture where the noise is another.", kind=float,
        least=0, most=1e4,
    )  # fmt: skip


System = AttnSystem
HEADLINE = ("consistency_all", "consistency_all_unseen", "diversity", "fid")


def build(o: Options, prepare) -> Built:
    """DAMSM, which reads the captions once for all; G, and a critic for each of its pictures."""
    plan = PLANS[o.profile]
    size = o.size or plan.size
    data = load_data(
        world=o.world, data=o.data, root=o.root, size=size, n=plan.pictures, asides=True
    )
    damsm = _damsm(o, size, prepare)
    encoder = damsm.encoder
    torch.manual_seed(o.seed)
    generator = AttnGenerator(
        size=size, text=encoder.text, word=encoder.word, width=o.width or plan.width
    )
    start = {} if o.start is None else {"start": begin_with(generator, o.start, damsm, data)}
    if o.first == "frozen":
        generator.freeze_first()
    sides = [FIRST * 2**i for i in range(len(generator.refine))]
    critics = Critics(
        [TwoAnswers(size=side, text=encoder.text, width=plan.critics) for side in sides]
    )
    recipe = Recipe(
        lr_g=o.lr,
        teach=o.teach,
        kl=o.kl,
        varied=o.varied,
        gammas=Gammas(damsm.gamma1, damsm.gamma2),
    )
    numbers = numbers_of(encoder, data)
    shown = numbers[: 16 * 7 : 7, 0].long()
    trainer = AttnTrainer(generator, critics, damsm.model, recipe=recipe, seed=o.seed, shown=shown)
    batches = WordBatches(
        data,
        encode_all(encoder, data),
        numbers,
        batch_size=min(o.batch_size or plan.batch_size, len(data)),
        seed=o.seed,
        wrong=WRONG,
        near=NEAR if data.stated is not None else 1,
        levels=LEVELS,
    )
    return Built(
        trainer,
        batches,
        finish=lambda: AttnSystem(encoder, trainer.average),
        name=f"{o.system}-{o.of}-{size}",
        data=data.name,
        fingerprint=fingerprint(data),
        minutes=plan.minutes,
        more={"damsm": str(damsm.about.get("name", "trained first"))} | start,
    )


@torch.no_grad()
def begin_with(
    generator: AttnGenerator, name: str, damsm: DamsmSystem, data: CaptionedImages
) -> str:
    """Give F_0 the layers of a trained text GAN, and the condition what that GAN was told.

    Its compressed captions are fitted by a linear map of DAMSM's sentences; around it is a cloud as
    wide as captions differ, so that the sentence alone says little for sure, and words are needed.

    Raises:
        UsageError: its generator is none of `models.gated`, or has other sizes.
    """
    old = TextToImage.load(name)
    own, given = generator.state_dict(), old.generator.state_dict()
    last = f"scales.{len(generator.scales)}."  # of 64 pixels: the same layers, called otherwise
    named = {k.replace(last, "enlarge.0."): v for k, v in given.items()}
    named |= {k.replace("to_rgb.", f"to_rgb.{len(generator.to_rgb) - 1}."): v
              for k, v in given.items() if k.startswith("to_rgb.")}  # fmt: skip
    fits = {k: v for k, v in named.items() if k in own and own[k].shape == v.shape}
    if "start.weight" not in fits:
        raise UsageError(
            f"--start {name}: expected a text GAN with a gated generator of {generator.size} "
            f"pixels whose first layer is as large as this one's {list(own['start.weight'].shape)}."
        )
    generator.load_state_dict(own | fits)
    said = [c[k] for c in data.captions[:FITTED] for k in (0, len(c) // 2)]
    wanted = old.generator.project[0](old.encoder.encode(said))  # before the LeakyReLU
    s = torch.cat([damsm.encoder.encode(said), torch.ones(len(said), 1)], 1)
    weights_of, layer = torch.linalg.lstsq(s, wanted).solution, generator.project[0]
    layer.weight.copy_(weights_of[:-1].T)
    layer.bias.copy_(weights_of[-1])
    size, layer = generator.c, generator.condition.layer
    layer.weight.copy_(torch.cat([torch.eye(size), torch.zeros(size, size)]))
    told = old.generator.project[1](wanted)
    layer.bias[:size], layer.bias[size:] = 0, 2 * told.std(0).clamp(min=0.05).log()
    return str(old.about["name"])


def _damsm(o: Options, size: int, prepare) -> DamsmSystem:
    """The one named, the world's own, or one that is trained first, on pictures of this size."""
    if o.damsm is not None:
        return DamsmSystem.load(o.damsm)
    if o.world is not None and f"damsm-{o.world}-{size}" in weights.bundled():
        return DamsmSystem.load(f"damsm-{o.world}-{size}")
    return prepare("damsm", profile=o.profile, size=size, **o.origin)


def numbers_of(encoder: CaptionEncoder, data: CaptionedImages) -> Int[Tensor, "n k words"]:
    """`word_numbers` as small integers, for they are kept for all pictures."""
    return word_numbers(encoder.vocabulary, data).to(torch.int16)


def measure(system: AttnSystem, o: Options, n: int | None = None) -> dict:
    """Are complete captions obeyed, and how good are the pictures? Nothing for real data and for a
    world without a reader."""
    if not has_reader(o.world):
        return {}
    few = o.profile == "smoke"
    world, reader = paperworld.world(o.world), load_reader(o.world)
    n, noises = n or (64 if few else 1000), 8 if few else 50
    test = world.load("test", system.size, n)
    fake = system.pictures([c[0] for c in test.captions], system.noise(n, 1))
    new = torch.from_numpy(world.unseen[test.classes])
    found = {}
    for name, x, data in (("", fake, test), ("_unseen", fake[new], test.subset(new.numpy()))):
        obeyed = caption_consistency(reader, x, data, list(world.content), level=0)
        found |= {f"consistency_{k}{name}": v for k, v in obeyed.items()}
    found["readable"] = readable(reader, fake)
    some = [c[0] for c in test.captions[:: max(1, n // 16)][:16]]
    each = torch.stack([system.pictures([c] * noises, system.noise(noises, 2)) for c in some])
    real = world.load("test", system.size)
    found["diversity"] = diversity(reader, each, real, style_of(world))
    return found | picture_scores(world, reader, to_float(test.images), fake)
