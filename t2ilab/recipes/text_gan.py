"""GAN-CLS and its kin: text-conditional GANs on a world of PaperWorld or a public data set."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from t2ilab.data import paperworld
from t2ilab.data.pairs import ASIDES, Recombined, TextImageBatches
from t2ilab.errors import UsageError, choose
from t2ilab.fit import checkpoint
from t2ilab.metrics.evaluate import evaluate
from t2ilab.models.gated import GENERATORS
from t2ilab.models.prior import CompletingPrior
from t2ilab.models.reed import Discriminator
from t2ilab.paths import user_path
from t2ilab.recipes.data import encode_all, load_data
from t2ilab.recipes.options import Pictures, option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems import weights
from t2ilab.systems.encoders import TrainedEncoder, load_encoder
from t2ilab.systems.single import TrainedPrior, has_reader, load_reader
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.text.encoders import CaptionEncoder
from t2ilab.trainers.parts import bare
from t2ilab.trainers.text_gan import SYSTEMS, Recipe, TextGAN

RECIPES = {
    # Reed et al. 2016: Adam 2e-4 with momentum 0.5, cross-entropy, batch normalisation, beta 0.5.
    "paper": Recipe(),
    # What looked best in short trials of one seed each. Departures: spectral norm instead of batch
    # norm in D and hinge losses (Miyato et al. 2018), D learning twice as fast as G (Heusel et al.
    # 2017), a running average of G, several mismatched captions a picture, some of them near.
    "stable": Recipe(
        lr_g=5e-4,
        lr_d=1e-3,
        betas=(0.0, 0.99),
        hinge=True,
        average=0.995,
        decay=0.1,
        norm="spectral",
        wrong=4,
        near=64,
    ),
}
# For longer runs: `stable`, and a projection term in D, nearer mismatched captions, a longer
# average, and learning rates that sink for longer.
RECIPES["patient"] = replace(RECIPES["stable"], average=0.998, decay=0.3, projection=True, near=256)
# `patient`, and a term that keeps the generator from forgetting its noise (Yang et al. 2019):
# on scenes, where the captions settle nearly everything, `patient` drew one picture a caption.
RECIPES["varied"] = replace(RECIPES["patient"], varied=20.0)
# What trained the weights that ship: `varied` with a generator that is told the caption at every
# scale (`models.gated`), fewer captions between two others, and complete captions only: others are
# completed first (`models.prior`). D is shown what G draws between captions: without it scenes of
# combinations never seen fell apart into stripes, of which D had never said that they are not real.
RECIPES["gated"] = replace(
    RECIPES["varied"],
    generator="gated",
    average=0.999,
    varied=10.0,
    share=0.25,
    between=True,
    prior=True,
)
# `gated`, and D is asked part by part. Scenes of combinations never seen came out right in .93
# instead of .80 of all cases: a point between two captions is no combination, and of a caption that
# it never sees with a picture D can learn that it is false, whatever the picture. Captions that mix
# the facts of two pictures take the place of interpolated ones: GAN-INT in spirit only.
RECIPES["parted"] = replace(RECIPES["gated"], share=0.5, parts=True)
# What G and D are shown where a prior completes captions: weights of the levels, share of asides.
COMPLETE, SIDED = (1.0, *[0.0] * (paperworld.LEVELS - 1)), 0.8
# And what D is asked where it is asked part by part; so many captions are recombined.
ASKED, MIXED = (0.3, 0.1, 0.3, 0.3, 0.0), 6000


@dataclass(frozen=True)
class Plan:
    """Sizes of a run: pictures' side and number (None: all), channels, batch, minutes."""

    size: int
    pictures: int | None
    width: int
    batch_size: int
    minutes: float


PLANS = {
    "smoke": Plan(size=32, pictures=256, width=8, batch_size=16, minutes=0.05),
    "laptop": Plan(size=32, pictures=None, width=40, batch_size=32, minutes=5),
    "gpu": Plan(size=64, pictures=None, width=128, batch_size=64, minutes=24 * 60),
}


def encoder_option() -> str | CaptionEncoder | None:
    """The field `encoder` of systems that read captions by one; see `named_encoder`."""
    return option(
        None,
        "A trained caption encoder: DIR, FILE or NAME; default the world's own that ships, or one "
        "that is trained first.",
        path=True,
        objects=[nn.Module],
    )


@dataclass(frozen=True, kw_only=True)
class Options(Pictures):
    """Of the four text-conditional GANs."""

    recipe: str | Recipe = option(
        "stable", f"{', '.join(RECIPES)}.", choices=RECIPES, objects=[Recipe]
    )
    width: int | None = option(
        None, "Channels of the networks (ngf = ndf).", kind=int, least=1, most=1024
    )
    batch_size: int | None = option(None, "Pictures a step.", kind=int, least=2, most=65_536)
    encoder: str | CaptionEncoder | None = encoder_option()
    start: str | None = option(
        None, "Folder of another run, to begin with its networks: each layer that fits.", path=True
    )


System = TextToImage
HEADLINE = ("consistency_all", "consistency_all_unseen", "diversity", "fid")


def build(o: Options, prepare) -> Built:
    """Captions to vectors, once for all; generator, discriminator and their trainer."""
    plan, size = PLANS[o.profile], o.size or PLANS[o.profile].size
    recipe = o.recipe if isinstance(o.recipe, Recipe) else RECIPES[o.recipe]
    encoder = named_encoder(o)
    captioned = load_data(
        world=o.world, data=o.data, root=o.root, size=size, n=plan.pictures, asides=True
    )
    encoder = encoder or encoder_of(o, size, prepare)
    prior = _prior(o, encoder, prepare) if recipe.prior and o.world is not None else None
    phi = encode_all(encoder, captioned)
    width = o.width or plan.width
    torch.manual_seed(o.seed)
    sizes, more = dict(size=size, text=encoder.text, width=width), dict(residual=recipe.residual)
    own = more | dict(resize=recipe.resize) if recipe.generator == "reed" else {}
    trainer = TextGAN(
        GENERATORS[recipe.generator](**sizes, **own),
        Discriminator(**sizes, **more, norm=recipe.norm, projection=recipe.projection),
        recipe=recipe,
        seed=o.seed,
        shown=phi[: 16 * 7 : 7, 0].float(),
        **SYSTEMS[choose("text GAN", o.system, SYSTEMS)],
    )
    start = {} if o.start is None else {"start": begin_with(trainer, user_path(o.start, "start"))}
    batches = TextImageBatches(
        captioned,
        phi,
        batch_size=min(o.batch_size or plan.batch_size, len(captioned)),
        seed=o.seed,
        wrong=recipe.wrong,
        near=recipe.near if captioned.stated is not None else 1,
        levels=recipe.levels if prior is None else COMPLETE,
        asides=ASIDES if prior is None else SIDED,
        **(_asked(o, encoder, recipe) if recipe.parts and o.world is not None else {}),
    )
    return Built(
        trainer,
        batches,
        finish=lambda: TextToImage(encoder, trainer.average, prior),
        name=f"{o.system}-{o.of}-{size}",
        data=captioned.name,
        fingerprint=fingerprint(captioned),
        minutes=plan.minutes,
        more={"recipe": vars(recipe), **start},
    )


def _asked(o: Options, encoder: CaptionEncoder, recipe: Recipe) -> dict:
    """What `TextImageBatches` needs for a D that is asked part by part."""
    n = MIXED if o.profile != "smoke" else 64
    whole, parts = paperworld.world(o.world).recombined(n, o.seed)
    said = [*whole, *(text for few in parts for text in few)]
    vectors = encoder.encode(said).float().cpu().clone()
    phi, of_parts = vectors[:n], vectors[n:].unflatten(0, (n, -1))
    return {"asked": ASKED, "recombined": Recombined(phi, of_parts, recipe.share)}


def begin_with(trainer: TextGAN, folder: Path) -> dict:
    """Give the networks the layers of another run, of another world or half the side; says whose.

    What was learned on one set of pictures shortens the training on another (Wang et al. 2018,
    "Transferring GANs"); a generator of half as many pixels and twice the width has the same
    layers but the last, and such a discriminator the same but the first (Karras et al. 2018).

    Raises:
        UsageError: there is no checkpoint of a text GAN in `folder`, or no layer fits.
    """
    found = checkpoint.read(folder)
    if found is None or not {"G", "D", "average"} <= set(found["trainer"]):
        raise UsageError(
            f"--start {folder}: expected the folder of a run of {', '.join(SYSTEMS)}, with its "
            f"{checkpoint.NAME}."
        )
    for name in ("G", "D", "average"):
        network, old = bare(getattr(trainer, name)), found["trainer"][name]
        own = network.state_dict()
        if name == "D":  # its layers count from the picture: those near the score are the same
            old = _count_from_the_end(old, own)
        fits = {k: v for k, v in old.items() if k in own and own[k].shape == v.shape}
        if not fits:
            raise UsageError(
                f"--start {folder}: no layer of its {name} fits; train it with the same --recipe, "
                "and the same --width or, with half the --size, twice the --width."
            )
        network.load_state_dict(own | fits)
    recorded = found["record"]["options"]
    told = ("system", "world", "data", "size", "recipe", "width")
    return {name: recorded[name] for name in told if name in recorded} | {"steps": found["step"]}


def _count_from_the_end(old: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The layers "fold.<i>" of a discriminator renamed so that the last ones are of one name."""
    place = re.compile(r"fold\.(\d+)\.(.*)")
    last = [max(int(m[1]) for k in of if (m := place.match(k))) for of in (old, own)]
    shift = last[1] - last[0]
    return {place.sub(lambda m: f"fold.{int(m[1]) + shift}.{m[2]}", k): v for k, v in old.items()}


def named_encoder(o: Pictures) -> CaptionEncoder | None:
    """The encoder that `--encoder` names, or was given; None: neither."""
    return load_encoder(o.encoder) if isinstance(o.encoder, str) else o.encoder


def encoder_of(o: Pictures, size: int, prepare) -> CaptionEncoder:
    """The world's bundled encoder, or one that is trained first, on the same captions."""
    if o.world is not None and f"encoder-{o.world}" in weights.bundled():
        return load_encoder(f"encoder-{o.world}")
    found: TrainedEncoder = prepare("encoder", profile=o.profile, size=size, **o.origin)
    return found.encoder


def _prior(o: Options, encoder: CaptionEncoder, prepare) -> CompletingPrior:
    """The world's bundled prior if the encoder is the bundled one, or one that is trained first.

    A prior travels with its generator; that of the birds is a file of its own besides.
    """
    drawn = f"gan_int_cls-{o.world}-64"
    if o.encoder is None and f"prior-{o.world}" in weights.bundled():
        return TrainedPrior.load(f"prior-{o.world}").network
    if o.encoder is None and drawn in weights.bundled():
        shipped = TextToImage.load(drawn)
        if shipped.prior is not None and _alike(shipped.encoder, encoder):
            return shipped.prior
    found: TrainedPrior = prepare("prior", profile=o.profile, world=o.world, encoder=encoder)
    return found.network


def _alike(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks have the same weights."""
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(v.equal(second[k]) for k, v in first.items())


def measure(system: TextToImage, o: Options, n: int | None = None) -> dict:
    """What `metrics.evaluate` finds; nothing for real data and for a world without a reader."""
    if not has_reader(o.world):
        return {}
    few = {"n": 64, "noises": 8} if o.profile == "smoke" else {}
    given = {} if n is None else {"n": n}
    return evaluate(system, paperworld.world(o.world), load_reader(o.world), **few | given)
